"""A large image made smaller, held in memory and filled from the disk bit by bit.

Who looks at all of an image waits for all of it to be unpacked once. So what is seen first is
filled from a part of it, spread evenly, each piece standing in for those around it that are not
read yet; the rest follows (`fill`), and where somebody looks more closely, that comes first. What
is whole may be kept in a file (`keep`, `restore`).
"""

from __future__ import annotations

import itertools
import math
import time
import zlib
from itertools import pairwise
from threading import RLock
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.storage.own_files import read_own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.picture import Pixels

_SMALLEST: Final = 1024
"""Longest side of the smallest copy, at most."""


class Overview:
    """Copies of an image, each half as wide and high as the one before, averaged.

    Args:
        read: returns a window of the image, (h, w) or (h, w, C).
        shape: (H, W) of the image.
        unit: (h, w) of what `read` unpacks at once.
        factor: a power of two: px of the image to a px of the largest copy.
        channels: () or (C,).
        dtype: of the pixels.

    Attributes:
        factors: px of the image to a px of each copy, largest copy first.
        copies: the arrays, (ceil(H / factor), ceil(W / factor)[, C]) each.

    """

    def __init__(
        self,
        read: Callable[[Window], Pixels],
        shape: Shape,
        unit: Shape,
        factor: int,
        channels: tuple[int, ...],
        dtype: np.dtype[np.generic],
    ) -> None:
        self._read, self._shape = read, shape
        self.factors = [factor]
        while max(shape) / self.factors[-1] > _SMALLEST:
            self.factors.append(2 * self.factors[-1])
        self.copies: list[Pixels] = [
            np.zeros((-(-shape[0] // f), -(-shape[1] // f), *channels), dtype) for f in self.factors
        ]
        top = self.factors[-1]
        # whole pixels of the smallest copy, and about a unit
        down, across = (
            min(-(-u // top), -(-side // top)) * top for u, side in zip(unit, shape, strict=True)
        )
        self._step = down, across
        counts = -(-shape[0] // down), -(-shape[1] // across)
        self._done = np.zeros(counts, bool)
        self._stood_in = np.zeros_like(self._done)
        self._lock = RLock()
        self._order = _spread(*counts)

    @property
    def is_done(self) -> bool:
        """Whether all of the image was read."""
        return bool(self._done.all())

    @property
    def is_begun(self) -> bool:
        """Whether any of it was."""
        return bool(self._done.any())

    def fill(self, window: Window | None = None, seconds: float | None = None) -> bool:
        """Read what is missing of a window of the image, at most for so long.

        Args:
            window: of the image; None for all of it.
            seconds: None to read until nothing is missing.

        Returns:
            Whether nothing of the window is missing.

        Raises:
            ImageError: part of the file is damaged.

        """
        is_begun, until = False, math.inf if seconds is None else time.monotonic() + seconds
        rows, columns = self._units_of(window)
        few = 4 * len(rows) * len(columns) < len(self._order)
        for row, column in itertools.product(rows, columns) if few else self._order:
            if row not in rows or column not in columns or self._done[row, column]:
                continue
            if time.monotonic() > until and is_begun:
                self._stand_in(rows, columns)
                return False
            self._read_unit(row, column)
            is_begun = True  # at least one, so that whoever goes on comes to an end
        return True

    # ----------------------------------------------------------------- on disk

    def keep(self, file: Path) -> None:
        """Write what is whole: pixels of the largest copy as they are, then their CRC-32.

        Raises:
            StorageError: the disk refused.

        """
        largest = np.ascontiguousarray(self.copies[0])
        with replacing_file(file) as out:
            out.write(largest.data)
            out.write(zlib.crc32(largest.data).to_bytes(4, "little"))

    def restore(self, file: Path) -> bool:
        """Take what was kept in place of what is not read; whether it was there, and whole.

        Raises:
            ProjectError: there is a link in the place of the file.

        """
        largest = self.copies[0]
        try:
            kept = read_own(file, largest.nbytes + 4)
        except OSError:
            return False
        pixels = kept[:-4]
        if len(pixels) != largest.nbytes or zlib.crc32(pixels).to_bytes(4, "little") != kept[-4:]:
            return False
        with self._lock:
            largest[...] = np.frombuffer(pixels, largest.dtype).reshape(largest.shape)
            for before, copy in pairwise(self.copies):
                copy[...] = averaged(before, 2)
            self._done[...] = True
        return True

    def _units_of(self, window: Window | None) -> tuple[range, range]:
        if window is None:
            return range(self._done.shape[0]), range(self._done.shape[1])
        y0, x0, y1, x1 = clipped(window, self._shape)
        down, across = self._step
        return range(y0 // down, -(-y1 // down)), range(x0 // across, -(-x1 // across))

    def _read_unit(self, row: int, column: int) -> None:
        top, left = row * self._step[0], column * self._step[1]
        window = clipped((top, left, top + self._step[0], left + self._step[1]), self._shape)
        pixels, by = self._read(window), self.factors[0]
        with self._lock:
            for factor, copy in zip(self.factors, self.copies, strict=True):
                pixels = averaged(pixels, by)
                y, x = top // factor, left // factor
                copy[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
                by = 2
            self._done[row, column] = True

    def _stand_in(self, rows: range, columns: range) -> None:
        """Show for what is not read yet the middle of the nearest piece that is."""
        with self._lock:
            nearest = ndimage.distance_transform_edt(
                ~self._done, return_distances=False, return_indices=True
            )
            for row, column in np.argwhere(~(self._done | self._stood_in)).tolist():
                if row in rows and column in columns:
                    self._copy_middle(row, column, nearest[:, row, column].tolist())
                    self._stood_in[row, column] = True

    def _copy_middle(self, row: int, column: int, of: list[int]) -> None:
        down, across = self._step
        for factor, copy in zip(self.factors, self.copies, strict=True):
            h, w = down // factor, across // factor
            y = min(of[0] * h + h // 2, copy.shape[0] - 1)
            x = min(of[1] * w + w // 2, copy.shape[1] - 1)
            copy[row * h : (row + 1) * h, column * w : (column + 1) * w] = copy[y, x]


def averaged(pixels: Pixels, by: int) -> Pixels:
    """Return an image with one pixel for every `by` × `by`, their mean, rounded as the type needs.

    Args:
        pixels: (h, w) or (h, w, C).
        by: at the right and lower edge, pixels are the mean of fewer.

    """
    if by == 1:
        return pixels
    if pixels.dtype == np.uint8:
        if pixels.ndim == 3:
            bands = [
                _reduced(np.ascontiguousarray(band), by) for band in np.moveaxis(pixels, -1, 0)
            ]
            return np.stack(bands, axis=-1)
        return _reduced(pixels, by)
    wide = np.float64 if pixels.dtype.itemsize > 2 else np.float32
    sums = pixels.astype(wide)
    counts = np.ones((), wide)
    for axis in (0, 1):
        starts = np.arange(0, pixels.shape[axis], by)
        sums = np.add.reduceat(sums, starts, axis=axis)
        sizes = np.diff(np.append(starts, pixels.shape[axis])).astype(wide)
        counts = counts * (sizes[:, None] if axis == 0 else sizes[None, :])
    means = sums / (counts[..., None] if pixels.ndim == 3 else counts)
    if pixels.dtype == np.bool_:
        return np.asarray(means >= 0.5)
    if pixels.dtype.kind in "ui":
        means = np.rint(means)
    return np.asarray(means.astype(pixels.dtype))


def _reduced(grey: NDArray[np.generic], by: int) -> Pixels:
    return np.asarray(Image.fromarray(np.ascontiguousarray(grey)).reduce(by))


def _spread(rows: int, columns: int) -> list[tuple[int, int]]:
    """Return all places of a grid so that those that come first lie evenly all over it."""
    step = 1 << max(rows, columns).bit_length()
    order: dict[tuple[int, int], None] = {}
    while step:
        half = step // 2
        for row in range(min(half, rows - 1), rows, max(step, 1)):
            for column in range(min(half, columns - 1), columns, max(step, 1)):
                order[row, column] = None
        step //= 2
    return list(order)
