"""Binds the rounds: when they start, what is shown of them, and the swap after one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.project.effort import RECALLED
from napari_sam_tune.core.rounds.plan import AutoRounds
from napari_sam_tune.core.rounds.report import RoundReport
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.helping import HelpingRow
from napari_sam_tune.ui.views.history import VersionRow
from napari_sam_tune.ui.views.learning import CurveSnapshot, LearningSnapshot
from napari_sam_tune.ui.views.learnt_chart import LearntPoint
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.work import round_words

if TYPE_CHECKING:
    from napari_sam_tune.core.project.project import Promotion
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.training.job import Progress
    from napari_sam_tune.ui.work.annotating import Annotating
    from napari_sam_tune.ui.work.workplace import Workplace

_BASE = "base"
# A pause this long, with a few new masks, is a good time to learn from them.
_IDLE_SECONDS, _IDLE_MASKS, _LOOK_MILLISECONDS = 45.0, 4, 2000
_OVERDUE_SECONDS = 3.0
"""After the time it was to take, from which on no time is said."""
_WATCHED = ("training", "weights_version", "is_surface_new", "learnt", "masks_since_round")
_FINDER_FIRST = mark("The finder is being trained; learning goes on when that is over.")
_DOING = {
    "loading": mark("Learning begins…"),
    "encoding": mark("Learning: looking at images"),
    "training": mark("Learning from your masks"),
    "sending": mark("Sending what the server has not got"),
    "judging": mark("Learning: testing on your masks"),
}


class FineTuning(QObject):
    """The learning section, the history and "Is it helping?"."""

    # The round speaks on the runner's thread; these carry it to the viewer's.
    _progressed = Signal(object)
    _finished = Signal(object)
    _failed = Signal(str)
    _state_changed = Signal()
    _turned = Signal()

    def __init__(
        self, place: Workplace, annotating: Annotating, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._place, self._session, self._annotating = place, place.session, annotating
        self._parts = self._session.learner.config.parts
        self._shown = LearningSnapshot()
        self._curve = CurveSnapshot()
        self._due = 0.0  # when the round said it would be over
        self._lost: str | None = None  # why the last round came to nothing
        self._gained = False  # learning at every accept was once worth something
        self._is_closed = False
        queued = Qt.ConnectionType.QueuedConnection
        self._progressed.connect(self._on_round_progressed, queued)
        self._finished.connect(self._on_round_finished, queued)
        self._failed.connect(self._on_session_failed, queued)
        self._state_changed.connect(self.refresh, queued)
        self._turned.connect(self._show_awaited, queued)
        self._session.progress.connect(self._tell_progress)
        self._session.round_finished.connect(self._tell_finished)
        self._session.failed.connect(self._tell_failed)
        for name in _WATCHED:
            getattr(self._session.state.events, name).connect(self._tell_state)
        self._session.state.events.training_head.connect(self._tell_turn)
        self._session.annotations_changed.connect(self._on_annotations_changed)
        place.inference.idle.connect(self._show_new_point)
        self._session.reviews_changed.connect(self._show_awaited)  # what is excluded counts no more
        place.panel.learning.start.connect(self.start)
        place.panel.learning.cancel.connect(self.cancel)
        place.panel.history.rollback.connect(self.rollback)
        place.panel.helping_opened.connect(self.show_helping)
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._on_clock_ticked)
        self._clock.start(_LOOK_MILLISECONDS)
        self.follow_preferences()
        self.show_history()
        self.show_helping()

    def close(self) -> None:
        """Stop listening; what was told before and arrives afterwards is dropped."""
        self._is_closed = True
        self._clock.stop()
        self._session.progress.disconnect(self._tell_progress)
        self._session.round_finished.disconnect(self._tell_finished)
        self._session.failed.disconnect(self._tell_failed)
        for name in _WATCHED:
            getattr(self._session.state.events, name).disconnect(self._tell_state)
        self._session.state.events.training_head.disconnect(self._tell_turn)
        self._session.annotations_changed.disconnect(self._on_annotations_changed)
        self._place.inference.idle.disconnect(self._show_new_point)
        self._session.reviews_changed.disconnect(self._show_awaited)

    def _tell_progress(self, progress: Progress) -> None:
        self._progressed.emit(progress)

    def _tell_finished(self, finished: Round) -> None:
        self._finished.emit(finished)

    def _tell_failed(self, text: str) -> None:
        self._failed.emit(text)

    def _tell_state(self, _: object) -> None:
        self._state_changed.emit()

    def _tell_turn(self, _: object) -> None:
        self._turned.emit()

    # ---------------------------------------------------------------- rounds

    def start(self) -> None:
        """Start a round now."""
        self._place.touch()
        try:
            self._session.fine_tune(wait=False)
        except SamTuneError as error:
            self._place.panel.notice.show_notice(Notice(str(error), "warning"))

    def cancel(self) -> None:
        """Stop the round under way."""
        self._place.touch()
        self._shown = replace(self._shown, doing=tr("Stopping…"), seconds_left=None)
        self._session.cancel()
        self.refresh()

    def rollback(self, version: str) -> None:
        """Put another version in use."""
        self._place.touch()
        try:
            self._session.rollback(version)
        except SamTuneError as error:
            self._place.complain(error)
            return
        said = (
            tr("Base model answers again.")
            if version == _BASE
            else tr("Version {number} answers again.", number=self._number(version))
        )
        self._shown = replace(self._shown, outcome=said, details="", is_fresh=True)
        self.refresh()
        self._swap()

    def _swap(self) -> None:
        self._place.inference.submit(
            Kind.SWAP, self._session.answerer.apply_swap, self._on_swapped, self._place.complain
        )

    def _on_swapped(self, _: object) -> None:
        self.show_history()
        self.refresh()
        self._annotating.asking.ask_anew()

    def _on_round_progressed(self, progress: Progress) -> None:
        if self._is_closed:
            return
        if progress.phase == "loading":
            self._curve = CurveSnapshot()
        if progress.phase == "training" and progress.loss is not None:
            self._curve = replace(
                self._curve, losses=(*self._curve.losses, (progress.step, progress.loss))
            )
        if progress.held_out is not None:
            self._curve = replace(
                self._curve, scores=(*self._curve.scores, (progress.step, progress.held_out))
            )
        fraction = progress.step / progress.steps if progress.steps else None
        self._due = monotonic() + (progress.seconds_left or 0.0)
        self._shown = replace(
            self._shown,
            doing=tr(_DOING[progress.phase]),
            fraction=None if progress.phase == "loading" else fraction,
            seconds_left=progress.seconds_left,
        )
        self._place.panel.learning.show_curve(self._curve)
        self.refresh()

    def _on_round_finished(self, finished: Round) -> None:
        if self._is_closed:
            return
        self._lost = finished.error
        gate = self._session.learner.config.gate
        made = finished.candidate
        self._shown = replace(
            self._shown,
            outcome=round_words.outcome(finished, self._name(finished.version), gate),
            details="" if made is None else round_words.details(made, finished.report, gate),
            is_fresh=True,
            doing="",
            fraction=None,
            seconds_left=None,
        )
        self._show_awaited()
        if finished.promoted:
            # as much as napari's toast shows of it
            name = self._name(finished.version)
            show_info(tr("Better: {name} answers from now on.", name=name))
            self._swap()

    def _on_session_failed(self, text: str) -> None:
        if self._is_closed:
            return
        notice = Notice(text, "warning")
        if text == self._lost:
            notice = replace(notice, remedy=tr("Learn again"), act=self.start)
        self._place.panel.notice.show_notice(notice)

    def _on_annotations_changed(self, *_: object) -> None:
        self._shown = replace(self._shown, is_fresh=False)
        self._show_awaited()
        self.show_helping()

    def _on_clock_ticked(self) -> None:
        self._session.learner.start_if_due(self._place.idle_seconds())
        if self._shown.seconds_left is None:
            return
        left = self._due - monotonic()
        # not "1 s left" for a minute, nor "46 s left" until the round says more
        left_now = None if left < -_OVERDUE_SECONDS else max(1.0, left)
        self._shown = replace(self._shown, seconds_left=left_now)
        self._place.panel.learning.show_learning(self._shown)

    # --------------------------------------------------------------- showing

    def follow_preferences(self) -> None:
        """Follow the preferences: when rounds start by themselves, and what they change."""
        preferences, learner = self._place.preferences, self._session.learner
        parts = preferences.parts or self._parts
        learner.config = learner.config.model_copy(update={"parts": parts})
        learner.auto = (
            AutoRounds(preferences.masks_per_round, _IDLE_SECONDS, _IDLE_MASKS)
            if preferences.automatic_rounds
            else None
        )
        self._show_awaited()

    def _show_awaited(self) -> None:
        if self._is_closed:
            return
        new = self._session.state.masks_since_round
        waiting, missing = round_words.awaited(self._session.learner, new)
        if self._session.state.training_head:
            waiting, missing = "", tr(_FINDER_FIRST)
        self._shown = replace(self._shown, awaited=waiting, missing=missing)
        self.refresh()

    def refresh(self) -> None:
        """Show where the learning is."""
        if self._is_closed:
            return
        state, preferences = self._session.state, self._place.preferences
        past = self._session.answerer.learnt_history.points
        self._gained |= any(map(round_words.gains, past))
        learnt = round_words.worth(state.learnt, gained=self._gained, in_places=self._in_places)
        points = tuple(
            LearntPoint(one.masks, one.without, one.with_it) for one in (past if learnt else ())
        )
        self._shown = replace(
            self._shown,
            version=state.weights_version,
            number=self._number(state.weights_version),
            is_surface_new=state.is_surface_new,
            learnt=learnt,
            learnt_points=points,
            gain=self._gain(state.weights_version),
            training=state.training,
            doing=self._shown.doing or tr(_DOING["loading"]),
            automatic=preferences.automatic_rounds,
            every=preferences.masks_per_round,
        )
        self._place.panel.learning.show_learning(self._shown)
        self._place.panel.helping.show_learnt(learnt, points)

    @property
    def _in_places(self) -> bool:
        """Whether the open image is so large that it is answered, and learnt from, in windows."""
        from napari_sam_tune.core.answers.encoding import is_large  # with the model's code

        session = self._session
        is_open = session.state.image_id is not None
        return is_open and is_large(session.objects.shape, session.predictor.input_side)

    def _gain(self, version: str) -> str:
        """Say what learning gains, in a few words."""
        newest = self._session.answerer.learnt_history.points[-1:]
        made = [p for p in self._first_promotions() if p.version == version]
        report = RoundReport.from_json(made[0].report) if made else None
        learnt = newest[0] if newest else None
        return round_words.in_view(learnt, self._name(version), report, gained=self._gained)

    def _show_new_point(self) -> None:
        """Draw the last point of the curve: it comes once what was learnt is settled, silently."""
        newest, shown = self._session.answerer.learnt_history.points[-1:], self._shown.learnt_points
        points = [LearntPoint(one.masks, one.without, one.with_it) for one in newest]
        if points != list(shown[-1:]):
            self.refresh()

    def show_history(self) -> None:
        """Show the versions that have been in use, newest first."""
        in_use = self._session.state.weights_version
        rows = [VersionRow(_BASE, self._name(_BASE), "", "", in_use == _BASE)]
        rows.extend(
            self._version_row(promotion, in_use)
            for promotion in self._first_promotions()
            if self._session.project.can_use(promotion.version)
        )
        self._place.panel.history.show_versions(tuple(reversed(rows)))

    def _version_row(self, promotion: Promotion, in_use: str) -> VersionRow:
        report = RoundReport.from_json(promotion.report)
        return VersionRow(
            version=promotion.version,
            name=self._name(promotion.version),
            when=datetime.fromtimestamp(promotion.time).strftime(tr("%d %b %H:%M")),
            score=round_words.score(report),
            in_use=promotion.version == in_use,
            detail=round_words.details(promotion.version, report),
        )

    def show_helping(self, *_: object) -> None:
        """Show what accepted masks cost, if anybody looks."""
        if not self._place.panel.is_helping_open:
            return
        rows = tuple(
            HelpingRow(
                tr("other images") if row.version == RECALLED else self._name(row.version),
                row.masks,
                row.clicks + row.boxes,
                row.strokes,
                row.seconds,
                recalled=row.version == RECALLED,
            )
            for row in self._session.effort()
        )
        self._place.panel.helping.show_effort(rows)

    def _first_promotions(self) -> list[Promotion]:
        first: dict[str, Promotion] = {}
        for promotion in self._session.project.promotions():
            if promotion.version != _BASE:
                first.setdefault(promotion.version, promotion)
        return list(first.values())

    def _number(self, version: str) -> int:
        versions = [_BASE, *(p.version for p in self._first_promotions())]
        return versions.index(version) if version in versions else 0

    def _name(self, version: str) -> str:
        return (
            tr("base model")
            if version == _BASE
            else tr("version {number}", number=self._number(version))
        )
