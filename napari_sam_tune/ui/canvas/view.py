"""What a person sees on the canvas: how much of an image, and which one at a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_sam_tune.ui.canvas.looks import OWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import LayerList, ViewerModel

# What lies below an image is not seen through it, unless the person made it so.
_HIDING, _SEE_THROUGH = ("opaque", "translucent", "translucent_no_depth"), 0.75
_FILLED = 0.95  # of the view, by an image that is fitted


def fit(viewer: ViewerModel, image: Image, shape: tuple[int, int]) -> None:
    """Bring the whole of an image of `shape` (H, W) into view, and nothing else."""
    leading = (0,) * (image.ndim - 2)
    rows, columns = ((-0.5, side - 0.5) for side in shape)
    at = np.array([image.data_to_world((*leading, y, x))[-2:] for y in rows for x in columns])
    camera, low, high = viewer.scene.camera, at.min(axis=0), at.max(axis=0)
    camera.center = (*camera.center[:-2], *((low + high) / 2))
    camera.zoom = _FILLED * float(np.min(np.array(viewer.canvas.size) / (high - low)))


def covering(layers: LayerList, image: Image, world: Sequence[float]) -> Image | None:
    """Return the layer that is seen at a world position instead of an image; None if none is.

    None where the image is seen through what lets it shine through, too.
    """
    above = list(layers)[layers.index(image) + 1 :]  # a slice of theirs is a list with events
    for layer in reversed(above):
        if not isinstance(layer, Image) or OWN in layer.metadata or not layer.visible:
            continue
        hides = str(layer.blending) in _HIDING and layer.opacity > _SEE_THROUGH
        if hides and _reaches(layer, world):
            return layer
    return None


def _reaches(image: Image, world: Sequence[float]) -> bool:
    """Whether an image has a pixel at a world position."""
    row, column = image.world_to_data(world)[-2:]
    level = image.data[0] if image.multiscale else image.data
    height, width = level.shape[image.ndim - 2 : image.ndim]
    return bool(-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5)
