"""A mask as what lies in its box, and where the box lies: it costs the object, not the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.windows import area, bounding_box, clipped, shape_of, whole
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape, Window

    Mask = NDArray[np.bool_]

LARGEST: Final = 2**30
"""Px of the largest box: what is farther apart is no object, and would fill the memory."""


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """A mask of an image; not to be changed. Two are equal where all their pixels are.

    Made by `of`, `in_window` and `empty`, which see to it that the box is the smallest.

    Attributes:
        shape: (H, W) of the image.
        bbox: (y0, x0, y1, x1), the smallest box that holds it, in px, ends excluded; None where
            nothing is inside.
        cropped: (h, w) bool, the mask in its box; (0, 0) where nothing is inside.

    """

    shape: Shape
    bbox: BoundingBox | None
    cropped: Mask

    @classmethod
    def of(cls, mask: Mask) -> PlacedMask:
        """Place an (H, W) bool mask of a whole image; what is inside is copied."""
        height, width = mask.shape
        return cls.in_window(mask, (0, 0, height, width), (height, width))

    @classmethod
    def in_window(cls, mask: Mask, window: Window, shape: Shape) -> PlacedMask:
        """Place the mask of a window of an image; what is inside is copied.

        Args:
            mask: (h, w) bool, of the window.
            window: (y0, x0, y1, x1); what of it lies beyond the image is left out.
            shape: (H, W) of the image.

        """
        y0, x0, y1, x1 = clipped(window, shape)
        top, left, _, _ = window
        seen = mask[y0 - top : y1 - top, x0 - left : x1 - left]
        if not seen.any():
            return cls.empty(shape)
        down, right, bottom, end = bounding_box(seen)
        cropped = seen[down:bottom, right:end].copy()
        cropped.flags.writeable = False
        return cls(shape, (y0 + down, x0 + right, y0 + bottom, x0 + end), cropped)

    @classmethod
    def empty(cls, shape: Shape) -> PlacedMask:
        """Return the mask of an (H, W) image in which nothing is inside."""
        return cls(shape, None, np.zeros((0, 0), bool))

    # --------------------------------------------------------------- looking

    def any(self) -> bool:
        """Whether anything is inside."""
        return self.bbox is not None

    @cached_property
    def area(self) -> int:
        """Pixels inside."""
        return int(np.count_nonzero(self.cropped))

    @property
    def nbytes(self) -> int:
        """What it takes in memory, in bytes."""
        return self.cropped.nbytes

    @property
    def first(self) -> tuple[int, int]:
        """Row and column of the first pixel inside, row by row; (0, 0) where none is."""
        if self.bbox is None:
            return 0, 0
        return self.bbox[0], self.bbox[1] + int(self.cropped[0].argmax())

    def covers(self, row: int, column: int) -> bool:
        """Whether a pixel is inside; none beyond the image is."""
        if self.bbox is None:
            return False
        y0, x0, y1, x1 = self.bbox
        return y0 <= row < y1 and x0 <= column < x1 and bool(self.cropped[row - y0, column - x0])

    def crop(self, window: Window) -> Mask:
        """Return an (h, w) bool array of a window; beyond the image nothing is inside."""
        drawn = np.zeros(shape_of(window), bool)
        if self.bbox is not None:
            seen = _common(self.bbox, window)
            if area(seen):
                drawn[_within(seen, window)] = self.cropped[_within(seen, self.bbox)]
        return drawn

    def draw(self) -> Mask:
        """Return the (H, W) bool array of the whole image: as large as the image."""
        return self.crop(whole(self.shape))

    def within(self, window: Window) -> PlacedMask:
        """Return what of it lies in a window of the image, as if that were the image."""
        shape = shape_of(window)
        if self.bbox is None:
            return PlacedMask.empty(shape)
        y0, x0, y1, x1 = self.bbox
        top, left, _, _ = window
        return PlacedMask.in_window(self.cropped, (y0 - top, x0 - left, y1 - top, x1 - left), shape)

    # -------------------------------------------------------------- combining

    def __or__(self, other: PlacedMask) -> PlacedMask:
        """Return what is inside one of two masks.

        Raises:
            MaskError: their images differ in size, or they are too far apart.

        """
        if not self.any() or not other.any():
            self._require_same_image(other)
            return other if other.any() else self
        return self._combine(other, np.logical_or)

    def __xor__(self, other: PlacedMask) -> PlacedMask:
        """Return what is inside just one of two masks; raises as `|` does."""
        return self._combine(other, np.logical_xor)

    def __and__(self, other: PlacedMask) -> PlacedMask:
        """Return what is inside both masks.

        Raises:
            MaskError: their images differ in size.

        """
        self._require_same_image(other)
        if self.bbox is None or other.bbox is None:
            return PlacedMask.empty(self.shape)
        box = _common(self.bbox, other.bbox)
        if not area(box):
            return PlacedMask.empty(self.shape)
        both = self.cropped[_within(box, self.bbox)] & other.cropped[_within(box, other.bbox)]
        return PlacedMask.in_window(both, box, self.shape)

    def __sub__(self, other: PlacedMask) -> PlacedMask:
        """Return what is inside the first mask and not inside the other; raises as `&` does."""
        self._require_same_image(other)
        if self.bbox is None or not other.any():
            return self
        left = self.cropped & ~other.crop(self.bbox)
        return PlacedMask.in_window(left, self.bbox, self.shape)

    def __eq__(self, other: object) -> bool:
        """Whether both are of images of one size and all their pixels are the same."""
        if not isinstance(other, PlacedMask):
            return NotImplemented
        same_place = (self.shape, self.bbox) == (other.shape, other.bbox)
        return same_place and np.array_equal(self.cropped, other.cropped)

    __hash__ = None  # type: ignore[assignment]

    def _combine(self, other: PlacedMask, operation: Callable[[Mask, Mask], Mask]) -> PlacedMask:
        self._require_same_image(other)
        boxes = [box for box in (self.bbox, other.bbox) if box is not None]
        if not boxes:
            return self
        y0, x0 = np.min(boxes, axis=0)[:2].tolist()
        y1, x1 = np.max(boxes, axis=0)[2:].tolist()
        box = y0, x0, y1, x1
        require_one_mask(box)
        return PlacedMask.in_window(operation(self.crop(box), other.crop(box)), box, self.shape)

    def _require_same_image(self, other: PlacedMask) -> None:
        if self.shape != other.shape:
            raise MaskError(
                f"One mask is of an image of {self.shape[0]} × {self.shape[1]} px and the other of "
                f"one of {other.shape[0]} × {other.shape[1]} px; they cannot be put together."
            )


def require_one_mask(box: BoundingBox) -> None:
    """Refuse a box that is larger than a mask may be.

    Raises:
        MaskError: it is.

    """
    if area(box) > LARGEST:
        raise MaskError(
            tr(
                "The parts of this object lie up to {far:,} px apart, too far for one mask: accept "
                "them as objects of their own.",
                far=max(shape_of(box)),
            )
        )


def _common(one: Window, other: Window) -> Window:
    """Return what two windows share; it ends before it begins where that is nothing."""
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )


def _within(part: Window, window: Window) -> tuple[slice, slice]:
    """Return where in the array of a window a part of it lies."""
    top, left, _, _ = window
    return slice(part[0] - top, part[2] - top), slice(part[1] - left, part[3] - left)
