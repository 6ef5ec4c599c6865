"""The steps of work on an image, for undo and redo."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_tune.core.session.open_object import OpenObject

# Masks kept for undo on one image: about a gigabyte, at least ten steps, at most five hundred.
_UNDO_BYTES, _FEWEST_STEPS, _MOST_STEPS = 2**30, 10, 500


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
    """The steps done and undone on one image, newest last."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Make room for as many steps as masks of `shape` (H, W) reasonably allow."""
        steps = _UNDO_BYTES // max(1, 4 * shape[0] * shape[1])
        self.done: deque[Step] = deque(maxlen=int(min(max(steps, _FEWEST_STEPS), _MOST_STEPS)))
        self.undone: list[Step] = []

    def push(self, step: Step) -> None:
        """Record a new step; what had been undone can no longer be repeated."""
        self.done.append(step)
        self.undone.clear()

    def amend(self, after: OpenObject) -> None:
        """Let the newest step end in `after`: the model's answer belongs to the click."""
        if self.done:
            self.done[-1] = replace(self.done[-1], after=after)
