"""Where the pixels of a large image come from, beside files: see `large_tiff` and `large_zarr`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.picture import Pixels


class Source(Protocol):
    """Where the pixels of a large image come from.

    Attributes:
        shapes: (H, W) of each level that is stored, finest first.
        channels: () or (C,), as of the arrays.
        dtype: of the pixels.
        units: (h, w) of what is unpacked at once, of each level.

    """

    shapes: tuple[Shape, ...]
    channels: tuple[int, ...]
    dtype: np.dtype[Any]
    units: tuple[Shape, ...]

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window of a level, (h, w) or (h, w, C); it lies inside."""


class HeldSource:
    """An image that is in memory, such as one whose file cannot be read in parts.

    Args:
        pixels: (H, W) or (H, W, C).

    Attributes:
        pixels: the same.

    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.shapes: tuple[Shape, ...] = ((pixels.shape[0], pixels.shape[1]),)
        self.channels, self.dtype = pixels.shape[2:], pixels.dtype
        self.units: tuple[Shape, ...] = ((256, pixels.shape[1]),)

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window."""
        y0, x0, y1, x1 = window
        return self.pixels[y0:y1, x0:x1]


class SlicedSource:
    """Arrays of whoever made them, of which what is sliced is computed or read: dask's, zarr's.

    Args:
        levels: the image in several sizes, finest first; the last two axes are rows and columns, or
            the last three with colours.
        plane: which one of a stack, where there are axes before those.
        channels: () or (C,).

    """

    def __init__(
        self, levels: Sequence[Any], plane: tuple[int, ...] = (), channels: tuple[int, ...] = ()
    ) -> None:
        self._levels, self._plane = list(levels), plane
        first = len(plane)
        self.shapes: tuple[Shape, ...] = tuple(
            (int(level.shape[first]), int(level.shape[first + 1])) for level in levels
        )
        self.channels, self.dtype = channels, np.dtype(levels[0].dtype).newbyteorder("=")
        self.units: tuple[Shape, ...] = tuple(
            _unit(level, first, shape) for level, shape in zip(levels, self.shapes, strict=True)
        )

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window of a level."""
        y0, x0, y1, x1 = window
        found = self._levels[level][(*self._plane, slice(y0, y1), slice(x0, x1))]
        return np.asarray(found, self.dtype)


def _unit(level: Any, rows: int, shape: Shape) -> Shape:
    """Return what is computed at once of an array: a chunk, where it says so."""
    chunk = getattr(level, "chunksize", None) or getattr(level, "chunks", None) or ()
    sides = chunk[rows : rows + 2]
    if len(sides) < 2 or not all(isinstance(side, int) for side in sides):
        sides = 256, 256
    return min(sides[0], shape[0]), min(sides[1], shape[1])
