"""What a person painted: pixels that stay as they are, whatever the model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask


@dataclass(frozen=True, eq=False)
class Correction:
    """Pixels a person painted or erased by hand; the model never changes them back.

    Attributes:
        locked: the pixels that were touched.
        values: what they were set to; nothing is inside where they were not touched.
    """

    locked: PlacedMask
    values: PlacedMask

    @classmethod
    def between(
        cls, before: PlacedMask, after: PlacedMask, earlier: Correction | None = None
    ) -> Correction:
        """Lock the pixels that differ between two masks, on top of an earlier correction."""
        locked = before ^ after
        if earlier is not None:
            locked = locked | earlier.locked
        return cls(locked=locked, values=after & locked)

    def apply(self, mask: PlacedMask) -> PlacedMask:
        """Return `mask` with the painted pixels put back."""
        return (mask - self.locked) | self.values

    @property
    def painted_pixels(self) -> int:
        """How many pixels were touched by hand."""
        return self.locked.area
