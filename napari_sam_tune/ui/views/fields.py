"""Fields to choose and to count in, which never take the wheel or a key by surprise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QSpinBox, QToolTip

from napari_sam_tune.ui.views.style import tip

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent, QMouseEvent, QWheelEvent


_BESIDE: Final = 32
"""What a box has beside its text, in px: its padding and the arrow."""
_FEW_LETTERS: Final = 16

_Base: Any = object
"""Of a mixin, which comes before a class of Qt and leans on what it has."""


class _Aside(_Base):
    """A mixin: the wheel scrolls the dock unless the field has the focus, which it gives back.

    Keys pressed while nothing has the focus are napari's, which hands them to the canvas.
    """

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Change the value only where the person is in the field."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter and Escape end the edit."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            self.clearFocus()
            event.accept()


class ComboBox(_Aside, QComboBox):
    """A box to choose one of the items, value to text, that never widens the dock."""

    def __init__(self, items: dict[str, str] | None = None) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for value, text in (items or {}).items():
            self.addItem(text, value)
        self.activated.connect(lambda _: self.clearFocus())
        self.currentTextChanged.connect(lambda _: self.updateGeometry())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for what is chosen; other items are seen whole when the box opens."""
        self.ensurePolished()
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.currentText()) + _BESIDE
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for a text of ours, and for some of a long name."""
        few = _FEW_LETTERS * self.fontMetrics().averageCharWidth() + _BESIDE
        return QSize(min(self.sizeHint().width(), few), super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Say in the tool tip what is chosen, which may be cut, and what for."""
        if event.type() == QEvent.Type.ToolTip:
            texts = (tip(self.currentText()), self.toolTip())
            QToolTip.showText(event.globalPos(), "\n".join(filter(None, texts)), self)
            return True
        return bool(super().event(event))


class SpinBox(_Aside, QSpinBox):
    """A number; one that is typed counts once Enter is pressed or the field is left."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setKeyboardTracking(False)
        self.setRange(least, most)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Pressing the arrows is no reason to stay in the field."""
        super().mouseReleaseEvent(event)
        self.clearFocus()
