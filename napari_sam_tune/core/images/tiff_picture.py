"""The image of a TIFF, whichever of its pages that is and whatever its numbers mean."""

from __future__ import annotations

import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.turning import UPRIGHT, orientation_of, turned, turned_shape
from napari_sam_tune.core.images.picture import Picture, check_claim
from napari_sam_tune.core.images.pillow_picture import PillowPicture
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import IO

    from numpy.typing import NDArray

    from napari_sam_tune.core.images.picture import Pixels

_ORIENTATION: Final = 274
# TIFF's numbers of what samples mean: 1 (0 is black) and 2 (RGB) need nothing done.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _INKS, _YCBCR = range(6)
_LAB: Final = frozenset({8, 9, 10})
_DEFLATED: Final = frozenset({8, 32946, 50013})  # TIFF's numbers for it
_MOST_DEFLATED: Final = 1032  # the most that a byte of deflate's unpacks to
_STEP: Final = 1 << 20
_COLOURS: Final = 3


class TiffPicture(Picture):
    """The largest series of a TIFF: what lies before it or beside it is a thumbnail or a label.

    Attributes:
        called: what it is called in errors.
        size: of the file, in bytes.
        every_series: of the file, as tifffile finds them.
        series: the image among them.

    """

    kind = "TIFF"

    def __init__(self, file: IO[bytes], called: str, size: int) -> None:
        import tifffile

        self._file, self.called, self.size = file, called, size
        # A stack may be spread over files, which are named in one of them: no other file is opened.
        tiff = tifffile.TiffFile(
            file, name=Path(called).name, _multifile=False, is_mmstack=False, is_ndtiff=False
        )
        len(tiff.pages)  # counts them, and so ends where their chain goes round in a circle
        self.every_series: tuple[Any, ...] = tuple(tiff.series)
        self._first = self.every_series[0]
        self.series: Any = _largest(self.every_series)
        self._page: Any = self.series.keyframe
        tag = self._page.tags.get(_ORIENTATION)
        self.orientation = orientation_of(None if tag is None else tag.value)

    def check_held(self) -> None:
        """Refuse a series of too many bytes."""
        check_claim(max(self._first.nbytes, self.series.nbytes), self.size, self.called)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, C), upright, as far as that can be told without the pixels."""
        sizes = dict(zip(self.axes, self.sizes, strict=True))
        height, width = turned_shape((sizes["Y"], sizes["X"]), self.orientation)
        colours = [size for axis, size in sizes.items() if axis not in "YX" and size > 1]
        return (height, width, *colours)

    @property
    def is_plain(self) -> bool:
        """Whether the first page, taken as it lies there, is the image."""
        return (
            self.orientation == UPRIGHT
            and self.series is self._first
            and self.series.axes in ("YX", "YXS")
            and self._page.photometric in (_BLACK_IS_ZERO, _RGB)
        )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How long each axis is."""
        return tuple(self.series.shape)

    @cached_property
    def axes(self) -> str:
        """The letters of the axes, one of rows, one of columns, and of colours; see tifffile.

        Raises:
            ImageError: there are planes.

        """
        axes = str(self.series.axes)
        if axes == "QYX" and self.sizes[-1] in (_COLOURS, _COLOURS + 1):
            return "YXS"  # colours that were written as if they were columns
        planes = {
            axis: size
            for axis, size in zip(axes, self.sizes, strict=True)
            if size > 1 and axis not in "YXS" and not (axis == "C" and size == _COLOURS)
        }
        if planes or ("C" in axes and self._page.samplesperpixel > 1):
            counts = " × ".join(f"{size} along {axis}" for axis, size in planes.items())
            raise ImageError(
                tr(
                    "{called} is a stack of planes ({planes}), and one image is wanted. Save the "
                    "plane as a file of its own, or open the stack in the viewer: there its planes "
                    "are labelled one by one.",
                    called=self.called,
                    planes=counts or tr("of colours"),
                )
            )
        if len(set(axes)) < len(axes) or not set("YX") <= set(axes):
            raise ImageError(
                tr(
                    "{called} has the axes {axes}, which are those of no image.",
                    called=self.called,
                    axes=axes,
                )
            )
        return axes

    def read(self, *, indices: bool = False) -> Pixels:
        """Decode the image of the file for what its tags say of it."""
        axes = self.axes
        stored = None if is_odd(self._page) else self._unpacked(self.series)
        if stored is None:
            return self._read_by_pillow(indices=indices)
        others = [place for place, axis in enumerate(axes) if axis not in "YX"]
        order = (axes.index("Y"), axes.index("X"), *others)
        pixels = stored.reshape(self.sizes).transpose(order)
        pixels = pixels.reshape((*pixels.shape[:2], *(n for n in pixels.shape[2:] if n > 1)))
        return turned(as_shown(pixels, self._page, indices=indices), self.orientation)

    def read_as_stored(self) -> Pixels:
        """Decode the first series as it lies there."""
        stored = self._unpacked(self._first)
        if stored is not None:
            return stored
        return self._by_pillow(0).read()

    def _unpacked(self, series: Any) -> NDArray[Any] | None:
        """Return a series as tifffile does; None where it needs Pillow to unpack it."""
        self.check_packed(series.pages)
        try:
            return np.asarray(series.asarray())
        except ValueError as error:
            # tifffile unpacks LZW and JPEG only with imagecodecs; Pillow can, but halves 16-bit
            # colour.
            if "imagecodecs" not in str(error):
                raise
            return None

    def _by_pillow(self, page: int) -> PillowPicture:
        picture = PillowPicture("TIFF", self._file, self.called, self.size, page=page)
        picture.check_held()
        return picture

    def _read_by_pillow(self, *, indices: bool) -> Pixels:
        """Read the page as Pillow does, which turns it by itself, and inverts up to 8 bits."""
        pixels = self._by_pillow(self._page.index).read(indices=indices)
        if pixels.dtype != self.series.dtype:
            raise ImageError(
                tr(
                    "{called} is compressed in a way that cannot be read here in full depth. Run "
                    "`pip install imagecodecs`, or save the file without compression.",
                    called=self.called,
                )
            )
        if self._page.photometric == _WHITE_IS_ZERO and pixels.dtype.itemsize > 1:
            return _inverted(pixels, self._page.bitspersample)
        return pixels

    def page_by_pillow(self, page: int) -> Pixels:
        """Decode one page of the file as Pillow does, by its number."""
        return self._by_pillow(page).read()

    def check_packed(self, pages: Iterable[Any]) -> None:
        """Refuse parts that unpack to far more than the page has pixels: tifffile takes it all."""
        for page in pages:
            keyframe = None if page is None else page.keyframe
            if page is None or keyframe is None or keyframe.compression not in _DEFLATED:
                continue
            most = 2 * keyframe.nbytes + 64 * _STEP
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
                if count * _MOST_DEFLATED > most:
                    self._file.seek(offset)
                    if not _unpacks_to_less(self._file.read(count), most):
                        raise ImageError(
                            tr(
                                "{called} hides far more in its compression than its pixels. It "
                                "was made to fill the memory, or is damaged: export it again.",
                                called=self.called,
                            )
                        )


