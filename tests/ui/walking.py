"""Walks all widgets in view: what is cut, what leaves its place, what cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPoint
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QWidget,
)

from napari_sam_tune.ui.views.learnt_chart import LearntChart
from napari_sam_tune.ui.views.look import READABLE, contrast
from napari_sam_tune.ui.views.style import OneLine, Text

if TYPE_CHECKING:
    from collections.abc import Collection


def shown(root: QWidget) -> list[QWidget]:
    """Return the widgets in it that are not hidden; they may be scrolled away."""
    return [widget for widget in root.findChildren(QWidget) if widget.isVisible()]


def faults(root: QWidget, names: Collection[str] = (), *, is_narrow: bool = False) -> list[str]:
    """Return what is not where it can be seen.

    Args:
        root: all in it is looked at.
        names: texts with one of these in them may be cut; their tool tip has the whole.
        is_narrow: there is less room than the dock asks for, so lines may be cut as well.

    """
    return [fault for widget in shown(root) for fault in _faults(root, widget, names, is_narrow)]


def _faults(root: QWidget, widget: QWidget, names: Collection[str], is_narrow: bool) -> list[str]:
    said = f"{type(widget).__name__} {getattr(widget, 'text', str)()!r:.60}"
    found = []
    parent = widget.parentWidget()
    left = widget.mapTo(root, QPoint(0, 0)).x()
    is_scrolled = parent.objectName() == "qt_scrollarea_viewport"
    if left < 0 or left + widget.width() > root.width():
        found.append(f"{said} leaves the window")
    if not is_scrolled and not parent.rect().contains(widget.geometry()):
        found.append(f"{said} leaves its parent")
    if isinstance(widget, Text) and widget.text():
        flat = QLabel.text(widget)
        inside = widget.contentsRect()
        flags = widget.alignment() | (0x1000 if widget.wordWrap() else 0)
        needs = widget.fontMetrics().boundingRect(inside, int(flags), flat)
        if needs.width() > inside.width() + 1 or needs.height() > inside.height() + 1:
            found.append(f"{said} is cut: {needs} in {inside}")
    if isinstance(widget, OneLine) and widget.text():
        width = widget.fontMetrics().horizontalAdvance(QLabel.text(widget))
        is_name = is_narrow or any(name[:20] in widget.text() for name in names)
        is_cut = QLabel.text(widget) != widget.text() and not is_name
        if is_cut or width > widget.contentsRect().width() or not widget.toolTip():
            found.append(f"{said} is cut")
    if isinstance(widget, QAbstractButton) and hasattr(widget, "shown_text"):
        is_name = any(name[:20] in widget.text() for name in names)
        if widget.shown_text() != widget.text() and not is_name:
            found.append(f"{said} is cut to {widget.shown_text()!r}")
        if min(widget.height(), widget.minimumHeight()) < widget.sizeHint().height():
            found.append(f"{said} is too low, or is where there is less room")
    elif isinstance(widget, QCheckBox) and widget.width() < widget.sizeHint().width():
        found.append(f"{said} is cut")
    if isinstance(widget, LearntChart) and widget.height() < widget.heightForWidth(widget.width()):
        found.append(f"{said} is too low for what it draws")
    cut = (t for t in _cut_texts(widget) if not any(name[:20] in t for name in names))
    found += [f"{text!r} is cut" for text in cut]
    return found


def _cut_texts(widget: QWidget) -> list[str]:
    """Return the texts of tabs, choices and empty fields that are wider than their place."""
    placed: list[tuple[str, int]] = []
    if isinstance(widget, QTabBar):
        tabs = range(widget.count())
        placed = [(widget.tabText(n), widget.tabRect(n).width()) for n in tabs]
    elif isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        field = widget.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            widget,
        )
        placed = [(widget.currentText(), field.width())]
    elif isinstance(widget, QLineEdit) and not widget.text():
        placed = [(widget.placeholderText(), widget.contentsRect().width())]
    wide = widget.fontMetrics().horizontalAdvance
    return [text for text, width in placed if wide(text) > width]


def unreadable(root: QWidget) -> list[str]:
    """Return the texts that do not stand out from what they are drawn on."""
    picture = _pixels(root.grab().toImage())
    found = []
    for widget in shown(root):
        is_text = isinstance(widget, (QLabel, QAbstractButton, QComboBox))
        if isinstance(widget, QLabel) and not widget.text():
            continue  # a picture
        ground = _ground(root, picture, widget) if is_text else None
        if ground is not None and not isinstance(widget.parentWidget(), QScrollBar):
            ink = widget.palette().color(widget.foregroundRole()).name()
            if contrast(ink, ground) < READABLE:
                said = getattr(widget, "text", str)()
                found.append(f"{said!r:.60}: {ink} on {ground} is {contrast(ink, ground):.1f}")
    return found


def _pixels(image: QImage) -> np.ndarray:
    """Return the colours of a picture as 0xRRGGBB, (height, width)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt does not know how long it is
        bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint32).reshape(image.height(), -1)
    return rows[:, : image.width()] & 0xFFFFFF


def _ground(root: QWidget, picture: np.ndarray, widget: QWidget) -> str | None:
    """Return the commonest colour where a widget is drawn, or None where it is scrolled away."""
    at = widget.mapTo(root, QPoint(0, 0))
    if widget.visibleRegion().boundingRect().size() != widget.size():
        return None
    drawn = picture[max(at.y(), 0) : at.y() + widget.height(), max(at.x(), 0) :][
        :, : widget.width()
    ]
    if not drawn.size:
        return None
    colours, counts = np.unique(drawn, return_counts=True)
    return f"#{colours[counts.argmax()]:06x}"
