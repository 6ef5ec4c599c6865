"""Where a round of training runs: in the calling thread, or in a process of its own.

A `Runner` takes a `Job`, a round or the training of a head, which is a round here like any other,
and answers with `Progress` messages and exactly one terminal one: a `Candidate` or a `KeptHead`,
`RoundFailed` or `RoundCancelled`. On a cluster rounds run by `cluster_runner`.
"""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from napari_sam_tune.core.cluster.places import is_place
from napari_sam_tune.core.errors import SamTuneError, WorkerDied
from napari_sam_tune.core.rounds.cluster_runner import ClusterRunner
from napari_sam_tune.core.rounds.messages import (
    FailureKind,
    Message,
    RoundCancelled,
    RoundFailed,
    Terminal,
    tell,
)
from napari_sam_tune.core.rounds.under_way import UnderWay, require_idle
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from napari_sam_tune.core.rounds.messages import Job
    from napari_sam_tune.core.rounds.worker_process import WorkerProcess


@runtime_checkable
class Runner(Protocol):
    """Runs one round at a time.

    `listen` is called with every message, in order, on a thread the runner chooses. When it gets
    the terminal message the runner is idle already, so it may start the next round.
    """

    def start(self, job: Job, listen: Callable[[Message], None]) -> None:
        """Begin a round.

        Raises:
            TrainingError: a round is under way, the runner is closed, or no process could be
                started.

        """

    def cancel(self) -> None:
        """Ask for the round under way to stop within a step; nothing happens when idle."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no round is under way; False where `timeout` (s) ran out first."""

    def close(self) -> None:
        """Cancel what is under way and let go of everything; may be called twice."""

    def stepping_aside(self) -> AbstractContextManager[None]:
        """While the block runs, training leaves the processor to whoever answers a click."""


