"""Polygons drawn as OpenCV and labelme draw them: with the pixels of their corners and edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask


def drawn(corners: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Draw one polygon.

    Args:
        corners: (N, 2) as (x, y) in pixels, where a pixel's own number is its centre; inside the
            image, or near it.
        shape: the image's (H, W).

    Returns:
        (H, W) bool.

    """
    low = np.floor(np.clip(corners.min(axis=0), 0, None)).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, shape[::-1])
    mask = np.zeros(shape, dtype=bool)
    if (low < high).all():
        width, height = (int(side) for side in high - low)
        picture = Image.new("L", (width, height))
        points = [tuple(point) for point in (corners - low).tolist()]
        ImageDraw.Draw(picture).polygon(points, fill=1, outline=1)
        mask[low[1] : high[1], low[0] : high[0]] = np.asarray(picture, dtype=bool)
    return mask
