"""Rounds that a server runs for its clients, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.service.events import as_event
from napari_sam_tune.service.faults import Fault, without_places
from napari_sam_tune.service.round_bodies import kind_of, said_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from napari_sam_tune.core.rounds.messages import Message
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.core.training.job import TrainingJob
    from napari_sam_tune.service.events import Events
    from napari_sam_tune.service.limits import Limits
    from napari_sam_tune.service.mirror import Mirror

_log = logging.getLogger(__name__)
_BEAT_SECONDS: Final = 5.0
_KEPT: Final = 64
"""Rounds that are over and can still be asked about."""


@dataclass(eq=False)
class ServedRound:
    """A round of a client.

    Attributes:
        id: 32 hex digits that nobody can guess.
        mirror: what it learns from.
        job: as the runner takes it.
        last: what was said last of it.
        number: which of all that was said that is, from 1 on.
        listeners: how many are told.

    """

    mirror: Mirror
    job: TrainingJob
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    last: Message | None = None
    number: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    is_cancelled: bool = False
    listeners: int = 0

    @property
    def end(self) -> Message | None:
        """Its last message; None while it waits or runs."""
        return None if isinstance(self.last, Progress) else self.last

    def say(self, message: Message) -> None:
        """Keep a message and wake whoever listens."""
        if self.end is not None:
            return
        self.last = message
        self.number += 1
        self.changed.set()
        self.changed = asyncio.Event()


class Rounds:
    """All rounds of a server; for the server's own loop.

    Args:
        runner: where they run.
        events: told of rounds that begin and end.
        limits: how many may wait, and how long one may take.

    """

    def __init__(self, runner: Runner, events: Events, limits: Limits) -> None:
        self._runner, self._events, self._limits = runner, events, limits
        self._waiting: OrderedDict[str, ServedRound] = OrderedDict()
        self._under_way: ServedRound | None = None
        self._over: OrderedDict[str, ServedRound] = OrderedDict()
        self._came = asyncio.Event()

    def begin(self, mirror: Mirror, job: TrainingJob) -> ServedRound:
        """Have a round run after those that wait.

        Raises:
            Fault: too many wait, or somebody listens to this project's last one.

        """
        living = [*self._waiting.values(), *([self._under_way] if self._under_way else [])]
        before = [other for other in living if other.mirror is mirror and not other.is_cancelled]
        if any(other.listeners for other in before):
            raise Fault(
                409,
                "round_under_way",
                "A round of this project is under way; wait for it or cancel it.",
            )
        for other in before:  # its client was cut off, and begins again
            self.cancel(other.id)
        if len(self._waiting) >= self._limits.waiting_rounds:
            raise Fault(
                503, "busy", "Too many rounds wait; try again later.", {"Retry-After": "60"}
            )
        mirror.rounds += 1
        begun = ServedRound(mirror, job)
        begun.say(Progress(0, job.config.steps, None, None, None, "loading"))
        self._waiting[begun.id] = begun
        self._came.set()
        return begun

    def find(self, name: str) -> ServedRound:
        """Return a round that waits, runs, or is over and not forgotten.

        Raises:
            Fault: there is none.

        """
        if self._under_way is not None and self._under_way.id == name:
            return self._under_way
        found = self._waiting.get(name) or self._over.get(name)
        if found is None:
            raise Fault(
                404,
                "round_unknown",
                "This round is not here (any more): the server was started anew, or it is long "
                "over. Nothing of yours is lost; begin it again.",
            )
        return found

    def cancel(self, name: str) -> None:
        """Have a round stop within a step; nothing happens where it is over.

        Raises:
            Fault: there is none.

        """
        found = self.find(name)
        found.is_cancelled = True
        if self._waiting.pop(name, None) is not None:
            self._end(found, RoundCancelled())
        elif found is self._under_way:
            self._runner.cancel()

    async def listen(self, found: ServedRound, after: int) -> AsyncIterator[str]:
        """Yield a round's messages as texts of an event stream, from those after a number on."""
        found.listeners += 1
        try:
            while True:
                changed = found.changed
                if found.last is not None and found.number > after:
                    message, after = found.last, found.number
                    yield as_event(kind_of(message), said_in(message), str(after))
                if found.end is not None:
                    return
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            found.listeners -= 1

    async def work(self) -> None:
        """Run what is begun, one after the other, until this task is cancelled."""
        while True:
            while not self._waiting:
                self._came.clear()
                await self._came.wait()
            _, found = self._waiting.popitem(last=False)
            self._under_way = found
            self._events.tell("round", {"state": "begun"})
            try:
                end = await self._run(found)
            except Exception:  # which ends this round, and not all that wait
                _log.exception("A round met a fault of this program")
                end = RoundFailed(
                    "error", tr("The server met a fault of its own; its log says where.")
                )
            finally:
                self._under_way = None
            self._end(found, end)

    async def _run(self, found: ServedRound) -> Message:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        ends: list[Message] = []

        def hear(message: Message) -> None:
            if isinstance(message, Progress):
                found.say(message)
            else:
                ends.append(message)
                over.set()

        def listen(message: Message) -> None:  # on the runner's thread
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
                loop.call_soon_threadsafe(hear, message)

        try:
            await run_in_threadpool(self._runner.start, found.job, listen)
        except SamTuneError as error:
            return RoundFailed("error", str(error))
        if found.is_cancelled:
            self._runner.cancel()
        try:
            async with asyncio.timeout(self._limits.round_seconds):
                await over.wait()
        except TimeoutError:
            self._runner.cancel()
            await over.wait()
            minutes = self._limits.round_seconds / 60
            return RoundFailed(
                "error",
                tr(
                    "The round took longer than the {minutes:.0f} minutes a server gives one.",
                    minutes=minutes,
                ),
            )
        return ends[0]

    def _end(self, found: ServedRound, end: Message) -> None:
        found.mirror.rounds -= 1
        if isinstance(end, RoundFailed):  # what else is known of it is for the server's own log
            end = RoundFailed(end.kind, without_places(end.message))
        found.say(end)
        self._over[found.id] = found
        while len(self._over) > _KEPT:
            self._over.popitem(last=False)
        self._events.tell("round", {"state": kind_of(end)})
