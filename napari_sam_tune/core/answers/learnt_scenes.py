"""Of which scenes what was learnt, and which of them have to be learnt anew."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.known_images import known_images
from napari_sam_tune.core.answers.scenes import in_scenes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_sam_tune.core.answers.known_images import Known, Refused
    from napari_sam_tune.core.answers.scenes import Scene
    from napari_sam_tune.core.project.project import Project


class LearntScenes:
    """What was known of each scene when it was learnt.

    Asked at every accept, so that only what is new is gone into: images of which nothing was said
    since are not looked at, and those of which nothing else is known are not cut into scenes again.

    Args:
        project: whose images.
        side: of the predictor's padded input, in px.

    """

    def __init__(self, project: Project, side: int) -> None:
        self._project, self._side = project, side
        self._known: dict[str, dict[Scene, Known]] = {}  # by image
        self._masks = Counter[str]()  # in how many scenes each was learnt
        self._whole: dict[str, Known] = {}  # of images whose scenes are all learnt
        self._given_up: set[Scene] = set()
        self._moment = 0
        self._rejected: dict[str, tuple[Refused, ...]] = {}
        self._waiting: set[str] = set()  # images that are not learnt as they are known

    def __getitem__(self, scene: Scene) -> Known | None:
        """Return what was known of a scene when it was learnt; None if it was not."""
        return self._known.get(scene.image_id, {}).get(scene)

    @property
    def masks(self) -> Collection[str]:
        """The ids of all accepted masks that were learnt."""
        return self._masks.keys()

    @property
    def images(self) -> frozenset[str]:
        """The ids of all images that were learnt from."""
        return frozenset(self._known)

    def masks_on(self, image_id: str | None) -> list[str]:
        """Return the ids of the masks that were learnt on an image."""
        scenes = self._known.get(image_id, {}).values() if image_id is not None else ()
        return list(dict.fromkeys(name for known in scenes for name in known.annotations))

    def changed(
        self, rejected: Mapping[str, tuple[Refused, ...]]
    ) -> tuple[list[Scene], dict[Scene, Known]]:
        """Return scenes of which something else is known than was learnt, and what it is.

        Args:
            rejected: what a person said no to, by image id.

        """
        self._moment, fresh = self._project.changed_since(self._moment)
        before, self._rejected = self._rejected, dict(rejected)
        said_no = {i for i in before | self._rejected if before.get(i) != rejected.get(i)}
        looked_at = self._waiting | fresh | said_no
        known = known_images(self._project, looked_at, rejected)
        # by the oldest of their masks, so that nothing learnt depends on the order of sets
        order = sorted(known, key=lambda i: (known[i].annotations[:1], i))
        said = {i: known[i] for i in order if self._whole.get(i) != known[i]}
        gone = sorted(looked_at - known.keys())
        now = in_scenes(said, self._project, self._side)
        learnt = (scene for i in (*said, *gone) for scene in self._known.get(i, ()))
        changed = [
            scene
            for scene in dict.fromkeys((*learnt, *now))
            if self[scene] != now.get(scene) and scene not in self._given_up
        ]
        self._waiting = {scene.image_id for scene in changed}
        self._whole |= {i: found for i, found in said.items() if i not in self._waiting}
        for image_id in gone:
            if image_id not in self._waiting:
                self._whole.pop(image_id, None)
        return changed, now

    def take(self, scene: Scene, known: Known | None) -> None:
        """Note what a scene was learnt with; None: no longer at all."""
        scenes = self._known.setdefault(scene.image_id, {})
        before = scenes.pop(scene, None)
        for name in () if before is None else before.annotations:
            self._masks[name] -= 1
            if not self._masks[name]:
                del self._masks[name]
        if known is not None:
            scenes[scene] = known
            self._masks.update(known.annotations)
        if not scenes:
            del self._known[scene.image_id]

    def give_up(self, scene: Scene) -> None:
        """Learn a scene no more: it cannot be read."""
        self._given_up.add(scene)

    def rename(self, old: str, new: str) -> None:
        """Call a class as it is called now; nothing need be learnt anew for that."""
        self._known = {
            image_id: {scene: known.renamed(old, new) for scene, known in scenes.items()}
            for image_id, scenes in self._known.items()
        }
        self._whole = {i: known.renamed(old, new) for i, known in self._whole.items()}