class InlineRunner:
    """Runs the round in the thread that starts it: for scripts and tests.

    `start` returns when the round is over. `cancel` works from another thread, or from `listen`.
    """

    def __init__(self) -> None:
        self._round: UnderWay | None = None
        self._lock = threading.Lock()

    def start(self, job: Job, listen: Callable[[Message], None]) -> None:
        """Run the whole round; see `Runner.start`."""
        from napari_sam_tune.core.rounds.steps import steps_of

        with self._lock:
            require_idle(self._round)
            under_way = self._round = UnderWay(listen)
        try:
            for message in steps_of(job, under_way.cancelled.is_set):
                if not isinstance(message, Progress):
                    self._round = None
                listen(message)
        finally:
            with self._lock:
                if self._round is under_way:
                    self._round = None
            under_way.over.set()

    def cancel(self) -> None:
        """Stop after the step under way."""
        if (under_way := self._round) is not None:
            under_way.cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a round that another thread runs."""
        under_way = self._round
        return under_way is None or under_way.over.wait(timeout)

    def close(self) -> None:
        """Cancel the round another thread runs."""
        self.cancel()

    @contextlib.contextmanager
    def stepping_aside(self) -> Iterator[None]:
        """Nothing to do: a thread cannot click while it trains."""
        yield


class ProcessRunner:
    """Runs rounds in a worker process that stays alive between them.

    `listen` is called on a thread of the runner. A worker that dies ends its round with
    `RoundFailed("worker_died", …)`, one that stops answering is ended and its round with
    `RoundFailed("worker_stuck", …)`; the next `start` makes a new one.
    """

    CANCEL_GRACE_SECONDS: Final = 3.0
    """A worker that is still in the same step so long after `cancel` is ended."""
    PATIENCE_SECONDS: Final = 3.0
    """So long the worker stands still for clicks at a stretch; it earns that by running half of it.
    Whoever clicks without a pause lets a round take three times its time, and no more."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._worker: WorkerProcess | None = None
        self._round: UnderWay | None = None
        self._latest: UnderWay | None = None
        self._clicks = 0
        self._patience = self.PATIENCE_SECONDS
        self._turned = monotonic()  # when the worker was last stopped or let go
        self._lending: threading.Timer | None = None  # while it stands still
        self._closed = False

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, None where there is none."""
        worker = self._worker
        return None if worker is None else worker.pid

    def warm(self) -> None:
        """Start the worker ahead of the first round: importing torch takes it seconds."""
        with self._lock:
            if not self._closed:
                self._living_worker()

    def start(self, job: Job, listen: Callable[[Message], None]) -> None:
        """Begin a round and return at once; see `Runner.start`."""
        with self._lock:
            require_idle(self._round, is_closed=self._closed)
            worker = self._living_worker()
            self._round = self._latest = UnderWay(listen)
            worker.send(("run", job))

    def cancel(self) -> None:
        """Stop within a step; a worker stuck in one is ended after `CANCEL_GRACE_SECONDS`."""
        with self._lock:
            under_way, worker = self._round, self._worker
            if under_way is None or worker is None or under_way.cancelled.is_set():
                return
            under_way.cancelled.set()
            worker.send(("cancel", None))
            if self._clicks:
                worker.resume()  # it cannot hear us while it is stopped
        grace = threading.Timer(self.CANCEL_GRACE_SECONDS, self._end_stuck, (under_way, worker))
        grace.daemon = True
        grace.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the terminal message was listened to; see `Runner.wait`."""
        latest = self._latest
        return latest is None or latest.over.wait(timeout)

    def close(self) -> None:
        """End the worker; a round under way ends with `RoundCancelled`."""
        with self._lock:
            self._closed = True
            worker = self._worker
            if self._round is not None:
                self._round.cancelled.set()
        if worker is not None:
            worker.end()

    @contextlib.contextmanager
    def stepping_aside(self) -> Iterator[None]:
        """Stop the worker where it stands (not on Windows), which takes tens of microseconds.

        For as long as `PATIENCE_SECONDS` allow: after that the two share the processor.
        """
        self._count_click(1)
        try:
            yield
        finally:
            self._count_click(-1)

    def _count_click(self, change: int) -> None:
        with self._lock:
            before, self._clicks = self._clicks, self._clicks + change
            if self._worker is None:
                return
            if self._clicks == 0:
                self._let_go()
            elif before == 0 and self._round is not None:
                self._stop()

    def _stop(self) -> None:
        """Stop the worker where it stands, for as long as its patience lasts."""
        now = monotonic()
        ran, self._turned = now - self._turned, now
        self._patience = min(self.PATIENCE_SECONDS, self._patience + 2 * ran)
        if self._worker is not None and self._patience > 0:
            self._worker.pause()
            self._lending = threading.Timer(self._patience, self._lose_patience)
            self._lending.daemon = True
            self._lending.start()

    def _let_go(self) -> None:
        """Let the worker go on; what it stood still for is taken from its patience."""
        if self._lending is not None:
            self._lending.cancel()
            self._lending = None
            now = monotonic()
            stood, self._turned = now - self._turned, now
            self._patience -= stood
        if self._worker is not None:
            self._worker.resume()

    def _lose_patience(self) -> None:
        with self._lock:
            self._let_go()

    def _living_worker(self) -> WorkerProcess:
        from napari_sam_tune.core.rounds.worker_process import WorkerProcess

        if self._worker is None or not self._worker.alive:
            try:
                self._worker = WorkerProcess(self._received, self._ended)
            except OSError as error:
                raise WorkerDied(
                    tr(
                        "The training process could not be started ({error}). Close other programs "
                        "and fine-tune again.",
                        error=error.strerror,
                    )
                ) from error
        return self._worker

    def _end_stuck(self, under_way: UnderWay, worker: WorkerProcess) -> None:
        with self._lock:
            stuck = self._round is under_way
        if stuck:
            worker.end()

    def _received(self, message: Message) -> None:
        """On the worker's thread: one message has arrived."""
        under_way = self._round
        if under_way is None:
            return
        if isinstance(message, Progress):
            if not under_way.cancelled.is_set():
                tell(under_way.listen, message)
        else:
            self._finish(message)

    def _ended(self, worker: WorkerProcess) -> None:
        """On the worker's thread: the process is gone and nothing more will arrive."""
        with self._lock:
            if self._worker is not worker:
                return  # it died while idle and another has taken its place
            self._worker = None
            under_way, self._round = self._round, None  # one begun from now on is another worker's
        kind: FailureKind = "worker_stuck" if worker.is_stuck else "worker_died"
        self._end(under_way, RoundFailed(kind, worker.epitaph, worker.last_words))

    def _finish(self, message: Terminal) -> None:
        with self._lock:
            under_way, self._round = self._round, None
        self._end(under_way, message)

    def _end(self, under_way: UnderWay | None, message: Terminal) -> None:
        if under_way is None:
            return
        # whatever the worker says after a cancel, the person asked for no result
        ending = RoundCancelled() if under_way.cancelled.is_set() else message
        try:
            tell(under_way.listen, ending)
        finally:
            under_way.over.set()


def make_runner(runner: str | Runner) -> Runner:
    """Return a runner by name, or the one given.

    Args:
        runner: "inline", "process", or a cluster as `open_cluster` takes it: "dask", "local:1", or
            the address of a scheduler.

    Raises:
        SamTuneError: there is no runner of that name.

    """
    if not isinstance(runner, str):
        return runner
    if runner == "inline":
        return InlineRunner()
    if runner == "process":
        return ProcessRunner()
    if is_place(runner):
        return ClusterRunner(runner)
    raise SamTuneError(
        f"There is no runner {runner!r}; use 'inline', 'process', or a dask cluster: 'dask', or "
        "the address of its scheduler."
    )
