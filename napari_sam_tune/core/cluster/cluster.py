"""Beyond one machine: pieces of work, done by the workers of a dask cluster.

A piece is plain values and can be done anywhere, and again, with the same result: a worker that
dies loses its piece only, which dask gives to another one. Who does what, and when it has to be
done again, is `dask.distributed`'s to decide; here is what a worker must see before it begins, and
that it does one piece at a time, with as many threads of torch as it has of dask. No other module
knows dask.

Workers read and write the same files as this program, under the same paths: a folder that all
machines share. What is asked and answered travels as pickles, as all that dask sends does; so the
network must be one to be trusted, or the cluster one that speaks TLS. A cluster on this machine
alone (`local:N`) listens on loopback only, with keys made for it.
"""

from __future__ import annotations

import queue
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from napari_sam_tune.core.cluster.places import LOCAL, address_of, start_here
from napari_sam_tune.core.cluster.worker import do_piece, release, stop_piece
from napari_sam_tune.core.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from distributed import Client, Future

    from napari_sam_tune.core.cluster.worker import Piece

T = TypeVar("T")

_AHEAD: Final = 2
"""Pieces handed out for each worker: one that it does, one that it finds when that is done."""
_WAIT_SECONDS: Final = 30


class Cluster:
    """Workers that do pieces of work; get one from `open_cluster`, and close it."""

    def __init__(self, client: Client, name: str, closing: ExitStack) -> None:
        self._client, self._name, self._closing = client, name, closing

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster, and end it if it is this program's own."""
        with suppress(Exception):  # a scheduler that is gone cannot be taken leave of
            self._closing.close()

    def each(self, pieces: Iterable[Piece[T]], *, into: Path | None = None) -> Iterator[T]:
        """Do pieces side by side; results come in the pieces' order.

        Only so many are handed out as keep the workers busy. Closing the iterator takes back what
        is not begun.

        Args:
            pieces: of which every one is done once and counted once, however many workers die.
            into: folder in which workers write; it is made sure that it is this very folder.

        Raises:
            ClusterError: a worker does not see the files, all that tried a piece died, or the
                scheduler is lost.
            SamTuneError: whatever a piece raises.

        """
        from distributed import as_completed

        waiting = enumerate(pieces)
        under_way: dict[Future[Any], int] = {}
        ready: dict[int, T] = {}
        turn = 0
        with _probe(into) as probe:
            completed = as_completed(loop=self._client.loop)

            def hand_out() -> None:
                while len(under_way) < _AHEAD * max(1, self._count_workers()):
                    place, piece = next(waiting, (-1, None))
                    if piece is None:
                        return
                    future = self._submit(piece, probe)
                    under_way[future] = place
                    completed.add(future)

            try:
                hand_out()
                for future in completed:
                    ready[under_way.pop(future)] = self._result(future)
                    hand_out()
                    while turn in ready:
                        yield ready.pop(turn)
                        turn += 1
            finally:
                with suppress(Exception):
                    self._client.cancel(list(under_way))

    def send(self, piece: Piece[T], *, into: Path) -> Errand[T]:
        """Have one long piece done, which says how far it is.

        Args:
            piece: its `do` may call `tell` and `is_stopped`.
            into: see `each`.

        """
        closing = ExitStack()
        probe = closing.enter_context(_probe(into))
        return Errand(self, piece, probe, closing)

    def _submit(self, piece: Piece[T], probe: Path | None, name: str = "") -> Future[T]:
        seen = (*piece.files, *([] if probe is None else [probe]))
        return self._client.submit(do_piece, piece, seen, name, release(), pure=False)

    def _result(self, future: Future[T]) -> T:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            result: T = future.result()
        except KilledWorker as error:
            raise ClusterError(
                "The same piece of work has ended every worker it was given to, "
                f"{error.allowed_failures + 1} in all, the last of them "
                f"{error.last_worker.address}. Most likely they ran out of memory: start fewer on "
                "a machine, or choose a smaller model. What was done is kept."
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise ClusterError(
                f"The connection to the scheduler {self._name} was lost. What was done is kept: "
                "give the same command again when the scheduler is back."
            ) from error
        except (ModuleNotFoundError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "deserialization" not in str(error):
                raise
            raise ClusterError(
                f"The cluster {self._name} cannot read what it is given. Start its scheduler and "
                f"workers where napari-sam-tune[cluster] {release()} is installed."
            ) from error
        return result

    def _count_workers(self) -> int:
        return len(self._client.nthreads())


class Errand(Generic[T]):
    """One long piece under way; see `Cluster.send`."""

    def __init__(
        self, cluster: Cluster, piece: Piece[T], probe: Path | None, closing: ExitStack
    ) -> None:
        self._cluster, self._closing = cluster, closing
        self._heard: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._name = f"napari-sam-tune-{uuid.uuid4().hex}"
        client = cluster._client
        client.subscribe_topic(self._name, lambda event: self._heard.put(event[1]["said"]))
        self._future = cluster._submit(piece, probe, self._name)
        self._future.add_done_callback(lambda _: self._heard.put(None))

    def said(self) -> Iterator[Mapping[str, Any]]:
        """Yield what the piece tells, until it has ended; begun again, it tells it again."""
        while (message := self._heard.get()) is not None:
            yield message

    def result(self) -> T:
        """Return what came out of it; raises as `Cluster.each`."""
        try:
            return self._cluster._result(self._future)
        finally:
            with suppress(Exception):
                self._cluster._client.unsubscribe_topic(self._name)
            self._closing.close()

    def stop(self) -> None:
        """Ask it to stop; whoever follows it hears no more of it."""
        with suppress(Exception):  # workers or a scheduler that are gone have stopped
            self._cluster._client.run(stop_piece, self._name, wait=False)
        with suppress(Exception):
            self._future.cancel()


def open_cluster(where: str) -> Cluster:
    """Join a cluster, or start one on this machine.

    Args:
        where: the address of a scheduler, "tcp://…" or "tls://…"; "local:N" for N processes of this
            machine; or "dask" for the scheduler that dask's configuration names.

    Raises:
        ClusterError: dask.distributed is not installed, that is no such place, nobody answers
            there, or there is no worker.

    """
    try:
        import distributed  # noqa: F401 - to say so where it is not there
    except ModuleNotFoundError as error:
        raise ClusterError(
            "Working on a cluster takes dask.distributed, which is not installed: "
            'pip install "napari-sam-tune[cluster]".'
        ) from error
    closing = ExitStack()
    try:
        address = start_here(where, closing) if where.startswith(LOCAL) else address_of(where)
        client = closing.enter_context(_connected(address, where))
        _wait_for_a_worker(client, where)
    except BaseException:
        closing.close()
        raise
    return Cluster(client, where, closing)


def _connected(address: Any, where: str) -> Client:
    from distributed import Client

    try:
        # not the default one: arrays of dask that images come in are this machine's to compute
        return Client(address, set_as_default=False, timeout=_WAIT_SECONDS)
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"No scheduler answers at {where} ({error}). Start one with: dask scheduler"
        ) from error


def _wait_for_a_worker(client: Client, where: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"The scheduler {where} has no workers. Start some with: dask worker {where}"
        ) from error


@contextmanager
def _probe(folder: Path | None) -> Iterator[Path | None]:
    """Have a file for a while in a folder, by which workers know it from another of its name."""
    if folder is None:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix=".cluster-", dir=folder) as file:
        yield Path(file.name)
