"""A large TIFF, BigTIFF or OME-TIFF, read tile by tile or strip by strip, with or without levels.

Levels are SubIFDs, or pages of their own that say they are copies made smaller (TIFF 6.0,
NewSubfileType; OME-TIFF's sub-resolutions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.images.pictures import errors_told
from napari_sam_tune.core.images.tiff_picture import as_shown, is_odd, unpacks_to_less
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.picture import Pixels
    from napari_sam_tune.core.images.tiff_picture import TiffPicture

_MOST_AT_ONCE: Final = 256 << 20
"""Bytes that are unpacked for a single pixel, at most."""
_MOST_CHANNELS: Final = 4


@dataclass(frozen=True, eq=False)
class _Plane:
    """One page, or the one colour of a page that keeps colours apart.

    Attributes:
        decode: tifffile's, of the page.
        first: the number of the plane's first segment in the page.
        offsets: where each segment of the page begins in the file.
        counts: how many bytes each takes; 0 of what is not stored.
        tables: of JPEG, what segments share.

    """

    decode: Callable[..., Any]
    first: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    tables: bytes | None


@dataclass(frozen=True, eq=False)
class _Level:
    """One size in which the file has the image.

    Attributes:
        shape: (H, W).
        unit: (h, w) of a segment.
        keyframe: tifffile's page that says what all its pages are.
        planes: as many as there are colours apart from each other, else one.
        mapped: where all pixels begin, one after the other and packed by nothing; else None.

    """

    shape: Shape
    unit: Shape
    keyframe: Any
    planes: tuple[_Plane, ...]
    mapped: int | None


class TiffSource:
    """The pixels of a large TIFF, from the disk whenever they are asked for.

    The file is open while it is read and no longer, so that it may be moved.

    Attributes:
        shapes: (H, W) of each level, finest first.
        channels: () or (C,).
        dtype: of the pixels.
        units: (h, w) of what is unpacked at once, of each level.

    """

    def __init__(self, path: Path, levels: tuple[_Level, ...]) -> None:
        self._path, self._levels = path, levels
        self._stamp = _stamp(path)
        self.shapes = tuple(level.shape for level in levels)
        self.units = tuple(level.unit for level in levels)
        first = self.read(0, (0, 0, 1, 1))
        self.channels, self.dtype = first.shape[2:], first.dtype

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window of a level as a viewer shows it: black is 0, palettes are colours.

        Raises:
            ImageError: the file is damaged, gone, or another one by now.

        """
        at = self._levels[level]
        with errors_told(str(self._path)):
            if _stamp(self._path) != self._stamp:
                raise ImageError(
                    tr("{path} was changed while it was open. Open it again.", path=self._path)
                )
            pixels = self._mapped(at, window) if at.mapped is not None else self._tiled(at, window)
            return np.ascontiguousarray(as_shown(pixels, at.keyframe))

    def _mapped(self, level: _Level, window: Window) -> NDArray[Any]:
        """Return pixels that lie in the file as they are; mapped no longer than for this."""
        page, (y0, x0, y1, x1) = level.keyframe, window
        dtype = np.dtype(page.parent.byteorder + page.dtype.char)
        found = np.memmap(self._path, dtype, "r", level.mapped or 0, tuple(page.shape))
        if page.axes == "SYX":
            found = np.moveaxis(found, 0, -1)
        return np.array(found[y0:y1, x0:x1], dtype.newbyteorder("="))

    def _tiled(self, level: _Level, window: Window) -> NDArray[Any]:
        with self._path.open("rb") as file:
            planes = [_plane_window(file, level, plane, window) for plane in level.planes]
        if len(planes) > 1:
            return np.concatenate(planes, axis=-1)
        return planes[0] if planes[0].shape[-1] > 1 else planes[0][..., 0]


def tiff_source(path: Path, picture: TiffPicture) -> TiffSource | None:
    """Return a TIFF's pixels to be read as they are wanted; None where it has to be read whole.

    Args:
        path: the file.
        picture: the same, opened.

    Raises:
        ImageError: it is a stack of planes, or damaged.

    """
    if picture.orientation != UPRIGHT or is_odd(picture.series.keyframe):
        return None
    levels = [_level(picture.series)]
    levels += [_level(series) for series in _smaller(picture)]
    if levels[0] is None:
        return None
    try:
        return TiffSource(path, tuple(level for level in levels if level is not None))
    except ImageError as error:
        # what it is packed by, tifffile unpacks only with a package that is not there
        if "imagecodecs" in str(error):
            return None
        raise


