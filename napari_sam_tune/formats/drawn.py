"""Polygons and circles drawn as OpenCV and labelme draw them: with the pixels of their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def drawn(corners: NDArray[np.float64], shape: tuple[int, int]) -> PlacedMask:
    """Draw one polygon.

    Args:
        corners: (N, 2) as (x, y) in pixels, where a pixel's own number is its centre; inside the
            image, or near it.
        shape: the image's (H, W).

    Returns:
        The mask in its box.

    Raises:
        MaskError: it is too large for one mask.

    """

    def draw(picture: ImageDraw.ImageDraw, low: NDArray[np.intp]) -> None:
        points = [tuple(point) for point in (corners - low).tolist()]
        picture.polygon(points, fill=1, outline=1)

    return _in_box(corners.min(axis=0), corners.max(axis=0), shape, draw)


def drawn_circle(centre: NDArray[np.float64], radius: float, shape: tuple[int, int]) -> PlacedMask:
    """Draw a circle as labelme does; see `drawn`."""

    def draw(picture: ImageDraw.ImageDraw, low: NDArray[np.intp]) -> None:
        x, y = (centre - low).tolist()
        picture.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)

    return _in_box(centre - radius, centre + radius, shape, draw)


def _in_box(
    first: NDArray[np.float64],
    last: NDArray[np.float64],
    shape: tuple[int, int],
    draw: Callable[[ImageDraw.ImageDraw, NDArray[np.intp]], None],
) -> PlacedMask:
    """Draw into the part of an image that a shape from `first` to `last` (x, y) can reach."""
    low = np.floor(np.clip(first, 0, None)).astype(np.intp)
    high = np.minimum(np.ceil(last).astype(np.intp) + 1, shape[::-1])
    if not (low < high).all():
        return PlacedMask.empty(shape)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    box = top, left, bottom, right
    require_one_mask(box)
    picture = Image.new("L", (right - left, bottom - top))
    draw(ImageDraw.Draw(picture), low)
    return PlacedMask.in_window(np.asarray(picture, dtype=bool), box, shape)
