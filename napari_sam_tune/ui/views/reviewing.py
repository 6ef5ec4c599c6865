"""Passive view of what was said of images or masks: state, note, tags, attributes of the class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.line_edit import LineEdit
from napari_sam_tune.ui.views.look import ACCENT
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import KeyButton, OneLine, Section, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[Mapping[str, str]] = {
    "to_do": mark("To do"),
    "accepted": mark("Accepted"),
    "done": mark("Done"),
    "second_look": mark("Second look"),
    "approved": mark("Approved"),
    "excluded": mark("Excluded"),
}
"""What states are called, by their names in the project."""
STATE_COLOURS: Final[Mapping[str, str]] = {
    "done": "#4a6785",
    "second_look": "#8a5a00",
    "approved": ACCENT,
    "excluded": "#6b6f76",
}
"""Grounds on which white can be read; states that are not here are not marked."""
_DECISIONS = (
    ("approved", "approve", mark("Approved"), mark("Somebody checked it and it is right")),
    (
        "second_look",
        "second_look",
        mark("Second look"),
        mark("Somebody is to look at it again; until then nothing is learnt from it"),
    ),
    (
        "excluded",
        "exclude",
        mark("Excluded"),
        mark("Nothing is learnt from it, and it is not exported"),
    ),
)


@dataclass(frozen=True)
class Field:
    """One attribute of a class, as it is filled in.

    Attributes:
        name: what it is called.
        choices: what can be chosen; none where anything may be written.
        value: what is filled in, or "".
        hint: what may be written, while nothing is.

    """

    name: str
    choices: tuple[str, ...] = ()
    value: str = ""
    hint: str = ""


@dataclass(frozen=True)
class ReviewSnapshot:
    """What was said of what is selected.

    Attributes:
        what: of what, in a word or two; "" where nothing is selected.
        state: its state, or "" where there are several.
        said: who said so, and when.
        note: free text.
        tags: separated by commas.
        fields: the attributes of its class.

    """

    what: str = ""
    state: str = ""
    said: str = ""
    note: str = ""
    tags: str = ""
    fields: tuple[Field, ...] = ()


class ReviewView(QWidget):
    """The section in which things are reviewed.

    Attributes:
        section: it.
        decided: emitted with the state that was pressed; again takes it back.
        noted: emitted with the text of the note.
        tagged: emitted with the tags.
        filled: emitted with the name of an attribute and what was filled in.

    """

    decided = Signal(str)
    noted = Signal(str)
    tagged = Signal(str)
    filled = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.section = Section(mark("Review"))
        self._what = OneLine("quiet")
        self._what.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.section.head.addWidget(self._what, 1)
        self._buttons: dict[str, KeyButton] = {}
        for state, action, text, says in _DECISIONS:
            button = KeyButton(action, tr(text), tr(says))
            button.setCheckable(True)
            button.clicked.connect(partial(self._on_pressed, state))
            self._buttons[state] = button
        self._note = LineEdit(tr("Note"))
        self._note.written.connect(self.noted)
        self._tags = LineEdit(tr("Tags, with commas"))
        self._tags.written.connect(self.tagged)
        self._said = Text("", "quiet")
        self._form = QWidget()
        self._form.setProperty("role", "body")
        self._form_grid = QGridLayout(self._form)
        self._form_grid.setContentsMargins(0, 0, 0, 0)
        self._fields: dict[str, ComboBox | LineEdit] = {}
        self._shown: tuple[Field, ...] = ()
        for widget in (
            Row(*self._buttons.values(), columns=2),
            Row(self._note, self._tags),
            self._form,
            self._said,
        ):
            self.section.body.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.section)
        self.show_review(ReviewSnapshot())

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        for button in self._buttons.values():
            button.show_key(keys.get(button.action, ""))

    def show_review(self, shown: ReviewSnapshot) -> None:
        """Show what was said."""
        self.setVisible(bool(shown.what))
        self._what.setText(shown.what)
        for state, button in self._buttons.items():
            button.setChecked(state == shown.state)
        self._note.show_text(shown.note)
        self._tags.show_text(shown.tags)
        self._said.setText(shown.said)
        self._said.setVisible(bool(shown.said))
        self._show_fields(shown.fields)

    def _show_fields(self, fields: tuple[Field, ...]) -> None:
        forms = [[(f.name, f.choices, f.hint) for f in some] for some in (fields, self._shown)]
        if forms[0] != forms[1]:
            self._build(fields)
        self._shown = fields
        self._form.setVisible(bool(fields))
        for one in fields:
            field = self._fields[one.name]
            if isinstance(field, LineEdit):
                field.show_text(one.value)
            else:
                field.setCurrentIndex(max(0, field.findData(one.value)))

    def _build(self, fields: tuple[Field, ...]) -> None:
        while (item := self._form_grid.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self._fields = {}
        for line, one in enumerate(fields):
            field: ComboBox | LineEdit
            if one.choices:
                field = ComboBox({"": "–", **{choice: choice for choice in one.choices}})
                field.activated.connect(partial(self._on_chosen, one.name, field))
            else:
                field = LineEdit(one.hint)
                field.written.connect(partial(self.filled.emit, one.name))
            name = OneLine("quiet")
            name.setText(one.name)
            self._form_grid.addWidget(name, line, 0)
            self._form_grid.addWidget(field, line, 1)
            self._fields[one.name] = field
        self._form_grid.setColumnStretch(0, 1)
        self._form_grid.setColumnStretch(1, 2)

    def _on_chosen(self, name: str, field: ComboBox, _: int) -> None:
        self.filled.emit(name, str(field.currentData()))

    def _on_pressed(self, state: str, _: bool = False) -> None:
        # what is pressed counts when the project says so
        self._buttons[state].setChecked(not self._buttons[state].isChecked())
        self.decided.emit(state)
