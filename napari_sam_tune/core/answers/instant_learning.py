"""Learning at every accept: what is known of each image, the classifier, its weight in answers.

Nothing here changes the model: the classifier is solved anew from sums, forgets nothing, and its
weight in answers is 0 wherever leaving images out does not show that it helps. So it needs no gate.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.first_clicks import MOST_CLICKS, FirstClicks
from napari_sam_tune.core.answers.judging import Judging
from napari_sam_tune.core.answers.known_images import MasksInCells
from napari_sam_tune.core.answers.learnt_scenes import LearntScenes
from napari_sam_tune.core.answers.scenes import (
    Scene,
    SceneFeatures,
    ScenePrior,
    level_of,
    scene_window,
    window_learnt_in,
)
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.pixel_classifier.classifier import PixelClassifier
from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
from napari_sam_tune.core.pixel_classifier.finder import Snapshot
from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES, Learnt
from napari_sam_tune.core.pixel_classifier.prior import Mixture, PixelPrior
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.encoding import OpenImage
    from napari_sam_tune.core.answers.first_clicks import FirstClick
    from napari_sam_tune.core.answers.known_images import Known, Refused
    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.pixel_classifier.finder import ClassMaps
    from napari_sam_tune.core.pixel_classifier.statistics import Contribution
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Prompt, Proposal
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

_log = logging.getLogger(__name__)

_KEPT: Final = 40
"""Images whose part in the sums is kept; of others it is computed anew to be taken out."""
_MAPS: Final = 12
"""Windows of the open image whose maps are kept."""
_AT_ONCE: Final = 20
"""Images learnt in one go; of a project just opened the others come the next times."""


class InstantLearning:
    """Learns from a project's accepted masks, and says what it makes of the open image.

    To be used by the thread that owns the predictor.

    Args:
        project: whose masks are learnt from; those accepted meanwhile, and by others, too.
        cache: where features are kept.
        device: where features are computed.
        side: of the predictor's padded input, in px.
        rejected: what a person said no to, by image id.
        resumed: what was chosen when the project was last open; it stands until half as many
            first clicks are answered again.

    Attributes:
        extractor: of the features.
        clicks: first clicks, by which its weight in answers is chosen.

    """

    def __init__(
        self,
        project: Project,
        cache: EmbeddingCache,
        device: torch.device,
        side: int,
        rejected: Callable[[], Mapping[str, tuple[Refused, ...]]] = dict,
        resumed: Learnt | None = None,
    ) -> None:
        self._project, self._cache = project, cache
        self._rejected = rejected
        self.extractor = FeatureExtractor(device)
        self.clicks = FirstClicks(project, side)
        self._classifier = PixelClassifier()
        self._side = side
        self._known = LearntScenes(project, side)
        self._in_cells = MasksInCells()  # of the open image
        self._moves_seen = set(project.class_moves())
        self._contributions: OrderedDict[Scene, Contribution] = OrderedDict()
        self._features = SceneFeatures(project, cache, self.extractor)
        self._snapshot: Snapshot | None = None
        self._maps: dict[Window | None, ClassMaps] = {}  # of the open image, or windows of it
        self._judged = resumed or Learnt()
        self._judging: Judging | None = None
        self._fewest_clicks = min(self._judged.judged, MOST_CLICKS) // 2
        self._is_settled = True

    # ------------------------------------------------------------- the image

    def look(self, opened: OpenImage, record: ImageRecord) -> None:
        """Make an image the open one; its features come from the cache or go there.

        Args:
            opened: the image; what the model's own trunk saw in it need not be looked for again.
            record: of it.

        Raises:
            StorageError: they could not be kept; the image is open all the same.

        """
        self.forget()
        self._features.look(opened, record)

    def forget(self) -> None:
        """Have no image open."""
        self._features.forget()
        self._maps.clear()
        self._in_cells.forget()
        self.clicks.forget_asked()

    # ------------------------------------------------------------- learning

    def follow(self, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Learn what was accepted, edited or taken back since the last time.

        Args:
            checkpoint: called between two images; may raise, and the rest is learnt the next time.

        """
        self._follow_classes()
        changed, now = self._known.changed(self._rejected())
        changed.sort(key=lambda scene: scene.image_id != self._features.open_id)
        for scene in changed[:_AT_ONCE]:
            if scene.image_id != self._features.open_id:  # what was just accepted is learnt at once
                checkpoint()
            try:
                self._replace(scene, self._known[scene], now.get(scene))
            except SamTuneError as error:  # one damaged mask must not keep the others from counting
                _log.warning("Nothing more is learnt from %s: %s", scene.name, error)
                self._known.give_up(scene)
            self._snapshot, self._is_settled = None, False
            self._maps.clear()
        if changed:
            here = self._known.masks_on(self._features.open_id)
            self.clicks.follow(self._known.masks, here)

    def _follow_classes(self) -> None:
        """Call classes in the sums as they are called now; nothing need be learnt anew for that."""
        moves = self._project.class_moves()
        for key, (old, new) in moves.items():
            if key in self._moves_seen or old == new:
                continue
            self._classifier.rename_class(old, new)
            self._known.rename(old, new)
            for scene, contribution in self._contributions.items():
                self._contributions[scene] = contribution.renamed(old, new)
            self._snapshot = None
            self._maps.clear()
        self._moves_seen = set(moves)

    def _replace(self, scene: Scene, before: Known | None, now: Known | None) -> None:
        """Take out of the sums what was known of a scene, and put in what is known now."""
        record = self._project.image(scene.image_id)
        features = self._features.of(scene)
        if features is None:
            self._known.give_up(scene)
            return
        old, contribution = self._contributions.get(scene), None
        kept = self._in_cells if scene.image_id == self._features.open_id else None
        if before is not None and old is None:
            old = before.contribution(self._project, record, features, scene.window, kept)
        if now is not None:
            contribution = now.contribution(self._project, record, features, scene.window, kept)
        # from here on nothing can fail
        if old is not None:
            self._classifier.subtract(scene.name, old)
            self._contributions.pop(scene, None)
            self._known.take(scene, None)
        if now is not None and contribution is not None:
            self._classifier.add(scene.name, contribution)
            self._contributions[scene] = contribution
            while len(self._contributions) > _KEPT:
                self._contributions.popitem(last=False)
            self._known.take(scene, now)

    # ------------------------------------------------------------ first clicks

    def unanswered(self, weights: str) -> list[Annotation]:
        """Return accepted objects whose first click the weights loaded have yet to answer.

        See `FirstClicks.unanswered`.
        """
        return self.clicks.unanswered(self._known.masks, weights)

    def note_answered(self, annotation: Annotation, proposal: Proposal, weights: str) -> None:
        """Take the model's own answer to the first click on an accepted object.

        Args:
            annotation: of `unanswered`.
            proposal: made without priors.
            weights: the version loaded.

        """
        self.clicks.add(annotation, proposal, weights)
        self._is_settled = False

    # -------------------------------------------------------------- settling

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that was accepted so far has been learnt."""
        return (
            self._moves_seen == set(self._project.class_moves())
            and not self._known.changed(self._rejected())[0]
        )

    @property
    def is_settled(self) -> bool:
        """Whether what is said of its worth is of all that was accepted so far."""
        return self._is_settled and self._judging is None and self.is_up_to_date

    def settle(
        self, refiners: Sequence[Refiner], checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        """Calibrate, choose weight and lift by leaving images out, in pieces; for idle moments.

        Args:
            refiners: what answers keep to.
            checkpoint: called between two images; may raise to make room for a click.

        """
        if self._judging is None:
            if self._is_settled:
                return
            self._classifier.calibrate()
            self._snapshot = None
            self._maps.clear()
            checkpoint()
            self._is_settled = True
            if not self._has_enough_clicks():
                return
            self._fewest_clicks = 0
            masks = len(self._known.masks)
            scenes = {click: self._scene_of(click) for click in self.clicks}
            self._judging = Judging(
                masks, self._classifier, self._features, scenes, self._mixture, refiners
            )
        try:
            self._judged = self._judging.go_on(checkpoint)
        except SamTuneError:
            self._judging = None
            raise
        self._judging = None

    def _has_enough_clicks(self) -> bool:
        """Whether those answered say more than what was chosen when the project was last open."""
        wanted = self._fewest_clicks
        if len(self.clicks) < wanted and self.is_up_to_date:
            # nobody waits for those on objects that were deleted since
            wanted = self.clicks.there_are(self._known.masks, 2 * wanted) // 2
        return len(self.clicks) >= wanted

    def _scene_of(self, click: FirstClick) -> Scene:
        """Return where the object that was clicked was learnt from."""
        shape = self._project.image(click.image_id).shape
        if not is_large(shape, self._side):
            return Scene(click.image_id)
        length = self._side << level_of(click.box, self._side)
        return Scene(click.image_id, scene_window(click.box, length, shape))

    # --------------------------------------------------------------- answers

    @property
    def judged(self) -> Learnt:
        """What it was worth when that was last told, and after how many masks."""
        return self._judged

    @property
    def learnt(self) -> Learnt:
        """The same, with the masks and images that are learnt from now."""
        masks, images = len(self._known.masks), self._classifier.images
        return replace(self._judged, masks=masks, images=images)

    def prior(self, prompt: Prompt) -> Prior | None:
        """What was learnt, about the open image; None where it has no say.

        Args:
            prompt: what is asked. A box says itself how far the object reaches, so that what was
                learnt bears on it by half, and how far is not learnt.

        """
        mixture = self._mixture
        if prompt.box is not None:
            mixture = Mixture(mixture.weight / 2)
        opened = self._features.opened
        if mixture.is_none or opened is None or self.snapshot() is None:
            return None
        if opened.is_large:
            return ScenePrior(partial(self._prior_in, mixture))
        return self._prior_in(mixture, None)

    def _prior_in(self, mixture: Mixture, window: Window | None) -> PixelPrior:
        """What was learnt, about the open image, or a window of it."""
        maps = self.class_maps(window)
        if maps is None:
            raise ImageError(
                tr("A part of the image cannot be read: see whether its file is there.")
            )
        return PixelPrior(maps.logits, maps.window, mixture)

    def prior_on(self, rgb: NDArray[np.uint8], record: ImageRecord) -> PixelPrior | None:
        """What was learnt, about an image that is not open; None where it has no say.

        Args:
            rgb: (H, W, 3) uint8, the image.
            record: of it.

        """
        snapshot = None if self._mixture.is_none else self.snapshot()
        if snapshot is None or is_large(record.shape, self._side):
            return None
        maps = snapshot.maps(self._features.of_pixels(rgb, record))
        return PixelPrior(maps.logits, maps.window, self._mixture)

    @property
    def _mixture(self) -> Mixture:
        return Mixture(self._judged.weight, self._judged.lift)

    def snapshot(self) -> Snapshot | None:
        """The classifier as it is now, for any image; None before it has a say."""
        if self._classifier.images < LEAST_IMAGES:
            return None
        if self._snapshot is None:
            classes = tuple(self._classifier.classes)
            solution = self._classifier.solve(classes)
            images = self._known.images
            self._snapshot = Snapshot(solution, classes, self._classifier.calibration, images)
        return self._snapshot

    def class_maps(self, window: Window | None = None) -> ClassMaps | None:
        """What the classifier makes of the open image, class by class; None before it can.

        Args:
            window: of a large image, what to look at; the maps are of a window around it.

        """
        snapshot, opened = self.snapshot(), self._features.opened
        if opened is None or snapshot is None:
            return None
        seen = None
        if opened.is_large:
            seen = window_learnt_in(window or whole(opened.shape), opened.shape, self._side)
        if seen not in self._maps:
            features = self._features.of(Scene(self._features.open_id or "", seen))
            if features is None:
                return None
            maps = snapshot.maps(features)
            self._maps[seen] = replace(maps, window=features.window_from(seen))
            while len(self._maps) > _MAPS:
                del self._maps[next(iter(self._maps))]
        return self._maps[seen]

    def leading_class(self, mask: PlacedMask) -> tuple[str, float] | None:
        """Return the class of a mask on the open image and its lead; None before two are known."""
        if mask.bbox is None:
            return None
        maps = self.class_maps(mask.bbox)
        if maps is None or len(maps.classes) < 2:
            return None
        return maps.lead_in(maps.cells_of(mask.cropped, mask.bbox))
