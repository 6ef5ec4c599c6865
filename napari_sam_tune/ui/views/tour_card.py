"""The card of the tour: what to do next, one step at a time, above the dock's pages."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QVBoxLayout

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Button, Text

OFFER: Final = mark("New here? Label two defects on a sample image, in five steps and two minutes.")


class TourCard(QFrame):
    """Offers the tour, then shows its steps; hidden otherwise.

    Attributes:
        taken: emitted to take the tour.
        left: emitted to take it no further, or not at all.

    """

    taken = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "notice")
        self.setProperty("level", "info")
        self._gave_way = False
        self._title = Text("", "title")
        self._text = Text()
        self._take = Button(tr("Take the tour"), "wide")
        self._take.clicked.connect(self.taken)
        self._leave = Button("", "wide")
        self._leave.clicked.connect(self.left)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 8)
        for widget in (self._title, self._text, Row(self._take, self._leave)):
            column.addWidget(widget)
        self.hide()

    def show_offer(self) -> None:
        """Ask whether the tour is wanted."""
        self._show(tr("Tour"), tr(OFFER), tr("Not now"), is_offer=True)

    def hide(self) -> None:
        """Hide the card until it is shown again."""
        self._gave_way = False
        super().hide()

    def give_way(self, wanted: bool) -> None:
        """Hide an offer as long as this is wanted: a small dock has no room for all at once."""
        if wanted and self.isVisible() and self._take.isVisible():
            super().hide()
            self._gave_way = True
        elif not wanted and self._gave_way:
            self._gave_way = False
            self.show()

    def show_step(self, number: int, count: int, text: str) -> None:
        """Show a step; the first has number 1."""
        leave = tr("Finish") if number == count else tr("Leave the tour")
        self._show(tr("Tour, step {number} of {count}", number=number, count=count), text, leave)

    def _show(self, title: str, text: str, leave: str, *, is_offer: bool = False) -> None:
        self._title.setText(title)
        self._text.setText(text)
        self._take.setVisible(is_offer)
        self._leave.setText(leave)
        self.show()
