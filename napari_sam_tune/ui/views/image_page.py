"""The page of the images: what is done, what is on them, and which to go to next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal

from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.list_page import ListPage
from napari_sam_tune.ui.views.reviewing import STATES, ReviewView
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Button

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.ui.views.rows import ListRow

ORDERS: Final = {"name": "By name", "need": "Most needed first", "unsure": "Least sure first"}
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
        self._orders = ComboBox(ORDERS)
        self._orders.setToolTip(
            "What is needed and how sure the finds are is known once “Find all like these” has "
            "looked through the folder"
        )
        super().__init__(self._orders, {s: STATES[s] for s in _STATES}, ("image", "images"))
        self._orders.activated.connect(self.list_rows)
        self.review = ReviewView()
        self.body.addWidget(self.review)
        numbers = Button("The project in numbers…", "wide")
        numbers.setToolTip("Masks by class, sizes, places, images without masks, effort")
        numbers.clicked.connect(self.numbers_asked)
        self.body.addWidget(Row(numbers))

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        self.review.show_keys(keys)

    def order(self, rows: list[ListRow]) -> None:
        """Put the rows into the order chosen."""
        place = self._orders.currentIndex()
        rows.sort(key=lambda row: row.ranks[place])
