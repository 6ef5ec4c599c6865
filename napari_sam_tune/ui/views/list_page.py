"""A page of the dock with a list: what is listed, in which order, and what is left out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.project.noted import ValueRange, ranges_of
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.line_edit import LineEdit
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.rows import RowView
from napari_sam_tune.ui.views.style import OneLine, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_tune.ui.views.rows import ListRow

_ANY = ""


@dataclass(frozen=True)
class Filter:
    """What is to be listed.

    Attributes:
        words: all of these are in a row's words.
        label: the only class; "": any.
        state: the only state; "": any.
        value: of what is noted, this alone; None: any.

    """

    words: tuple[str, ...] = ()
    label: str = _ANY
    state: str = _ANY
    value: ValueRange | None = None

    def takes(self, row: ListRow) -> bool:
        """Whether a row is listed."""
        return (
            (self.label == _ANY or self.label in row.labels)
            and self.state in (_ANY, row.state)
            and all(word in row.words for word in self.words)
            and (self.value is None or self.value.takes(row.values))
        )


class ListPage(QWidget):
    """A list with a filter above it; add what belongs to the rows selected to `body`.

    Args:
        choices: what comes before the filter: which things are listed, or in which order.
        states: texts of the states that may be filtered by, by value.

    Attributes:
        view: the rows.
        above: for what belongs between the filter and the list.
        body: a column below the list.

    """

    def __init__(self, choices: ComboBox, states: Mapping[str, str]) -> None:
        super().__init__()
        self.view = RowView()
        self._empty = ""
        self._all: tuple[ListRow, ...] = ()
        self._labels = ComboBox({_ANY: tr("All classes")})
        self._labels.setToolTip(tr("List one class alone"))
        self._states = ComboBox({_ANY: tr("Any state"), **states})
        self._states.setToolTip(tr("List those of one state alone"))
        self._words = LineEdit(tr("Search…"))
        self._words.setClearButtonEnabled(True)
        self._words.setToolTip(tr("List only those with all of these words in name, note or tags"))
        self._words.textChanged.connect(self.list_rows)
        self._offered: list[ValueRange | None] = [None]
        self._values = ComboBox({_ANY: tr("Any attribute")})
        self._values.setToolTip(tr("List those alone of which this is noted"))
        self._values.hide()
        for choice in (self._labels, self._states, self._values):
            choice.activated.connect(self.list_rows)
        self._count = OneLine("quiet")
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.above, self.body = QVBoxLayout(), QVBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        what_and_count = QHBoxLayout()
        what_and_count.addWidget(choices, 3)
        what_and_count.addWidget(self._count, 2)
        column.addLayout(what_and_count)
        column.addWidget(Row(self._words, self._labels, self._states, self._values))
        column.addLayout(self.above)
        self._nothing = Text("", "quiet")
        column.addWidget(self._nothing)
        column.addWidget(self.view, 1)
        column.addLayout(self.body)

    @property
    def filter(self) -> Filter:
        """What is listed."""
        words = tuple(self._words.text().lower().split())
        label, state = str(self._labels.currentData()), str(self._states.currentData())
        return Filter(words, label, state, self._value)

    @property
    def _value(self) -> ValueRange | None:
        return self._offered[self._values.currentIndex()]

    def list_all(self) -> None:
        """Leave nothing out any more."""
        self._words.clear()
        for choice in (self._labels, self._states, self._values):
            choice.setCurrentIndex(0)
        self.list_rows()

    def offer_labels(self, labels: Iterable[str]) -> None:
        """Offer to list one of these classes alone."""
        wanted, chosen = [_ANY, *labels], self._labels.currentData()
        if [self._labels.itemData(n) for n in range(self._labels.count())] == wanted:
            return
        self._labels.clear()
        for label in wanted:
            self._labels.addItem(visible(label) or tr("All classes"), label)
        self._labels.setCurrentIndex(max(0, self._labels.findData(chosen)))

    def show_rows(self, rows: Sequence[ListRow], empty: str = "") -> None:
        """List what passes the filter of these.

        Args:
            rows: all there are.
            empty: what is said where there are none.

        """
        self._all, self._empty = tuple(rows), empty
        self._offer_values()
        self.list_rows()

    def _offer_values(self) -> None:
        """Offer what is noted of the rows there are; what was chosen stays."""
        chosen = self._value
        wanted = [None, *ranges_of(noted for row in self._all for noted in row.values)]
        if chosen not in wanted:
            wanted.append(chosen)
        if wanted != self._offered:
            self._offered = wanted
            self._values.clear()
            for value in wanted:
                self._values.addItem(tr("Any attribute") if value is None else value.text)
            self._values.setCurrentIndex(wanted.index(chosen))
        self._values.setVisible(len(wanted) > 1)

    def said_of(self, count: int, total: int) -> str:
        """Say how many of all there are pass the filter."""
        raise NotImplementedError

    def order(self, rows: list[ListRow]) -> None:
        """Put the rows into the order chosen; as they came, unless a page knows others."""

    def list_rows(self, *_: object) -> None:
        """List anew: the filter or the order is another one."""
        wanted = self.filter
        rows = [row for row in self._all if wanted.takes(row)]
        self.order(rows)
        self.view.show_rows(rows)
        count, total = len(rows), len(self._all)
        self._count.setText(self.said_of(count, total))
        self._nothing.setText(tr("None of them is like that.") if total else self._empty)
        self._nothing.setVisible(not count)
