"""Parts of images: (y0, x0, y1, x1) in px, ends excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Shape = tuple[int, int]
"""(H, W) in px."""
Window = tuple[int, int, int, int]
"""Part of an image, (y0, x0, y1, x1) in px, ends excluded."""
BoundingBox = tuple[int, int, int, int]
"""(y0, x0, y1, x1) in px, ends excluded."""


def whole(shape: Shape) -> Window:
    """Return the window that is the image."""
    return 0, 0, *shape


def shape_of(window: Window) -> Shape:
    """Return (H, W) of a window."""
    return window[2] - window[0], window[3] - window[1]


def resized_shape(shape: Shape, side: int) -> Shape:
    """The (h, w) an image of `shape` (H, W) has for the encoder: longest side `side`, none below 1.

    As segment-anything's `ResizeLongestSide`, which rounds the short side of very long images to 0.
    """
    scale = side * 1.0 / max(shape)
    height, width = (max(1, int(length * scale + 0.5)) for length in shape)
    return height, width


def moved(window: Window, shift: tuple[int, int]) -> Window:
    """Return a window (rows, columns) px further down and right."""
    down, right = shift
    return window[0] + down, window[1] + right, window[2] + down, window[3] + right


def grown(window: Window, by: int) -> Window:
    """Return a window with so many px more on every side."""
    return window[0] - by, window[1] - by, window[2] + by, window[3] + by


def hull(windows: Sequence[Window]) -> Window:
    """Return the smallest window that holds all of at least one."""
    y0, x0, y1, x1 = zip(*windows, strict=True)
    return min(y0), min(x0), max(y1), max(x1)


def clipped(window: Window, shape: Sequence[int]) -> Window:
    """Return what of a window lies in an image of a shape (H, W)."""
    (y0, y1), (x0, x1) = (
        np.clip((window[axis], window[axis + 2]), 0, shape[axis]).tolist() for axis in (0, 1)
    )
    return y0, x0, y1, x1


def tile_at(y: int, x: int, length: int, shape: Shape) -> Window:
    """Return the square of a side with its corner at a place, or against the image's border."""
    y, x = (max(0, min(at, end - length)) for at, end in zip((y, x), shape, strict=True))
    return y, x, min(y + length, shape[0]), min(x + length, shape[1])


def tiles(shape: Shape, length: int, box: BoundingBox | None = None) -> list[Window]:
    """Return the tiles of a side that cover a box of an image (H, W), or all of it, row by row.

    All are of that side, or as large as the image: the last ones lie against its border.
    """
    y0, x0, y1, x1 = whole(shape) if box is None else box
    rows, columns = (
        range(first // length * length, end, length) for first, end in ((y0, y1), (x0, x1))
    )
    return [tile_at(y, x, length, shape) for y in rows for x in columns]


def meet(one: Window, other: Window) -> bool:
    """Whether two windows share a pixel."""
    return all(max(one[axis], other[axis]) < min(one[axis + 2], other[axis + 2]) for axis in (0, 1))


def area(window: Window) -> int:
    """Return the px of a window; 0 where it ends before it begins."""
    height, width = shape_of(window)
    return max(0, height) * max(0, width)


def iou(one: Window, other: Window) -> float:
    """Return the intersection over the union of two windows."""
    common = area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )
    return common / max(area(one) + area(other) - common, 1)


def bounding_box(mask: NDArray[np.bool_]) -> BoundingBox:
    """Return (y0, x0, y1, x1) of a mask that is not empty, ends excluded."""
    rows = np.flatnonzero(mask.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    return top, int(columns[0]), bottom, int(columns[-1]) + 1
