"""How often a thread looks for what other programs wrote."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Looking:
    """Lets one thread, such as a viewer's, look once in a turn of its event loop.

    In such a turn a project is asked for dozens of things; in a folder of another computer every
    look takes a millisecond. Other threads look whenever they ask for something.
    """

    def __init__(self) -> None:
        self._thread: int | None = None
        self._at_end: Callable[[Callable[[], None]], object] = lambda _: None
        self._looked: set[str] = set()

    def once_a_turn(self, at_end: Callable[[Callable[[], None]], object]) -> None:
        """Let this thread look once a turn from now on.

        Args:
            at_end: calls what it is given when the turn is over.

        """
        self._thread, self._at_end = threading.get_ident(), at_end

    def has_looked(self, at: str) -> bool:
        """Whether this thread looked at this already in its turn; if not, it is to do so now."""
        if threading.get_ident() != self._thread:
            return False
        if at in self._looked:
            return True
        if not self._looked:
            self._at_end(self._looked.clear)
        self._looked.add(at)
        return False
