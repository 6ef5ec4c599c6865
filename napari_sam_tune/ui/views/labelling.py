"""Passive views of the image, the classes and the object in progress."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QMenu, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import (
    Button,
    CheckBox,
    KeyButton,
    OneLine,
    Section,
    Text,
    on_a_button,
)

Tool = Literal["click", "stroke", "brush", "eraser"]


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
        has_image: there is an image to click on.
        accepted: objects accepted on it.

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
    has_image: bool = True
    accepted: int = 0


_NO_IMAGE = mark("First an image must be open.")
_BOX = mark("Drag: box · Space + drag: move the view")
_VIEW = mark("Ctrl + drag: box · Drag: move the view")
_CLICKS = mark("Click: part of it · Right click: not part of it")
_HINTS = {
    "stroke": mark(
        "Draw along a crack: the mask is as wide as it is. Draw a loop: the object inside. "
        "Clicks correct. Esc or Z: back to clicking"
    ),
    "brush": mark(
        "Drag to add to the mask. [ and ] change the size of the brush. Esc or Z: back to clicking"
    ),
    "eraser": mark(
        "Drag to take away from the mask. [ and ] change the size of the eraser. Esc or Z: "
        "back to clicking"
    ),
    "reopen": mark("Click on a mask you accepted, and it is open again. Esc: leave it as it is"),
    "delete": mark(
        "Click on a mask you accepted, and it is gone; Undo brings it back. Esc: keep all"
    ),
}
"""What the mouse does, by tool or by what is picked; clicks have theirs by preference."""


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
        line: where the person is; for a place that is always in view.

    """

    leave = Signal()

    def __init__(self) -> None:
        super().__init__()
        section = Section(mark("Image"))
        self.line = Text()
        leave = Button(tr("Other images…"), "small")
        leave.setToolTip(tr("Close this project and choose other images"))
        leave.clicked.connect(self.leave)
        section.head.addWidget(leave)
        self._name = OneLine()
        section.body.addWidget(self._name)
        previous = self._button("previous_image", tr("Previous"))
        following = self._button("next_image", tr("Next"))
        self._done = self._button(
            "done", tr("Done"), tr("Mark the image as done and go to the next")
        )
        self._empty = self._button(
            "no_defect", tr("No defect here"), tr("Mark the image as done with nothing to label")
        )
        self._done.setCheckable(True)
        self._empty.setCheckable(True)
        # each by itself: with large letters only what does not fit stands one below the other
        section.body.addWidget(Row(previous, following, columns=2))
        section.body.addWidget(Row(self._done, self._empty, columns=2))
        self._column.addWidget(section)
        self.show_no_image()

    def show_no_image(self) -> None:
        """Show that no image is open yet."""
        self._name.setText("")
        self.line.setText("")
        for button in (self._done, self._empty):
            button.setChecked(False)
        for button in self.buttons.values():
            button.allow(False, tr(_NO_IMAGE))

    def show_image(self, image: ImageSnapshot) -> None:
        """Show where the person is."""
        self._name.setText(image.name)
        masks = tr("{n:,} masks", "1 mask", n=image.objects) if image.objects else tr("no masks")
        self.line.setText(
            tr(
                "Image {position} of {count} · {masks} on it · {finished} done",
                position=image.position,
                count=image.count,
                masks=masks,
                finished=image.finished,
            )
        )
        self._done.setChecked(image.done and not image.empty)
        self._empty.setChecked(image.empty)
        self._done.allow(True, "")
        self._empty.allow(image.objects == 0, tr("There are masks on this image."))
        self.buttons["previous_image"].allow(image.position > 1, tr("This is the first image."))
        self.buttons["next_image"].allow(
            image.position < image.count, tr("This is the last image.")
        )


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
        section = Section(mark("Object"))
        self._drag_draws_box, self._shown = True, ObjectSnapshot("", has_image=False)
        self._headline = Text()
        self._button("accept", tr("Accept"), tr("Keep this mask"), primary=True)
        self._button(
            "candidate", tr("Next guess"), tr("A single click can mean a part or the whole")
        )
        self._button("sign", tr("Click removes"), tr("Plain clicks mean “not part of it”"))
        self._button(
            "undo", tr("Undo"), tr("Take the last click, stroke or accept back (also Ctrl+Z)")
        )
        self._button("redo", tr("Redo"), tr("Do again what was taken back"))
        self._button("reject", tr("Reject"), tr("Drop this object"))
        self._button("clear", tr("Clear clicks"), tr("Start this object again"))
        self._button("reopen", tr("Correct…"), tr("Take a mask you accepted up again: click on it"))
        self._button("delete", tr("Delete…"), tr("Remove a mask you accepted: click on it"))
        self._button(
            "earlier", tr("Old or new mask"), tr("The mask from before the model learnt, and back")
        )
        for action in ("sign", "reopen", "delete"):
            self.buttons[action].setCheckable(True)
        self.connected = CheckBox()
        self.connected.setToolTip(
            tr("Of an answer, only the parts that a click, the box or paint touches")
        )
        self.connected.clicked.connect(self.connected_chosen)
        self._hint = Text("", "quiet")
        self._adopt = Button(tr("Take over a layer…"))
        self._adopt.setToolTip(tr("Labels layers in the viewer can become accepted masks"))
        self._adopt_menu = QMenu(self._adopt)
        self._adopt.setMenu(self._adopt_menu)
        decisions = [b for action, b in self.buttons.items() if action not in ("accept", "earlier")]
        for widget in (
            self._headline,  # what to do next comes first: with large letters there is little room
            self.buttons["accept"],
            self._tools(),
            self._hint,  # what the tool does, and in view: who has many classes sees no further
            Row(*decisions, columns=2),
            self.buttons["earlier"],
            self.connected,
            self._adopt,
        ):
            section.body.addWidget(widget)
        self.show_adoptable([])
        self._column.addWidget(section)
        self.show_object(self._shown)

    def _tools(self) -> Row:
        self._tool_buttons: dict[str, KeyButton] = {}
        group = QButtonGroup(self)
        # The keys are napari's own for its Labels layer.
        for tool, text, key in (
            ("click", tr("Click"), "Z"),
            ("stroke", tr("Stroke"), ""),
            ("brush", tr("Brush"), "P"),
            ("eraser", tr("Eraser"), "E"),
        ):
            button = KeyButton(tool, text)
            button.setCheckable(True)
            button.show_key(key)
            button.clicked.connect(lambda _=False, tool=tool: self.tool_chosen.emit(tool))
            group.addButton(button)
            self._tool_buttons[tool] = button
        return Row(*group.buttons(), columns=2)

    def show_keys(self, keys: dict[str, str]) -> None:
        """Write the keys on the buttons and beside the check box."""
        super().show_keys(keys)
        self._tool_buttons["stroke"].show_key(keys.get("stroke", ""))
        self.connected.setText(tr("Connected only ({key})", key=keys.get("connected", "")))

    def show_gestures(self, *, drag_draws_box: bool) -> None:
        """Tell what a drag on the image does while the mouse clicks."""
        self._drag_draws_box = drag_draws_box
        self.show_object(self._shown)

    def show_connected(self, on: bool) -> None:
        """Show whether connected parts alone are shown."""
        self.connected.setChecked(on)

    def show_adoptable(self, names: list[str]) -> None:
        """Offer to take over the masks of these Labels layers."""
        self._adopt_menu.clear()
        for name in names:
            said = on_a_button(name)
            self._adopt_menu.addAction(said, partial(self.adopt.emit, name))
            parts = tr("{name}, each connected part by itself", name=said)
            self._adopt_menu.addAction(parts, partial(self.adopt_parts.emit, name))
        self._adopt.setVisible(bool(names))

    @property
    def decision(self) -> tuple[QWidget, QWidget]:
        """What says how the object is, and the button that accepts it."""
        return self._headline, self.buttons["accept"]

    def show_object(self, shown: ObjectSnapshot) -> None:
        """Show the object in progress."""
        self._shown = shown
        self._headline.setText(shown.headline)
        no_image = tr(_NO_IMAGE)
        nothing_open = tr("Click on a defect first.") if shown.has_image else no_image
        none_accepted = tr("There is no accepted mask on this image yet.")
        possible = {
            "accept": (shown.can_accept, nothing_open),
            "candidate": (shown.candidates > 1, tr("The model has no other guess.")),
            "sign": (shown.has_image, no_image),
            "undo": (shown.can_undo, tr("There is nothing to take back.")),
            "redo": (shown.can_redo, tr("Nothing was taken back.")),
            "reject": (shown.is_open, nothing_open),
            "clear": (shown.is_open, nothing_open),
            "reopen": (shown.accepted > 0, none_accepted),
            "delete": (shown.accepted > 0, none_accepted),
        }
        for name, (value, why_not) in possible.items():
            self.buttons[name].allow(value, why_not if shown.has_image else no_image)
        self.buttons["earlier"].setVisible(shown.has_earlier)
        self.buttons["sign"].setChecked(shown.negative)
        self.buttons["reopen"].setChecked(shown.picking == "reopen")
        self.buttons["delete"].setChecked(shown.picking == "delete")
        for button in self._tool_buttons.values():
            button.allow(shown.has_image, no_image)
        self._tool_buttons[shown.tool].setChecked(True)
        hint = _HINTS.get(shown.picking or shown.tool)
        drags = _BOX if self._drag_draws_box else _VIEW
        self._hint.setText(f"{tr(_CLICKS)}\n{tr(drags)}" if hint is None else tr(hint))
