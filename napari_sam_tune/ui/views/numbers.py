"""The project in numbers: a window of charts that can be kept as a picture and as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.charts import Bar, Bars, Columns, PlaceMap
from napari_sam_tune.ui.views.look import Look, stylesheet
from napari_sam_tune.ui.views.style import Button, Section, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class NumbersSnapshot:
    """The project in numbers.

    Attributes:
        headline: in a sentence or two.
        classes: masks of each class.
        sizes: masks by size.
        noted: masks by attribute and value.
        places: how many masks lie at each place of their images, (H, W).
        effort: clicks, boxes and strokes a mask, over the masks in their order.
        seconds: and seconds a mask.

    """

    headline: str
    classes: tuple[Bar, ...]
    sizes: tuple[Bar, ...]
    noted: tuple[Bar, ...]
    places: NDArray[Any]
    effort: tuple[Bar, ...]
    seconds: tuple[Bar, ...]


class NumbersView(QDialog):
    """The window.

    Attributes:
        save_asked: emitted to keep the numbers.

    """

    save_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("The project in numbers"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._headline = Text(tr("Counting…"))
        self._classes, self._sizes, self._places = Bars(), Columns(), PlaceMap()
        self._effort, self._seconds, self._noted = Columns(), Columns(), Bars()
        self._page, foot = QWidget(), QWidget()
        look = Look.of()
        for styled in (self._page, foot):
            styled.setObjectName("panel")
            styled.setStyleSheet(stylesheet(look))
        font = self._page.font()
        font.setPointSize(look.points)
        grid = QGridLayout(self._page)
        grid.addWidget(self._headline, 0, 0, 1, 2)
        cards: tuple[tuple[str, QWidget], ...] = (
            (mark("Masks by class"), self._classes),
            (mark("Where they lie on the images"), self._places),
            (mark("Masks by size, in pixels"), self._sizes),
            (mark("Clicks, boxes, strokes a mask over time"), self._effort),
            (mark("Seconds a mask over time"), self._seconds),
            (mark("Masks by attribute"), self._noted),
        )
        for number, (title, chart) in enumerate(cards):
            card = Section(title, folds=False)
            chart.setFont(font)
            card.body.addWidget(chart)
            card.body.addStretch()
            grid.addWidget(card, 1 + number // 2, number % 2)
        self._noted_card = card
        card.hide()  # until something is noted
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(4, 1)
        area = QScrollArea()
        area.setWidget(self._page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        column = QVBoxLayout(self)
        column.addWidget(area, 1)
        line = QHBoxLayout(foot)
        line.setContentsMargins(0, 0, 0, 0)
        line.addStretch()
        for text, asked in (
            (tr("Save a picture and tables…"), self.save_asked.emit),
            (tr("Close"), self.close),
        ):
            button = Button(text)
            button.clicked.connect(lambda _=False, asked=asked: asked())
            line.addWidget(button)
        column.addWidget(foot)
        self.resize(760, 640)

    def show_numbers(self, shown: NumbersSnapshot) -> None:
        """Show them."""
        self._headline.setText(shown.headline)
        self._classes.show_bars(shown.classes)
        self._sizes.show_bars(shown.sizes)
        self._noted.show_bars(shown.noted)
        self._noted_card.setVisible(bool(shown.noted))
        self._places.show_places(shown.places)
        self._effort.show_bars(shown.effort)
        self._seconds.show_bars(shown.seconds)
