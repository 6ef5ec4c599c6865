"""Arrays of OME-Zarr that labels are read from, and how that is done safely."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from napari_sam_tune.core.errors import ImageError, MaskError
from napari_sam_tune.core.images.blosc_chunks import check_blosc
from napari_sam_tune.core.images.large_image import MOST_SIDE
from napari_sam_tune.core.images.large_zarr import chunk_files
from napari_sam_tune.core.images.picture import MOST_BYTES, check_claim
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window

_MOST_AT_ONCE: Final = 256 << 20
"""Bytes of a chunk of what is read in parts."""


def opened(path: Path, *, in_parts: bool = False) -> zarr.Array[Any]:
    """Open an array whose metadata can be trusted.

    Args:
        path: its folder.
        in_parts: it is not read at once, so that it may be large where its chunks are not.

    Raises:
        MaskError, ImageError: it is none, damaged, or too large to unpack.

    """
    try:
        found = zarr.open_array(path, mode="r")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise MaskError(
            tr("{path} is no zarr array, or damaged: {error}.", path=path, error=error)
        ) from error
    held = math.prod(found.shards or found.chunks) * found.dtype.itemsize
    if held > MOST_BYTES:  # a chunk is unpacked whole, however small the array
        raise MaskError(
            tr(
                "{path} has chunks of {size:.1f} GB: write it in smaller ones.",
                path=path,
                size=held / 1e9,
            )
        )
    if in_parts and held <= _MOST_AT_ONCE and max(found.shape, default=0) <= MOST_SIDE:
        return found
    # absent chunks are all one value, and take no place
    check_claim(found.nbytes, sum(f.stat().st_size for f in path.rglob("*")), str(path))
    return found


class LabelPlane:
    """A label image in a `.zarr`, of which windows are read.

    Args:
        path: the array's folder.
        array: the same, opened; all axes but the last two are of length 1.

    """

    def __init__(self, path: Path, array: zarr.Array[Any]) -> None:
        self._path, self._array = path, array

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W)."""
        return self._array.shape[-2:]

    @property
    def unit(self) -> tuple[int, int]:
        """(h, w) of a chunk."""
        height, width = (self._array.shards or self._array.chunks)[-2:]
        return height, width

    def read(self, window: Window) -> NDArray[Any]:
        """Return the (h, w) numbers of a window.

        Raises:
            MaskError: a chunk is damaged.

        """
        y0, x0, y1, x1 = window
        bounds = [(0, 1)] * (self._array.ndim - 2) + [(y0, y1), (x0, x1)]
        files = chunk_files(self._path, self._array, bounds)
        key = tuple(slice(*bound) for bound in bounds)
        return _read(self._path, self._array, files, key).reshape((y1 - y0, x1 - x0))


class Enlarged:
    """A label image whose pixels are each so many pixels of its image long and high.

    Args:
        plane: as it is stored.
        factor: that many.
        shape: (H, W) of the image.

    """

    def __init__(self, plane: LabelPlane, factor: int, shape: tuple[int, int]) -> None:
        self._plane, self._factor, self._shape = plane, factor, shape

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) of the image."""
        return self._shape

    @property
    def unit(self) -> tuple[int, int]:
        """(h, w) of what is unpacked at once."""
        height, width = self._plane.unit
        return height * self._factor, width * self._factor

    def read(self, window: Window) -> NDArray[Any]:
        """Return the (h, w) numbers of a window of the image; raises as `LabelPlane.read`."""
        sides = zip(window[:2], window[2:], self._plane.shape, strict=True)
        rows, columns = (
            np.minimum(np.arange(low, high) // self._factor, stored - 1)
            for low, high, stored in sides
        )
        part = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        return self._plane.read(part)[np.ix_(rows - rows[0], columns - columns[0])]


def values_of(path: Path, array: zarr.Array[Any]) -> NDArray[Any]:
    """Read an array that was opened.

    Raises:
        MaskError: it is damaged.

    """
    return _read(path, array, None, ...)


def _read(path: Path, array: zarr.Array[Any], files: list[Path] | None, key: Any) -> NDArray[Any]:
    try:
        check_blosc(path, array, files)
        return np.asarray(array[key])
    except ImageError as error:
        raise MaskError(str(error)) from error
    except (RuntimeError, ValueError, TypeError, OSError) as error:  # of decompressors
        raise MaskError(tr("{path} cannot be read: {error}.", path=path, error=error)) from error
