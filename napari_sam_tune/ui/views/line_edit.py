"""A line of text that takes the keyboard only while a person writes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QLineEdit, QSizePolicy

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent


class LineEdit(QLineEdit):
    """A line to write in.

    Args:
        hint: what stands in it while it is empty.

    Attributes:
        written: emitted with the text when Enter is pressed or the line is left, if it is another.

    """

    written = Signal(str)

    def __init__(self, hint: str = "") -> None:
        super().__init__()
        self._shown = ""
        self.setPlaceholderText(hint)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.editingFinished.connect(self._on_editing_finished)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the hint, or a word: it takes more where there is more."""
        metrics = self.fontMetrics()
        hint = metrics.horizontalAdvance(self.placeholderText())
        few = max(9 * metrics.averageCharWidth(), hint) + 16
        return QSize(few, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the same."""
        return self.sizeHint()

    def show_text(self, text: str) -> None:
        """Show a text, unless the person is writing."""
        if self.hasFocus() and self.text() != self._shown:
            return
        self._shown = text
        if self.text() != text:
            self.setText(text)
            self.setCursorPosition(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter ends the edit, Escape drops it; the keys go back to the viewer."""
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._shown)
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            self.clearFocus()
            event.accept()

    def _on_editing_finished(self) -> None:
        if self.text() != self._shown:
            self._shown = self.text()
            self.written.emit(self._shown)
