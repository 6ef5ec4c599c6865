"""What a person does to a project as a whole, so that it can be taken back from any image."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST: Final = 500


@dataclass(frozen=True)
class Undone:
    """What was taken back, or repeated; never false.

    Attributes:
        image_id: the image it concerns; None where it concerns none, or many.
        text: what is so again, for the person; "" of a step that shows itself.

    """

    image_id: str | None = None
    text: str = ""


@dataclass(frozen=True, eq=False)
class Deed:
    """Something that was done, and is one line of the log.

    Attributes:
        back: takes it back.
        again: does it once more.
        undone: what to say when it was taken back.
        redone: what to say when it was done once more.
        number: its place in the order of all steps; when it was undone, in that of all undoing.

    """

    back: Callable[[], None]
    again: Callable[[], None]
    undone: Undone
    redone: Undone
    number: int = 0


class Deeds:
    """Deeds done and undone, newest last."""

    def __init__(self) -> None:
        self._done: deque[Deed] = deque(maxlen=_MOST)
        self._undone: list[Deed] = []

    @property
    def last(self) -> Deed | None:
        """The one that can be taken back, or None."""
        return self._done[-1] if self._done else None

    @property
    def next(self) -> Deed | None:
        """The one that can be repeated, or None."""
        return self._undone[-1] if self._undone else None

    def add(self, deed: Deed, number: int) -> None:
        """Keep one that was done; what had been undone can no longer be repeated."""
        self._undone.clear()
        self._done.append(replace(deed, number=number))

    def forget_undone(self) -> None:
        """A new step was taken: what had been undone can no longer be repeated."""
        self._undone.clear()

    def undo(self, number: int) -> Undone:
        """Take the last one back; where that fails it stays."""
        deed = self._done[-1]
        deed.back()
        self._undone.append(replace(self._done.pop(), number=number))
        return deed.undone

    def redo(self, number: int) -> Undone:
        """Repeat the one last undone; where that fails it stays undone."""
        deed = self._undone[-1]
        deed.again()
        self._done.append(replace(self._undone.pop(), number=number))
        return deed.redone
