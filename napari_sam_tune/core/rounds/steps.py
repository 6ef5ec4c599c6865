"""A round as a sequence of messages, in whichever process it runs."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import OutOfMemory, SamTuneError, StorageError, is_out_of_memory
from napari_sam_tune.core.promptless.job import HeadJob
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.core.training.job import DivergedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.rounds.messages import Job, Message, Terminal
    from napari_sam_tune.core.training.job import Progress

_OUT_OF_MEMORY: Final = mark(
    "There was not enough memory to train, even with the smallest batch. Close other programs, "
    "choose the CPU as device, or use a smaller model."
)


class _Cancelled(Exception):
    """Raised inside a round to leave it."""


def steps_of(
    job: Job,
    cancelled: Callable[[], bool],
    *,
    base_model: Callable[[Job], LoadedModel | None] = lambda _: None,
) -> Iterator[Message]:
    """Run a round, or train a head; yields its progress and, last, exactly one terminal message.

    Args:
        job: what to run.
        cancelled: asked between forward, backward and optimiser steps.
        base_model: returns the base model where it is kept loaded.

    """

    def checkpoint() -> None:
        if cancelled():
            raise _Cancelled

    try:
        steps = _steps(job, base_model(job), checkpoint)
        with contextlib.closing(steps):
            while True:
                checkpoint()
                yield next(steps)
    except _Cancelled:
        yield RoundCancelled()
    except StopIteration as end:
        yield end.value
    except Exception as error:  # whatever it is, the person is told, with the traceback
        yield failure_of(error)


def _steps(
    job: Job, model: LoadedModel | None, checkpoint: Callable[[], None]
) -> Generator[Progress, None, Terminal]:
    if isinstance(job, HeadJob):
        from napari_sam_tune.core.promptless.training import train_head

        return train_head(job, model=model, checkpoint=checkpoint)
    from napari_sam_tune.core.training.fit import fit

    return fit(job, model=model, checkpoint=checkpoint)


def failure_of(error: Exception) -> RoundFailed:
    """Say what stopped a round, for programs and for a person."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, DivergedError):
        return RoundFailed("nan", str(error), detail)
    if isinstance(error, StorageError):
        return RoundFailed("disk_full", str(error), detail)
    if isinstance(error, OutOfMemory):
        return RoundFailed("out_of_memory", str(error) or tr(_OUT_OF_MEMORY), detail)
    if is_out_of_memory(error):
        return RoundFailed("out_of_memory", tr(_OUT_OF_MEMORY), detail)
    if isinstance(error, SamTuneError):
        return RoundFailed("error", str(error), detail)
    return RoundFailed(
        "error",
        tr(
            "The training stopped on an unexpected error ({name}: {error}). The weights in use are "
            "as they were. Please report it with the details.",
            name=type(error).__name__,
            error=error,
        ),
        detail,
    )
