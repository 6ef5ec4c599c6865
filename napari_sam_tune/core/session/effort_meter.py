"""What a person did for the object in progress, counted until it is accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from napari_sam_tune.core.prompts import Effort, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable


# A pause longer than this is a coffee, not work on the mask.
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class EffortMeter:
    """Counts what the person does until a mask is accepted.

    Work on proposals that were undone or rejected counts towards the next accepted mask: the sum
    over records is all the work there was.
    """

    clicks: int = 0
    boxes: int = 0
    strokes: int = 0
    seconds: float = 0.0
    clock: Callable[[], float] = monotonic
    _last: float | None = field(default=None, repr=False)

    def tick(self) -> None:
        """Add the time since the last action, as far as it was no break."""
        now = self.clock()
        if self._last is not None:
            self.seconds += min(now - self._last, _LONGEST_PAUSE_SECONDS)
        self._last = now

    def said(self, prompt: Prompt, earlier: Prompt | None) -> None:
        """Count what `prompt` adds to `earlier`."""
        self.tick()
        known = set() if earlier is None else set(zip(earlier.points, earlier.labels, strict=True))
        self.clicks += sum(
            pair not in known for pair in zip(prompt.points, prompt.labels, strict=True)
        )
        self.boxes += prompt.box is not None and (earlier is None or earlier.box != prompt.box)

    def decided(self) -> None:
        """Count a suggestion that was looked at and turned down, as one click."""
        self.tick()
        self.clicks += 1

    def stroke(self) -> None:
        """Count one stroke: of the brush, of the eraser, along a line or around an object."""
        self.tick()
        self.strokes += 1

    def reading(self, painted_pixels: int) -> Effort:
        """Return the effort so far, up to this moment."""
        self.tick()
        return Effort(self.clicks, self.boxes, self.strokes, painted_pixels, self.seconds)

    def give_back(self, effort: Effort) -> None:
        """Count again what went into a mask whose acceptance was undone."""
        self._add(effort, 1)

    def take_out(self, effort: Effort) -> None:
        """Count no more what is in a record again; the clock starts at the next action."""
        self._add(effort, -1)
        self._last = None

    def _add(self, effort: Effort, sign: int) -> None:
        self.clicks += sign * effort.clicks
        self.boxes += sign * effort.boxes
        self.strokes += sign * effort.strokes
        self.seconds += sign * effort.seconds

    def reset(self) -> None:
        """Begin counting for the next mask; its clock starts at its first action."""
        self.clicks = self.boxes = self.strokes = 0
        self.seconds, self._last = 0.0, None
