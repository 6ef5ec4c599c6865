"""Rounds on a dask cluster: on a worker that sees the project's folder; see `core.cluster`."""

from __future__ import annotations

import threading
import traceback
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_tune.core.cluster.cluster import open_cluster
from napari_sam_tune.core.cluster.worker import is_stopped, kept
from napari_sam_tune.core.cluster.worker import tell as tell_from_afar
from napari_sam_tune.core.errors import ClusterError
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed, tell
from napari_sam_tune.core.rounds.steps import failure_of, steps_of
from napari_sam_tune.core.rounds.under_way import UnderWay, require_idle
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from napari_sam_tune.core.cluster.cluster import Cluster, Errand
    from napari_sam_tune.core.rounds.messages import Job, Message, Terminal


@dataclass(eq=False)
class _Round(UnderWay):
    """One round under way, and the piece of work that it is to the cluster."""

    errand: Errand[Terminal] | None = None


class ClusterRunner:
    """Runs rounds on a cluster, which is joined with the first one.

    `listen` is called on a thread of the runner. A worker that dies loses its round, which dask
    gives to another one, from the beginning: progress begins anew. Where every one of them dies,
    or the scheduler is lost, the round ends with `RoundFailed("worker_died", …)`.

    Args:
        where: as `open_cluster` takes it.

    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None
        self._round: _Round | None = None
        self._latest: _Round | None = None
        self._closed = False

    def start(self, job: Job, listen: Callable[[Message], None]) -> None:
        """Begin a round and return at once; see `Runner.start`."""
        with self._lock:
            require_idle(self._round, is_closed=self._closed)
            under_way = self._round = self._latest = _Round(listen)
        name = "sam-tune-cluster"
        threading.Thread(target=self._follow, args=(under_way, job), name=name, daemon=True).start()

    def cancel(self) -> None:
        """Stop the round at once; its worker stops within a step."""
        with self._lock:
            under_way = self._round
            if under_way is None:
                return
            under_way.cancelled.set()
            errand = under_way.errand
        if errand is not None:
            errand.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the terminal message was listened to; see `Runner.wait`."""
        latest = self._latest
        return latest is None or latest.over.wait(timeout)

    def close(self) -> None:
        """Leave the cluster; a round under way ends with `RoundCancelled`."""
        with self._lock:
            self._closed = True
            is_idle = self._round is None
        if is_idle:
            self._leave()
        else:
            self.cancel()

    def stepping_aside(self) -> AbstractContextManager[None]:
        """Nothing to do: workers are elsewhere, and do not wait for a person's clicks."""
        return nullcontext()

    def _follow(self, under_way: _Round, job: Job) -> None:
        ending: Terminal
        try:
            ending = self._run(under_way, job)
        except ClusterError as error:
            if not under_way.cancelled.is_set():
                self._leave()  # the next round joins anew
            ending = RoundFailed("worker_died", str(error), traceback.format_exc())
        except Exception as error:
            ending = failure_of(error)
        if under_way.cancelled.is_set():
            ending = RoundCancelled()
        with self._lock:
            self._round = None
        try:
            tell(under_way.listen, ending)
        finally:
            under_way.over.set()
            if self._closed:
                self._leave()

    def _run(self, under_way: _Round, job: Job) -> Terminal:
        if self._cluster is None:
            self._cluster = open_cluster(self._where)
        errand = self._cluster.send(_RoundToRun(job), into=Path(job.project))
        with self._lock:
            under_way.errand = errand
        if under_way.cancelled.is_set():
            errand.stop()
        for said in errand.said():
            if not under_way.cancelled.is_set():
                tell(under_way.listen, Progress(**said))
        return errand.result()

    def _leave(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()


@dataclass(frozen=True)
class _RoundToRun:
    """A round, for a worker."""

    job: Job

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Piece`."""
        return (Path(self.job.project),)

    def do(self) -> Terminal:
        """Run it; tells its progress."""
        from napari_sam_tune.core.models.checkpoints import load_base  # imports torch

        steps = steps_of(self.job, is_stopped, base_model=lambda job: kept(load_base, job.base))
        message = next(steps)
        while isinstance(message, Progress):
            tell_from_afar(asdict(message))
            message = next(steps)
        return message
