"""The live curve of a round: its error in learning, and its score on masks kept aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyqtgraph
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pairs = Sequence[tuple[int, float]]

_ON_DARK: Final = "#e69f00", "#56b4e9"
_ON_LIGHT: Final = "#9a4400", "#0063a0"
"""Loss, score; told apart by all kinds of colour vision, and read on their ground."""


class CurveView(QWidget):
    """Loss against the left axis, score on masks kept aside against the right one."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._plot = pyqtgraph.PlotWidget(background=None)
        self._plot.setFixedHeight(120)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(False, False)
        self._plot.hideButtons()
        item = self._plot.getPlotItem()
        item.showAxis("right")
        item.getAxis("left").enableAutoSIPrefix(False)
        item.layout.setContentsMargins(0, 6, 0, 0)  # else the topmost number is cut in half
        self._loss = item.plot([], [])
        self._right = pyqtgraph.ViewBox(enableMenu=False)
        self._right.setMouseEnabled(False, False)
        item.scene().addItem(self._right)
        item.getAxis("right").linkToView(self._right)
        self._right.setXLink(item)
        self._right.setYRange(0, 1)
        self._score = pyqtgraph.PlotDataItem(symbol="o", symbolSize=5)
        self._right.addItem(self._score)
        item.vb.sigResized.connect(self._on_plot_resized)
        column.addWidget(self._plot)

    def show_curve(self, losses: Pairs, scores: Pairs) -> None:
        """Draw what there is: (step, loss) and (step, score from 0 to 1)."""
        ink = self.palette().color(self.foregroundRole())
        of_loss, of_score = _ON_DARK if ink.lightness() > 127 else _ON_LIGHT
        item = self._plot.getPlotItem()
        item.setLabel("left", tr("error"), color=of_loss)
        item.setLabel("right", tr("score"), color=of_score)
        for name in ("left", "bottom", "right"):
            item.getAxis(name).setTextPen(ink)
        self._loss.setPen(of_loss, width=2)
        self._score.setPen(of_score, width=2)
        self._score.setSymbolBrush(of_score)
        for line, pairs in ((self._loss, losses), (self._score, scores)):
            steps, values = zip(*pairs, strict=True) if pairs else ((), ())
            line.setData(list(steps), list(values))
        # from 0, where the score before the first step is; by itself it would follow the losses
        last = max((step for step, _ in (*losses, *scores)), default=1)
        self._plot.setXRange(0, last)

    def _on_plot_resized(self) -> None:
        view = self._plot.getPlotItem().vb
        self._right.setGeometry(view.sceneBoundingRect())
        self._right.linkedViewChanged(view, self._right.XAxis)
