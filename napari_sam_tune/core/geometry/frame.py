"""Three grids for one image: its own pixels, the encoder's padded input, the decoder's logits.

Everything here is linear and separable, so it is done as small matrix products on the part of an
image an object touches: a mask on an 8k × 8k image costs what the object costs, not the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from napari_sam_tune.core.geometry.views import half_pixel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.prompts import Mask

    Floats = NDArray[np.float32]
    BoundingBox = tuple[int, int, int, int]

# Bilinear interpolation in two steps reaches no farther than this many cells of the logits.
_REACH = 2


@dataclass(frozen=True)
class Frame:
    """Where an image lies in the encoder's input and in the decoder's logits.

    Attributes:
        original: (H, W) of the image in pixels.
        input: (h, w) of the resized image within the padded input, in input pixels.
        side: side of the padded input (1024 for the official models).
        grid: side of the low-resolution logits (256 for the official models).

    """

    original: tuple[int, int]
    input: tuple[int, int]
    side: int
    grid: int

    @property
    def cell(self) -> int:
        """Input pixels to a cell of the logits."""
        return self.side // self.grid

    @property
    def valid(self) -> tuple[int, int]:
        """Rows and columns of the logits that see any of the image; the rest is padding."""
        height, width = self.input
        return -(-height // self.cell), -(-width // self.cell)

    def to_input(self, xy: ArrayLike) -> Floats:
        """Move (..., 2) positions (x, y) from image pixels to input pixels."""
        (height, width), (h, w) = self.original, self.input
        return (np.asarray(xy, np.float64) * (w / width, h / height)).astype(np.float32)

    @property
    def half_pixel(self) -> tuple[float, float]:
        """What leads from `to_input` of a pixel to its middle, (x, y) in input pixels."""
        return half_pixel(self.original, self.input)

    def cell_to_input(self, xy: ArrayLike) -> Floats:
        """Move (..., 2) positions (x, y) from cells of the logits to input pixels.

        Whole numbers are centres of cells, and go where `to_input` puts the pixel whose middle
        lies there.
        """
        middle = (np.asarray(xy, np.float64) + 0.5) * self.cell - 0.5
        return (middle - self.half_pixel).astype(np.float32)

    def target(self, cropped: Mask, bbox: BoundingBox) -> Floats:
        """Return what the decoder should draw for an object: (rows, columns) of `valid`, 0 to 1.

        Each cell holds the share of it that the object covers, divided by the largest share next
        to it. The first keeps soft edges; the second makes a thin object, which covers no cell
        whole, count fully where it is: a share of 1/16 would teach the decoder to draw nothing.

        Args:
            cropped: the mask inside `bbox`.
            bbox: (y0, x0, y1, x1) in image pixels, ends excluded.

        """
        y0, x0, y1, x1 = bbox
        rows = _shares(self.original[0], self.input[0], self.cell, self.valid[0])[:, y0:y1]
        columns = _shares(self.original[1], self.input[1], self.cell, self.valid[1])[:, x0:x1]
        covered = rows @ cropped.astype(np.float32) @ columns.T
        fullest = ndimage.maximum_filter(covered, 3, mode="constant")
        relative: Floats = np.divide(
            covered, fullest, out=np.zeros_like(covered), where=covered > 0
        )
        return relative

    def window(self, logits: Floats, bbox: BoundingBox) -> BoundingBox:
        """Return a box (y0, x0, y1, x1) in image pixels that holds `bbox` and all that is drawn.

        Args:
            logits: (grid, grid).
            bbox: of the true object.

        """
        drawn = logits[: self.valid[0], : self.valid[1]] > 0
        y0, x0, y1, x1 = bbox
        for axis in (0, 1):
            seen = np.flatnonzero(drawn.any(axis=1 - axis))
            if seen.size == 0:
                return bbox
            pixels = self.cell * self.original[axis] / self.input[axis]
            low = max(int((seen[0] - _REACH) * pixels), 0)
            high = min(int(np.ceil((seen[-1] + 1 + _REACH) * pixels)), self.original[axis])
            if axis == 0:
                y0, y1 = min(y0, low), max(y1, high)
            else:
                x0, x1 = min(x0, low), max(x1, high)
        return y0, x0, y1, x1

    def drawn(self, logits: Floats, window: BoundingBox, threshold: float = 0.0) -> Mask:
        """Return the mask that logits (grid, grid) make inside `window`, in image pixels.

        The same two bilinear steps as `Sam.postprocess_masks`, so the same mask but for the
        rounding of floats.
        """
        y0, x0, y1, x1 = window
        rows, columns = self._stretch
        mask: Mask = rows[y0:y1] @ logits @ columns[x0:x1].T > threshold
        return mask

    @cached_property
    def _stretch(self) -> tuple[Floats, Floats]:
        """Matrices (H, grid) and (W, grid) that stretch logits to the image."""
        return (
            _stretching(self.grid, self.side, self.input[0], self.original[0]),
            _stretching(self.grid, self.side, self.input[1], self.original[1]),
        )


def _shares(original: int, resized: int, cell: int, cells: int) -> Floats:
    """Return what share of each cell each image pixel covers, along one axis: (cells, original)."""
    pixels = cell * original / resized
    low = np.arange(cells)[:, None] * pixels
    pixel = np.arange(original)[None]
    overlap = np.minimum(low + pixels, pixel + 1) - np.maximum(low, pixel)
    shares: Floats = (overlap.clip(0) / pixels).astype(np.float32)
    return shares


def _stretching(grid: int, side: int, resized: int, original: int) -> Floats:
    """Return bilinear interpolation along one axis as a matrix (original, grid)."""
    framed = functional.interpolate(torch.eye(grid)[:, None], side, mode="linear")
    full = functional.interpolate(framed[..., :resized], original, mode="linear")
    matrix: Floats = full[:, 0].T.contiguous().numpy()
    return matrix
