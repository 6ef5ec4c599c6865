"""Selected masks on the canvas: their outlines, and the view moved to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.ui.canvas.looks import outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.ui.canvas.layers import LabellingLayers

_MOST_PIXELS = 1_000_000
"""Of a mask's box; of larger ones a coarse outline is drawn, which takes no longer."""
_SMALLEST, _LARGEST, _WANTED = 0.04, 0.8, 0.25
"""Of the canvas's shorter side: an object that takes less or more is zoomed to."""


class SelectedMasks:
    """Outlines on the layer for them.

    Args:
        layers: it is one of these.

    """

    def __init__(self, layers: LabellingLayers) -> None:
        self._layers, self._viewer = layers, layers.viewer

    def show(self, masks: Sequence[tuple[Mask, BoundingBox]]) -> None:
        """Outline these masks, each cut to its box, and no others."""
        steps = []
        for mask, (top, left, _, _) in masks:
            coarse = int(np.ceil(np.sqrt(max(1, mask.size / _MOST_PIXELS))))
            edges = coarse * outline(mask[::coarse, ::coarse])
            middle = (coarse - 1) / 2  # of a coarse pixel
            edges[:, 0] += (top + middle, left + middle)
            steps.append(edges)
        self.mark(visible=True)
        self._layers.show_lines("selected", np.concatenate(steps) if steps else None)

    def mark(self, *, visible: bool) -> None:
        """Show the outlines, or hide them for a moment."""
        # napari draws a layer anew and its small picture, too, also where it is in view already
        if self._layers.is_open and self._layers.selected.visible != visible:
            self._layers.selected.visible = visible

    def look_at(self, bbox: BoundingBox) -> None:
        """Put a box of the image into the middle of the canvas, and zoom where it takes that."""
        image, viewer = self._layers.image, self._viewer
        plane = viewer.dims.current_step[: image.ndim - 2]
        y0, x0, y1, x1 = bbox
        corners = [image.data_to_world((*plane, y, x)) for y in (y0, y1) for x in (x0, x1)]
        at = np.array(corners, float)[:, -2:]
        camera = viewer.scene.camera
        camera.center = (*camera.center[:-2], *at.mean(axis=0))
        size = float(max(np.ptp(at, axis=0).max(), 1e-9))
        canvas = float(min(viewer.canvas.size))
        if not _SMALLEST <= size * camera.zoom / canvas <= _LARGEST:
            camera.zoom = _WANTED * canvas / size
