"""The training of a head behind the person's back, never beside a round."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from psygnal import Signal

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.promptless.job import HeadJob, KeptHead
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.rounds.plan import Missing
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.messages import Message
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.core.state import SessionState

HeadEnd = KeptHead | RoundFailed | RoundCancelled

FEWEST_MASKS: Final = 12
"""Accepted masks from which on a head is trained in the background: with fewer it learns them by
heart. A run from the command line takes what there is."""


class HeadTraining:
    """Trains heads of one session's project, one at a time and never while a round is under way.

    Called from the session's thread; the runner, which is the rounds' own, answers on its own.

    Args:
        project: whose masks are learnt from, and where the head is kept.
        state: the session's; `training_head` changes here.
        runner: where it is trained.
        base: the base model.
        device: torch device it is trained on.

    """

    progress = Signal(Progress)
    finished = Signal(object)

    def __init__(
        self, project: Project, state: SessionState, runner: Runner, *, base: BaseRef, device: str
    ) -> None:
        self._project, self._state, self._runner = project, state, runner
        self._base, self._device = base, device
        self._idle = threading.Event()
        self._idle.set()
        self._last: HeadEnd | None = None

    def missing(self) -> Missing | None:
        """Return which masks are missing before a head can be trained, or None.

        Those kept aside count, too: they say which step was the best. At least one must teach.
        """
        splits = [annotation.split for annotation in self._project.counting()]
        more, teaches = FEWEST_MASKS - len(splits), "train" in splits
        if more <= 0 and teaches:
            return None
        return Missing(max(1, more), elsewhere=bool(splits) and not teaches)

    def why_not(self) -> str:
        """Say what keeps a head from being trained now; "" where nothing does."""
        base = self._project.base
        if self._state.training_head:
            return tr("The finder is being trained already; wait for it or cancel it.")
        if self._state.training:
            return tr("A round of learning is under way; train the finder when it is over.")
        if base is not None and base.sha256 != self._base.sha256:
            return tr(
                "This project is in use with another model now; open it again to train a finder."
            )
        if (missing := self.missing()) is not None:
            return tr("A finder needs {missing} to learn from.", missing=missing)
        return ""

    def start(self, config: TrainConfig | None = None, *, wait: bool) -> HeadEnd | None:
        """Train a head; return how it ended (`wait`), or None at once.

        Args:
            wait: see above; the "inline" runner always trains before it returns.
            config: how; None as a run from the command line.

        Raises:
            TrainingError: something else is being trained, masks are missing, or the session is
                closed.

        """
        self._project.refresh()
        if why_not := self.why_not():
            raise TrainingError(why_not)
        how = config or TrainConfig.for_a_run()
        job = HeadJob(str(self._project.path), self._base, how, self._device)
        self._idle.clear()
        self._state.training_head = True
        try:
            self._runner.start(job, self._hear)
        except BaseException:
            self._state.training_head = False
            self._idle.set()
            raise
        if not wait:
            return None
        self._idle.wait()
        return self._last

    def cancel(self) -> None:
        """Stop the training under way; the head of before goes on proposing."""
        if self._state.training_head:
            self._runner.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no head is being trained; False where `timeout` (s) ran out first."""
        return self._idle.wait(timeout)

    def _hear(self, message: Message) -> None:
        """Runs on the runner's thread; the last message is never a `Progress`."""
        if isinstance(message, Progress):
            self.progress.emit(message)
        elif isinstance(message, HeadEnd):
            self._last = message
            with ExitStack() as told:  # the last one pushed is the first; all of them are told
                told.callback(self._idle.set)
                told.callback(self.finished.emit, message)
                told.callback(setattr, self._state, "training_head", False)
