"""The one thread that owns a server's model, and whose turn it is.

Clients take turns: one question of each, in the order in which they came, so that whoever asks a
hundred things at once keeps nobody waiting for more than one of them. What waits is bounded; a
question over the bound is refused at once, with when to try again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from napari_sam_tune.core.storage.heap_holes import IDLE_SECONDS, HeapHoles
from napari_sam_tune.service.faults import Fault, client_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from napari_sam_tune.service.limits import Limits

T = TypeVar("T")
_SOON: Final = {"Retry-After": "1"}
_LOOK_SECONDS: Final = 0.5
"""Between two looks at whether whoever asked is still there."""


class Asker(NamedTuple):
    """Who asks.

    Attributes:
        name: whose turn a question takes. It tells clients apart and proves nothing.
        has_left: asks whether the connection was closed.

    """

    name: str
    has_left: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, eq=False)
class _Question:
    work: Callable[[], Any]
    answer: Future[Any]


class ModelThread:
    """Runs what clients ask of a model, one at a time, each client in its turn.

    Args:
        limits: how much may wait, and for how long.
        stepping_aside: while its block runs, training leaves the processor to a question.

    """

    def __init__(
        self, limits: Limits, stepping_aside: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._limits, self._stepping_aside = limits, stepping_aside
        self._turns: OrderedDict[str, deque[_Question]] = OrderedDict()
        self._changed = threading.Condition()
        self._closing, self._holes = False, HeapHoles()
        self._thread = threading.Thread(target=self._run, name="sam-tune model", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        with self._changed:
            return sum(map(len, self._turns.values()))

    async def run(self, client: Asker, work: Callable[[], T]) -> T:
        """Run `work` on the thread when it is the client's turn, and return what it returns.

        Nothing is worked out for a client that has left while its question waited.

        Raises:
            Fault: too much waits already, the answer took too long, or nobody waits for it.

        """
        answer: Future[T] = Future()
        self._queue(client.name, _Question(work, answer))
        coming = asyncio.wrap_future(answer)
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                while not (await asyncio.wait({coming}, timeout=_LOOK_SECONDS))[0]:
                    if await client.has_left():
                        raise client_left()
                return coming.result()
        except TimeoutError as error:
            raise Fault(
                504, "too_slow", "The model did not come to this question in time; ask again."
            ) from error
        finally:
            coming.cancel()  # which takes the question out of its turn, if it has not come

    def _queue(self, client: str, question: _Question) -> None:
        with self._changed:
            if self._closing:
                raise Fault(503, "busy", "The server is being stopped.", _SOON)
            mine = self._turns.get(client, ())
            if len(mine) >= self._limits.waiting_each:
                raise Fault(
                    429,
                    "too_many_questions",
                    f"{len(mine)} of your questions wait already; await their answers first.",
                    _SOON,
                )
            if sum(map(len, self._turns.values())) >= self._limits.waiting:
                raise Fault(503, "busy", "Too many questions wait; ask again in a moment.", _SOON)
            self._turns.setdefault(client, deque()).append(question)
            self._changed.notify()

    def close(self) -> None:
        """End the thread after the question under way; those that wait are refused."""
        with self._changed:
            self._closing = True
            left = [question for turn in self._turns.values() for question in turn]
            self._turns.clear()
            self._changed.notify()
        for question in left:
            question.answer.cancel()
        self._thread.join()

    def _run(self) -> None:
        while (question := self._next()) is not None:
            if not question.answer.set_running_or_notify_cancel():
                continue  # whoever asked has gone
            try:
                with self._stepping_aside():
                    answer = question.work()
            except BaseException as error:
                question.answer.set_exception(error)
            else:
                question.answer.set_result(answer)

    def _next(self) -> _Question | None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing or self._turns, IDLE_SECONDS):
                    return None if self._closing else self._whose_turn_it_is()
            self._holes.give_back()  # without the lock: whoever asks does not wait for it

    def _whose_turn_it_is(self) -> _Question:
        client, turn = self._turns.popitem(last=False)
        question = turn.popleft()
        if turn:
            self._turns[client] = turn  # behind the others
        return question
