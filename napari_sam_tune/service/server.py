"""All that a running server holds, and what of it happens by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, TypeVar

from starlette.concurrency import run_in_threadpool

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.service.answering import Answering
from napari_sam_tune.service.events import Events
from napari_sam_tune.service.kept_images import KeptImages
from napari_sam_tune.service.metrics import Metrics
from napari_sam_tune.service.mirrors import Mirrors
from napari_sam_tune.service.model_thread import ModelThread
from napari_sam_tune.service.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.service.limits import Limits
    from napari_sam_tune.service.served_weights import WeightsShelf

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 2.0
"""Between two looks at which version the project uses."""


class Server:
    """A model, and what clients have sent.

    Args:
        predictor: the model.
        weights: which it can answer with.
        limits: how much is done for whom.
        folder: where what rounds learn from is kept.
        runner: where rounds run.

    Attributes:
        images: those kept.
        answering: from a prompt to a mask; on the model's thread.
        model: that thread.
        mirrors: what rounds learn from.
        rounds: those that wait, run, or are over.
        events: what is told to listeners.
        metrics: numbers of all this.

    """

    def __init__(
        self,
        predictor: Predictor,
        weights: WeightsShelf,
        limits: Limits,
        *,
        folder: Path,
        runner: Runner,
    ) -> None:
        self.predictor, self.weights, self.limits = predictor, weights, limits
        self.images = KeptImages(limits)
        self.answering = Answering(predictor, limits)
        self.model = ModelThread(limits, runner.stepping_aside)
        self.events = Events(limits.listeners)
        self.mirrors = Mirrors(folder, predictor.ref, limits)
        self.rounds = Rounds(runner, self.events, limits)
        self._runner, self._decoding = runner, asyncio.Semaphore(limits.decoding)
        self.metrics = Metrics(
            waiting=lambda: self.model.waiting,
            images=lambda: len(self.images),
            listeners=lambda: self.events.listeners,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the project and run rounds, until the block ends; then let go of everything."""
        tasks = [
            asyncio.create_task(self._follow_project()),
            asyncio.create_task(self.rounds.work()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.events.close()
            await run_in_threadpool(self._runner.close)
            await run_in_threadpool(self.model.close)

    async def decode(self, work: Callable[..., T], *given: object) -> T:
        """Run what decodes pictures beside the loop, so many at a time that memory holds them."""
        async with self._decoding:
            return await run_in_threadpool(work, *given)

    async def _follow_project(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if await run_in_threadpool(self.weights.follow_project):
                    self.events.tell("version", {"version": self.weights.in_use.version})
            except SamTuneError as error:
                _log.warning("The weights in use stay as they are: %s", error)
            except Exception:
                _log.exception("The weights in use stay as they are")
