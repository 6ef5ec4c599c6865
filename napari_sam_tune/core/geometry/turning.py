"""Which way up a picture is: the eight orientations of EXIF and TIFF, and what they do to masks.

A camera stores pixels as its sensor gives them and notes how it was held. Orientations are numbered
as in the tag (274, `Orientation`): 1 is upright, 3 upside down, 6 and 8 lie on a side, and 2, 4, 5
and 7 are mirrored. "Turned" means as a viewer shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from napari_sam_tune.core.geometry.placed_mask import PlacedMask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox

_T = TypeVar("_T", bound=np.generic)
UPRIGHT: Final = 1
# Whether rows and columns are swapped; and then, whether rows and whether columns are reversed.
_STEPS: Final = {
    UPRIGHT: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def orientation_of(tag: object) -> int:
    """Return the orientation that a tag tells; one of nonsense tells nothing: upright."""
    return tag if isinstance(tag, int) and tag in _STEPS else UPRIGHT


def turned(pixels: NDArray[_T], orientation: int) -> NDArray[_T]:
    """Turn an (H, W) or (H, W, C) array as a viewer shows it."""
    swap, rows, columns = _STEPS[orientation]
    if swap:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


def turned_shape(shape: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the (H, W) of an image of `shape` when it is turned."""
    height, width = shape
    return (width, height) if _STEPS[orientation][0] else (height, width)


def turned_box(box: BoundingBox, shape: tuple[int, int], orientation: int) -> BoundingBox:
    """Turn a box (y0, x0, y1, x1), ends excluded, of an image that is of `shape` unturned."""
    swap, rows, columns = _STEPS[orientation]
    y0, x0, y1, x1 = box
    if swap:
        y0, x0, y1, x1 = x0, y0, x1, y1
    height, width = turned_shape(shape, orientation)
    if rows:
        y0, y1 = height - y1, height - y0
    if columns:
        x0, x1 = width - x1, width - x0
    return y0, x0, y1, x1


def turned_mask(mask: PlacedMask, orientation: int) -> PlacedMask:
    """Turn a mask in its box, as `turned` does the whole."""
    if mask.bbox is None:
        return PlacedMask.empty(turned_shape(mask.shape, orientation))
    box = turned_box(mask.bbox, mask.shape, orientation)
    inside = turned(mask.cropped, orientation)
    return PlacedMask.in_window(inside, box, turned_shape(mask.shape, orientation))


def turned_point(
    point: tuple[float, float], shape: tuple[int, int], orientation: int
) -> tuple[float, float]:
    """Turn an (x, y), whole numbers at the middles of pixels; see `turned_box`."""
    swap, rows, columns = _STEPS[orientation]
    x, y = point
    if swap:
        x, y = y, x
    height, width = turned_shape(shape, orientation)
    return (width - 1 - x if columns else x), (height - 1 - y if rows else y)


def unturning(shape: tuple[int, int], orientation: int) -> tuple[float, ...]:
    """Return the affine map from corners of upright pixels to those of the pixels as stored.

    Args:
        shape: (H, W) of the image as it is stored.
        orientation: of the image.

    Returns:
        (a, b, c, d, e, f) with x = a·x' + b·y' + c and y = d·x' + e·y' + f.

    """
    swap, rows, columns = _STEPS[orientation]
    height, width = turned_shape(shape, orientation)
    across = (-1.0, 0.0, float(width)) if columns else (1.0, 0.0, 0.0)
    down = (0.0, -1.0, float(height)) if rows else (0.0, 1.0, 0.0)
    return (*down, *across) if swap else (*across, *down)
