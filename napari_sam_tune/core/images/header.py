"""What an image file says of itself in its header: enough to refuse it before it is decoded."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.files import TIFF_SUFFIXES, reading, spatial_shape, too_many_pixels

# Zeros shrink a thousandfold at most: what claims more, and is large, is no photograph.
_LARGE_BYTES = 1 << 30
_MOST_PACKED = 200


def image_shape(path: str | Path) -> tuple[int, int]:
    """Return an image file's (H, W) from its header, without decoding its pixels.

    Args:
        path: a PNG, TIFF, JPEG, BMP or WebP file.

    Raises:
        ImageError: the file is missing, not an image, or of so many pixels for its size that it
            may have been made to fill the memory.

    """
    path = Path(path)
    with reading(path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _tiff_shape(path)
        return _other_shape(path)


def _tiff_shape(path: Path) -> tuple[int, int]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        if series.nbytes > _LARGE_BYTES and series.nbytes > _MOST_PACKED * path.stat().st_size:
            raise ImageError(
                f"{path} claims {series.nbytes / 1e9:.1f} GB of pixels in a file of "
                f"{path.stat().st_size / 1e6:.1f} MB. Export it again, or cut it into tiles."
            )
        return spatial_shape(np.broadcast_to(np.zeros((), np.uint8), series.shape))


def _other_shape(path: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.height, image.width
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_many_pixels(path, error) from error
