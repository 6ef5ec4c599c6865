"""Passive view of the learning: weights in use, the round under way, and what came of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import SpinBox
from napari_sam_tune.ui.views.learnt_chart import LearntChart, LearntPoint
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import (
    Bar,
    Button,
    CheckBox,
    KeyButton,
    OneLine,
    Section,
    Text,
)

if TYPE_CHECKING:
    from napari_sam_tune.ui.views.curves import CurveView


@dataclass(frozen=True)
class LearningSnapshot:
    """Where the learning is.

    Attributes:
        version: weights in use, "base" or 12 hex digits.
        number: how many promotions led to them; 0 for the base.
        is_surface_new: those weights have not learnt what the open image shows.
        learnt: what learning at every accept is worth, in one sentence.
        learnt_points: the same after fewer masks, fewest first.
        gain: what learning gains, in a few words that are always in view; or nothing.
        awaited: what has to come before learning starts by itself, in one sentence.
        missing: what has to come before it can be started at all, or nothing.
        training: a round is under way.
        doing: what the round is doing, in a few words.
        fraction: of the round that is done, from 0 to 1; None while unknown.
        seconds_left: estimate, or None.
        outcome: what the last round changed, in one sentence.
        details: the same with its figures.
        is_fresh: nothing was accepted since that round.
        automatic: rounds start by themselves.
        every: accepted masks between them.

    """

    version: str = "base"
    number: int = 0
    is_surface_new: bool = False
    learnt: str = ""
    learnt_points: tuple[LearntPoint, ...] = ()
    gain: str = ""
    awaited: str = ""
    missing: str = ""
    training: bool = False
    doing: str = ""
    fraction: float | None = None
    seconds_left: float | None = None
    outcome: str = ""
    details: str = ""
    is_fresh: bool = False
    automatic: bool = True
    every: int = MASKS_BETWEEN_ROUNDS


_SCORE = mark(
    "A score says how well the mask of a click covers what you accepted: 1 is all of it and "
    "nothing else."
)


@dataclass(frozen=True)
class CurveSnapshot:
    """What a round has shown so far.

    Attributes:
        losses: (step, loss) pairs.
        scores: (step, score from 0 to 1) pairs, on masks kept aside.

    """

    losses: tuple[tuple[int, float], ...] = ()
    scores: tuple[tuple[int, float], ...] = ()


class LearningView(QWidget):
    """The learning section.

    Attributes:
        line: what the learning is at, in a few words; for a place that is always in view.
        line_bar: how far it is, under that line.
        gain: what learning gains, beside them; hidden before it ever did.
        learnt_line: what learning at every accept is worth.
        start: emitted to start a round.
        cancel: emitted to stop the round under way.
        automatic_changed: emitted with (on, masks between rounds).

    """

    start = Signal()
    cancel = Signal()
    automatic_changed = Signal(bool, int)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        section = Section(mark("Learning"))
        self._badge = OneLine("badge")
        section.head.addWidget(self._badge)
        self.line, self.line_bar, self._bar = Text(), Bar(3), Bar()
        self.gain = Text()
        self._learnt = Text()
        self._learnt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.learnt_line = QFrame()
        self.learnt_line.setProperty("role", "body")
        line = QVBoxLayout(self.learnt_line)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._learnt)
        self._learnt_chart = LearntChart()
        self._surface = Text("", "quiet")
        self._awaited = Text("", "quiet")
        self.button = KeyButton(
            "fine_tune", tr("Learn now"), tr("Learn from the accepted masks in the background")
        )
        self.button.clicked.connect(self.start)
        self._doing = Text("", "quiet")
        self._cancel = Button(tr("Cancel"))
        self._cancel.clicked.connect(self.cancel)
        status = QHBoxLayout()
        status.addWidget(self._doing, 1)
        status.addWidget(self._cancel)
        self._outcome = Text()
        self._outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for widget in (
            self.learnt_line,
            self._learnt_chart,
            self._surface,
            self._outcome,
            self._awaited,
            self.button,
            self._bar,
        ):
            section.body.addWidget(widget)
        section.body.addLayout(status)
        self._add_details(section)
        section.body.addWidget(self._automatic_line())
        column.addWidget(section)
        self.show_learning(LearningSnapshot(automatic=True))

    def _add_details(self, section: Section) -> None:
        self._more = Button(tr("Details"), "link")
        self._more.setCheckable(True)
        self._more.setToolTip(tr("The figures behind it, and the curve of the learning"))
        self._more.toggled.connect(self._show_details)
        self._details = Text("", "quiet")
        self._details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._curve_shown = CurveSnapshot()
        self._curve: CurveView | None = None
        self._curve_place = QVBoxLayout()
        section.body.addWidget(self._more)
        section.body.addWidget(self._details)
        section.body.addLayout(self._curve_place)

    def show_key(self, key: str) -> None:
        """Write the key on "Learn now"."""
        self.button.show_key(key)

    def show_learning(self, shown: LearningSnapshot) -> None:
        """Show where the learning is."""
        self._badge.setText(
            tr("base model") if shown.number == 0 else tr("version {number}", number=shown.number)
        )
        self._badge.setToolTip(tr("Weights in use: {version}", version=shown.version))
        self._surface.setText(
            tr(
                "This image's surface is new to version {number}, so the base model answers until "
                "a round has learnt it.",
                number=shown.number,
            )
        )
        self._surface.setVisible(shown.is_surface_new)
        self._learnt.setText(shown.learnt)
        self.learnt_line.setVisible(bool(shown.learnt))
        self._learnt_chart.show_points(shown.learnt_points)
        self.gain.setText(shown.gain)
        self.gain.setToolTip(tr(_SCORE))
        self.gain.setVisible(bool(shown.gain))
        self._awaited.setText(shown.missing or shown.awaited)
        self._awaited.setVisible(not shown.training)
        self.button.setVisible(not shown.training)
        self.button.allow(not shown.missing, shown.missing)
        for widget in (self._doing, self._cancel):
            widget.setVisible(shown.training)
        for bar in (self._bar, self.line_bar):
            bar.setVisible(shown.training)
            bar.show_fraction(shown.fraction)
        self._doing.setText(with_time_left(shown.doing, shown.seconds_left))
        last = tr("Last round: {outcome}", outcome=shown.outcome)
        self._outcome.setText(last if shown.training else shown.outcome)
        self._outcome.setVisible(bool(shown.outcome))
        self._details.setText(shown.details)
        self._show_details()
        news = shown.outcome if shown.is_fresh else ""
        self.line.setText(
            self._doing.text() if shown.training else news or shown.awaited or shown.missing
        )
        self._show_automatic(shown)

    def show_curve(self, curve: CurveSnapshot) -> None:
        """Draw the round's curve where the details are asked for."""
        self._curve_shown = curve
        self._show_details()

    def _show_details(self, _: bool = False) -> None:
        curve, wanted = self._curve_shown, self._more.isChecked()
        self._more.setVisible(bool(self._details.text() or curve.losses))
        self._details.setVisible(wanted and bool(self._details.text()))
        if wanted and curve.losses:
            if self._curve is None:
                # pyqtgraph takes a moment to import, so not before it is needed.
                from napari_sam_tune.ui.views.curves import CurveView

                self._curve = CurveView()
                self._curve_place.addWidget(self._curve)
            self._curve.show_curve(curve.losses, curve.scores)
        if self._curve is not None:
            self._curve.setVisible(wanted and bool(curve.losses))

    def _automatic_line(self) -> QWidget:
        self._automatic = CheckBox(tr("By itself, every"))
        self._automatic.setToolTip(tr("After so many accepted masks, and when you pause"))
        self._every = SpinBox(2, 500)
        self._every.setSuffix(tr(" masks"))
        self._automatic.toggled.connect(self._on_automatic_edited)
        self._every.valueChanged.connect(self._on_automatic_edited)
        return Row(self._automatic, self._every)

    def _show_automatic(self, shown: LearningSnapshot) -> None:
        for widget in (self._automatic, self._every):
            widget.blockSignals(True)
        self._automatic.setChecked(shown.automatic)
        self._every.setValue(shown.every)
        self._every.setEnabled(shown.automatic)
        for widget in (self._automatic, self._every):
            widget.blockSignals(False)

    def _on_automatic_edited(self) -> None:
        self.automatic_changed.emit(self._automatic.isChecked(), self._every.value())


def duration(seconds: float) -> str:
    """Return a time as a person says it: "8 s", "3 min", "1 h 20 min"."""
    if seconds < 60:
        return tr("{seconds} s", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("{minutes} min", minutes=minutes)
    return tr("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def with_time_left(doing: str, seconds: float | None) -> str:
    """Say what is being done and, where that is known, how long it still takes."""
    if seconds is None:
        return doing
    return tr("{doing} · {time} left", doing=doing, time=duration(seconds))
