"""The tour: five steps on the first sample image, each done when the person has done it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.ui.views.tour_card import TourCard
    from napari_sam_tune.ui.work.work import Work


@dataclass(frozen=True)
class _Step:
    """A step: what to do, with the keys in braces, and whether it is done."""

    text: str
    is_done: Callable[[Tour], bool]


class Tour(QObject):
    """Follows a person at work on the samples; passes a step as soon as it is done.

    The last says to go on like this: it goes with the next mask that is accepted.

    Args:
        work: on the samples, whose first image has two pits that one click each finds.
        card: shows the steps.

    Attributes:
        ended: emitted when it was left or finished.

    """

    ended = Signal()

    def __init__(self, work: Work, card: TourCard) -> None:
        super().__init__(work)
        self._work, self._card, self._at = work, card, 0
        self.session = work.place.session
        self._before = len(self.session.project.annotations())
        self._accepted_then = 0  # when the step began
        self._first = work.place.queue.images[0].id
        card.left.connect(self.end)
        self.session.object_changed.connect(self._look)
        self.session.annotations_changed.connect(self._look)
        work.opening.opened.connect(self._look)
        self._show()

    @property
    def accepted(self) -> int:
        """Masks accepted since the tour began."""
        return len(self.session.project.annotations()) - self._before

    @property
    def has_moved_on(self) -> bool:
        """Whether another image is open than at first."""
        return self.session.state.image_id not in (None, self._first)

    def end(self) -> None:
        """Take the card down."""
        self.close()
        self._card.hide()
        self.ended.emit()

    def close(self) -> None:
        """Stop listening."""
        self._card.left.disconnect(self.end)
        self.session.object_changed.disconnect(self._look)
        self.session.annotations_changed.disconnect(self._look)
        self._work.opening.opened.disconnect(self._look)

    def _look(self, *_: object) -> None:
        while self._at < len(_STEPS) - 1 and _STEPS[self._at].is_done(self):
            self._at += 1
            self._accepted_then = self.accepted
            self._show()
        if self._at == len(_STEPS) - 1 and self.accepted > self._accepted_then:
            self.end()

    def _show(self) -> None:
        text = tr(_STEPS[self._at].text).format(**self._work.place.panel.keys)
        self._card.show_step(self._at + 1, len(_STEPS), text)


def _has_mask(tour: Tour) -> bool:
    placed = tour.session.open_object.placed
    return placed is not None and placed.any()


_STEPS: Final = (
    _Step(
        mark(
            "Click in the middle of the dark spot below the number CP-0401, at its left. It is a "
            "pit, and the model proposes its outline."
        ),
        lambda tour: _has_mask(tour) or tour.accepted > 0,
    ),
    _Step(
        mark(
            "If the outline fits, accept it: press {accept}, or the button “Accept”. If not, click "
            "what is missing, right click what is too much. {undo} takes the last step back."
        ),
        lambda tour: tour.accepted > 0,
    ),
    _Step(
        mark(
            "There is another pit, to the right of it. Drag a box around it this time, and accept."
        ),
        lambda tour: tour.accepted > 1,
    ),
    _Step(
        mark("That is all on this image. Press {done}, or “Done”: the next one opens."),
        lambda tour: tour.has_moved_on,
    ),
    _Step(
        mark(
            "Go on like this. The line at the foot of the dock says how many masks it waits for; "
            "then it learns by itself while you go on. “Export…” is beside it, and ? shows all "
            "keys."
        ),
        lambda _: False,
    ),
)