def _smaller(picture: TiffPicture) -> Iterator[Any]:
    """Give the series that are the same image made smaller, finest first."""
    whole = picture.series
    copies = [*whole.levels[1:], *(s for s in picture.every_series if s.keyframe.is_reduced)]
    copies.sort(key=lambda series: -int(series.keyframe.imagelength))
    height, width = whole.keyframe.imagelength, whole.keyframe.imagewidth
    last = height
    for series in copies:
        page = series.keyframe
        factor = height / max(1, page.imagelength)
        alike = (
            page.dtype == whole.keyframe.dtype
            and page.samplesperpixel == whole.keyframe.samplesperpixel
            and page.photometric == whole.keyframe.photometric
            and len(series.pages) == len(whole.pages)
        )
        if alike and page.imagelength < last and abs(width / factor - page.imagewidth) <= 1:
            last = page.imagelength
            yield series


def _level(series: Any) -> _Level | None:
    """Return what there is to know of a series to read it in parts; None where it cannot be."""
    page = series.keyframe
    shape = int(page.imagelength), int(page.imagewidth)
    pages = [one for one in series.pages if one is not None]
    apart = page.samplesperpixel if page.planarconfig == 2 else 1
    channels = max(page.samplesperpixel, len(pages))
    is_image = page.imagedepth == 1 and page.tiledepth == 1 and channels <= _MOST_CHANNELS
    if not is_image or len(pages) != len(series.pages) or page.is_subsampled is None:
        return None
    mapped = page.dataoffsets[0] if len(pages) == 1 and page.is_memmappable else None
    unit = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, shape[1])
    unit = min(unit[0], shape[0]), min(unit[1], shape[1])
    if mapped is not None:
        return _Level(shape, (min(256, shape[0]), shape[1]), page, (), mapped)
    held = unit[0] * unit[1] * page.dtype.itemsize * (page.samplesperpixel // apart)
    if held > _MOST_AT_ONCE:
        return None
    count = -(-shape[0] // unit[0]) * -(-shape[1] // unit[1])
    planes = [
        _Plane(page.decode, n * count, one.dataoffsets, one.databytecounts, page.jpegtables)
        for one in pages
        for n in range(apart)
    ]
    if any(len(plane.offsets) < apart * count for plane in planes):
        return None
    return _Level(shape, unit, page, tuple(planes), None)


def _plane_window(file: BinaryIO, level: _Level, plane: _Plane, window: Window) -> NDArray[Any]:
    """Return (h, w, samples) of a window, put together from the segments it touches."""
    (y0, x0, y1, x1), (down, across) = window, level.unit
    page = level.keyframe
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    out = np.full((y1 - y0, x1 - x0, samples), page.nodata, page.dtype.newbyteorder("="))
    columns = -(-level.shape[1] // across)
    most = down * across * samples * page.dtype.itemsize
    for row in range(y0 // down, -(-y1 // down)):
        for column in range(x0 // across, -(-x1 // across)):
            number = plane.first + row * columns + column
            if not plane.counts[number]:
                continue  # what was never written
            file.seek(plane.offsets[number])
            packed = file.read(plane.counts[number])
            if not unpacks_to_less(packed, page, most):
                raise ImageError(
                    tr(
                        "{called} hides far more in its compression than its pixels. It was made "
                        "to fill the memory, or is damaged: export it again.",
                        called=file.name,
                    )
                )
            segment = plane.decode(packed, number, jpegtables=plane.tables)[0][0]
            top, left = row * down, column * across
            rows = slice(max(y0 - top, 0), min(y1 - top, segment.shape[0]))
            cols = slice(max(x0 - left, 0), min(x1 - left, segment.shape[1]))
            part = segment[rows, cols]
            at = max(top - y0, 0), max(left - x0, 0)
            out[at[0] : at[0] + part.shape[0], at[1] : at[1] + part.shape[1]] = part
    return out


def _stamp(path: Path) -> tuple[int, int]:
    """Return what tells a file from the one that was there before."""
    said = path.stat()
    return said.st_size, said.st_mtime_ns
