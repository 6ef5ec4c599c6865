"""What a runner is given, and what it says of it: progress and exactly one terminal message."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_sam_tune.core.promptless.job import HeadJob, KeptHead
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob

if TYPE_CHECKING:
    from collections.abc import Callable

FailureKind = Literal[
    "nan", "out_of_memory", "worker_died", "worker_stuck", "disk_full", "server", "error"
]


@dataclass(frozen=True)
class RoundFailed:
    """A round ended without a candidate; the weights in use are untouched.

    Attributes:
        kind: what went wrong, for programs.
        message: what went wrong and what to do, for a person.
        detail: traceback or the last lines the worker wrote, for a bug report.

    """

    kind: FailureKind
    message: str
    detail: str = ""


@dataclass(frozen=True)
class RoundCancelled:
    """A round was stopped because somebody asked for it."""


Job = TrainingJob | HeadJob
"""A round, or the training of a head."""


Terminal = Candidate | KeptHead | RoundFailed | RoundCancelled


Message = Progress | Terminal


@dataclass(frozen=True)
class Heartbeat:
    """What a worker process says every so often to be known to run; no message of a round."""


def tell(listen: Callable[[Message], None], message: Message) -> None:
    """Hand a message over; a listener's bug is reported as any thread's, and ends no round."""
    try:
        listen(message)
    except Exception as error:
        threading.excepthook(
            threading.ExceptHookArgs(
                (type(error), error, error.__traceback__, threading.current_thread())
            )
        )
