"""Holes of the heap, given back to the system.

What lies on glibc's heap for a while and goes at last leaves holes, which the next array seldom
fits: what a process takes grows by the hour, though nothing holds it. `malloc_trim` is all that
gives them back (since glibc 2.8 every free page of every arena, not the heap's end alone). It takes
tens of milliseconds in which no thread gets memory, so it is for idle moments, and for when there
is something to give back. Other C libraries have no such call: nothing happens there.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH: Final = 100 << 20
"""Bytes by which a process has grown since holes were given back last, for it to pay again."""
IDLE_SECONDS: Final = 3.0
"""How long a model's thread has nothing to do before it gives holes back."""


class HeapHoles:
    """Gives a process's holes back whenever it has grown. Whoever has an idle moment calls.

    Args:
        growth: bytes by which it has to have grown since the last time.

    """

    def __init__(self, growth: int = GROWTH) -> None:
        self._growth, self._process = growth, psutil.Process()
        self._resident_then = 0

    def give_back(self) -> bool:
        """Give holes back if memory has grown; returns whether that was tried."""
        trim = _malloc_trim()
        if trim is None or self._process.memory_info().rss < self._resident_then + self._growth:
            return False
        trim(0)  # other threads run on meanwhile: ctypes lets go of Python's lock
        self._resident_then = self._process.memory_info().rss
        return True


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
