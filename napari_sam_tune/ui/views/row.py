"""Widgets side by side, as many as there is room for."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QGridLayout, QWidget

_GAP: Final = 6
"""Between widgets side by side, in px."""


class Row(QWidget):
    """Widgets of one width side by side: up to `columns`, as many as their texts leave room for."""

    def __init__(self, *widgets: QWidget, columns: int | None = None) -> None:
        super().__init__()
        self._widgets = list(widgets)
        self._most = columns or len(widgets)
        self._placed: tuple[int, list[QWidget]] = (0, [])
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(_GAP)
        self._grid.setVerticalSpacing(_GAP - 2)
        self._place()

    def show_widgets(self, widgets: list[QWidget]) -> None:
        """Show these in place of those before, which are left to whoever made them."""
        for widget in self._widgets:
            self._grid.removeWidget(widget)
        self._widgets = widgets
        self._place()

    def event(self, event: QEvent) -> bool:
        """Place the widgets anew where the width or what they need changed."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._place()
        return bool(super().event(event))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for one column, however many there are now."""
        widest = max((w.minimumSizeHint().width() for w in self._placed[1]), default=0)
        return QSize(widest, super().minimumSizeHint().height())

    def _place(self) -> None:
        shown = [widget for widget in self._widgets if not _is_hidden(widget)]
        widest = max((widget.sizeHint().width() for widget in shown), default=0)
        fit = (self.width() + _GAP) // (widest + _GAP)
        columns = max(1, min(self._most, fit, len(shown)))
        if (columns, shown) == self._placed:
            return
        self._placed = columns, shown
        for widget in self._widgets:
            self._grid.removeWidget(widget)
        for index, widget in enumerate(shown):
            self._grid.addWidget(widget, index // columns, index % columns)
        for column in range(self._most):
            self._grid.setColumnStretch(column, int(column < columns))


def _is_hidden(widget: QWidget) -> bool:
    """Whether somebody hid a widget; one that nobody has shown yet counts as hidden for Qt."""
    was_said = widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
    return bool(widget.isHidden() and was_said)
