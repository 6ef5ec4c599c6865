"""What of each cell of a coarse grid a mask covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask


def coverage(
    mask: Mask,
    box: tuple[int, int, int, int],
    cell_size: tuple[float, float],
    cells: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the (rows, columns) of shares that `coverage_in_part` returns a part of."""
    out = np.zeros(cells, np.float32)
    part, share = coverage_in_part(mask, box, cell_size, cells)
    out[part] = share
    return out


def coverage_in_part(
    mask: Mask,
    box: tuple[int, int, int, int],
    cell_size: tuple[float, float],
    cells: tuple[int, int],
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Return the rows and columns of cells that a mask touches, and the share it covers; exact.

    Args:
        mask: (h, w) bool, cut to its box.
        box: (y0, x0, y1, x1) in image px.
        cell_size: height and width of a cell in image px, whole or not.
        cells: rows and columns of the grid.

    """
    sums = np.asarray(mask, np.float64)
    window = []
    for axis in (0, 1):
        length, start = cell_size[axis], box[axis]
        first = int(start / length)
        last = min(int(np.ceil(box[axis + 2] / length)), cells[axis])
        edges = np.arange(first, last + 1) * length - start
        window.append(slice(first, last))
        # the area up to an edge grows linearly between two pixels
        up_to = np.concatenate([np.zeros_like(sums.take([0], axis)), np.cumsum(sums, axis)], axis)
        below = np.clip(np.floor(edges).astype(int), 0, mask.shape[axis])
        above = np.clip(below + 1, 0, mask.shape[axis])
        part = np.expand_dims(np.clip(edges - below, 0, 1), 1 - axis)
        at = up_to.take(below, axis) * (1 - part) + up_to.take(above, axis) * part
        sums = np.diff(at, axis=axis)
    share = (sums / (cell_size[0] * cell_size[1])).astype(np.float32)
    return (window[0], window[1]), share
