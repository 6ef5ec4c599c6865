"""Masks as polygons, for formats that know nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask

    Ring = NDArray[np.float64]


def rings(mask: Mask) -> tuple[list[Ring], list[Ring]]:
    """Outline a mask half-way between the centres of pixels inside and outside.

    pycocotools, and whoever else asks where a pixel's centre is, gets the very mask back, but for
    its holes.

    Args:
        mask: (H, W) bool. Parts that touch at a corner are one part.

    Returns:
        the outer rings and those of holes, each (N, 2) as (x, y) from the outer corner of the first
        pixel, not closed.

    """
    outer: list[Ring] = []
    holes: list[Ring] = []
    for contour in _contours(mask):
        ring = contour[:-1, ::-1] + 0.5
        (outer if _is_outer(contour) else holes).append(ring)
    return outer, holes


def boundaries(mask: Mask) -> tuple[list[NDArray[np.int64]], bool]:
    """Follow the outermost pixels of each part, as OpenCV's `findContours` does.

    Args:
        mask: (H, W) bool. Parts that touch at a corner are one part. A part in the hole of another
            goes with it: holes are filled, and what is outlined twice counts as outside.

    Returns:
        for each part (N, 2) as (x, y) of pixels, those between two on a straight line left out;
        and whether the mask has holes.

    """
    filled = np.asarray(ndimage.binary_fill_holes(mask))
    outer = [_straightened(_inside(contour, filled)) for contour in _contours(filled)]
    return outer, bool((filled != mask).any())


def _contours(mask: Mask) -> list[NDArray[np.float64]]:
    """Return closed contours as (row, column), where 0 is the first pixel's centre."""
    framed = np.pad(mask, 1).astype(np.float64)
    found = find_contours(framed, 0.5, fully_connected="high")  # type: ignore[no-untyped-call]
    return [contour - 1 for contour in found]


def _is_outer(contour: NDArray[np.float64]) -> bool:
    """Tell by its sense of rotation whether a contour goes round pixels or round a hole."""
    rows, columns = contour[:-1].T
    return bool(np.sum(rows * np.roll(columns, -1) - columns * np.roll(rows, -1)) < 0)


def _inside(contour: NDArray[np.float64], mask: Mask) -> NDArray[np.int64]:
    """Move each point, half-way between two pixels, to the one inside; (x, y)."""
    low, high = np.floor(contour[:-1]).astype(int), np.ceil(contour[:-1]).astype(int)
    framed = np.pad(mask, 1)
    is_low = framed[low[:, 0] + 1, low[:, 1] + 1]
    return np.where(is_low[:, None], low, high)[:, ::-1]


def _straightened(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    steps = pixels - np.roll(pixels, 1, axis=0)
    pixels = pixels[steps.any(axis=1)] if steps.any() else pixels[:1]
    before = np.sign(pixels - np.roll(pixels, 1, axis=0))
    after = np.sign(np.roll(pixels, -1, axis=0) - pixels)
    turns = (before != after).any(axis=1)
    return pixels[turns] if turns.any() else pixels
