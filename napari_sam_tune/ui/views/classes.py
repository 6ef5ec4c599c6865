"""Passive view of the classes: which the next mask gets, and what can be done with each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QButtonGroup, QColorDialog, QInputDialog, QMenu, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import (
    Button,
    KeyButton,
    OneLine,
    Section,
    on_a_button,
    tip,
)


@dataclass(frozen=True)
class ClassSnapshot:
    """The classes: (name, "#rrggbb", key or "") each, and the current one's name.

    `is_guess` says that nobody chose the current one: it is suggested by what was accepted.
    `next_key` goes from one class to the next.
    """

    classes: tuple[tuple[str, str, str], ...]
    current: str
    is_guess: bool = False
    next_key: str = ""


class ClassView(QWidget):
    """The classes with colours and keys; a right click on one asks what is to become of it.

    Attributes:
        chosen: emitted with the name of the class picked.
        edited: emitted with name and "#rrggbb" of a class added or recoloured.
        renamed: emitted with the name of a class and another one; one that is there joins them.
        removed: emitted with the name of a class that is to go.
        attributes_asked: emitted with the name of a class of which is to be said what is noted.

    """

    chosen = Signal(str)
    edited = Signal(str, str)
    renamed = Signal(str, str)
    removed = Signal(str)
    attributes_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._section = Section(mark("Class"))
        self._note = OneLine("quiet")
        self._note.setText(tr("suggested"))
        self._note.setToolTip(
            tr("Suggested by what was accepted before. Choose another class, and that one counts.")
        )
        self._section.head.insertWidget(1, self._note)
        self._add = Button(tr("Add a class…"))
        self._add.clicked.connect(self._on_add_clicked)
        change = Button(tr("Change…"), "small")
        change.setToolTip(
            tr(
                "Rename the current class, merge it, give it another colour, say what is noted of "
                "its masks. Of any class by a right click on it"
            )
        )
        change.clicked.connect(self._on_change_clicked)
        self._change = change
        self._section.head.addWidget(change)
        self._row = Row(self._add, columns=2)
        self._section.body.addWidget(self._row)
        self._group = QButtonGroup(self)
        column.addWidget(self._section)
        self._shown = ClassSnapshot((), "")

    def show_classes(self, snapshot: ClassSnapshot) -> None:
        """Show the classes and which one the next mask gets."""
        if snapshot.classes != self._shown.classes:
            self._rebuild(snapshot)
        self._shown = snapshot
        self._note.setVisible(snapshot.is_guess)
        for button in self._group.buttons():
            button.setChecked(button.action == snapshot.current)

    def menu(self, name: str) -> QMenu:
        """Return what can be done with a class."""
        menu = QMenu(self)
        menu.addAction(tr("Rename…"), partial(self._rename, name))
        others = [other for other, _, _ in self._shown.classes if other != name]
        merge = menu.addMenu(tr("Merge into"))
        merge.setEnabled(bool(others))
        for other in others:
            merge.addAction(on_a_button(other), partial(self.renamed.emit, name, other))
        menu.addAction(tr("Colour…"), partial(self._recolour, name))
        menu.addAction(tr("Attributes…"), partial(self.attributes_asked.emit, name))
        menu.addSeparator()
        remove = menu.addAction(tr("Remove"), partial(self.removed.emit, name))
        remove.setEnabled(bool(others))
        return menu

    def _rebuild(self, snapshot: ClassSnapshot) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
            button.hide()
            button.deleteLater()
        shown: list[QWidget] = []
        for name, colour, key in snapshot.classes:
            says = tr("The next mask is “{name}”", name=name)
            if not key and snapshot.next_key:
                hint = tr("{key} goes from class to class.", key=snapshot.next_key)
                says = f"{says}\n{hint}"
            button = KeyButton(name, on_a_button(name), tip(says))
            button.setIcon(chip(colour))
            button.setCheckable(True)
            button.show_key(key)
            button.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            button.customContextMenuRequested.connect(partial(self._on_menu_asked, button))
            self._group.addButton(button)
            shown.append(button)
        self._row.show_widgets([*shown, self._add])

    def _on_menu_asked(self, button: KeyButton, where: QPoint) -> None:
        self._show_menu(button.action, button.mapToGlobal(where))

    def _on_change_clicked(self) -> None:
        corner = self._change.rect().bottomLeft()
        self._show_menu(self._shown.current, self._change.mapToGlobal(corner))

    def _show_menu(self, name: str, where: QPoint) -> None:
        menu = self.menu(name)
        menu.exec(where)
        menu.deleteLater()

    def _on_add_clicked(self) -> None:
        if name := ask_class(self):
            self.edited.emit(name, "")

    def _rename(self, name: str) -> None:
        new = _ask_text(
            self,
            tr("Rename a class"),
            tr("New name. That of another class merges the two."),
            name,
        )
        if new not in ("", name):
            self.renamed.emit(name, new)

    def _recolour(self, name: str) -> None:
        colours = {known: colour for known, colour, _ in self._shown.classes}
        before = QColor(colours.get(name, "#ffffff"))
        colour = QColorDialog.getColor(before, self, tr("Colour of “{name}”", name=name))
        if colour.isValid():
            self.edited.emit(name, colour.name())


def ask_class(parent: QWidget) -> str:
    """Ask for the name of a new class; "" where there is to be none."""
    return _ask_text(parent, tr("New class"), tr("Name of the class"))


def _ask_text(parent: QWidget, title: str, question: str, text: str = "") -> str:
    """Ask for a text; "" where there is to be none. Qt's own buttons speak napari's language."""
    box = QInputDialog(parent)
    box.setWindowTitle(title)
    box.setLabelText(question)
    box.setTextValue(text)
    box.setOkButtonText(tr("OK"))
    box.setCancelButtonText(tr("Cancel"))
    accepted = box.exec()
    box.deleteLater()
    return str(box.textValue()).strip() if accepted else ""


def chip(colour: str) -> QIcon:
    """Return the square of a class's colour."""
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(colour) if colour else Qt.GlobalColor.gray)
    return QIcon(pixmap)
