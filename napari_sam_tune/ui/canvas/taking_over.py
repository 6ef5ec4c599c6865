"""A person's Labels layer as masks of the image it lies over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.images.large_image import LARGE_PIXELS
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask

_DIGITS = 6  # of positions in pixels; what is beyond comes of computing


def labels_over(
    image: Image, shape: tuple[int, int], layer: Labels, plane: tuple[int, ...]
) -> NDArray[Any]:
    """Return a Labels layer's numbers where they lie over an image, in full resolution.

    Args:
        image: its layer.
        shape: (H, W) of the image.
        layer: of the person's; may be a pyramid, lie elsewhere, or have other pixels.
        plane: of the image's layer that is meant.

    Returns:
        (H, W) integers, by the nearest pixel of the layer; 0 where it does not reach.

    Raises:
        MaskError: it is a stack of other planes than the image, or none of it lies over it, or the
            image is too large to be labelled all at once.

    """
    if shape[0] * shape[1] > LARGE_PIXELS:
        raise MaskError(
            tr(
                "“{name}” lies over an image too large to take layers over. Save it as masks of a "
                "format that `import` reads, such as COCO.",
                name=layer.name,
            )
        )
    level = layer.data[0] if layer.multiscale else layer.data
    leading = level.shape[:-2]
    if all(side == 1 for side in leading):
        labels = np.asarray(level).reshape(level.shape[-2:])
    elif leading == _leading(image):
        labels = np.asarray(level[plane])
    else:
        raise MaskError(
            tr(
                "“{name}” is a stack of planes ({planes}), and the image is not. Take the plane "
                "out first, as a layer of its own.",
                name=layer.name,
                planes=" × ".join(map(str, level.shape)),
            )
        )
    corners = [(0, 0), (1, 0), (0, 1)]
    worlds = [image.data_to_world((*plane, *corner)) for corner in corners]
    at = np.array([layer.world_to_data(world)[-2:] for world in worlds], float)
    steps = np.round((at[1:] - at[0]).T, _DIGITS)
    found: NDArray[Any] = ndimage.affine_transform(
        labels, steps, np.round(at[0], _DIGITS), shape, order=0, prefilter=False
    )
    if not found.any():
        raise MaskError(
            tr("No label of “{name}” lies over the image: nothing was taken.", name=layer.name)
        )
    return found


def _leading(image: Image) -> tuple[int, ...]:
    shape = image.data[0].shape if image.multiscale else image.data.shape
    return tuple(shape[: image.ndim - 2])


def labels_to_masks(labels: NDArray[Any], *, parts: bool = False) -> list[Mask]:
    """Split a label image (H, W) into one bool mask per nonzero value, or (`parts`) per blob."""
    masks = [labels == value for value in np.unique(labels) if value]
    if not parts:
        return masks
    whole = np.ones((3, 3), int)
    numbered = [ndimage.label(mask, whole) for mask in masks]
    return [blobs == number for blobs, count in numbered for number in range(1, count + 1)]
