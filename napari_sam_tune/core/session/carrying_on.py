"""Carrying masks through a stack: what comes of it waits, and is accepted as a run of planes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from psygnal import Signal

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.project.stacks import IN_A_RUN, is_by_hand
from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.core.session.deeds import Deed, Undone
from napari_sam_tune.core.stacks.sureness import LEAST_SURE
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.session.accepting import Accepting
    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.session.suggested import Suggested
    from napari_sam_tune.core.stacks.carrying import Carried, Carrying, Direction
    from napari_sam_tune.core.suggestions.review import Review
    from napari_sam_tune.core.suggestions.suggestion import Suggestion

BOTH: Final[tuple[Direction, ...]] = (1, -1)


class CarryingOn:
    """The part of `Session` that carries masks from plane to plane.

    Attributes:
        carrying: what carries them, for the thread that owns the model.
        carried_changed: fires with the thing of which other planes wait than before.

    """

    carried_changed = Signal(str)

    project: Project
    answerer: Answerer
    carrying: Carrying
    objects: Objects
    review: Review
    suggested: Suggested
    _accepting: Accepting

    def carry_on(
        self, annotation_id: str, directions: tuple[Direction, ...] = BOTH
    ) -> list[Carried]:
        """Carry an accepted mask on, as far as it goes, and let what comes of it wait.

        What waited of the thing in those directions before is forgotten.

        Args:
            annotation_id: the mask, on a plane of a stack.
            directions: 1 to higher planes, -1 to lower ones.

        Raises:
            ProjectError: its image is no plane of a stack, or a plane cannot be read.

        """
        self.answerer.apply_swap()
        self.answerer.learn()
        found = []
        for direction in directions:
            self.forget_ahead(annotation_id, direction)
            for step in self.carrying.carry(annotation_id, direction):
                self.receive_carried(step)
                found.append(step)
        return found

    def fill(self, one: str, other: str) -> list[Carried]:
        """Fill the planes between two accepted masks of one thing from both sides.

        Raises:
            ProjectError: they do not lie in one row of planes, or a plane cannot be read.

        """
        self.answerer.apply_swap()
        self.answerer.learn()
        found = []
        for step in self.carrying.fill(one, other):
            self.receive_carried(step)
            found.append(step)
        return found

    def receive_carried(self, step: Carried) -> None:
        """Let one more plane wait for a yes or a no."""
        self.review.queue(step.image_id).put(step.suggestion)
        self.suggested.show_new(step.image_id)
        self.carried_changed.emit(step.suggestion.thing or "")

    def forget_ahead(self, annotation_id: str, direction: Direction) -> None:
        """Let what waits of a thing beyond a mask, up to one made by hand, wait no more."""
        thing = self.project.thing_of(annotation_id)
        for image_id in self._planes_ahead(annotation_id, direction)[0]:
            self.review.queue(image_id).take_out(thing)
            self.suggested.show_new(image_id)
        self.carried_changed.emit(thing)

    def waiting(self, thing: str) -> dict[str, Suggestion]:
        """Return what waits of a thing, by plane; the most unsure first."""
        return self.review.of_thing(thing)

    def is_corrected(self, annotation: Annotation) -> bool:
        """Whether a person changed what a mask shows, by clicks or by paint, when accepting it."""
        if not is_by_hand(annotation):
            return False
        before = annotation.supersedes
        painted = 0 if before is None else self.project.annotation(before).effort.painted_pixels
        return bool(annotation.prompts) or annotation.effort.painted_pixels > painted

    def to_redo(self, annotation_id: str) -> tuple[Direction, ...]:
        """Return where planes were carried from, or past, a mask that was corrected since.

        Planes between it and another that was made by hand stay: `fill` looks at these.
        """
        if self.project.stack_of(self.project.annotation(annotation_id).image_id) is None:
            return ()
        found = []
        for direction in BOTH:
            planes, is_closed = self._planes_ahead(annotation_id, direction)
            if planes and not is_closed and self._has_carried(annotation_id, planes[0]):
                found.append(direction)
        return tuple(found)

    def _has_carried(self, annotation_id: str, image_id: str) -> bool:
        thing = self.project.thing_of(annotation_id)
        if any(one.thing == thing for one in self.review.queue(image_id).waiting):
            return True
        there = self.project.annotations(image_id)
        return any(self.project.thing_of(a.id) == thing for a in there)

    def _planes_ahead(self, annotation_id: str, direction: Direction) -> tuple[list[str], bool]:
        """Return the planes beyond a mask, and whether one made by hand ends them."""
        annotation = self.project.annotation(annotation_id)
        stack = self.project.stack_of(annotation.image_id)
        row = [annotation.image_id] if stack is None else stack.row_of(annotation.image_id)
        at = row.index(annotation.image_id)
        ahead = row[at + 1 :] if direction > 0 else row[:at][::-1]
        masks = self.project.masks_of(self.project.thing_of(annotation_id))
        hand = {mask.image_id for mask in masks if is_by_hand(mask)}
        for number, image_id in enumerate(ahead):
            if image_id in hand:
                return ahead[:number], True
        return ahead, False

    # ---------------------------------------------------------------- accepting

    def accept_run(self, thing: str, least: float = LEAST_SURE) -> list[Annotation]:
        """Accept all that waits of a thing and is sure enough, in one go; `undo` takes it back.

        Each mask is durable by itself: a kill leaves some of them, and each of its thing.

        Args:
            thing: its name.
            least: sureness from which planes are accepted; the others wait on.

        Raises:
            MaskError: nothing that sure waits.
            StorageError: the disk refused; what was accepted by then stays, the rest waits.

        """
        run = {i: one for i, one in self.waiting(thing).items() if one.score >= least}
        if not run:
            raise MaskError(tr("Nothing that was carried waits: carry a mask on first."))
        before = self.objects.current
        shown = before.suggestion if before.is_suggestion else None
        effort, kept, decided = Effort(clicks=1), [], {}
        try:
            for image_id, one in run.items():
                kept.append(self._keep_carried(image_id, one, effort))
                self.review.queue(image_id).accept(one)
                decided[image_id] = one
                effort = Effort()
        finally:
            if kept:
                self._note_run(kept, decided)
                if shown in decided.values():
                    self.objects.put(self.suggested.next())
        return kept

    def _keep_carried(self, image_id: str, one: Suggestion, effort: Effort) -> Annotation:
        return self._accepting.keep(
            NewAnnotation(
                image_id=image_id,
                mask=one.placed,
                label=one.label or self._accepting.label,
                weights_version=one.weights_version,
                proposal_mask=one.placed,
                effort=effort,
                supersedes=one.replaces,
                source=self._accepting.source,
                suggested_by=IN_A_RUN,
            ),
            thing=one.thing,
        )

    def _note_run(self, kept: list[Annotation], decided: dict[str, Suggestion]) -> None:
        ids = [annotation.id for annotation in kept]
        replaced = [a.supersedes for a in kept if a.supersedes is not None]
        images = [annotation.image_id for annotation in kept]
        thing = self.project.thing_of(ids[0])

        def back() -> None:
            if replaced:  # first: a kill in between leaves no plane without its mask
                self.project.restore_all(replaced)
            self.project.delete(ids)
            for image_id, one in decided.items():
                self.review.queue(image_id).restore(one)
            tell()

        def again() -> None:
            self.project.restore_all(ids)
            if replaced:
                self.project.delete(replaced)
            for image_id, one in decided.items():
                self.review.queue(image_id).accept(one)
            tell()

        def tell() -> None:
            self._accepting.tell_changed(*images)
            for image_id in images:
                self.suggested.show_new(image_id)
            self.carried_changed.emit(thing)

        count = len(ids)
        self.objects.done(
            Deed(
                back,
                again,
                Undone(text=tr("Undone: {n:,} planes wait again.", "Undone: the plane waits again.",
                               n=count)),
                Undone(text=tr("Done again: {n:,} planes are accepted.",
                               "Done again: the plane is accepted.", n=count)),
            )
        )  # fmt: skip
        tell()

    # ------------------------------------------------------------------- things

    def tie(self, annotation_ids: list[str]) -> str:
        """Say that accepted masks are one thing, that of the first; `undo` takes it back.

        Returns:
            The thing's name.

        Raises:
            ProjectError: the project does not know one of them.
            StorageError: the disk refused.

        """
        thing = self.project.thing_of(annotation_ids[0])
        before = self.project.tie(annotation_ids, thing)
        if before:
            after = dict.fromkeys(before, thing)
            images = [self.project.annotation(name).image_id for name in before]
            tell = partial(self._accepting.tell_changed, *images)

            def said(ties: dict[str, str | None]) -> None:
                self.project.tie_again(ties)
                tell()

            self.objects.done(
                Deed(
                    partial(said, before),
                    partial(said, dict(after)),
                    Undone(text=tr("Undone: the masks are things of their own again.")),
                    Undone(text=tr("Done again: the masks are one thing.")),
                )
            )
            tell()
        return thing
