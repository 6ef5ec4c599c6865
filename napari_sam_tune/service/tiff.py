"""Images as files that hold every pixel as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from napari_sam_tune.core.images.files import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_TRUE = 255
"""What stands for true where there are several channels, of which TIFF packs no bits."""


def tiff_of(pixels: NDArray[np.generic]) -> bytes:
    """Return an image (H, W[, C]) as a TIFF, of which `image_of` makes the same array again."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.dtype == np.bool_:
        pixels = np.where(pixels, np.uint8(_TRUE), np.uint8(0))
    file = io.BytesIO()
    colours = pixels.ndim == 3 and pixels.shape[2] in {3, 4}
    tifffile.imwrite(
        file,
        pixels,
        photometric="rgb" if colours else "minisblack",
        compression="zlib",
        planarconfig="contig" if pixels.ndim == 3 else None,
    )
    return file.getvalue()


def image_of(pixels: NDArray[np.generic], name: str) -> NDArray[np.generic] | None:
    """Return the image of a name (its `content_hash`), of a TIFF's pixels; None where it is none.

    A TIFF has no axis of a single channel, and no channels of true and false.
    """
    readings = _readings(pixels)
    return next((one for one in readings if content_hash(one, {name}) == name), None)


def _readings(pixels: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    yield pixels
    if pixels.ndim == 2:
        yield pixels[:, :, None]
    elif pixels.dtype == np.uint8 and np.isin(pixels, (0, _TRUE)).all():
        yield pixels == _TRUE
