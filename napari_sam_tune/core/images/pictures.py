"""The one door for pictures that others made: which kinds come in, and how much they may claim.

PNG, JPEG, BMP and WebP are read by Pillow, TIFF by tifffile. The first bytes tell which it is, not
the name; whatever else it may be is refused. No other module opens pictures: Pillow left to itself
tries forty more formats, and starts a program for one of them (PostScript); tifffile left to itself
opens other files that a file names. What a header claims is looked at before a pixel is decoded.
"""

from __future__ import annotations

import io
import zlib
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError, SamTuneError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    Pixels = NDArray[np.generic]

MOST_PIXELS: Final = 300_000_000
"""Of a PNG, JPEG, BMP or WebP; a TIFF may have more."""
MOST_BYTES: Final = 8 << 30
"""Of pixels, decoded, whatever the kind."""

# Zeros shrink a thousandfold at most: what claims more, and is large, is no photograph.
_LARGE_BYTES: Final = 1 << 30
_MOST_PACKED: Final = 200
_DEFLATED: Final = frozenset({8, 32946, 50013})  # TIFF's numbers for it
_MOST_DEFLATED: Final = 1032  # the most that a byte of deflate's unpacks to
_STEP: Final = 1 << 20
_BEGINNINGS: Final = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
# Pillow's modes whose pixels are already what an array should hold; the rest go through RGB(A).
_PLAIN_MODES: Final = frozenset({"1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "F"})
_WIDE_MODES: Final = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2}


class Picture(ABC):
    """A picture whose header was looked at and found fit to decode.

    Attributes:
        kind: "PNG", "JPEG", "BMP", "WebP" or "TIFF".
        shape: (H, W), or all axes of a TIFF.

    """

    kind: str
    shape: tuple[int, ...]

    @abstractmethod
    def read(self, *, indices: bool = False) -> Pixels:
        """Decode the pixels as they are stored.

        Args:
            indices: give the numbers of a palette's colours, not the colours.

        Returns:
            (H, W) or (H, W, C) array; bool, uint8, uint16 or float as the file has it. Palettes and
            CMYK become RGB or RGBA. A TIFF keeps whatever axes it has.

        """


@contextmanager
def open_picture(source: Path | bytes, name: str | None = None) -> Iterator[Picture]:
    """Open a picture; its pixels are decoded when they are asked for, while it is open.

    Args:
        source: a PNG, TIFF, JPEG, BMP or WebP file, or all of its bytes.
        name: what the picture is called in errors; None for the file's path.

    Raises:
        ImageError: it is missing, no ordinary file, damaged, of another kind whatever its name
            says, or claims more pixels than are read.

    """
    called = str(source) if name is None and isinstance(source, Path) else name or "The picture"
    # The decoders raise whatever comes to mind on damaged files (OSError, ValueError, SyntaxError,
    # struct.error, IndexError, zlib.error …): every one of them means the same to the person.
    try:
        with _opened(source, called) as file:
            yield _picture(file, called)
    except (SamTuneError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(
            f"{called} cannot be read as an image; it is damaged, cut short, or of another type "
            f"than its name says ({error}). Export or copy it again."
        ) from error


def _opened(source: Path | bytes, called: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source.is_file():
        return source.open("rb")
    if source.exists():  # reading a pipe or a device might never end
        raise ImageError(
            f"{called} is a folder, a pipe or a device, and not an image file. Give a file."
        )
    raise ImageError(f"There is no image file {called}. Check its name, or whether it was moved.")


def _picture(file: IO[bytes], called: str) -> Picture:
    head = file.read(26)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    kind = _kind(head)
    if kind is None:
        raise ImageError(
            f"{called} cannot be read as an image: it is no PNG, JPEG, BMP, WebP or TIFF, whatever "
            "its name says, and nothing else is read. Save it as one of these."
        )
    if kind == "TIFF":
        return _TiffPicture(file, called, size)
    is_deep = kind == "PNG" and head[24:26] in {b"\x10\x02", b"\x10\x06"}
    return _PillowPicture(kind, file, called, size, is_deep_colour=is_deep)


def _kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for begin, kind in _BEGINNINGS.items() if head.startswith(begin)), None)


def _check_claim(claimed: int, size: int, called: str) -> None:
    """Refuse what would fill the memory: so many bytes of pixels, in a file of so many bytes."""
    if claimed > _LARGE_BYTES and claimed > _MOST_PACKED * size:
        raise ImageError(
            f"{called} claims {claimed / 1e9:.1f} GB of pixels in a file of {size / 1e6:.1f} MB. "
            "Export it again, or cut it into tiles."
        )
    if claimed > MOST_BYTES:
        raise ImageError(
            f"{called} holds {claimed / 1e9:.1f} GB of pixels, and {MOST_BYTES / 1e9:.1f} GB are "
            "the most that is read. Cut it into tiles."
        )


class _PillowPicture(Picture):
    """A picture that Pillow reads, 16-bit colour in full."""

    def __init__(
        self, kind: str, file: IO[bytes], called: str, size: int, *, is_deep_colour: bool = False
    ) -> None:
        self.kind, self._file, self._is_deep_colour = kind, file, is_deep_colour
        self._image = self._open()
        width, height = self._image.size
        if kind != "TIFF" and width * height > MOST_PIXELS:
            raise ImageError(
                f"{called} has too many pixels: {width * height / 1e6:.0f} million, and of a "
                f"{kind} {MOST_PIXELS / 1e6:.0f} million are the most that is read. Save it as "
                "TIFF, or cut it into tiles."
            )
        each = _WIDE_MODES.get(self._image.mode, 2 if is_deep_colour else 1)
        _check_claim(width * height * len(self._image.getbands()) * each, size, called)
        self.shape = height, width

    def _open(self) -> ImageFile:
        from PIL.BmpImagePlugin import BmpImageFile
        from PIL.JpegImagePlugin import jpeg_factory
        from PIL.PngImagePlugin import PngImageFile
        from PIL.TiffImagePlugin import TiffImageFile
        from PIL.WebPImagePlugin import WebPImageFile

        self._file.seek(0)
        # One format, and not those that Pillow tries in turn. Its own limit of pixels, which is
        # lower and one for the whole process, is not asked either.
        match self.kind:
            case "PNG":
                return PngImageFile(self._file)
            case "JPEG":
                return jpeg_factory(self._file)
            case "BMP":
                return BmpImageFile(self._file)
            case "WebP":
                return WebPImageFile(self._file)
            case _:
                return TiffImageFile(self._file)

    def read(self, *, indices: bool = False) -> Pixels:
        image = self._image
        if self._is_deep_colour:
            # Pillow keeps 8 of 16 bits in colour. Asked for the wrong byte order it keeps the
            # other 8.
            high, low = (self._decoded_as(byte_order) for byte_order in "BL")
            return high.astype(np.uint16) * np.uint16(256) + low.astype(np.uint16)
        if image.mode in _PLAIN_MODES or (indices and image.mode == "P"):
            return np.asarray(image)
        see_through = image.mode in {"PA", "RGBa", "La"} or "transparency" in image.info
        return np.asarray(image.convert("RGBA" if see_through else "RGB"))

    def _decoded_as(self, byte_order: str) -> Pixels:
        image = self._open()
        image.tile = [tile._replace(args=f"{image.mode};16{byte_order}") for tile in image.tile]
        return np.asarray(image)


class _TiffPicture(Picture):
    """The first series of a TIFF."""

    kind = "TIFF"

    def __init__(self, file: IO[bytes], called: str, size: int) -> None:
        import tifffile

        self._file, self._called, self._size = file, called, size
        # A stack may be spread over files, which are named in one of them: no other file is opened.
        tiff = tifffile.TiffFile(
            file, name=Path(called).name, _multifile=False, is_mmstack=False, is_ndtiff=False
        )
        len(tiff.pages)  # counts them, and so ends where their chain goes round in a circle
        self._series = tiff.series[0]
        self.shape = self._series.shape
        _check_claim(self._series.nbytes, size, called)

    def read(self, *, indices: bool = False) -> Pixels:
        self._check_packed()
        try:
            return np.asarray(self._series.asarray())
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            needs = str(error)
        # tifffile decodes LZW and JPEG only with imagecodecs; Pillow can, but halves 16-bit colour.
        pixels = _PillowPicture("TIFF", self._file, self._called, self._size).read()
        if pixels.dtype != self._series.dtype:
            raise ImageError(
                f"{self._called} is compressed in a way that cannot be read here in full depth "
                f"({needs}). Run `pip install imagecodecs`, or save the file without compression."
            )
        return pixels

    def _check_packed(self) -> None:
        """Refuse parts that unpack to far more than the page has pixels: tifffile takes it all."""
        for page in self._series.pages:
            keyframe = None if page is None else page.keyframe
            if page is None or keyframe is None or keyframe.compression not in _DEFLATED:
                continue
            most = 2 * keyframe.nbytes + 64 * _STEP
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
                if count * _MOST_DEFLATED > most:
                    self._file.seek(offset)
                    if not _unpacks_to_less(self._file.read(count), most):
                        raise ImageError(
                            f"{self._called} hides far more in its compression than its pixels. "
                            "It was made to fill the memory, or is damaged: export it again."
                        )


def _unpacks_to_less(packed: bytes, most: int) -> bool:
    unpacker, unpacked = zlib.decompressobj(), 0
    while packed and unpacked <= most:
        unpacked += len(unpacker.decompress(packed, _STEP))
        packed = unpacker.unconsumed_tail
    return unpacked <= most
