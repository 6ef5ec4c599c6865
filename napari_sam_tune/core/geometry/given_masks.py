"""Masks as they are given from outside: checked before anything is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Mask = NDArray[np.bool_]


def as_mask(mask: ArrayLike, shape: tuple[int, int] | None = None) -> Mask:
    """Check a mask and return it as a boolean array.

    Args:
        mask: (H, W) boolean or integer array; nonzero is inside.
        shape: the image's (H, W); None accepts any.

    Raises:
        MaskError: not two-dimensional, or not of the image's shape, or no numbers.
    """
    try:
        array = np.asarray(mask)
    except (ValueError, TypeError) as error:
        raise MaskError(
            tr("A mask is an array of height × width pixels; this is none ({error}).", error=error)
        ) from error
    if array.dtype.kind not in "biuf":
        raise MaskError(tr("A mask holds booleans or numbers, not {kind}.", kind=array.dtype))
    if array.ndim != 2:
        raise MaskError(
            tr("A mask has two dimensions (height, width); this one has {count}.", count=array.ndim)
        )
    if shape is not None:
        require_same_shape(array.shape, shape)
    return array if array.dtype == bool else array != 0


def place_mask(mask: ArrayLike | PlacedMask, shape: tuple[int, int]) -> PlacedMask:
    """Check a mask of an (H, W) image, as `as_mask` does, and return it in its box.

    Raises:
        MaskError: as `as_mask`.
    """
    if not isinstance(mask, PlacedMask):
        return PlacedMask.of(as_mask(mask, shape))
    require_same_shape(mask.shape, shape)
    return mask


def require_same_shape(found: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Refuse a mask that was found not to be of its image's `shape` (H, W).

    Raises:
        MaskError: says both.

    """
    if found != tuple(shape):
        raise MaskError(
            tr(
                "The mask is {mask} pixels but the image is {image}; resize the mask to the image.",
                mask=" × ".join(map(str, found)),
                image=" × ".join(map(str, shape)),
            )
        )
