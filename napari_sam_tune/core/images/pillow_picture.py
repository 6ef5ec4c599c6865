"""Pictures that Pillow reads: PNG, JPEG, BMP and WebP, and what tifffile cannot unpack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.turning import UPRIGHT, orientation_of, turned, turned_shape
from napari_sam_tune.core.images.picture import MOST_PIXELS, Picture, check_claim
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from typing import IO

    from PIL.ImageFile import ImageFile

    from napari_sam_tune.core.images.picture import Pixels

_ORIENTATION: Final = 0x0112
# Pillow's modes whose pixels are already what an array should hold; the rest go through RGB(A).
_PLAIN_MODES: Final = frozenset({"1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "F"})
_WIDE_MODES: Final = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2}


class PillowPicture(Picture):
    """A picture that Pillow reads, 16-bit colour in full."""

    def __init__(
        self,
        kind: str,
        file: IO[bytes],
        called: str,
        size: int,
        *,
        is_deep_colour: bool = False,
        page: int = 0,
    ) -> None:
        self.kind, self._file, self._is_deep_colour = kind, file, is_deep_colour
        self._image = self._open()
        self._image.seek(page)
        width, height = self._image.size
        if kind != "TIFF" and width * height > MOST_PIXELS:
            raise ImageError(
                tr(
                    "{called} has too many pixels: {millions:.0f} million, and of a {kind} "
                    "{most:.0f} million are the most that is read. Save it as TIFF, or cut it into "
                    "tiles.",
                    called=called,
                    millions=width * height / 1e6,
                    kind=kind,
                    most=MOST_PIXELS / 1e6,
                )
            )
        each = _WIDE_MODES.get(self._image.mode, 2 if is_deep_colour else 1)
        self._claim = width * height * len(self._image.getbands()) * each, size, called
        self.orientation = UPRIGHT if kind == "TIFF" else _orientation(self._image)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W), upright."""
        width, height = self._image.size
        return turned_shape((height, width), self.orientation)

    @property
    def is_plain(self) -> bool:
        """Whether it is upright."""
        return self.orientation == UPRIGHT

    def check_held(self) -> None:
        """Refuse a picture of too many bytes."""
        check_claim(*self._claim)

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
        """Decode the pixels upright; of a palette, PNG masks mean the numbers and BMP none."""
        return turned(self._read(indices=indices and self.kind != "BMP"), self.orientation)

    def read_as_stored(self) -> Pixels:
        """Decode the pixels without turning them."""
        return self._read(indices=False)

    def _read(self, *, indices: bool) -> Pixels:
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


def _orientation(image: ImageFile) -> int:
    """Return what the header says; damaged EXIF says nothing, for whoever shows the picture too."""
    from PIL.Image import Image

    try:
        # of a PNG, Pillow would decode all pixels to look for EXIF behind them
        return orientation_of(Image.getexif(image).get(_ORIENTATION))
    except Exception:
        return UPRIGHT
