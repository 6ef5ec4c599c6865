"""Masks as numbers in the array of a layer; only what is another than before is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask


@dataclass(frozen=True, eq=False)
class AcceptedObject:
    """What the accepted layer shows of one annotation.

    Attributes:
        id: the annotation's id.
        mask: bool, cut to the bounding box.
        corner: (row, column) of the box's first pixel.
        colour: its class's colour, "#rrggbb".

    """

    id: str
    mask: Mask
    corner: tuple[int, int]
    colour: str


class Painted:
    """Objects as numbers: the first one is 1.

    Args:
        numbers: (H, W), zero.

    Attributes:
        numbers: the same, painted in place.

    """

    def __init__(self, numbers: NDArray[Any]) -> None:
        self.numbers = numbers
        self._objects: list[AcceptedObject] = []
        self._cover = False

    def paint(self, objects: Sequence[AcceptedObject], *, cover: bool) -> bool:
        """Paint these objects and no others; returns whether any number is another than before.

        Args:
            objects: oldest first.
            cover: whether later masks cover their neighbours, or stop at them.

        """
        before, now = self._objects, list(objects)
        known = len(before)  # most often one came to those that are there
        same = map(_is_as_before, now, before)
        if cover != self._cover or len(now) < known or not all(same):
            known = 0
            for shown in before:
                self._window(shown)[...] = 0
        for value, shown in enumerate(now[known:], start=known + 1):
            window = self._window(shown)
            window[shown.mask if cover else shown.mask & (window == 0)] = value
        self._objects, self._cover = now, cover
        return known < max(len(now), len(before))

    def _window(self, shown: AcceptedObject) -> NDArray[Any]:
        (row, column), (height, width) = shown.corner, shown.mask.shape
        window: NDArray[Any] = self.numbers[row : row + height, column : column + width]
        return window


def _is_as_before(now: AcceptedObject, before: AcceptedObject) -> bool:
    return now.id == before.id and now.mask is before.mask and now.corner == before.corner


def rows_of(numbers: NDArray[np.uint8], mask: Mask | None) -> slice:
    """Return the rows in which either has anything but zeros, (H, W) both."""
    # of many pixels this is quicker than any other look
    filled = numbers.max(axis=1, initial=0)
    if mask is not None:
        filled |= mask.view(np.uint8).max(axis=1, initial=0)
    rows = np.flatnonzero(filled)
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)
