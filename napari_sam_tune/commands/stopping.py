"""Being stopped, by Ctrl+C or by the system: everything is tidied up, and one line says so."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopped(SystemExit):
    """Raised wherever the program is when it is told to stop.

    Attributes:
        advice: how to go on, where there is more to say than that one may start anew.

    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)  # as shells report it
        self.advice = "Nothing is half-written; what was finished is kept."


@contextmanager
def stoppable() -> Iterator[None]:
    """Let signals raise `Stopped` inside the block, but for those that are to be ignored."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Say how to go on, where the block is stopped."""
    try:
        yield
    except Stopped as stopped:
        stopped.advice = advice
        raise
