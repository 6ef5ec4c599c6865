"""Every version of the weights, how it fared, and the way back to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.style import Button, Text, tip

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ROWS, _ROW_PADDING = 6, 10


@dataclass(frozen=True)
class VersionRow:
    """One version in the history.

    Attributes:
        version: "base" or 12 hex digits.
        name: as it is called on the badge.
        when: local time, or "".
        score: what it scored on masks kept aside when it was judged, or "".
        in_use: whether it answers now.
        detail: what got better and what got worse, for the tool tip.

    """

    version: str
    name: str
    when: str
    score: str
    in_use: bool
    detail: str = ""


class HistoryView(QWidget):
    """A table of versions, newest first.

    Attributes:
        rollback: emitted with the version to go back to.

    """

    rollback = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._empty = Text(
            tr("Nothing better was learnt yet; the model answers as it came."), "quiet"
        )
        self.table = table(tr("Version"), tr("When"), tr("Score"))
        self.table.itemSelectionChanged.connect(self._on_table_selected)
        self._back = Button(tr("Use this version again"))
        self._back.clicked.connect(lambda: self.rollback.emit(self._selected()))
        column.addWidget(self._empty)
        column.addWidget(self.table)
        column.addWidget(self._back)
        self._rows: tuple[VersionRow, ...] = ()
        self.show_versions(())

    def show_versions(self, rows: tuple[VersionRow, ...]) -> None:
        """Show the versions."""
        self._rows = rows
        has_choice = len(rows) > 1
        self._empty.setVisible(not has_choice)
        self.table.setVisible(has_choice)
        self._back.setVisible(has_choice)
        names = [tr("{name} · in use", name=r.name) if r.in_use else r.name for r in rows]
        texts = [(name, r.when, r.score) for name, r in zip(names, rows, strict=True)]
        fill(self.table, texts, [r.detail for r in rows])
        self._on_table_selected()

    def _selected(self) -> str:
        rows = self.table.selectionModel().selectedRows()
        return self._rows[rows[0].row()].version if rows else ""

    def _on_table_selected(self) -> None:
        chosen = self._selected()
        self._back.setEnabled(
            bool(chosen) and not any(r.in_use and r.version == chosen for r in self._rows)
        )


class Table(QTableWidget):
    """A read-only table that is as high as its rows, up to six."""

    def fit(self) -> None:
        """Take as much height as the rows need, in the font in use."""
        rows, header = self.verticalHeader(), self.horizontalHeader()
        rows.setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        shown = min(max(self.rowCount(), 1), _MOST_ROWS)
        self.setFixedHeight(header.sizeHint().height() + shown * rows.defaultSectionSize() + 6)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Fit anew where the font is another."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit()


def table(*columns: str) -> Table:
    """Return an empty table."""
    widget = Table(0, len(columns))
    widget.setHorizontalHeaderLabels(list(columns))
    widget.verticalHeader().hide()
    widget.setShowGrid(False)
    widget.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    widget.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    widget.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    header = widget.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    # the first says what a row is about; figures beside it are short
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setTextElideMode(Qt.TextElideMode.ElideRight)
    for column, text in enumerate(columns):
        widget.horizontalHeaderItem(column).setToolTip(text)
    header.setMinimumSectionSize(30)
    header.setHighlightSections(False)
    return widget


def fill(widget: Table, rows: Sequence[tuple[str, ...]], tips: Sequence[str]) -> None:
    """Write `rows` into a table made by `table`."""
    widget.setRowCount(len(rows))
    for index, (texts, said) in enumerate(zip(rows, tips, strict=True)):
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(tip("\n".join(filter(None, (text, said)))))
            widget.setItem(index, column, item)
    widget.fit()
