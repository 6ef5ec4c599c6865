"""Where a training runs for a while: on which device, with how many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_tune.core.models.network import Network

A = TypeVar("A")
B = TypeVar("B")

_AT_ONCE: Final = 2


class Mapped(Protocol):
    """Does the same to each of some things; results come in their order, as from `map`."""

    def __call__(self, do: Callable[[A], B], things: Iterable[A], /) -> Iterator[B]:
        """As `map`."""


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Give torch so many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def side_by_side(device: torch.device) -> Iterator[Mapped]:
    """Do two things at once where a CPU has the cores, each with half of torch's threads.

    A model as small as the starter leaves cores idle between its many short operations: on two of
    them judging took .57 of the time of one, by threads of torch all of it.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or before < _AT_ONCE:
        yield map
        return
    torch.set_num_threads(before // _AT_ONCE)
    pool = ThreadPoolExecutor(_AT_ONCE, "sam-tune-training")
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


@contextmanager
def on_device(network: Network, device: torch.device, *, encoder: bool) -> Iterator[None]:
    """Have the decoder on a device for a while, and the encoder too only if it is needed."""
    home = network.device
    try:
        if home != device:
            network.to(device, encoder=encoder)
        yield
    finally:
        if home != device:
            network.to(home, encoder=encoder)
