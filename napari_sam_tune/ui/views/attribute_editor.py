"""A small window in which is said what is noted of every mask of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.line_edit import LineEdit
from napari_sam_tune.ui.views.style import Button, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KINDS: Final = {"choice": mark("One of …"), "number": mark("Number"), "text": mark("Text")}


@dataclass(frozen=True)
class AttributeRow:
    """One attribute as it stands in the window.

    Attributes:
        name: what it is called.
        kind: one of `KINDS`.
        choices: separated by commas.

    """

    name: str = ""
    kind: str = "choice"
    choices: str = ""


class AttributeEditor(QDialog):
    """The window; closes by itself once what was said is kept.

    Args:
        label: the class.
        rows: its attributes so far.
        keep: gets the attributes; returns why they cannot be kept, or "".
        parent: over which it lies.

    """

    def __init__(
        self,
        label: str,
        rows: Sequence[AttributeRow],
        keep: Callable[[list[AttributeRow]], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Attributes of a class"))
        self._keep = keep
        self._lines: list[_Line] = []
        self._grid = QGridLayout()
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(2, 3)
        add = Button(tr("Add an attribute"))
        add.clicked.connect(lambda: self._add(AttributeRow()))
        self._problem = Text()
        buttons = QDialogButtonBox()
        buttons.addButton(tr("Save"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self._on_save_pressed)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(
            Text(
                tr(
                    "What is noted of every mask of “{label}”, such as how severe it is or where "
                    "it comes from. It is filled in on the page of the masks, and exported with "
                    "them.",
                    label=label,
                )
            )
        )
        column.addLayout(self._grid)
        for widget in (add, self._problem, buttons):
            column.addWidget(widget)
        column.insertStretch(2)
        for row in rows or [AttributeRow()]:
            self._add(row)
        self._problem.hide()
        self.resize(460, 280)

    @property
    def rows(self) -> list[AttributeRow]:
        """The attributes as they stand there; lines without a name and choices are left out."""
        rows = [line.row for line in self._lines]
        return [row for row in rows if row.name or row.choices]

    def _add(self, row: AttributeRow) -> None:
        line = _Line(row, lambda: self._remove(line))
        for column, widget in enumerate(line.widgets):
            self._grid.addWidget(widget, len(self._lines), column)
        self._lines.append(line)

    def _remove(self, line: _Line) -> None:
        self._lines.remove(line)
        for widget in line.widgets:
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()

    def _on_save_pressed(self) -> None:
        problem = self._keep(self.rows)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        if not problem:
            self.accept()


class _Line:
    """One attribute's fields."""

    def __init__(self, row: AttributeRow, remove: Callable[[], None]) -> None:
        self._name, self._kind = (
            LineEdit(tr("Name")),
            ComboBox({kind: tr(said) for kind, said in KINDS.items()}),
        )
        self._choices = LineEdit(tr("low, medium, high"))
        self._name.show_text(row.name)
        self._choices.show_text(row.choices)
        self._kind.setCurrentIndex(self._kind.findData(row.kind))
        self._kind.currentIndexChanged.connect(lambda _: self._follow_kind())
        out = Button(tr("Remove"), "small")
        out.clicked.connect(remove)
        self.widgets = (self._name, self._kind, self._choices, out)
        self._follow_kind()

    @property
    def row(self) -> AttributeRow:
        choices = self._choices.text() if self._kind.currentData() == "choice" else ""
        return AttributeRow(self._name.text().strip(), str(self._kind.currentData()), choices)

    def _follow_kind(self) -> None:
        self._choices.setEnabled(self._kind.currentData() == "choice")
