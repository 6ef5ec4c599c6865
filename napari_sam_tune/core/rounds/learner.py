"""Rounds behind the person's back: start one, follow it, judge it, promote what is better."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam_tune.core.errors import SamTuneError, TrainingError
from napari_sam_tune.core.project.ledger import ROLLED_BACK_FROM
from napari_sam_tune.core.rounds.gate import decide
from napari_sam_tune.core.rounds.head_training import HeadTraining
from napari_sam_tune.core.rounds.messages import Message, RoundCancelled, RoundFailed
from napari_sam_tune.core.rounds.plan import (
    AutoRounds,
    Missing,
    RoundPlan,
    plan_round,
    unlearnt_by,
    what_is_missing,
)
from napari_sam_tune.core.rounds.report import Round, RoundReport, report_of
from napari_sam_tune.core.texts.wording import heard, join_sentences, tr
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob

if TYPE_CHECKING:
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.core.state import SessionState


_MOST_TRIES = 4
"""After so many refusals in a row training starts from the weights in use again."""


@dataclass(frozen=True)
class _Tried:
    """A refused candidate: not good enough to be used, but further on than the weights in use.

    Attributes:
        version: of it.
        parent: the weights in use that it was judged against.
        learnt_ids: annotations it learnt from, which can no longer judge what comes of it.
        times: how often in a row candidates were refused.

    """

    version: str
    parent: str
    learnt_ids: frozenset[str]
    times: int


class Learner:
    """Runs the rounds of one session, one at a time.

    Called from the session's thread; the runner answers on a thread of its own. What both touch
    is handed over once per round, through `_idle`.

    Args:
        project: whose annotations are learnt from and where promotions are written.
        state: the session's; `training`, `weights_version` and `masks_since_round` change here.
        runner: where rounds run.
        config: how they train, unless `start` is told otherwise.
        auto: when they start by themselves; None never.
        base: the base model.
        device: torch device the rounds run on.

    Attributes:
        head_training: the training of a head, which takes turns with the rounds.

    """

    progress = Signal(Progress)
    round_finished = Signal(Round)
    failed = Signal(str)

    def __init__(
        self,
        project: Project,
        state: SessionState,
        runner: Runner,
        *,
        config: TrainConfig,
        auto: AutoRounds | None,
        base: BaseRef,
        device: str,
    ) -> None:
        self.config = config
        self.auto = auto
        self.runner = runner
        self._project, self._state = project, state
        self._base, self._device = base, device
        self._config_in_round = config
        self._idle = threading.Event()
        self._idle.set()
        self.head_training = HeadTraining(project, state, runner, base=base, device=device)
        self._closed = False
        self._began = 0.0
        self._last: Round | None = None
        self._tried: _Tried | None = None
        self._learning_from: frozenset[str] = frozenset()
        self._is_other_base = False

    def start(self, config: TrainConfig | None = None, *, wait: bool) -> Round | None:
        """Start a round; return it when it has ended (`wait`), or None at once.

        With too few masks to lead to a promotion nothing is trained, and the round says so.

        Raises:
            TrainingError: a round is under way, or the learner is closed.

        """
        if self._closed:
            raise TrainingError(tr("The session is closed."))
        if not self._idle.is_set():
            raise TrainingError(tr("A round is already under way; wait for it or cancel it."))
        if self._state.training_head:
            raise TrainingError(tr("A finder is being trained; wait for it or cancel it."))
        self._config_in_round = config or self.config
        self.follow_project()
        if self._is_other_base and (now := self._project.base) is not None:
            raise TrainingError(self._say_other_base(now))
        plan = self._plan()
        missing = what_is_missing(plan, self._config_in_round.gate.fewest_objects)
        self._began = monotonic()
        self._idle.clear()
        try:
            if missing is not None:
                self._end(self._kept(RoundReport(_not_started(plan, missing))))
            else:
                self._state.training = True
                self._state.masks_since_round = 0
                self.runner.start(self._job(plan), self._on_runner_message)
        except Exception as error:
            # Whatever failed, a listener's bug included: the round is over and says so.
            if not self._idle.is_set():
                self._end(self._failure(tr("The round could not be run: {error}", error=error)))
            if not isinstance(error, SamTuneError):
                raise
        if not wait:
            return None
        self._idle.wait()
        return self._last

    def start_if_due(self, idle_seconds: float) -> None:
        """Start a round in the background if the rules in `auto` ask for one and masks suffice."""
        if self._state.training_head:
            return
        if self.auto is None or self._closed or not self._idle.is_set() or self._is_other_base:
            return
        if not self.auto.due(self._state.masks_since_round, idle_seconds):
            return
        if self.missing() is None:
            self.start(wait=False)

    @property
    def rests(self) -> bool:
        """Whether no round can start because the project is in use with another model."""
        return self._is_other_base

    def missing(self) -> Missing | None:
        """Return what a round lacks now before it could lead to better weights, or None."""
        fewest = self.config.gate.fewest_objects
        splits = Counter(annotation.split for annotation in self._project.counting())
        if splits["train"] and splits["held_out"] >= fewest:
            return None  # whatever is lent besides; asked at every accept, so it has to be quick
        return what_is_missing(self._plan(), fewest)

    def cancel(self) -> None:
        """Stop the round under way, within a training step."""
        if self._state.training:
            self.runner.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the round under way; False if it takes longer than `timeout` seconds."""
        return self._idle.wait(timeout)

    def close(self) -> None:
        """Stop what is being trained, and the runner."""
        self._closed = True
        self.runner.close()
        self._idle.wait(timeout=10)
        self.head_training.wait(timeout=10)

    def follow_project(self) -> None:
        """Take over what another session promoted in the same project meanwhile."""
        self._project.refresh()
        now = self._project.base
        if now is not None and now.sha256 != self._base.sha256 and not self._is_other_base:
            kept = tr("Your masks are kept as before.")
            self.failed.emit(join_sentences(self._say_other_base(now), kept))
        self._is_other_base = now is not None and now.sha256 != self._base.sha256
        if self._idle.is_set():
            self._state.weights_version = self._project.current_version

    def _say_other_base(self, now: BaseRef) -> str:
        return tr(
            "This project is being worked in with another model now, “{now}” instead of “{base}”, "
            "so rounds of fine-tuning rest here. Close it and open it again with that model to go "
            "on with them.",
            now=now.name,
            base=self._base.name,
        )

    def rollback(self, version: str) -> None:
        """Put an earlier version (or "base") in use.

        Raises:
            ProjectError: the project has no such version.

        """
        self._project.promote(version, report={ROLLED_BACK_FROM: self._state.weights_version})
        self._state.weights_version = version

    def _plan(self) -> RoundPlan:
        self._tried = self._still_of_use()
        unlearnt = unlearnt_by(self._project)
        if self._tried is not None:
            unlearnt -= self._tried.learnt_ids
        return plan_round(self._project.counting(), unlearnt)

    def _still_of_use(self) -> _Tried | None:
        """Return the refused candidate to go on from, if it is a child of the weights in use."""
        tried = self._tried
        if tried is None or tried.parent != self._state.weights_version:
            return None
        return None if tried.times >= _MOST_TRIES else tried

    def _job(self, plan: RoundPlan) -> TrainingJob:
        # every round draws anew: training goes on, it does not start again
        seed = self._config_in_round.seed + len(self._project.versions())
        self._learning_from = frozenset(plan.train_ids)
        if self._tried is not None:
            self._learning_from |= self._tried.learnt_ids
        return TrainingJob(
            project=str(self._project.path),
            base=self._base,
            parent=self._state.weights_version,
            train_ids=plan.train_ids,
            judge_ids=plan.judge_ids,
            config=self._config_in_round.model_copy(update={"seed": seed}),
            device=self._device,
            threads=None,
            go_on_from=None if self._tried is None else self._tried.version,
            open_image_id=self._state.image_id,
        )

    def _on_runner_message(self, message: Message) -> None:
        """Runs on the runner's thread; the last message of a round is never a `Progress`."""
        if isinstance(message, Progress):
            self.progress.emit(message)
        elif isinstance(message, Candidate):
            self._end(self._judged(message))
        elif isinstance(message, RoundCancelled):
            kept = self._kept(RoundReport(tr("Cancelled; the weights in use stay.")))
            self._end(replace(kept, cancelled=True))
        elif isinstance(message, RoundFailed):
            self._end(self._failure(heard(message.message), message.detail))

    def _judged(self, candidate: Candidate) -> Round:
        try:
            verdict = decide(candidate.scores, self._config_in_round)
            self._project.refresh()
            learnt = [a.label for a in self._project.annotations() if a.id in self._learning_from]
            report = report_of(candidate, verdict, learnt)
            in_use = self._project.current_version
            if verdict.promote and in_use == candidate.parent:
                self._project.promote(candidate.version, report=report.to_json())
                self._tried = None
                return Round(True, candidate.version, candidate.version, report, self._seconds())
        except Exception as error:  # on the runner's thread nobody else would end the round
            return self._failure(
                tr("The new weights could not be put in use: {error}", error=error)
            )
        if verdict.promote:
            sentence = tr(
                "Not taken over: {version} came into use meanwhile, and these weights were not "
                "judged against it. Learn again.",
                version=in_use,
            )
            report = replace(report, sentence=sentence)
        times = 1 if self._tried is None else self._tried.times + 1
        self._tried = _Tried(candidate.version, candidate.parent, self._learning_from, times)
        return replace(self._kept(report), version=in_use, candidate=candidate.version)

    def _kept(self, report: RoundReport) -> Round:
        return Round(False, self._state.weights_version, None, report, self._seconds())

    def _failure(self, message: str, detail: str = "") -> Round:
        return self._kept(RoundReport(message, error=message, detail=detail))

    def _seconds(self) -> float:
        return monotonic() - self._began

    def _end(self, finished: Round) -> None:
        """Say that the round has ended; only then may the next one begin.

        What one listener breaks, the others still hear, and nobody waits for ever.
        """
        self._last = finished
        with ExitStack() as told:  # the last one pushed is the first
            told.callback(self._idle.set)
            if finished.error is not None:
                told.callback(self.failed.emit, finished.error)
            told.callback(self.round_finished.emit, finished)
            told.callback(setattr, self._state, "training", False)
            told.callback(setattr, self._state, "weights_version", finished.version)


def _not_started(plan: RoundPlan, missing: Missing) -> str:
    have = len(plan.train_ids) + len(plan.judge_ids)
    return tr(
        "Not started: {n:,} accepted masks are too few to learn from and to judge by. Accept "
        "{missing}, then learn again.",
        "Not started: 1 accepted mask is too few to learn from and to judge by. Accept {missing}, "
        "then learn again.",
        n=have,
        missing=missing,
    )
