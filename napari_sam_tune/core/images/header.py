"""What an image file says of itself in its header: enough to refuse it before it is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.pictures import open_picture


def image_shape(path: str | Path) -> tuple[int, int]:
    """Return an image file's (H, W) from its header, without decoding its pixels.

    Args:
        path: a PNG, TIFF, JPEG, BMP or WebP file.

    Raises:
        ImageError: the file is missing, not an image, or of so many pixels for its size that it
            may have been made to fill the memory.

    """
    with open_picture(Path(path)) as picture:
        return spatial_shape(np.broadcast_to(np.zeros((), np.uint8), picture.shape))
