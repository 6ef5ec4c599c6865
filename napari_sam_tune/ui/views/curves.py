"""The live curve of a round: training loss and score on held-out objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph
from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pairs = Sequence[tuple[int, float]]

_LOSS, _SCORE = "#e9a23b", "#39d353"


class CurveView(QWidget):
    """Loss against the left axis, held-out score against the right one."""

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
        item.setLabel("left", "loss", color=_LOSS)
        item.setLabel("right", "held-out score", color=_SCORE)
        item.showAxis("right")
        item.getAxis("left").enableAutoSIPrefix(False)
        item.layout.setContentsMargins(0, 6, 0, 0)  # else the topmost number is cut in half
        self._loss = item.plot([], [], pen=pyqtgraph.mkPen(_LOSS, width=2))
        self._right = pyqtgraph.ViewBox(enableMenu=False)
        self._right.setMouseEnabled(False, False)
        item.scene().addItem(self._right)
        item.getAxis("right").linkToView(self._right)
        self._right.setXLink(item)
        self._right.setYRange(0, 1)
        self._score = pyqtgraph.PlotDataItem(
            pen=pyqtgraph.mkPen(_SCORE, width=2), symbol="o", symbolSize=5, symbolBrush=_SCORE
        )
        self._right.addItem(self._score)
        item.vb.sigResized.connect(self._on_plot_resized)
        column.addWidget(self._plot)

    def show_curve(self, losses: Pairs, scores: Pairs) -> None:
        """Draw what there is: (step, loss) and (step, score from 0 to 1)."""
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
