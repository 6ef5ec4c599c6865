"""Binds masks that are carried through a stack by the model's thread, and the 3-D view."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.stacks.sureness import LEAST_SURE
from napari_sam_tune.core.texts.wording import join_sentences, mark, tr
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.stack_view import StackSnapshot
from napari_sam_tune.ui.work.read_image import read_queued
from napari_sam_tune.ui.work.stack_volume import In3D

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.core.stacks.carrying import Carried, Direction
    from napari_sam_tune.ui.work.annotating import Annotating
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.selecting import Selecting
    from napari_sam_tune.ui.work.stack_axes import StackAxes
    from napari_sam_tune.ui.work.workplace import Workplace

_ENDED = {
    "vanished": mark("It is seen no farther."),
    "unsure": mark("It became unsure."),
    "by_hand": mark("It met a mask made by hand."),
    "end": mark("It came to the end of the stack."),
}


class CarryingOn(QObject):
    """Carries masks of the open stack on, plane by plane, while the person goes on.

    Attributes:
        actions: what can be done by key or button, by name.

    """

    def __init__(
        self,
        place: Workplace,
        opening: Opening,
        annotating: Annotating,
        selecting: Selecting,
        axes: StackAxes,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._annotating, self._selecting, self._axes = annotating, selecting, axes
        self._view = place.panel.stack
        self._things: set[str] = set()
        self._thing = ""
        self._ended: list[str] = []
        self._said: list[str] = []
        self._session.carrying.read = self._read_plane
        self._in_3d = In3D(place, self)
        self.actions: dict[str, Callable[[], None]] = {
            "carry_on": self._toggle,
            "accept_run": self._accept_run,
        }
        self._more: dict[str, Callable[[], None]] = {
            "fill": self._fill, "next_unsure": self._next_unsure, "in_3d": self._in_3d.switch,
        }  # fmt: skip
        opening.opened.connect(self.refresh)
        axes.changed.connect(self.refresh)
        self._view.action.connect(self._on_action)
        selecting.changed.connect(self.refresh)
        self._session.annotations_changed.connect(self._on_annotations_changed)
        self._session.object_changed.connect(self.refresh)

    def close(self) -> None:
        """Stop carrying and listening."""
        self._stop()
        self._session.annotations_changed.disconnect(self._on_annotations_changed)
        self._session.object_changed.disconnect(self.refresh)
        self._in_3d.close()

    def _on_action(self, action: str) -> None:
        self._place.touch()
        {**self.actions, **self._more}[action]()

    @property
    def _stack(self) -> Stack | None:
        return self._axes.stack

    # ---------------------------------------------------------------- carrying

    def _read_plane(self, image_id: str) -> tuple[NDArray[np.generic] | LargeImage, ImageRecord]:
        """Read a plane on the model's thread; one that was never opened is registered."""
        project = self._session.project
        queued = self._place.queue.find(image_id)
        if queued is None or any(record.id == image_id for record in project.images()):
            return project.open_image(image_id), project.image(image_id)
        read = read_queued(self._session, queued)
        return read.pixels, read.record

    def _toggle(self) -> None:
        if self._place.inference.busy(Kind.CARRY):
            self._stop()
            self.refresh()
            return
        current = self._session.open_object
        if current.placed is not None and not current.is_suggestion:
            # the mask in progress is accepted first: that is the one that is meant
            self._annotating.actions["accept"]()
            self._annotating.asking.after_answer(self._start_here)
        else:
            self._start_here()

    def _start_here(self) -> None:
        start = self._meant()
        if start is None:
            self._place.tell(tr("Accept the mask on this plane first: it is then carried on."))
            return
        self._start(start.id, (1, -1))

    def _meant(self) -> Annotation | None:
        """Return the mask selected on the open plane, else the one accepted there last."""
        image_id = self._session.state.image_id
        there = [] if image_id is None else self._session.project.annotations(image_id)
        selected = [mask for mask in there if mask.id in self._selecting.ids]
        return (selected or there or [None])[-1]  # type: ignore[list-item]

    def _start(self, annotation_id: str, directions: Iterable[Direction]) -> None:
        session = self._session
        try:
            runs = []
            for direction in directions:
                runs.append(session.carrying.carry(annotation_id, direction))
                session.forget_ahead(annotation_id, direction)
        except SamTuneError as error:
            self._place.complain(error)
            return
        self._thing = session.project.thing_of(annotation_id)
        self._things.add(self._thing)
        self._ended, self._said = [], []
        self._go_on(list(runs), is_begin=True)
        self.refresh()

    def _go_on(self, runs: list[Iterator[Carried]], *, is_begin: bool = False) -> None:
        """Have the next plane of the first run made; of the others when that one has ended."""
        if not runs:
            self._finish()
            return
        steps = runs[0]

        def next_plane() -> Carried | None:
            self._session.answerer.apply_swap()
            with self._session.learner.runner.stepping_aside():
                if is_begin:  # a click may have kept it from what was accepted just before
                    self._session.answerer.learn()
                return next(steps, None)

        self._place.inference.submit(
            Kind.CARRY, next_plane, partial(self._on_plane, runs), self._on_failed
        )

    def _on_plane(self, runs: list[Iterator[Carried]], step: Carried | None) -> None:
        if step is None:
            self._ended.append(getattr(runs[0], "ended", None) or "")
            self._go_on(runs[1:])
            self.refresh()
            return
        self._session.receive_carried(step)
        if step.split:
            self._said.append(tr("On {image} it falls apart.", image=step.image_id))
        if step.merged_with:
            self._said.append(tr("On {image} it runs into another object.", image=step.image_id))
        self._go_on(runs)
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        self._place.complain(error)
        self.refresh()

    def _finish(self) -> None:
        reasons = [tr(_ENDED[end]) for end in dict.fromkeys(self._ended) if end in _ENDED]
        count = len(self._session.waiting(self._thing))
        told = tr("{n:,} planes wait.", "1 plane waits.", n=count)
        self._place.tell(join_sentences(told, *self._said[:2], *reasons))
        self.refresh()

    def _stop(self) -> None:
        self._place.inference.forget(Kind.CARRY)

    def _on_annotations_changed(self, image_id: str) -> None:
        """A mask that was corrected by hand leads those after it anew."""
        session = self._session
        made = session.project.annotations(image_id)
        newest = max(made, key=lambda mask: mask.created, default=None)
        if newest is not None and session.is_corrected(newest):
            thing = session.project.thing_of(newest.id)
            again = session.to_redo(newest.id) if thing in self._things else ()
            if again:
                self._start(newest.id, again)
        self.refresh()

    # --------------------------------------------------------------- decisions

    def _accept_run(self) -> None:
        shown = self._session.open_object.suggestion
        thing = self._thing if shown is None or shown.thing is None else shown.thing
        self._stop()
        try:
            kept = self._session.accept_run(thing)
        except SamTuneError as error:
            self._place.complain(error)
            return
        left = len(self._session.waiting(thing))
        said = tr("{n:,} planes are accepted.", "1 plane is accepted.", n=len(kept))
        more = tr("{n:,} are unsure: look at them.", "1 is unsure: look at it.", n=left)
        self._place.tell(join_sentences(said, more if left else None))
        self._opening.show_place()
        self.refresh()

    def _next_unsure(self) -> None:
        here = self._session.state.image_id
        for image_id in self._session.waiting(self._thing):
            if image_id != here and self._opening.open_by_id(image_id):
                return

    def _fill(self) -> None:
        pair = self._pair()
        if pair is None:
            return
        try:
            thing = self._session.tie(list(pair))
            steps = self._session.carrying.fill(*pair)
        except SamTuneError as error:
            self._place.complain(error)
            return
        self._thing, self._ended, self._said = thing, [], []
        self._things.add(thing)
        self._go_on([steps], is_begin=True)
        self.refresh()

    def _pair(self) -> tuple[str, str] | None:
        """Return two masks between which planes are filled: those selected, or of one thing."""
        project, stack = self._session.project, self._stack
        if stack is None or stack.depth_role is None:
            return None
        chosen = [i for i in self._selecting.ids if project.annotation(i).image_id in stack.planes]
        if len(chosen) == 2:
            return chosen[0], chosen[1]
        meant = self._meant()
        return None if meant is None else self._session.carrying.gap(meant.id)

    # ----------------------------------------------------------------- showing

    def refresh(self, *_: object) -> None:
        """Show where the work is."""
        stack, image_id = self._stack, self._session.state.image_id
        if stack is None or image_id is None or not self._opening.is_shown:
            self._view.show_stack(StackSnapshot())
            return
        carrying = self._place.inference.busy(Kind.CARRY)
        waiting = self._session.waiting(self._thing) if self._thing else {}
        channels, mix = self._axes.channels()
        has_masks = bool(self._session.project.annotations(image_id))
        self._view.show_stack(
            StackSnapshot(
                sentence=self._sentence(stack, carrying, waiting),
                axes=self._axes.choices(),
                can_mix=self._place.queue.current.stack is not None,
                channels=channels,
                mix=mix,
                counter=stack.axes.name_of(stack.planes[image_id]),
                carrying=carrying,
                can_carry=has_masks and stack.depth_role is not None,
                can_fill=not carrying and self._pair() is not None,
                waiting=len(waiting),
                has_things=has_masks or bool(self._things),
            )
        )

    def _sentence(self, stack: Stack, carrying: bool, waiting: Mapping[str, object]) -> str:
        if stack.axes.question is not None:
            return stack.axes.question
        if carrying:
            return tr("Carrying on: {n:,} planes so far.", "Carrying on: 1 plane so far.",
                      n=len(waiting))  # fmt: skip
        shown = self._session.open_object.suggestion
        if shown is not None and shown.thing is not None:
            if shown.score < LEAST_SURE:
                return tr("This plane was carried and is unsure: accept, correct or reject it.")
            return tr("This plane was carried here: one key accepts all that are sure.")
        if waiting:
            return tr("{n:,} planes that were carried wait.", "1 plane that was carried waits.",
                      n=len(waiting))  # fmt: skip
        if stack.depth_role is None:
            return tr("Say along which axis slices or moments lie, to carry masks on.")
        return tr("Accept a mask, then carry it on to the planes before and after.")
