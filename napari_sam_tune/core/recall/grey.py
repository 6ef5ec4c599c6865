"""Grey values of images, in windows: of large ones nothing else is read."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.rgb_source import HeldRgb, shape_of_image

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.rgb_source import RgbSource

    Floats = NDArray[np.float32]

_FINER = 2
"""Sides to which a window is averaged, in those of what is wanted, before it is resized."""


class Grey(Protocol):
    """An image in grey.

    Attributes:
        shape: (H, W).

    """

    shape: Shape

    def part(self, window: Window, scale: float = 1.0) -> Floats:
        """Return a window at a scale: (h · scale, w · scale) float32 from 0 to 255.

        Args:
            window: (y0, x0, y1, x1); it lies inside.
            scale: up to 1.

        """


class HeldGrey:
    """An image in memory.

    Args:
        pixels: (H, W) float32 from 0 to 255.

    """

    def __init__(self, pixels: Floats) -> None:
        self._pixels = pixels
        self.shape: Shape = (pixels.shape[0], pixels.shape[1])

    def part(self, window: Window, scale: float = 1.0) -> Floats:
        """See `Grey`."""
        y0, x0, y1, x1 = window
        return scaled(self._pixels[y0:y1, x0:x1], scale)


class GreyInParts:
    """An image that is read where it is looked at.

    Args:
        source: gives its windows.

    """

    def __init__(self, source: RgbSource) -> None:
        self._source, self.shape = source, shape_of_image(source)

    def part(self, window: Window, scale: float = 1.0) -> Floats:
        """See `Grey`.

        Raises:
            ImageError: it cannot be read.

        """
        height, width = (max(1, round(side * scale)) for side in shape_of(window))
        seen = self._source.rgb(window, None if scale == 1 else ceil(_FINER * max(height, width)))
        grey: Floats = seen.mean(axis=-1, dtype=np.float32)
        return grey if grey.shape == (height, width) else resized(grey, (height, width))


def grey_source(source: RgbSource) -> Grey:
    """Return an image in grey."""
    return HeldGrey(grey_of(source.pixels)) if isinstance(source, HeldRgb) else GreyInParts(source)


def grey_of(image: ArrayLike) -> Floats:
    """Return an image as (H, W) float32 grey values from 0 to 255.

    Raises:
        ImageError: not an image.

    """
    grey: Floats = to_rgb8(np.asarray(image)).mean(axis=-1, dtype=np.float32)
    return grey


def scaled(pixels: Floats, scale: float) -> Floats:
    """Return (H, W) pixels at another scale; as they are where that changes nothing."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    return pixels if (height, width) == pixels.shape else resized(pixels, (height, width))


def resized(pixels: Floats, shape: Shape) -> Floats:
    """Return (H, W) pixels at another size, averaged where they become fewer."""
    small = Image.fromarray(pixels).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(small)
