"""Passive views of the image, the classes and the object in progress."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QColorDialog,
    QGridLayout,
    QInputDialog,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.ui.views.style import KeyButton, OneLine, Section, Text, row

Tool = Literal["click", "brush", "eraser"]


@dataclass(frozen=True)
class ImageSnapshot:
    """The open image in its queue.

    Attributes:
        name: as the person knows it.
        position: 1 for the first.
        count: images in the queue.
        finished: how many are done.
        done: this one is done.
        empty: this one has no defect.
        objects: accepted objects on it.

    """

    name: str
    position: int
    count: int
    finished: int
    done: bool
    empty: bool
    objects: int


@dataclass(frozen=True)
class ClassSnapshot:
    """The classes: (name, "#rrggbb", key or "") each, and the current one's name.

    `is_guess` says that nobody chose the current one: it is suggested by what was accepted.
    """

    classes: tuple[tuple[str, str, str], ...]
    current: str
    is_guess: bool = False


@dataclass(frozen=True)
class ObjectSnapshot:
    """The object in progress.

    Attributes:
        headline: its state in a few words.
        can_accept: there is a mask to accept.
        is_open: anything was said or painted.
        candidates: masks the model made of the click.
        negative: plain clicks mean "not part of it" now.
        has_earlier: the mask of the former weights can be brought back.
        can_undo: there is a step to take back.
        can_redo: there is one to repeat.
        tool: what the mouse does.
        picking: the next click picks an accepted object for this, or None.

    """

    headline: str
    can_accept: bool = False
    is_open: bool = False
    candidates: int = 0
    negative: bool = False
    has_earlier: bool = False
    can_undo: bool = False
    can_redo: bool = False
    tool: Tool = "click"
    picking: Literal["reopen", "delete"] | None = None


class _ActionView(QWidget):
    """A view whose buttons emit `action` with the name of what is to be done."""

    action = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, KeyButton] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def _button(self, action: str, text: str, tip: str = "", *, primary: bool = False) -> KeyButton:
        button = KeyButton(action, text, tip, primary=primary)
        button.clicked.connect(lambda: self.action.emit(action))
        self.buttons[action] = button
        return button

    def show_keys(self, keys: dict[str, str]) -> None:
        """Write the keys on the buttons."""
        for action, button in self.buttons.items():
            button.show_key(keys.get(action, ""))


class ImageView(_ActionView):
    """Which image is open, the way to the others, and whether it is done.

    Attributes:
        leave: emitted to close the project and choose other images.

    """

    leave = Signal()

    def __init__(self) -> None:
        super().__init__()
        section = Section("Image")
        self._count = Text("", "quiet", wrap=False)
        leave = QToolButton()
        leave.setText("Other images…")
        leave.setToolTip("Close this project and choose other images")
        leave.clicked.connect(self.leave)
        section.head.addWidget(self._count)
        section.head.addWidget(leave)
        self._name = OneLine()
        section.body.addWidget(self._name)
        previous = self._button("previous_image", "Previous")
        following = self._button("next_image", "Next")
        self._done = self._button("done", "Done", "Mark the image as done and go to the next")
        self._empty = self._button(
            "no_defect", "No defect here", "Mark the image as done with nothing to label"
        )
        self._done.setCheckable(True)
        self._empty.setCheckable(True)
        section.body.addLayout(row(previous, following))
        section.body.addLayout(row(self._done, self._empty))
        self._column.addWidget(section)

    def show_image(self, image: ImageSnapshot) -> None:
        """Show where the person is."""
        self._name.setText(image.name)
        self._count.setText(f"{image.position} of {image.count} · {image.finished} done")
        self._done.setChecked(image.done and not image.empty)
        self._empty.setChecked(image.empty)
        self._empty.setEnabled(image.objects == 0)


class ClassView(QWidget):
    """The classes with colours and keys.

    Attributes:
        chosen: emitted with the name of the class picked.
        edited: emitted with name and "#rrggbb" of a class added or recoloured.

    """

    chosen = Signal(str)
    edited = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._section = Section("Class")
        self._note = Text("suggested", "quiet", wrap=False)
        self._note.setToolTip(
            "Suggested by what was accepted before. Choose another class, and that one counts."
        )
        self._section.head.insertWidget(1, self._note)
        add = QToolButton()
        add.setText("Add…")
        add.clicked.connect(self._on_add_clicked)
        colour = QToolButton()
        colour.setText("Colour…")
        colour.setToolTip("Change the colour of the current class")
        colour.clicked.connect(self._on_colour_clicked)
        self._section.head.addWidget(colour)
        self._section.head.addWidget(add)
        self._grid = QGridLayout()
        self._grid.setSpacing(6)
        self._section.body.addLayout(self._grid)
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

    def _rebuild(self, snapshot: ClassSnapshot) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        for index, (name, colour, key) in enumerate(snapshot.classes):
            button = KeyButton(name, name, f"The next mask is “{name}”")
            button.setIcon(_chip(colour))
            button.setCheckable(True)
            button.show_key(key)
            button.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            self._group.addButton(button)
            self._grid.addWidget(button, index // 2, index % 2)

    def _on_add_clicked(self) -> None:
        name, accepted = QInputDialog.getText(self, "New class", "Name of the class")
        if accepted and name.strip():
            self.edited.emit(name.strip(), "")

    def _on_colour_clicked(self) -> None:
        colours = {name: colour for name, colour, _ in self._shown.classes}
        before = QColor(colours.get(self._shown.current, "#ffffff"))
        colour = QColorDialog.getColor(before, self, f"Colour of “{self._shown.current}”")
        if colour.isValid():
            self.edited.emit(self._shown.current, colour.name())


class ObjectView(_ActionView):
    """The object in progress: what the mouse does, what is proposed, and the decisions on it.

    Attributes:
        tool_chosen: emitted with the `Tool` picked.
        connected_chosen: emitted with whether connected parts alone are to be shown.
        connected: the check box that says so.
        adopt: emitted with the name of a Labels layer whose masks are to be taken over.
        adopt_parts: the same, each connected part of a label as an object of its own.

    """

    tool_chosen = Signal(str)
    connected_chosen = Signal(bool)
    adopt = Signal(str)
    adopt_parts = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        section = Section("Object")
        self._headline = Text()
        section.body.addLayout(self._tools())
        section.body.addWidget(self._headline)
        accept = self._button("accept", "Accept", "Keep this mask", primary=True)
        section.body.addWidget(accept)
        self._button("candidate", "Next guess", "A single click can mean a part or the whole")
        self._button("sign", "Click removes", "Plain clicks mean “not part of it”")
        self.buttons["sign"].setCheckable(True)
        self._button("undo", "Undo", "Take the last click, stroke or accept back (also Ctrl+Z)")
        self._button("redo", "Redo")
        self._button("reject", "Reject", "Drop this object")
        self._button("clear", "Clear clicks", "Start this object again")
        self._button(
            "earlier", "Old or new mask", "The mask of the weights before the swap, and back"
        )
        self._button("reopen", "Correct…", "Take an accepted object up again")
        self._button("delete", "Delete…", "Remove an accepted object")
        self.connected = QCheckBox()
        self.connected.setToolTip(
            "Of an answer, only the parts that a click, the box or paint touches"
        )
        self.connected.clicked.connect(self.connected_chosen)
        section.head.addWidget(self.connected)
        for button in ("reopen", "delete"):
            self.buttons[button].setCheckable(True)
        for left, right in (
            ("candidate", "sign"),
            ("undo", "redo"),
            ("reject", "clear"),
            ("reopen", "delete"),
        ):
            section.body.addLayout(row(self.buttons[left], self.buttons[right]))
        section.body.addWidget(self.buttons["earlier"])
        self._gestures = Text("", "quiet")
        section.body.addWidget(self._gestures)
        self._adopt = QToolButton()
        self._adopt.setText("Take over masks from a Labels layer")
        self._adopt.setStyleSheet("padding-right: 16px")  # room for the arrow of the menu
        self._adopt.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._adopt_menu = QMenu(self._adopt)
        self._adopt.setMenu(self._adopt_menu)
        section.body.addWidget(self._adopt)
        self.show_adoptable([])
        self._column.addWidget(section)
        self.show_gestures(drag_draws_box=True)

    def _tools(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(6)
        self._tool_buttons: dict[str, KeyButton] = {}
        group = QButtonGroup(self)
        # The keys are napari's own for its Labels layer.
        for column, (tool, text, key) in enumerate(
            (("click", "Click", "Z"), ("brush", "Brush", "P"), ("eraser", "Eraser", "E"))
        ):
            button = KeyButton(tool, text)
            button.setCheckable(True)
            button.show_key(key)
            button.clicked.connect(lambda _=False, tool=tool: self.tool_chosen.emit(tool))
            group.addButton(button)
            grid.addWidget(button, 0, column)
            self._tool_buttons[tool] = button
        return grid

    def show_keys(self, keys: dict[str, str]) -> None:
        """Write the keys on the buttons and beside the check box."""
        super().show_keys(keys)
        self.connected.setText(f"Connected parts only ({keys.get('connected', '')})")

    def show_gestures(self, *, drag_draws_box: bool) -> None:
        """Tell what the mouse does on the image."""
        drag = (
            "Drag: box · Space + drag: move the view"
            if drag_draws_box
            else "Ctrl + drag: box · Drag: move the view"
        )
        self._gestures.setText(
            f"Click: part of it · Right click or Shift + click: not part of it\n{drag}"
        )

    def show_connected(self, on: bool) -> None:
        """Show whether connected parts alone are shown."""
        self.connected.setChecked(on)

    def show_adoptable(self, names: list[str]) -> None:
        """Offer to take over the masks of these Labels layers."""
        self._adopt_menu.clear()
        for name in names:
            self._adopt_menu.addAction(name, partial(self.adopt.emit, name))
            parts = f"{name}, each connected part by itself"
            self._adopt_menu.addAction(parts, partial(self.adopt_parts.emit, name))
        self._adopt.setVisible(bool(names))

    def show_object(self, shown: ObjectSnapshot) -> None:
        """Show the object in progress."""
        self._headline.setText(shown.headline)
        enabled = {
            "accept": shown.can_accept,
            "candidate": shown.candidates > 1,
            "undo": shown.can_undo,
            "redo": shown.can_redo,
            "reject": shown.is_open,
            "clear": shown.is_open,
        }
        for name, value in enabled.items():
            self.buttons[name].setEnabled(value)
        self.buttons["earlier"].setVisible(shown.has_earlier)
        self.buttons["sign"].setChecked(shown.negative)
        self.buttons["reopen"].setChecked(shown.picking == "reopen")
        self.buttons["delete"].setChecked(shown.picking == "delete")
        self._tool_buttons[shown.tool].setChecked(True)


def _chip(colour: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(colour) if colour else Qt.GlobalColor.gray)
    return QIcon(pixmap)
