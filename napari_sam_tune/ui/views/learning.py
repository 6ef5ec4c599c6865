"""Passive view of the learning: weights in use, the round under way, and what came of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.ui.views.learnt_chart import LearntChart, LearntPoint
from napari_sam_tune.ui.views.style import KeyButton, Section, Text

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
        masks: accepted masks since the last round.
        training: a round is under way.
        doing: what the round is doing, in a few words.
        fraction: of the round that is done, from 0 to 1; None while unknown.
        seconds_left: estimate, or None.
        outcome: what the last round changed, in one sentence.
        automatic: rounds start by themselves.
        every: accepted masks between them.

    """

    version: str = "base"
    number: int = 0
    is_surface_new: bool = False
    learnt: str = ""
    learnt_points: tuple[LearntPoint, ...] = ()
    masks: int = 0
    training: bool = False
    doing: str = ""
    fraction: float | None = None
    seconds_left: float | None = None
    outcome: str = ""
    automatic: bool = True
    every: int = MASKS_BETWEEN_ROUNDS


@dataclass(frozen=True)
class CurveSnapshot:
    """What a round has shown so far.

    Attributes:
        losses: (step, loss) pairs.
        scores: (step, score from 0 to 1) pairs, on held-out objects.

    """

    losses: tuple[tuple[int, float], ...] = ()
    scores: tuple[tuple[int, float], ...] = ()


class LearningView(QWidget):
    """The learning section.

    Attributes:
        learnt_line: what learning at every accept is worth; for a place that is always in view.
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
        section = Section("Learning")
        self._badge = Text("", "badge", wrap=False)
        section.head.addWidget(self._badge)
        self._learnt = Text()
        self._learnt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.learnt_line = QFrame()
        self.learnt_line.setProperty("role", "card")
        self.learnt_line.hide()
        line = QVBoxLayout(self.learnt_line)
        line.setContentsMargins(10, 6, 10, 6)
        line.addWidget(self._learnt)
        self._learnt_chart = LearntChart()
        self._surface = Text("", "quiet")
        self._masks = Text("", "quiet")
        self.button = KeyButton("fine_tune", "Fine-tune now", "Learn from the accepted masks")
        self.button.clicked.connect(self.start)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._doing = Text("", "quiet")
        self._cancel = QPushButton("Cancel")
        self._cancel.clicked.connect(self.cancel)
        status = QHBoxLayout()
        status.addWidget(self._doing, 1)
        status.addWidget(self._cancel)
        self._outcome = Text()
        self._outcome.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._curve: CurveView | None = None
        self._curve_place = QVBoxLayout()
        for widget in (
            self._learnt_chart,
            self._surface,
            self._outcome,
            self._masks,
            self.button,
            self._bar,
        ):
            section.body.addWidget(widget)
        section.body.addLayout(status)
        section.body.addLayout(self._curve_place)
        section.body.addLayout(self._automatic_line())
        column.addWidget(section)

    def show_key(self, key: str) -> None:
        """Write the key on "Fine-tune now"."""
        self.button.show_key(key)

    def show_learning(self, shown: LearningSnapshot) -> None:
        """Show where the learning is."""
        self._badge.setText("base model" if shown.number == 0 else f"version {shown.number}")
        self._badge.setToolTip(f"Weights in use: {shown.version}")
        self._surface.setText(
            f"This image's surface is new to version {shown.number}, so the base model answers "
            "until a round has learnt it."
        )
        self._surface.setVisible(shown.is_surface_new)
        self._learnt.setText(shown.learnt)
        self.learnt_line.setVisible(bool(shown.learnt))
        self._learnt_chart.show_points(shown.learnt_points)
        masks = "1 new mask" if shown.masks == 1 else f"{shown.masks} new masks"
        self._masks.setText(f"{masks} since the last round")
        self._masks.setVisible(not shown.training)
        self.button.setVisible(not shown.training)
        for widget in (self._bar, self._doing, self._cancel):
            widget.setVisible(shown.training)
        self._bar.setRange(0, 0 if shown.fraction is None else 1000)
        self._bar.setValue(int(1000 * (shown.fraction or 0)))
        left = "" if shown.seconds_left is None else f" · {duration(shown.seconds_left)} left"
        self._doing.setText(shown.doing + left)
        self._outcome.setText(shown.outcome)
        self._outcome.setVisible(bool(shown.outcome))
        self._show_automatic(shown)

    def show_curve(self, curve: CurveSnapshot) -> None:
        """Draw the round's curve; the plot is made when there is first something to draw."""
        if self._curve is None:
            # pyqtgraph takes a moment to import, so not before it is needed.
            from napari_sam_tune.ui.views.curves import CurveView

            self._curve = CurveView()
            self._curve_place.addWidget(self._curve)
        self._curve.show_curve(curve.losses, curve.scores)

    def _automatic_line(self) -> QHBoxLayout:
        self._automatic = QCheckBox("Automatically, every")
        self._automatic.setToolTip("Also when you pause and there are new masks")
        self._every = QSpinBox()
        self._every.setRange(2, 500)
        self._automatic.toggled.connect(self._on_automatic_edited)
        self._every.valueChanged.connect(self._on_automatic_edited)
        line = QHBoxLayout()
        line.addWidget(self._automatic)
        line.addWidget(self._every)
        line.addWidget(Text("masks", wrap=False))
        line.addStretch()
        return line

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
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
