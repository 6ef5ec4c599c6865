"""What happens on a server, told to whoever listens: rounds, versions."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.service.faults import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_BEHIND: Final = 256
"""A listener so many events behind is let go; it connects again, and asks how things are."""
_BEAT_SECONDS: Final = 15.0


class Events:
    """Server-sent events, to a bounded number of listeners; for the server's own loop.

    Args:
        most: listeners at a time.

    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._listeners: set[asyncio.Queue[str | None]] = set()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def tell(self, kind: str, said: Mapping[str, Any]) -> None:
        """Tell all listeners; one that is too far behind is let go."""
        text = as_event(kind, said)
        for queue in tuple(self._listeners):
            if queue.qsize() >= _BEHIND:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(text)

    def listen(self) -> AsyncIterator[str]:
        """Listen; yields texts of the event stream, a comment every so often.

        Raises:
            Fault: too many listen already.

        """
        if len(self._listeners) >= self._most:
            raise Fault(503, "busy", "Too many connections listen already.", {"Retry-After": "30"})
        return self._texts()

    async def _texts(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)  # here, for who has left already never comes to `finally`
        try:
            yield ": connected\n\n"
            while True:
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        text = await queue.get()
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Let all listeners go."""
        for queue in tuple(self._listeners):
            queue.put_nowait(None)


def as_event(kind: str, said: Mapping[str, Any], name: str | None = None) -> str:
    """Write one event of an event stream; `name` is where a client goes on after it."""
    number = "" if name is None else f"id: {name}\n"
    return f"{number}event: {kind}\ndata: {json.dumps(dict(said))}\n\n"
