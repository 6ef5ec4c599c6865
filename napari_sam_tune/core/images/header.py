"""What an image file says of itself in its header: enough to refuse it before it is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.large_tiff import tiff_source
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.images.tiff_picture import TiffPicture


def image_shape(path: str | Path) -> tuple[int, int]:
    """Return an image file's (H, W) from its header, without decoding its pixels.

    Args:
        path: a PNG, TIFF, JPEG, BMP or WebP file.

    Raises:
        ImageError: the file is missing, not an image, or, where it cannot be read in parts, of so
            many pixels for its size that it may have been made to fill the memory.

    """
    with open_picture(Path(path), lazily=True) as picture:
        dtype = picture.series.dtype if isinstance(picture, TiffPicture) else np.uint8
        shape = spatial_shape(np.broadcast_to(np.zeros((), dtype), picture.shape))
        is_large = shape[0] * shape[1] > large_image.LARGE_PIXELS
        source = None
        if is_large and isinstance(picture, TiffPicture):
            source = tiff_source(Path(path), picture)
        if source is None:
            picture.check_held()
        return shape
