"""Rounds behind the person's back: start one, follow it, judge it, promote what is better."""

from __future__ import annotations

import threading
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam_tune.core.errors import SamTuneError, TrainingError
from napari_sam_tune.core.gate import decide
from napari_sam_tune.core.rounds import AutoRounds, Round, RoundReport, plan_round, report_of
from napari_sam_tune.core.runners import Message, RoundCancelled, RoundFailed, Runner
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob

if TYPE_CHECKING:
    from napari_sam_tune.core.project import BaseRef, Project
    from napari_sam_tune.core.state import SessionState
    from napari_sam_tune.core.training.config import TrainConfig


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
        self._fresh: set[str] = set()  # accepted since a candidate was last judged
        self._fresh_in_round: set[str] = set()
        self._config_in_round = config
        self._idle = threading.Event()
        self._idle.set()
        self._closed = False
        self._began = 0.0
        self._last: Round | None = None

    def accepted(self, annotation_id: str) -> None:
        """Count a newly accepted annotation."""
        self._fresh.add(annotation_id)
        self._state.masks_since_round += 1

    def start(self, config: TrainConfig | None = None, *, wait: bool) -> Round | None:
        """Start a round; return it when it has ended (`wait`), or None at once.

        Raises:
            TrainingError: a round is under way, the learner is closed, or too few masks.

        """
        if self._closed:
            raise TrainingError("The session is closed.")
        if not self._idle.is_set():
            raise TrainingError("A round is already under way; wait for it or cancel it.")
        self._config_in_round = config or self.config
        job = self._job(self._config_in_round)
        self._idle.clear()
        self._began = monotonic()
        self._fresh_in_round, self._fresh = self._fresh, set()
        self._state.masks_since_round = 0
        self._state.training = True
        try:
            self.runner.start(job, self._on_runner_message)
        except SamTuneError as error:
            self._end(self._failure(str(error)))
        if not wait:
            return None
        self._idle.wait()
        return self._last

    def start_if_due(self, idle_seconds: float) -> None:
        """Start a round in the background if the rules in `auto` ask for one now."""
        if self.auto is None or self._closed or not self._idle.is_set():
            return
        if not self.auto.due(self._state.masks_since_round, idle_seconds):
            return
        try:
            self.start(wait=False)
        except TrainingError as error:
            # Not enough to learn from yet: ask again after as many more masks.
            self._state.masks_since_round = 0
            self.failed.emit(str(error))

    def cancel(self) -> None:
        """Stop the round under way, within a training step."""
        self.runner.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the round under way; False if it takes longer than `timeout` seconds."""
        return self._idle.wait(timeout)

    def close(self) -> None:
        """Stop the round under way and the runner."""
        self._closed = True
        self.runner.close()
        self._idle.wait(timeout=10)

    def follow_project(self) -> None:
        """Take over what another session promoted in the same project meanwhile."""
        self._project.refresh()
        if self._idle.is_set():
            self._state.weights_version = self._project.current_version

    def rollback(self, version: str) -> None:
        """Put an earlier version (or "base") in use.

        Raises:
            ProjectError: the project has no such version.

        """
        self._project.promote(version, report={"rolled_back_from": self._state.weights_version})
        self._state.weights_version = version

    def _job(self, config: TrainConfig) -> TrainingJob:
        self.follow_project()
        plan = plan_round(self._project.annotations(), self._fresh)
        return TrainingJob(
            project=str(self._project.path),
            base=self._base,
            parent=self._state.weights_version,
            train_ids=plan.train_ids,
            judge_ids=plan.judge_ids,
            config=config,
            device=self._device,
            threads=None,
        )

    def _on_runner_message(self, message: Message) -> None:
        """Runs on the runner's thread; the last message of a round is never a `Progress`."""
        if isinstance(message, Progress):
            self.progress.emit(message)
        elif isinstance(message, Candidate):
            self._end(self._judged(message))
        elif isinstance(message, RoundCancelled):
            kept = self._kept(RoundReport("Cancelled; the weights in use stay."))
            self._end(replace(kept, cancelled=True))
        elif isinstance(message, RoundFailed):
            self._end(self._failure(message.message, message.detail))

    def _judged(self, candidate: Candidate) -> Round:
        verdict = decide(candidate.scores, self._config_in_round)
        report = report_of(candidate, verdict)
        try:
            self._project.refresh()
            in_use = self._project.current_version
            if verdict.promote and in_use == candidate.parent:
                self._project.promote(candidate.version, report=report.to_json())
                return Round(True, candidate.version, candidate.version, report, self._seconds())
        except SamTuneError as error:
            return self._failure(str(error))
        if verdict.promote:
            sentence = (
                f"Not taken over: {in_use} came into use meanwhile, and this candidate was not "
                "judged against it. Fine-tune again."
            )
            report = replace(report, sentence=sentence)
        return replace(self._kept(report), version=in_use, candidate=candidate.version)

    def _kept(self, report: RoundReport) -> Round:
        return Round(False, self._state.weights_version, None, report, self._seconds())

    def _failure(self, message: str, detail: str = "") -> Round:
        return self._kept(RoundReport(message, error=message, detail=detail))

    def _seconds(self) -> float:
        return monotonic() - self._began

    def _end(self, finished: Round) -> None:
        if finished.report.verdict is None:
            # Nothing was judged: those masks are as new to the next candidate as they were.
            self._fresh |= self._fresh_in_round
        self._last = finished
        try:
            self._state.weights_version = finished.version
            self._state.training = False
        finally:
            # Even if a listener of the state failed, nobody must wait for ever.
            self._idle.set()
        self.round_finished.emit(finished)
        if finished.error is not None:
            self.failed.emit(finished.error)
