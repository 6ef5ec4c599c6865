"""Selected masks on the canvas: their outlines, and the view moved to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Vectors

from napari_sam_tune.core.wording import tr
from napari_sam_tune.ui.canvas.looks import OWN, inherit_place, outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.ui.canvas.layers import LabellingLayers

_MOST_PIXELS = 1_000_000
"""Of a mask's box; of larger ones a coarse outline is drawn, which takes no longer."""
_COLOUR = "#ffffff"
_LINE_PIXELS = 3.0
_SMALLEST, _LARGEST, _WANTED = 0.04, 0.8, 0.25
"""Of the canvas's shorter side: an object that takes less or more is zoomed to."""


class SelectedMasks:
    """Outlines over the layers a person labels with.

    The layer comes with the first image, though it is empty then: to add one takes longer than a
    person should wait for a mask to be shown.

    Args:
        layers: those it lies over.

    """

    def __init__(self, layers: LabellingLayers) -> None:
        self._layers, self._viewer = layers, layers.viewer
        self._layer: Vectors | None = None
        self._viewer.scene.camera.events.zoom.connect(self._follow_zoom)

    def close(self) -> None:
        """Take the layer off the viewer."""
        self._viewer.scene.camera.events.zoom.disconnect(self._follow_zoom)
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def show(self, masks: Sequence[tuple[Mask, BoundingBox]]) -> None:
        """Outline these masks, each cut to its box, and no others."""
        layer = self._layer
        if layer is None or layer not in self._viewer.layers:
            layer = self._layer = self._add()
        steps = [np.zeros((0, 2, 2), np.float32)]
        for mask, (top, left, _, _) in masks:
            coarse = int(np.ceil(np.sqrt(max(1, mask.size / _MOST_PIXELS))))
            edges = coarse * outline(mask[::coarse, ::coarse])
            middle = (coarse - 1) / 2  # of a coarse pixel
            edges[:, 0] += (top + middle, left + middle)
            steps.append(edges)
        inherit_place(layer, self._layers.image)
        layer.data = np.concatenate(steps)
        layer.visible = True
        self._follow_zoom()

    def mark(self, *, visible: bool) -> None:
        """Show the outlines, or hide them for a moment."""
        if self._layer is not None:
            self._layer.visible = visible

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

    def _add(self) -> Vectors:
        layer = Vectors(ndim=2, name=tr("selected"), edge_color=_COLOUR, vector_style="line")
        layer.metadata[OWN] = "selected"
        active = self._viewer.layers.selection.active
        self._viewer.layers.append(layer)
        self._viewer.layers.selection.active = active
        return layer

    def _follow_zoom(self, _: object = None) -> None:
        """Keep the lines as wide on the screen as they were."""
        if self._layer is not None and self._layers.image is not None:
            scale = float(np.abs(self._layers.image.scale[-1])) or 1.0
            zoom = max(self._viewer.scene.camera.zoom, 1e-6)
            self._layer.edge_width = _LINE_PIXELS / zoom / scale
