"""Stacks and things of a project: asked for, and said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.images.large_image import name_of_image
from napari_sam_tune.core.images.planes import open_plane
from napari_sam_tune.core.project.images import ImagesOfProject
from napari_sam_tune.core.project.recorded import RecordsOfProject
from napari_sam_tune.core.texts.plain_text import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.stacks import Stack


class StacksOfProject(ImagesOfProject, RecordsOfProject):
    """The part of `Project` that knows stacks and things."""

    # ------------------------------------------------------------------ stacks

    def stacks(self) -> list[Stack]:
        """Return the stacks, in the order they became known."""
        return list(self._journal.read().stacks.stacks.values())

    def stack_of(self, image_id: str) -> Stack | None:
        """Return the stack that an image is a plane of; None of an image by itself."""
        said = self._journal.read().stacks
        return said.stacks.get(said.of_image.get(image_id, ""))

    def set_stack(self, stack: Stack) -> None:
        """Say which images are planes of a stack, and what its axes are.

        The images need not be registered yet. What was said before of the same stack is replaced,
        but for planes that are known already. Of another mix of channels the pictures of registered
        planes of a file are read anew; their masks stay.

        Raises:
            ProjectError: a name is no text, or a plane lies elsewhere than the axes say; or the
                channels are mixed otherwise, and the file was moved or changed.
            ImageError: it has no such channels, or cannot be read.
            StorageError: the disk refused.

        """
        known = self._journal.read().stacks.stacks.get(stack.name)
        if known is not None:
            same = replace(stack, planes={**known.planes, **stack.planes})
            if same == known:
                return
        if not all(map(is_text, (stack.name, *stack.planes))):
            raise ProjectError("The name of a stack, and of each of its planes, is a text.")
        if any(len(at) != len(stack.axes.along) for at in stack.planes.values()):
            raise ProjectError(f"A plane of “{stack.name}” lies elsewhere than its axes say.")
        self._journal.append(
            "stack",
            name=stack.name,
            axes=stack.axes.to_json(),
            planes={name: list(at) for name, at in stack.planes.items()},
            mix=None if stack.mix is None else stack.mix.to_json(),
            contents=self._mixed_otherwise(stack),
        )

    def _mixed_otherwise(self, stack: Stack) -> dict[str, str]:
        """Return what registered planes are known by once channels are mixed otherwise."""
        contents = {}
        for record in self.images():
            plane = record.plane
            if record.id not in stack.planes or plane is None or record.path is None:
                continue
            if stack.mix in (None, plane.mix) or "channels" not in plane.parts:
                continue
            self.open_image(record.id)  # refuses a file that is not what it was
            pixels = open_plane(self.path / record.path, replace(plane, mix=stack.mix))
            contents[record.id] = name_of_image(pixels)
        return contents

    # ------------------------------------------------------------------ things

    def ties(self) -> dict[str, str]:
        """Return which thing masks were tied to by a line, by id, whether or not they count."""
        return dict(self._journal.read().stacks.ties)

    def thing_of(self, annotation_id: str) -> str:
        """Return the thing that an accepted mask is a part of, by its name.

        Raises:
            ProjectError: the project does not know the mask.

        """
        return self._thing_of(self.annotation(annotation_id), self._journal.read().stacks.ties)

    def _thing_of(self, annotation: Annotation, ties: Mapping[str, str]) -> str:
        seen: set[str] = set()
        while True:
            if annotation.id in ties:
                return ties[annotation.id]
            seen.add(annotation.id)
            before = annotation.supersedes
            if before is None or before in seen:
                return annotation.id
            annotation = self.annotation(before)

    def things(self) -> dict[str, list[Annotation]]:
        """Return all masks that count, thing by thing; within one in the order of time."""
        ties = self._journal.read().stacks.ties
        found: dict[str, list[Annotation]] = {}
        for annotation in self.annotations():
            found.setdefault(self._thing_of(annotation, ties), []).append(annotation)
        return found

    def masks_of(self, thing: str) -> list[Annotation]:
        """Return the masks of a thing that count, image by image; other images are not looked at.

        Args:
            thing: its name, see `thing_of`.

        """
        ties = self._journal.read().stacks.ties
        named = {thing, *(name for name, other in ties.items() if other == thing)}
        records = (self._table.get(name) for name in sorted(named))
        images = dict.fromkeys(record.image_id for record in records if record is not None)
        return [
            mask
            for image_id in images
            for mask in self.annotations(image_id)
            if self._thing_of(mask, ties) == thing
        ]

    def tie(self, annotation_ids: str | Iterable[str], thing: str) -> dict[str, str | None]:
        """Say that accepted masks are one thing, all or none, in one line.

        Args:
            annotation_ids: one or several.
            thing: its name, as `thing_of` returns it for one of its masks.

        Returns:
            What each was tied to before, for `tie_again`; of masks that this changes alone.

        Raises:
            ProjectError: the project does not know one of them, or the name is no text.
            StorageError: the disk refused.

        """
        ids = (annotation_ids,) if isinstance(annotation_ids, str) else annotation_ids
        names = [self.annotation(name).id for name in dict.fromkeys(ids)]
        if not is_text(thing) or not thing:
            raise ProjectError("A thing is called by a text.")
        ties = self._journal.read().stacks.ties
        before = {name: ties.get(name) for name in names if self.thing_of(name) != thing}
        if before:
            self.tie_again(dict.fromkeys(before, thing))
        return before

    def tie_again(self, ties: Mapping[str, str | None] | Mapping[str, str]) -> None:
        """Tie masks as `tie` found them, in one line; None lets a mask be a thing of its own.

        Raises:
            StorageError: the disk refused.

        """
        self._journal.append("things", ties=dict(ties))
