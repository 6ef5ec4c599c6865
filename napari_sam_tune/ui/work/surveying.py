"""Looks through the folder for what looks like accepted masks, image by image, clicks first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.suggestion_view import SurveySnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_tune.core.pixel_classifier.survey import SurveyStep
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace

_GROWN = 1.25
"""Times as many images learnt from as the last time, after which the folder is looked at anew."""
_LINES = 20
"""Images named in the tool tip."""


class Surveying(QObject):
    """Counts what is to be found on images that are not done, while the person wants finds.

    Each image is a task of its own on the inference thread, and the last in line there.

    Attributes:
        actions: what can be done by key, by name.

    """

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._view = place.panel.suggestions.survey
        self._run: _Run | None = None
        self._asked: tuple[str | None, int] | None = None  # class, and images learnt from by then
        self._step: SurveyStep | None = None
        self.actions: dict[str, Callable[[], None]] = {"next_finds": self._go_on}
        opening.preferred = self._preferred
        opening.opened.connect(self.refresh)
        self._view.action.connect(self._on_view_action)
        self._view.cancel.connect(self._on_cancel)

    def look_through(self, label: str | None) -> None:
        """Look through the folder, unless that was done with about as much learnt."""
        learnt = self._session.state.learnt
        images = 0 if learnt is None else learnt.images
        before, enough = self._asked or (None, 0)
        is_same = self._asked is not None and before == label
        if is_same and (self._run is not None or images < _GROWN * enough):
            return
        self._asked = label, images
        self._run, self._step = _Run(self._place, label), None
        self._submit(self._run)
        self.refresh()

    def stop(self) -> None:
        """Expect nothing any more."""
        self._place.inference.forget(Kind.SURVEY)
        self._run = self._asked = self._step = None
        self.refresh()

    def _submit(self, run: _Run) -> None:
        self._place.inference.submit(
            Kind.SURVEY, run.advance, partial(self._on_step, run), self._on_failed
        )

    def _on_step(self, run: _Run, step: SurveyStep | None) -> None:
        if run is not self._run:
            return
        self._step = step or self._step
        if step is None:
            self._run = None
        else:
            self._submit(run)
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        self.stop()
        self._place.complain(error)

    def _on_cancel(self) -> None:
        self._place.touch()
        self._place.inference.forget(Kind.SURVEY)
        self._run = None
        self.refresh()

    # ------------------------------------------------------------- going there

    def _on_view_action(self, _: str) -> None:
        self._go_on()

    def _preferred(self) -> Iterable[str]:
        """Images to go to before others; none while they are still being counted."""
        if not self._view.is_by_need or self._asked is None or self._run is not None:
            return ()
        here = self._place.queue.current.id
        return (image_id for image_id in self._session.review.by_need() if image_id != here)

    def _finds(self) -> dict[str, int]:
        """Return how many finds are expected, by image of the queue, in its order."""
        finds = self._session.review.expected_finds
        return {
            image.id: finds[image.id] for image in self._place.queue.images if image.id in finds
        }

    def _others_with_finds(self) -> Iterator[str]:
        """Yield the images to go to next, by need or from here on and around."""
        finds, queue = self._finds(), self._place.queue
        ids = [image.id for image in queue.images]
        around = ids[queue.position + 1 :] + ids[: queue.position]
        order = self._session.review.by_need() if self._view.is_by_need else around
        return (name for name in order if finds.get(name) and name != queue.current.id)

    def _go_on(self) -> None:
        self._place.touch()
        target = None if self._asked is None else next(self._others_with_finds(), None)
        if target is None:
            self._place.tell(
                tr("Find all like these first.")
                if self._asked is None
                else tr("No other image has finds.")
            )
            return
        self._opening.open_by_id(target)

    # ---------------------------------------------------------------- showing

    def refresh(self, *_: object) -> None:
        """Show what is expected."""
        if self._asked is None:
            self._view.show_survey(SurveySnapshot())
            return
        known = self._finds()
        finds = {name: count for name, count in known.items() if count}
        total, seen = sum(finds.values()), len(known)
        step = self._step
        lines = sorted(finds.items(), key=lambda find: -find[1])[:_LINES]
        self._view.show_survey(
            SurveySnapshot(
                sentence=tr("Looking through the other images…")
                if self._run is not None and not seen
                else tr(
                    "{expected} on {finds} of {images}",
                    expected=tr("{n:,} finds expected", "1 find expected", n=total),
                    finds=len(finds),
                    images=tr("{n:,} images", "1 image", n=seen),
                ),
                by_image="\n".join(f"{name}: {count}" for name, count in lines),
                fraction=None if self._run is None else step.done / step.total if step else 0.0,
                has_next=bool(finds.keys() - {self._place.queue.current.id}),
            )
        )


class _Run:
    """One way through the folder; begun and continued on the inference thread.

    Args:
        place: whose queue is looked through.
        label: the class that is counted; None: all.

    """

    def __init__(self, place: Workplace, label: str | None) -> None:
        self._session, self._images, self._label = place.session, place.queue.images, label
        self._steps: Iterator[SurveyStep] | None = None

    def advance(self) -> SurveyStep | None:
        """Look at the next image; None where there is none."""
        if self._steps is None:
            from napari_sam_tune.core.pixel_classifier.survey import Unread

            images = [Unread(image.id, image.read) for image in self._images]
            self._steps = self._session.review.survey(images, self._label)
        return next(self._steps, None)
