"""Passive view of the stack that the open image is a plane of: its axes, and what was carried."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.images.axes import ROLE_NAMES
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Button, KeyButton, OneLine, Section, Text

_UNKNOWN = mark("not known yet")
_CHOICES = ("slices", "time", "channels", "other")
_EACH = mark("images by themselves")
_COLOURS = (mark("Grey, or red"), mark("Green"), mark("Blue"))


@dataclass(frozen=True)
class StackSnapshot:
    """Where the work on a stack is.

    Attributes:
        sentence: what there is to know, in one sentence; empty hides the view.
        axes: (name, size, role or "") of each axis that a person may say.
        can_mix: an axis may be of channels that make one picture.
        channels: how many make the picture; 0 where there is but one.
        mix: those that are in it: one grey, or two or three as red, green and blue.
        counter: "z 3, t 0", the plane in view.
        carrying: a mask is being carried on.
        can_carry: there is an accepted mask on the plane, and its axes are known.
        can_fill: planes lie between two masks of its thing.
        waiting: how many planes of the thing wait.
        has_things: there are masks to be seen in three dimensions.

    """

    sentence: str = ""
    axes: tuple[tuple[str, int, str], ...] = ()
    can_mix: bool = False
    channels: int = 0
    mix: tuple[int, ...] = ()
    counter: str = ""
    carrying: bool = False
    can_carry: bool = False
    can_fill: bool = False
    waiting: int = 0
    has_things: bool = False


class StackView(QWidget):
    """The section of a stack.

    Attributes:
        action: emitted with "carry_on", "accept_run", "fill", "next_unsure" or "in_3d".
        axes_chosen: emitted with the role of each axis that was shown, None for one that is not
            known.
        mix_chosen: emitted with the numbers of the channels that make the picture.

    """

    action = Signal(str)
    axes_chosen = Signal(object)
    mix_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        section = Section(mark("Stack"))
        self._counter = OneLine("badge")
        section.head.addWidget(self._counter)
        self.axes = Button(tr("Axes…"))
        self.axes.setToolTip(tr("Show what lies along the axes of the stack, to change it"))
        self.axes.setCheckable(True)
        section.head.addWidget(self.axes)
        self._axes: list[ComboBox] = []
        self._mix: list[ComboBox] = []
        self._shown_axes: tuple[object, ...] = ()
        self._form = QWidget()
        self._form.setProperty("role", "body")
        self._grid = QGridLayout(self._form)
        self._grid.setContentsMargins(0, 0, 0, 0)
        for column_number in (0, 1):
            self._grid.setColumnStretch(column_number, 1)
        self.carry = KeyButton(
            "carry_on",
            tr("Carry on"),
            tr("Carry the accepted mask on to the planes before and after, until it is stopped"),
        )
        self.accept = KeyButton(
            "accept_run",
            tr("Accept the planes"),
            tr("Accept all planes of this object that were carried and are sure enough"),
        )
        self.fill = Button(tr("Fill between"))
        self.fill.setToolTip(tr("Fill the planes between two accepted masks from both sides"))
        self.unsure = Button(tr("Next unsure"))
        self.unsure.setToolTip(tr("Go to the most unsure plane that waits"))
        self.in_3d = Button(tr("See in 3-D"))
        self.in_3d.setToolTip(tr("Show the objects of the stack in three dimensions, or planes"))
        for button, action in (
            (self.carry, "carry_on"), (self.accept, "accept_run"), (self.fill, "fill"),
            (self.unsure, "next_unsure"), (self.in_3d, "in_3d"),
        ):  # fmt: skip
            button.clicked.connect(lambda _=False, name=action: self.action.emit(name))
        self.carry.setCheckable(True)
        self._sentence = Text("", "quiet")
        section.body.addWidget(Row(self.carry, self.accept))
        section.body.addWidget(Row(self.fill, self.unsure, self.in_3d))
        section.body.addWidget(self._sentence)
        section.body.addWidget(self._form)
        self.axes.toggled.connect(self._form.setVisible)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(section)
        self.show_stack(StackSnapshot())

    def show_keys(self, keys: dict[str, str]) -> None:
        """Write the keys on the buttons."""
        for button in (self.carry, self.accept):
            button.show_key(keys[button.action])

    def show_stack(self, shown: StackSnapshot) -> None:
        """Show where the work is."""
        self.setVisible(bool(shown.sentence))
        self._sentence.setText(shown.sentence)
        self._counter.setText(shown.counter)
        self._counter.setVisible(bool(shown.counter))
        asked = shown.axes, shown.can_mix, shown.channels, shown.mix
        if asked != self._shown_axes:
            self._shown_axes = asked
            self._show_axes(shown)
            self.axes.setVisible(bool(self._axes))
            # what is known and stays would push the object out of view on a small screen
            is_open = bool(shown.channels) or any(not role for _, _, role in shown.axes)
            self.axes.setChecked(is_open)
            self._form.setVisible(is_open)
        self.carry.setText(tr("Stop") if shown.carrying else tr("Carry on"))
        self.carry.setChecked(shown.carrying)
        self.carry.allow(
            shown.can_carry or shown.carrying,
            tr("Accept a mask on this plane first, and say what the axes are."),
        )
        self.accept.allow(shown.waiting > 0, tr("Nothing that was carried waits."))
        self.unsure.allow(shown.waiting > 0, tr("Nothing that was carried waits."))
        self.fill.allow(
            shown.can_fill and not shown.carrying,
            tr("Select two masks of one object in different planes first."),
        )
        self.in_3d.allow(shown.has_things, tr("Accept masks in the stack first."))

    def _show_axes(self, shown: StackSnapshot) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        self._axes, self._mix = [], []
        names = {role: tr(ROLE_NAMES[role]) for role in _CHOICES}  # type: ignore[index]
        names["other"] = tr(_EACH)
        if not shown.can_mix:
            del names["channels"]
        for line, (name, size, role) in enumerate(shown.axes):
            label = Text(tr("Axis {name}, {n:,} planes", n=size, name=name or line + 1))
            box = ComboBox({"": tr(_UNKNOWN), **names})
            box.setToolTip(tr("What lies along this axis of the stack"))
            box.setCurrentIndex(box.findData(role))
            box.activated.connect(self._on_axis_chosen)
            self._add_row(label, box)
            self._axes.append(box)
        if shown.channels:
            self._show_mix(shown)

    def _show_mix(self, shown: StackSnapshot) -> None:
        """Show which channel is red, green and blue; all but the first may be none."""
        numbers = {str(n): tr("channel {n}", n=n) for n in range(shown.channels)}
        for place, colour in enumerate(_COLOURS[: shown.channels]):
            box = ComboBox(numbers if place == 0 else {"": tr("none"), **numbers})
            box.setToolTip(tr("Which channel of the file is shown in this colour"))
            chosen = str(shown.mix[place]) if place < len(shown.mix) else ""
            box.setCurrentIndex(box.findData(chosen))
            box.activated.connect(self._on_channel_chosen)
            self._add_row(Text(tr(colour)), box)
            self._mix.append(box)

    def _add_row(self, label: QWidget, box: QWidget) -> None:
        line = self._grid.rowCount()
        self._grid.addWidget(label, line, 0)
        self._grid.addWidget(box, line, 1)

    def _on_axis_chosen(self, _: int) -> None:
        self.axes_chosen.emit([box.currentData() or None for box in self._axes])

    def _on_channel_chosen(self, _: int) -> None:
        said = [box.currentData() for box in self._mix]
        self.mix_chosen.emit(tuple(int(number) for number in said if number))
