"""The one door for pictures that others made: which kinds come in, and how much they may claim.

PNG, JPEG, BMP and WebP are read by Pillow, TIFF by tifffile. The first bytes tell which it is, not
the name; whatever else it may be is refused. No other module opens pictures: Pillow left to itself
tries forty more formats, and starts a program for one of them (PostScript); tifffile left to itself
opens other files that a file names. What a header claims is looked at before a pixel is decoded.

Whatever its kind, a picture comes in as a viewer shows it: upright, palettes and inks as colours,
and black as 0.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.images.picture import MOST_BYTES, MOST_PIXELS, Picture
from napari_sam_tune.core.images.pillow_picture import PillowPicture
from napari_sam_tune.core.images.tiff_picture import TiffPicture
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

__all__ = ["MOST_BYTES", "MOST_PIXELS", "Picture", "open_picture"]

_BEGINNINGS: Final = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}


@contextmanager
def open_picture(
    source: Path | bytes, name: str | None = None, *, lazily: bool = False
) -> Iterator[Picture]:
    """Open a picture; its pixels are decoded when they are asked for, while it is open.

    Args:
        source: a PNG, TIFF, JPEG, BMP or WebP file, or all of its bytes.
        name: what the picture is called in errors; None for the file's path.
        lazily: leave what a TIFF's pixels take to whoever reads them, see `Picture.check_held`.

    Raises:
        ImageError: it is missing, no ordinary file, damaged, of another kind whatever its name
            says, or claims more pixels than are read.

    """
    called = str(source) if name is None and isinstance(source, Path) else name or "The picture"
    with errors_told(called), _opened(source, called) as file:
        picture = _picture(file, called)
        if not lazily:
            picture.check_held()
        yield picture


@contextmanager
def errors_told(called: str) -> Iterator[None]:
    """Say what a decoder stumbled over, as an ImageError.

    They raise whatever comes to mind on damaged files (OSError, ValueError, SyntaxError,
    struct.error, IndexError, zlib.error …): every one of them means the same to the person.
    """
    try:
        yield
    except (SamTuneError, MemoryError):
        raise
    except PermissionError as error:
        raise ImageError(
            tr(
                "{called} cannot be read: {strerror}. Check its permissions.",
                called=called,
                strerror=error.strerror,
            )
        ) from error
    except Exception as error:
        raise ImageError(
            tr(
                "{called} cannot be read as an image; it is damaged, cut short, or of another type "
                "than its name says ({error}). Export or copy it again.",
                called=called,
                error=error,
            )
        ) from error


def _opened(source: Path | bytes, called: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source.is_file():
        return source.open("rb")
    if source.exists():  # reading a pipe or a device might never end
        raise ImageError(
            tr(
                "{called} is a folder, a pipe or a device, and not an image file. Give a file.",
                called=called,
            )
        )
    raise ImageError(
        tr(
            "There is no image file {called}. Check its name, or whether it was moved.",
            called=called,
        )
    )


def _picture(file: IO[bytes], called: str) -> Picture:
    head = file.read(26)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    kind = _kind(head)
    if kind is None:
        raise ImageError(
            tr(
                "{called} cannot be read as an image: it is no PNG, JPEG, BMP, WebP or TIFF, "
                "whatever its name says, and nothing else is read. Save it as one of these.",
                called=called,
            )
        )
    if kind == "TIFF":
        return TiffPicture(file, called, size)
    is_deep = kind == "PNG" and head[24:26] in {b"\x10\x02", b"\x10\x06"}
    return PillowPicture(kind, file, called, size, is_deep_colour=is_deep)


def _kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for begin, kind in _BEGINNINGS.items() if head.startswith(begin)), None)
