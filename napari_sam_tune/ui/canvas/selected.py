"""Selected masks on the canvas: their outlines, and the view moved to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.ui.canvas.looks import outline
from napari_sam_tune.ui.canvas.view import look_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.ui.canvas.layers import LabellingLayers

_MOST_PIXELS = 1_000_000
"""Of a mask's box; of larger ones a coarse outline is drawn, which takes no longer."""


class SelectedMasks:
    """Outlines on the layer for them.

    Args:
        layers: it is one of these.

    """

    def __init__(self, layers: LabellingLayers) -> None:
        self._layers = layers

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
        look_at(self._layers.viewer, self._layers.image, bbox)
