"""What a runner is given, and what it says of it: progress and exactly one terminal message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_sam_tune.core.promptless.job import HeadJob, KeptHead
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob

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
