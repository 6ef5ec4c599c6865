"""The page of the images: what is done, what is on them, and which to go to next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.list_page import ListPage
from napari_sam_tune.ui.views.reviewing import STATES, ReviewView
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Button

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.ui.views.rows import ListRow

ORDERS: Final = {
    "name": mark("By name"),
    "need": mark("Most needed first"),
    "unsure": mark("Least sure first"),
}
"""In the order of `ListRow.ranks`."""
_STATES = ("to_do", "done", "second_look", "approved", "excluded")


class ImagePage(ListPage):
    """The page.

    Attributes:
        review: what is said of the images selected.
        numbers_asked: emitted to see the project in numbers.

    """

    numbers_asked = Signal()

    def __init__(self) -> None:
        self._orders = ComboBox({order: tr(said) for order, said in ORDERS.items()})
        self._orders.setToolTip(
            tr(
                "What is needed and how sure the finds are is known once “Find all like these” has "
                "looked through the folder"
            )
        )
        super().__init__(self._orders, {s: tr(STATES[s]) for s in _STATES})
        self._orders.activated.connect(self.list_rows)
        self.review = ReviewView()
        self.body.addWidget(self.review)
        numbers = Button(tr("The project in numbers…"), "wide")
        numbers.setToolTip(tr("Masks by class, sizes, places, images without masks, effort"))
        numbers.clicked.connect(self.numbers_asked)
        self.body.addWidget(Row(numbers))

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        self.review.show_keys(keys)

    def said_of(self, count: int, total: int) -> str:
        """Say how many images are listed."""
        if count == total:
            return tr("{n:,} images", "1 image", n=total)
        return tr("{count:,} of {n:,} images", "{count:,} of 1 image", n=total, count=count)

    def order(self, rows: list[ListRow]) -> None:
        """Put the rows into the order chosen."""
        place = self._orders.currentIndex()
        rows.sort(key=lambda row: row.ranks[place])
