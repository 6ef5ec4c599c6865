"""A small line chart: what a first click is worth by itself, and with what was accepted before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QPaintEvent

_ON_DARK: Final = "#56b4e9", "#e69f00"
_ON_LIGHT: Final = "#0072b2", "#d55e00"
"""With learning, model alone. By Okabe and Ito (2008), told apart by all kinds of colour vision."""
_PLOT: Final = 58
"""Height of what is drawn, at least."""
_INDENT: Final = 5
"""Of the dock's texts."""
_CAPTION: Final = mark("score of a first click, its image left out")
_TICKS: Final = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class LearntPoint:
    """Mean score of first clicks on the accepted objects, from 0 to 1, after so many masks.

    Attributes:
        masks: accepted by then.
        alone: as the model alone answers.
        learnt: with what was learnt from the other images.

    """

    masks: int
    alone: float
    learnt: float


class LearntChart(QWidget):
    """Two lines over accepted masks, each named where it ends; hidden until there are two."""

    def __init__(self) -> None:
        super().__init__()
        self.points: tuple[LearntPoint, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setToolTip(
            tr(
                "Mean over the accepted objects, of 1; each answered without what its own image "
                "taught. Both lines fall where masks get harder: what learning is worth is how far "
                "they are apart"
            )
        )
        self.hide()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a height that the dock can spare."""
        return QSize(200, self.heightForWidth(200))

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return a height in which nothing is cut: the caption may take two lines."""
        metrics = QFontMetrics(self._font())
        plot = max(_PLOT, 2 * metrics.height() + 8)  # three ticks apart from each other
        return round(self._above(width, metrics) + plot + metrics.height() + 4)

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1, 7.0))
        return font

    def _above(self, width: int, metrics: QFontMetrics) -> float:
        """Return the height of the caption and of what keeps it from the plot."""
        return self._caption(width, metrics).height() + 0.75 * metrics.height()

    @staticmethod
    def _caption(width: int, metrics: QFontMetrics) -> QRect:
        room = QRect(_INDENT, 0, max(1, width - 2 * _INDENT), 1000)
        return metrics.boundingRect(room, int(Qt.TextFlag.TextWordWrap), tr(_CAPTION))

    def show_points(self, points: tuple[LearntPoint, ...]) -> None:
        """Draw these, fewest masks first."""
        self.points = points
        self.setVisible(len(points) > 1)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw caption, axes, lines and names."""
        if len(self.points) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self._font()
        painter.setFont(font)
        metrics = QFontMetrics(font)
        last = self.points[-1]
        ink = self.palette().color(self.foregroundRole())
        of_learnt, of_alone = map(QColor, _ON_DARK if ink.lightness() > 127 else _ON_LIGHT)
        names = _names(last, of_learnt, of_alone)
        right = max(metrics.horizontalAdvance(name) for name, _, _ in names) + 12
        left = _INDENT + metrics.horizontalAdvance(".5") + 5
        above = self._above(self.width(), metrics)
        height = self.height() - above - metrics.height() - 4
        plot = QRectF(left, above, self.width() - left - right, height)
        self._draw_axes(painter, plot, metrics, ink)
        first, span = self.points[0].masks, last.masks - self.points[0].masks

        def place(masks: int, score: float) -> QPointF:
            x = plot.left() + plot.width() * (masks - first) / span
            return QPointF(x, plot.bottom() - plot.height() * score)

        alone = [place(p.masks, p.alone) for p in self.points]
        learnt = [place(p.masks, p.learnt) for p in self.points]
        _draw_line(painter, learnt, QPen(of_learnt, 2.5))
        _draw_line(painter, alone, QPen(of_alone, 2, Qt.PenStyle.DashLine))
        _draw_names(painter, names, lambda score: place(last.masks, score), metrics)

    def _draw_axes(
        self, painter: QPainter, plot: QRectF, metrics: QFontMetrics, ink: QColor
    ) -> None:
        faint, quiet = QColor(ink), QColor(ink)
        faint.setAlpha(45)
        quiet.setAlpha(170)
        painter.setPen(quiet)
        caption = self._caption(self.width(), metrics)
        painter.drawText(caption, int(Qt.TextFlag.TextWordWrap), tr(_CAPTION))
        half = metrics.height() / 2
        for tick in _TICKS:
            y = plot.bottom() - plot.height() * tick
            painter.setPen(faint)
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(quiet)
            beside = QRectF(0, y - half, plot.left() - 4, 2 * half)
            painter.drawText(beside, Qt.AlignmentFlag.AlignRight, f"{tick:.2g}".lstrip("0") or "0")
        below = QRectF(plot.left(), plot.bottom() + 4, plot.width(), metrics.height())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, str(self.points[0].masks))
        painter.drawText(
            below, Qt.AlignmentFlag.AlignRight, tr("{n:,} masks", "1 mask", n=self.points[-1].masks)
        )


def score_text(score: float) -> str:
    """Return a score as it is said: ".71"."""
    return f"{score:.2f}".removeprefix("0")


_Name = tuple[str, float, QColor]
"""Text, score, colour."""


def _names(last: LearntPoint, of_learnt: QColor, of_alone: QColor) -> list[_Name]:
    """Return what is written at the lines' ends, the upper one first."""
    alone = tr("model alone {alone}", alone=score_text(last.alone)), last.alone, of_alone
    if score_text(last.alone) == score_text(last.learnt):
        return [alone]
    learnt = tr("with learning {learnt}", learnt=score_text(last.learnt)), last.learnt, of_learnt
    return [learnt, alone] if last.learnt > last.alone else [alone, learnt]


def _draw_line(painter: QPainter, places: list[QPointF], pen: QPen) -> None:
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(places))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(pen.color())
    painter.drawEllipse(places[-1], 3.0, 3.0)


def _draw_names(
    painter: QPainter, names: list[_Name], place: Callable[[float], QPointF], metrics: QFontMetrics
) -> None:
    """Write each line's name where it ends, one clear of the other."""
    height = metrics.height()
    middles = [place(score).y() for _, score, _ in names]
    overlap = height - (middles[-1] - middles[0]) if len(names) > 1 else 0.0
    if overlap > 0:
        middles = [middles[0] - overlap / 2, middles[1] + overlap / 2]
    for (text, score, colour), middle in zip(names, middles, strict=True):
        painter.setPen(colour)
        at = QPointF(place(score).x() + 8, middle - height / 2 + metrics.ascent())
        painter.drawText(at, text)
