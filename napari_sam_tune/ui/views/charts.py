"""Charts that paint themselves in the ink of the theme: bars, columns, and a map of places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.ui.views.look import ACCENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

_GAP: Final = 6
_HEIGHT: Final = 150
_QUIET: Final = 200
"""Opacity of what is less important."""
_COLD, _HOT = np.array((30, 34, 60)), np.array((255, 214, 102))


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: what stands beside or below it.
        value: how long it is.
        said: what stands at its end.
        colour: "#rrggbb".

    """

    name: str
    value: float
    said: str
    colour: str = ACCENT


class _Chart(QWidget):
    """A chart as wide as it is let; nothing to paint until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Show these."""
        self.bars = tuple(bars)
        self.setToolTip("\n".join(f"{visible(bar.name)}: {bar.said}" for bar in bars))
        self.updateGeometry()
        self.update()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the height it needs; it may be narrow."""
        return QSize(80, self.sizeHint().height())

    def _ink(self, opacity: int = 255) -> QColor:
        ink = QColor(self.palette().color(self.foregroundRole()))
        ink.setAlpha(opacity)
        return ink

    def _largest(self) -> float:
        return max((bar.value for bar in self.bars), default=0.0) or 1.0

    def _write(
        self, painter: QPainter, place: QRect, text: str, align: Qt.AlignmentFlag, opacity: int
    ) -> None:
        painter.setPen(self._ink(opacity))
        shown = painter.fontMetrics().elidedText(
            visible(text), Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, shown)


class Bars(_Chart):
    """Bars one below the other, names on the left."""

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a line for each bar."""
        return QSize(260, max(1, len(self.bars)) * self._line())

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the bars."""
        painter = QPainter(self)
        line, width, metrics = self._line(), self.width(), painter.fontMetrics()
        names = max((metrics.horizontalAdvance(visible(b.name)) for b in self.bars), default=0)
        names = min(names + 1 + _GAP, width // 3)  # a text as wide as its place may be cut
        ends = max((metrics.horizontalAdvance(b.said) for b in self.bars), default=0) + _GAP
        for number, bar in enumerate(self.bars):
            top = number * line
            left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
            self._write(painter, QRect(0, top, names - _GAP, line), bar.name, right, 255)
            length = round((width - names - ends) * bar.value / self._largest())
            painter.fillRect(QRect(names, top + 3, max(1, length), line - 6), QColor(bar.colour))
            end = QRect(names + length + _GAP, top, ends, line)
            self._write(painter, end, bar.said, left, _QUIET)

    def _line(self) -> int:
        return QFontMetrics(self.font()).height() + 6


class Columns(_Chart):
    """Columns side by side, names below, what they are worth above."""

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a height at which columns can be compared."""
        return QSize(260, _HEIGHT)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the columns."""
        if not self.bars:
            return
        painter = QPainter(self)
        line, each = QFontMetrics(self.font()).height(), self.width() / len(self.bars)
        room = self.height() - 2 * line - 4
        centre, last = Qt.AlignmentFlag.AlignHCenter, -1.0
        for number, bar in enumerate(self.bars):
            left, width = round(number * each), round(each)
            high = round(room * bar.value / self._largest())
            column = QRect(left + 2, line + 2 + room - high, max(1, width - 4), high)
            painter.fillRect(column, QColor(bar.colour))
            above = QRect(left, column.top() - line - 1, width, line)
            self._write(painter, above, bar.said, centre, _QUIET)
            wide = QFontMetrics(self.font()).horizontalAdvance(visible(bar.name))
            middle = left + width / 2
            if middle - wide / 2 >= last:  # names that would lie over each other are left out
                at = min(max(0, round(middle - wide / 2)), self.width() - wide)
                below = QRect(at, self.height() - line, wide + 1, line)
                self._write(painter, below, bar.name, Qt.AlignmentFlag.AlignLeft, 255)
                last = at + wide + _GAP


class PlaceMap(QWidget):
    """Where in the image masks lie: the brighter, the more of them."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_places(self, share: NDArray[Any]) -> None:
        """Show a map, (H, W); the largest value is the brightest."""
        largest = float(share.max()) if share.size else 0.0
        level = np.sqrt(share / largest)[..., None] if largest else np.zeros((*share.shape, 1))
        rgb = np.ascontiguousarray((_COLD + (_HOT - _COLD) * level).astype(np.uint8))
        height, width = rgb.shape[:2]
        self._image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a height at which places can be told."""
        return QSize(260, _HEIGHT + 30)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the map as large as there is room for."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter.drawImage(QRect(0, 0, size.width(), size.height()), self._image)
