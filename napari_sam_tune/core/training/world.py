"""Several processes, on one machine or many, that do one training together.

They are started by torchrun, which finds them and sets up `torch.distributed`; one process alone is
a world too. Every process does its share of a step's calls, gradients are added up, and each takes
the same optimiser step: the loss curve is that of one process with the same batch. torchrun, and
not Lightning Fabric: a model is called in many ways in one step, which no wrapper of its forward
takes part in, and launching and adding up is all that is left then; torch has both.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes of a training.

    Attributes:
        rank: which of them this is; the first, 0, writes files.
        size: how many there are.

    """

    rank: int = 0
    size: int = 1

    def share(self, work: Sequence[T]) -> list[tuple[int, T]]:
        """Return this process's share of some work, each piece with its place in the whole."""
        return list(enumerate(work))[self.rank :: self.size]

    def add_up(self, parameters: Iterable[Tensor]) -> None:
        """Add up all processes' gradients, in place."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # this process's share did not touch it
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)

    def total(self, value: float, device: torch.device) -> float:
        """Add up a number."""
        if self.size == 1:
            return value
        summed = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(summed)
        return summed.item()

    def gathered(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return what all processes have found out, keys sorted."""
        if self.size == 1:
            return values
        parts: list[dict[str, Any]] = [{} for _ in range(self.size)]
        distributed.all_gather_object(parts, values)
        everything = {key: value for part in parts for key, value in part.items()}
        return dict(sorted(everything.items()))


def is_alone() -> bool:
    """Whether torchrun did not start this process."""
    return not (distributed.is_available() and distributed.is_torchelastic_launched())


def is_first() -> bool:
    """Whether this process is the one that writes files, known before it has joined."""
    return is_alone() or os.environ["RANK"] == "0"


def own_device(device: str) -> str:
    """Return the GPU of a machine's several that is this process's own, or what was asked for."""
    if is_alone() or device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{os.environ['LOCAL_RANK']}"


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Join the other processes that torchrun started, if it started this one."""
    if is_alone():
        yield World()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # what processes tell each other goes through it
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
