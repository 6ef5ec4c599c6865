"""The object in progress on an image and the steps that led to it, for undo and redo."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from napari_sam_tune.core.session.open_object import OpenObject

_UNDO_BYTES: Final = 2**30
_FEWEST_STEPS: Final = 10
_MOST_STEPS: Final = 500
"""Masks kept for undo on one image: about a gigabyte, at least ten steps, at most five hundred."""


@dataclass(frozen=True, eq=False)
class Step:
    """One thing that can be taken back.

    Attributes:
        before: the object in progress before the step.
        after: and after it.
        added: id of the annotation the step wrote, or None.
        removed: id of the annotation the step removed or superseded, or None.

    """

    before: OpenObject
    after: OpenObject
    added: str | None = None
    removed: str | None = None


class History:
    """What is worked at on one image, and the steps done and undone there, newest last.

    Args:
        shape: (H, W) of the image; as many steps are kept as masks of it reasonably allow.

    Attributes:
        shape: the same.
        present: the object in progress. Assigned to, it is another without a step of its own.

    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.present = OpenObject()
        steps = _UNDO_BYTES // max(1, 4 * shape[0] * shape[1])
        most = int(min(max(steps, _FEWEST_STEPS), _MOST_STEPS))
        self._done: deque[Step] = deque(maxlen=most)
        self._undone: list[Step] = []

    @property
    def last(self) -> Step | None:
        """The step that can be taken back, or None."""
        return self._done[-1] if self._done else None

    @property
    def next(self) -> Step | None:
        """The step that can be repeated, or None."""
        return self._undone[-1] if self._undone else None

    def advance(
        self, after: OpenObject, *, added: str | None = None, removed: str | None = None
    ) -> None:
        """Take a new step; what had been undone can no longer be repeated."""
        self._done.append(Step(self.present, after, added, removed))
        self._undone.clear()
        self.present = after

    def amend(self, after: OpenObject) -> None:
        """Let the step that led to the object in progress lead to `after`.

        The model's answer belongs to the click, and is no step of its own.
        """
        if self._done and self._done[-1].after is self.present:
            self._done[-1] = replace(self._done[-1], after=after)
        self.present = after

    def take_back(self) -> None:
        """Undo the last step."""
        self._undone.append(self._done.pop())
        self.present = self._undone[-1].before

    def repeat(self) -> None:
        """Redo the step last undone."""
        self._done.append(self._undone.pop())
        self.present = self._done[-1].after
