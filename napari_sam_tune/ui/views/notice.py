"""What went wrong or is going on, said inside the panel instead of in a box in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.style import Bar, Button, Text, on_a_button

if TYPE_CHECKING:
    from collections.abc import Callable

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Notice:
    """A message to the person.

    Attributes:
        text: what is the case, and what to do about it.
        level: how serious it is.
        busy: something is going on; shows a moving bar.
        done: how much of it, from 0 to 1, where that is known.
        stays: until the person takes it down, or another notice takes its place.
        remedy: what stands on the button that helps, or None.
        act: what that button does.

    """

    text: str
    level: Level = "info"
    busy: bool = False
    done: float | None = None
    stays: bool = False
    remedy: str | None = None
    act: Callable[[], object] | None = None


class NoticeBar(QFrame):
    """Shows one notice at a time.

    Attributes:
        notice: the one shown, or None.
        changed: emitted when another one is shown, or none.

    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "notice")
        self.notice: Notice | None = None
        self._text = Text()
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton()
        self._close.setText("×")
        self._close.setToolTip(tr("Dismiss"))
        self._close.setAutoRaise(True)
        self._close.clicked.connect(lambda: self.show_notice(None))
        self._bar = Bar(4)
        self._remedy = Button()
        self._remedy.clicked.connect(self._on_remedy_clicked)
        line = QHBoxLayout()
        line.addWidget(self._text, 1)
        line.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 6, 8)
        column.addLayout(line)
        column.addWidget(self._bar)
        column.addWidget(self._remedy)
        self.hide()

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice in place of the one before; None clears."""
        self.notice = notice
        self.setVisible(notice is not None)
        self.changed.emit()
        if notice is None:
            return
        self._text.setText(notice.text)
        self._bar.setVisible(notice.busy)
        self._bar.show_fraction(notice.done)
        self._close.setVisible(not notice.busy)
        self._remedy.setVisible(notice.remedy is not None)
        self._remedy.setText(on_a_button(notice.remedy or ""))
        if self.property("level") != notice.level:  # the whole style is worked out anew for it
            self.setProperty("level", notice.level)
            self.style().unpolish(self)
            self.style().polish(self)

    def _on_remedy_clicked(self) -> None:
        notice = self.notice
        self.show_notice(None)
        if notice is not None and notice.act is not None:
            notice.act()
