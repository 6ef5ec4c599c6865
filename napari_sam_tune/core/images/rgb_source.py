"""What the encoder sees of an image, window by window, whether it is held in memory or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from napari_sam_tune.core.geometry.windows import clipped, whole
from napari_sam_tune.core.images.files import to_rgb8

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window

_GLANCE = 2048
"""Side of the window by which an image that is not held is judged, in px."""


@runtime_checkable
class RgbSource(Protocol):
    """An image whose windows can be had as 8-bit RGB, such as a `LargeImage`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, C)."""
        ...

    def rgb(self, window: Window, side: int | None = None) -> NDArray[np.uint8]:
        """Return a window, (h, w, 3).

        Args:
            window: (y0, x0, y1, x1) in px, ends excluded.
            side: where the window is larger it may be made smaller, to this longer side.

        """
        ...


class HeldRgb:
    """An image in memory, as `to_rgb8` makes it.

    Args:
        pixels: (H, W, 3) uint8.

    Attributes:
        pixels: the same.

    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        return self.pixels.shape

    def rgb(self, window: Window, side: int | None = None) -> NDArray[np.uint8]:
        """Return a window, (h, w, 3), never made smaller: it is there."""
        y0, x0, y1, x1 = window
        return self.pixels[y0:y1, x0:x1]


def rgb_source(image: ArrayLike | RgbSource) -> RgbSource:
    """Return an image as the encoder takes it.

    Args:
        image: (H, W[, C]) array as `to_rgb8` takes it, or an image that gives windows itself.

    Raises:
        ImageError: not an image.

    """
    return image if isinstance(image, RgbSource) else HeldRgb(to_rgb8(np.asarray(image)))


def shape_of_image(source: RgbSource) -> Shape:
    """Return (H, W)."""
    return source.shape[0], source.shape[1]


def glance(source: RgbSource) -> NDArray[np.uint8]:
    """Return (h, w, 3) that tells what an image looks like.

    All of one that is in memory; else a window in the middle, so that nobody waits for all of it.
    """
    if isinstance(source, HeldRgb):
        return source.pixels
    shape = shape_of_image(source)
    y, x = (max(0, (length - _GLANCE) // 2) for length in shape)
    return source.rgb(clipped((y, x, y + _GLANCE, x + _GLANCE), shape))


def whole_image(source: RgbSource) -> Window:
    """Return the window that is all of an image."""
    return whole(shape_of_image(source))
