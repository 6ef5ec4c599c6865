"""The object in progress on an image and the steps that led to it, for undo and redo."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.session.open_object import OpenObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.session.shelf import Kept, Shelf

_UNDO_BYTES: Final = 2**30
_FEWEST_STEPS: Final = 10
_MOST_STEPS: Final = 500
"""Steps kept for undo on one image: as many as floats of its size make a gigabyte, at least ten, at
most five hundred; on all together see `Objects.MOST_STEPS`. Their pixels are up to the shelf."""


@dataclass(frozen=True, eq=False)
class Step:
    """One thing that can be taken back.

    Attributes:
        before: the object in progress before the step.
        after: and after it.
        added: id of the annotation the step wrote, or None.
        removed: id of the annotation the step removed or superseded, or None.
        number: its place in the order of the steps on all images, or, once it was undone, in that
            of undoing.

    """

    before: Kept
    after: Kept
    added: str | None = None
    removed: str | None = None
    number: int = 0

    @property
    def says(self) -> bool:
        """Whether it changed what is said of the object."""
        return self.before.open().prompt != self.after.open().prompt


class History:
    """What is worked at on one image, and the steps done and undone there, newest last.

    Args:
        shape: (H, W) of the image; as many steps are kept as masks of it reasonably allow.
        shelf: keeps the objects of all images.
        numbers: the next number of a step, of all images.

    Attributes:
        shape: the same.

    """

    def __init__(self, shape: tuple[int, int], shelf: Shelf, numbers: Iterator[int]) -> None:
        self.shape = shape
        self._shelf, self._numbers = shelf, numbers
        self._present: OpenObject | None = OpenObject()
        self._kept = shelf.keep(OpenObject())
        steps = _UNDO_BYTES // max(1, 4 * shape[0] * shape[1])
        most = int(min(max(steps, _FEWEST_STEPS), _MOST_STEPS))
        self._done: deque[Step] = deque(maxlen=most)
        self._undone: list[Step] = []

    @property
    def present(self) -> OpenObject:
        """The object in progress. Assigned to, it is another without a step of its own."""
        if self._present is None:
            self._present = self._kept.open()
        return self._present

    @present.setter
    def present(self, current: OpenObject) -> None:
        self._keep(current)

    @property
    def shows_suggestion(self) -> bool:
        """Whether the object in progress is a suggestion as it was made."""
        return self._kept.is_suggestion

    def __len__(self) -> int:
        """Return how many steps can be taken back."""
        return len(self._done)

    @property
    def first_number(self) -> int:
        """The number of its oldest step, or one beyond all others where there is none."""
        return self._done[0].number if self._done else sys.maxsize

    @property
    def last(self) -> Step | None:
        """The step that can be taken back, or None."""
        return self._done[-1] if self._done else None

    @property
    def next(self) -> Step | None:
        """The step that can be repeated, or None."""
        return self._undone[-1] if self._undone else None

    @property
    def last_said(self) -> Step | None:
        """The newest step that changed what is said of the object, or None."""
        return next((one for one in reversed(self._done) if one.says), None)

    def advance(
        self, after: OpenObject, *, added: str | None = None, removed: str | None = None
    ) -> None:
        """Take a new step; what had been undone can no longer be repeated."""
        self._undone.clear()
        before = self._kept
        self._done.append(Step(before, self._keep(after), added, removed, next(self._numbers)))

    def forget_first(self) -> None:
        """Forget the oldest step, which cannot be taken back any more."""
        self._done.popleft()

    def forget_undone(self) -> None:
        """What was undone can no longer be repeated."""
        self._undone.clear()

    def amend(self, after: OpenObject) -> None:
        """Let the step that led to the object in progress lead to `after`.

        The model's answer belongs to the click, and is no step of its own.
        """
        former = self._kept
        kept = self._keep(after)
        if self._done and self._done[-1].after is former:
            self._done[-1] = replace(self._done[-1], after=kept)

    def take_back(self) -> None:
        """Undo the last step."""
        self._undone.append(replace(self._done.pop(), number=next(self._numbers)))
        self._open(self._undone[-1].before)

    def repeat(self) -> None:
        """Redo the step last undone."""
        self._done.append(replace(self._undone.pop(), number=next(self._numbers)))
        self._open(self._done[-1].after)

    def take_out(self, number: int) -> None:
        """Take out the step of this number, which said a prompt; what was painted after it stays.

        Where it is too long ago to be kept, nothing changes.
        """
        steps = list(self._done)
        at = next((n for n, step in enumerate(steps) if step.number == number), None)
        if at is None:
            return
        kept, prompt = steps[at].before, steps[at].before.open().prompt
        for place in range(at + 1, len(steps)):
            without = replace(steps[place].after.open(), prompt=prompt)
            after = self._shelf.keep(without, kept)
            steps[place] = replace(steps[place], before=kept, after=after)
            kept = after
        self._done = deque((*steps[:at], *steps[at + 1 :]), self._done.maxlen)
        self._open(kept)

    def put_away(self) -> None:
        """Leave the object in progress to the shelf: another image comes."""
        self._present = None

    def _keep(self, current: OpenObject) -> Kept:
        self._kept, self._present = self._shelf.keep(current, self._kept), current
        return self._kept

    def _open(self, kept: Kept) -> None:
        self._kept, self._present = kept, None
