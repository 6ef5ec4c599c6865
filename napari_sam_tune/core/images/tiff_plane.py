"""One plane of a TIFF that holds several, whichever of its pages that takes."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from napari_sam_tune.core.images.picture import check_claim
from napari_sam_tune.core.images.pictures import errors_told
from napari_sam_tune.core.images.tiff_picture import TiffPicture, as_shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.axes import Parts
    from napari_sam_tune.core.images.picture import Pixels

_MAPPED_SIDE: Final = 256
"""Px a side of what is read at once of what lies in a file as it is."""
_IN_A_PLANE: Final = ("rows", "columns", "channels", "colours")


def order_of(parts: Parts) -> list[int]:
    """Return how what is left of an array, cut at a plane, is turned to (H, W[, C][, S])."""
    left = [part for part in parts if isinstance(part, str)]
    return [left.index(role) for role in _IN_A_PLANE if role in left]


def read_plane(picture: TiffPicture, parts: Parts) -> Pixels:
    """Read a plane with all its channels.

    Args:
        picture: the file, opened.
        parts: of each axis of the file where the plane lies along it, or what the axis is.

    Returns:
        (H, W), with (C,) where there are several channels, with (S,) where there are colours.

    Raises:
        ImageError: it takes more memory than is given, or is damaged.

    """
    series = picture.series
    sizes = [n for n, part in zip(series.shape, parts, strict=True) if isinstance(part, str)]
    check_claim(int(np.prod(sizes)) * series.dtype.itemsize, picture.size, picture.called)
    key = tuple(part if isinstance(part, int) else slice(None) for part in parts)
    numbers = pages_of(series, key)
    if numbers is not None:
        picture.check_packed([series.pages[int(n)] for n in numbers.ravel()])
    try:
        with series.aszarr(level=0) as store:
            cut = np.asarray(zarr.open_array(store, mode="r")[key])
    except ValueError as error:
        pages = _by_pillow(picture, numbers, sizes) if "imagecodecs" in str(error) else None
        if pages is None:
            raise
        cut = pages
    return _shown(cut.transpose(order_of(parts)), parts, series.keyframe)


def pages_of(series: Any, key: tuple[int | slice, ...]) -> NDArray[np.intp] | None:
    """Return the numbers of the pages that a cut touches; None where there is not a page for each.

    Programs write uncompressed planes one after the other and describe the first alone.
    """
    leading = series.shape[: len(series.shape) - len(series.keyframe.shape)]
    if len(series.pages) != int(np.prod(leading, dtype=np.int64)):
        return None
    return np.atleast_1d(np.arange(len(series.pages)).reshape(leading)[key[: len(leading)]])


def _by_pillow(
    picture: TiffPicture, numbers: NDArray[np.intp] | None, sizes: list[int]
) -> NDArray[Any] | None:
    """Read pages that tifffile unpacks only with a package that is not there."""
    if numbers is None or picture.series.keyframe.samplesperpixel > 1:
        return None
    pages = [picture.page_by_pillow(picture.series.pages[int(n)].index) for n in numbers.ravel()]
    whole = np.stack(pages)
    if whole.dtype != picture.series.dtype or whole.size != int(np.prod(sizes)):
        return None
    return whole.reshape(sizes)


def _shown(pixels: Pixels, parts: Parts, page: Any) -> Pixels:
    """Return brightnesses and colours; see `tiff_picture.as_shown`."""
    if "channels" not in parts:
        return np.ascontiguousarray(as_shown(pixels, page))
    each = [as_shown(pixels[:, :, n], page) for n in range(pixels.shape[2])]
    return np.stack(each, axis=2) if len(each) > 1 else np.ascontiguousarray(each[0])


class _Mapped:
    """Planes that lie in a file one after the other, packed by nothing: mapped while one is read.

    As a zarr of tifffile's a plane is a single chunk, which is read whole for every window.
    """

    def __init__(self, path: Path, series: Any) -> None:
        self._path, self._offset = path, int(series.dataoffset)
        self._dtype = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
        self.shape: tuple[int, ...] = tuple(map(int, series.shape))
        self.ndim = len(self.shape)
        self.chunks = tuple(min(side, _MAPPED_SIDE) for side in self.shape)

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        found = np.memmap(self._path, self._dtype, "r", self._offset, self.shape)
        return np.array(found[key], self._dtype.newbyteorder("="))


class TiffPlaneSource:
    """The pixels of a large plane of a TIFF, from the disk whenever they are asked for.

    The file stays open as long as this lives: to find a plane among thousands takes long.

    Args:
        path: the file.
        parts: see `read_plane`; rows, columns, and channels or colours.

    Attributes:
        shapes: (H, W) of each level, finest first.
        channels: () or (C,).
        dtype: of the pixels.
        units: (h, w) of what is unpacked at once, of each level.

    Raises:
        ImageError: it is damaged.

    """

    def __init__(self, path: Path, parts: Parts) -> None:
        self._path, self._parts, self._lock = path, parts, threading.Lock()
        with errors_told(str(path)):
            file = path.open("rb")
            weakref.finalize(self, file.close)
            self._picture = TiffPicture(file, str(path), path.stat().st_size)
            series = self._picture.series
            stores = [level.aszarr() for level in series.levels] if len(series.levels) > 1 else []
            self._arrays: list[Any]
            if not stores and series.dataoffset is not None:
                self._arrays = [_Mapped(path, series)]
            else:
                stores = stores or [series.aszarr(level=0)]
                self._arrays = [zarr.open_array(store, mode="r") for store in stores]
        self._y, self._x = parts.index("rows"), parts.index("columns")
        first = self._arrays[0]
        self._arrays = [a for a in self._arrays if self._is_like(a, first)]
        self.shapes: tuple[Shape, ...] = tuple(self._plane(a.shape) for a in self._arrays)
        self.units: tuple[Shape, ...] = tuple(self._plane(a.chunks) for a in self._arrays)
        corner = self.read(0, (0, 0, 1, 1))
        self.channels, self.dtype = corner.shape[2:], corner.dtype

    def _is_like(self, array: Any, first: Any) -> bool:
        sides = (self._y, self._x)
        return array.ndim == first.ndim and all(
            array.shape[n] == first.shape[n] for n in range(first.ndim) if n not in sides
        )

    def _plane(self, sides: tuple[int, ...]) -> Shape:
        return int(sides[self._y]), int(sides[self._x])

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window of a level.

        Raises:
            ImageError: the file is damaged.

        """
        y0, x0, y1, x1 = window
        key = [part if isinstance(part, int) else slice(None) for part in self._parts]
        key[self._y], key[self._x] = slice(y0, y1), slice(x0, x1)
        with errors_told(str(self._path)), self._lock:
            cut = np.asarray(self._arrays[level][tuple(key)])
            return _shown(
                cut.transpose(order_of(self._parts)), self._parts, self._picture.series.keyframe
            )
