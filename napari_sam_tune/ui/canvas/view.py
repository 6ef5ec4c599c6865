"""What a person sees on the canvas: how much of an image, and which one at a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_sam_tune.ui.canvas.looks import OWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import LayerList, ViewerModel
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox

# What lies below an image is not seen through it, unless the person made it so.
_HIDING, _SEE_THROUGH = ("opaque", "translucent", "translucent_no_depth"), 0.75
_FILLED = 0.95  # of the view, by an image that is fitted
_SMALLEST, _LARGEST, _WANTED = 0.04, 0.8, 0.25
"""Of the canvas's shorter side: an object that takes less or more is zoomed to."""
_LEAST_SEEN = 12.0
"""Pixels of the screen; what is smaller is not seen on an image that is seen whole."""


def fit(viewer: ViewerModel, image: Image, shape: tuple[int, int]) -> None:
    """Bring the whole of an image of `shape` (H, W) into view, and nothing else."""
    leading = (0,) * (image.ndim - 2)
    rows, columns = ((-0.5, side - 0.5) for side in shape)
    at = np.array([image.data_to_world((*leading, y, x))[-2:] for y in rows for x in columns])
    camera, low, high = viewer.scene.camera, at.min(axis=0), at.max(axis=0)
    camera.center = (*camera.center[:-2], *((low + high) / 2))
    camera.zoom = _FILLED * float(np.min(np.array(viewer.canvas.size) / (high - low)))


def look_at(viewer: ViewerModel, image: Image, bbox: BoundingBox) -> None:
    """Put a box of an image into the middle of the canvas, and zoom where it takes that."""
    at = _corners(viewer, image, bbox)
    camera, size = viewer.scene.camera, _size(at)
    camera.center = (*camera.center[:-2], *at.mean(axis=0))
    canvas = float(min(viewer.canvas.size))
    if not _SMALLEST <= size * camera.zoom / canvas <= _LARGEST:
        camera.zoom = _WANTED * canvas / size


def bring_into_view(viewer: ViewerModel, image: Image, bbox: BoundingBox) -> None:
    """Look at a box of an image where it cannot be seen: it lies outside, or is a speck."""
    at, camera = _corners(viewer, image, bbox), viewer.scene.camera
    reach = np.array(viewer.canvas.size) / camera.zoom / 2
    is_inside = (np.abs(at - np.array(camera.center[-2:])) <= reach).all()
    if not is_inside or _size(at) * camera.zoom < _LEAST_SEEN:
        look_at(viewer, image, bbox)


def _corners(viewer: ViewerModel, image: Image, bbox: BoundingBox) -> NDArray[np.float64]:
    """Return the world positions of a box's corners, (4, 2)."""
    plane = viewer.dims.current_step[: image.ndim - 2]
    y0, x0, y1, x1 = bbox
    corners = [image.data_to_world((*plane, y, x)) for y in (y0, y1) for x in (x0, x1)]
    return np.array(corners, float)[:, -2:]


def _size(corners: NDArray[np.float64]) -> float:
    return float(max(np.ptp(corners, axis=0).max(), 1e-9))


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
