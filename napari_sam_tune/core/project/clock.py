"""Times that never repeat, and names of records that sort by them."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Hands out times, in whole microseconds, that never repeat or go back within a process."""

    def __init__(self) -> None:
        self._last = 0

    def tick(self, after: float = 0.0) -> int:
        """Return microseconds since 1970, UTC, later than `after`, in seconds of the same."""
        self._last = max(time.time_ns() // 1000, self._last + 1, int(after * 1e6) + 1)
        return self._last


def new_id(microseconds: int) -> str:
    """Name a record so that names sort by time and never clash between processes."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return f"{moment:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
