"""What a worker of a cluster does: one piece at a time, on what it sees of the files."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from napari_sam_tune.core.errors import ClusterError, SamTuneError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Piece(Protocol[T_co]):
    """Some work as plain values."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders without which it cannot be done."""

    def do(self) -> T_co:
        """Do it, on a worker."""


def release() -> str:
    """Return the release of this program that is installed here."""
    return version("napari-sam-tune")


_one_at_a_time = threading.Lock()
_under_way = ""
_stopped: set[str] = set()
_kept: dict[tuple[Any, ...], Any] = {}


def do_piece(piece: Piece[T], seen: tuple[Path, ...], name: str, asked_by: str) -> T:
    """Do a piece on a worker that sees what it needs.

    A model answers one caller at a time; a worker with several threads gives them all to torch.
    """
    import torch
    from distributed import get_worker

    global _under_way
    worker = get_worker()
    if asked_by != release():
        raise ClusterError(
            f"The worker {worker.address} runs napari-sam-tune {release()}, this machine "
            f"{asked_by}. Install the same release on both."
        )
    for path in seen:
        if not path.exists():
            raise ClusterError(
                f"The worker {worker.address} does not see {path}, or another one of that name. "
                "Workers need the project and the images under the same paths as here: put them in "
                "a folder that all machines share."
            )
    with _one_at_a_time:
        torch.set_num_threads(worker.state.nthreads)
        _under_way = name
        try:
            return piece.do()
        except SamTuneError as error:
            if len(error.args) == 1:
                error.args = (f"{error.args[0]} (On the worker {worker.address}.)",)
            raise
        finally:
            _under_way = ""
            _stopped.discard(name)


async def stop_piece(name: str) -> None:
    """Have a piece known as not wanted any more."""
    _stopped.add(name)  # `async` as dask wants it of what nobody waits for


def is_stopped() -> bool:
    """Whether the piece this worker does is not wanted any more."""
    return _under_way in _stopped


def tell(message: Mapping[str, Any]) -> None:
    """Say something plain to who follows the piece this worker does; see `Errand.said`."""
    from distributed import get_worker

    get_worker().log_event(_under_way, {"said": message})  # dask adds who said it


def kept(make: Callable[..., T], *arguments: Hashable) -> T:
    """Return what was made for the piece before if it was made the same way, such as a model."""
    key = (make, *arguments)
    if key not in _kept:
        _kept.clear()  # the old one makes room before the new one is loaded
        _kept[key] = make(*arguments)
    found: T = _kept[key]
    return found