def as_shown(pixels: Pixels, page: Any, *, indices: bool = False) -> Pixels:
    """Return colours and brightnesses for what the samples of a page mean.

    Args:
        pixels: (h, w) or (h, w, C), as tifffile unpacks them.
        page: whose.
        indices: give the numbers of a palette's colours, not the colours.

    """
    match int(page.photometric):
        case 0:
            return _inverted(pixels, page.bitspersample)
        case 3 if not indices and page.colormap is not None:
            return _coloured(pixels, np.asarray(page.colormap))
        case 5 if pixels.ndim == 3 and pixels.shape[-1] > _COLOURS:
            return _printed(pixels)
    return pixels


def is_odd(page: Any) -> bool:
    """Whether what tifffile gives bare of a page is not yet colours."""
    return page.photometric in _LAB or (page.photometric == _YCBCR and page.compression == 1)


def unpacks_to_less(packed: bytes, page: Any, most: int) -> bool:
    """Whether a part of a page unpacks to no more than so many bytes, and some."""
    most = 2 * most + 64 * _STEP
    if page.compression not in _DEFLATED or len(packed) * _MOST_DEFLATED <= most:
        return True
    return _unpacks_to_less(packed, most)


def _largest(every: Sequence[Any]) -> Any:
    """Return the series of the largest pages, the first of several; a copy made smaller is none."""
    whole = [series for series in every if not series.keyframe.is_reduced] or list(every)
    return max(whole, key=lambda s: s.keyframe.imagelength * s.keyframe.imagewidth)


def _inverted(pixels: Pixels, bits: int) -> Pixels:
    """Make black of what means white; what has no largest number is left as it is."""
    if pixels.dtype == np.bool_:
        return np.logical_not(pixels)
    if pixels.dtype.kind != "u":
        return pixels
    return np.subtract((1 << bits) - 1, pixels, dtype=pixels.dtype)


def _coloured(numbers: Pixels, table: NDArray[Any]) -> Pixels:
    """Look colours up in a (3, N) table of 16 bits; some programs fill it with 8."""
    eight = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
    return np.ascontiguousarray(eight.T[numbers.astype(np.intp)])


def _printed(inks: Pixels) -> Pixels:
    """Return the RGB of cyan, magenta, yellow and black, as Pillow does for a JPEG."""
    most = np.iinfo(str(inks.dtype)).max
    paper = most - inks[..., :_COLOURS].astype(np.float32)
    light = (most - inks[..., _COLOURS, None].astype(np.float32)) / most
    return np.rint(paper * light).astype(inks.dtype)


def _unpacks_to_less(packed: bytes, most: int) -> bool:
    unpacker, unpacked = zlib.decompressobj(), 0
    while packed and unpacked <= most:
        unpacked += len(unpacker.decompress(packed, _STEP))
        packed = unpacker.unconsumed_tail
    return unpacked <= most
