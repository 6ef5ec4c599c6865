"""The masks over the open image: the object in progress, and those that were accepted.

Of a large image the layers hold the part that is seen, see `pane`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import clipped, moved
from napari_sam_tune.core.prompts import rowcol_from_xy, xy_from_rowcol
from napari_sam_tune.ui.canvas.looks import class_colours, place_window
from napari_sam_tune.ui.canvas.painted import Painted, rows_of
from napari_sam_tune.ui.canvas.pane import Pane, is_whole, pane_for, step_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

    from napari_sam_tune.core.geometry.windows import BoundingBox, Window
    from napari_sam_tune.core.prompts import Point
    from napari_sam_tune.ui.canvas.painted import AcceptedObject

_COLOURS_AHEAD = 16
_BYTE = 256  # numbers that fit into one, 0 for no object among them
MASKS = ("accepted", "proposal")


class MasksOnCanvas:
    """The part of `LabellingLayers` that shows masks.

    Attributes:
        viewer: the viewer's model.
        image: the open image's layer, or None.
        shape: (H, W) of the open image.
        pane: the part of it that the layers of masks hold.
        thumbnails_are_old: emitted when masks were drawn, and their thumbnails were not.

    """

    thumbnails_are_old = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self._old_thumbnails: set[str] = set()
        self.image: Any = None
        self.shape = (0, 0)
        self.pane = Pane((0, 0, 0, 0))
        self._own: dict[str, Layer] = {}
        self._proposed: PlacedMask | None = None  # as it was shown last
        self._objects: list[AcceptedObject] = []
        self._cover = False
        self._parts: dict[str, tuple[AcceptedObject, AcceptedObject]] = {}  # as in the pane
        self._painted = Painted(np.zeros((0, 0), np.uint8))  # on the accepted layer
        self._colours: list[str] = []  # of the accepted objects and some more

    @property
    def proposal(self) -> Labels:
        """The layer whose paint corrects the proposal."""
        return self._own["proposal"]

    @property
    def accepted(self) -> Labels:
        """The layer of accepted masks; value n is the n-th object."""
        return self._own["accepted"]

    # ---------------------------------------------------------- what is seen

    def _begin_pane(self) -> None:
        """Begin with nothing painted on the arrays that the layers have."""
        self._parts = {}
        if self.accepted.data is not self._painted.numbers:
            self._painted = Painted(self.accepted.data)
        self.accepted.editable = False  # napari makes a layer editable again with its data
        self.proposal.editable = self.pane.step == 1

    def _follow_view(self) -> bool:
        """Let the masks of a large image be shown where the person looks now.

        Returns:
            Whether they were drawn anew.

        """
        if is_whole(self.shape):
            return False
        seen, pixel = self.seen_window(), self.screen_pixel()
        if self.pane.shows(seen, step_for(pixel)):
            return False
        self.pane = pane_for(self.shape, seen, pixel)
        for role in MASKS:
            layer = self._own[role]
            layer.data = np.zeros(self.pane.shape, layer.data.dtype)
            place_window(layer, self.image, self.pane.window, self.pane.step)
        self._begin_pane()
        self.show_proposal(self._proposed)
        self.show_accepted(self._objects, cover=self._cover)
        return True

    def seen_window(self) -> Window:
        """Return what is seen of the image as (y0, x0, y1, x1)."""
        viewer, image = self.viewer, self.image
        camera, point = viewer.scene.camera, list(viewer.dims.point)
        half = np.array(viewer.canvas.size) / 2 / max(camera.zoom, 1e-9)
        corners = []
        for down, across in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            point[-2:] = np.array(camera.center[-2:]) + half * (down, across)
            corners.append(image.world_to_data(point[-image.ndim :])[-2:])
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        window = (*np.floor(low).astype(int), *(np.ceil(high).astype(int) + 1))
        return clipped((int(window[0]), int(window[1]), int(window[2]), int(window[3])), self.shape)

    def screen_pixel(self) -> float:
        """Return how many pixels of the image a pixel of the screen is wide."""
        scale = float(np.abs(self.image.scale[-1])) or 1.0
        return 1 / max(self.viewer.scene.camera.zoom, 1e-6) / scale

    # ------------------------------------------------------------ coordinates

    def xy_at(self, world: Sequence[float]) -> Point | None:
        """Return (x, y) in the image's pixels for a world position, or None outside of it."""
        row, column = self.image.world_to_data(world)[-2:]
        height, width = self.shape
        if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
            return None
        return xy_from_rowcol((row, column))

    def id_at(self, world: Sequence[float]) -> str | None:
        """Return the id of the accepted object at a world position."""
        xy = self.xy_at(world)
        if xy is None:
            return None
        row, column = np.clip(np.rint(rowcol_from_xy(xy)).astype(int), 0, np.array(self.shape) - 1)
        found = self._object_at(int(row), int(column))
        return None if found is None else found.id

    def _object_at(self, row: int, column: int) -> AcceptedObject | None:
        """Return the object that is seen at a pixel, or hidden in it where it is seen from afar."""
        y0, x0, y1, x1 = self.pane.window
        if y0 <= row < y1 and x0 <= column < x1:
            at = (row - y0) // self.pane.step, (column - x0) // self.pane.step
            value = int(self.accepted.data[at])
            return self._objects[value - 1] if value else None
        under = [one for one in self._objects if _covers(one, row, column)]
        return under[-1 if self._cover else 0] if under else None

    def box_of_object(self, world: Sequence[float]) -> BoundingBox | None:
        """Return (y0, x0, y1, x1) of the object in progress, else of the accepted one there."""
        placed = self.proposed_mask()
        if placed.bbox is not None:
            return placed.bbox
        under = self.id_at(world)
        shown = next((one for one in self._objects if one.id == under), None)
        if shown is None:
            return None
        (top, left), (height, width) = shown.corner, shown.mask.shape
        return top, left, top + height, left + width

    # ---------------------------------------------------------------- showing

    def show_proposal(self, placed: PlacedMask | None) -> None:
        """Show the mask of the object in progress, or none."""
        self._proposed, data = placed, self.proposal.data
        mask = None if placed is None else self.pane.drawn(placed)
        # of some rows alone: a copy of all of a large image takes longer than a frame
        rows = rows_of(data, mask)
        wanted = np.zeros_like(data[rows]) if mask is None else mask[rows]
        if not np.array_equal(data[rows], wanted):
            np.copyto(data[rows], wanted)
            self._draw("proposal")

    def _draw(self, role: str) -> None:
        """Draw a layer of masks; its thumbnail follows when `draw_thumbnails` is called."""
        self._own[role].refresh(extent=False, thumbnail=False, highlight=False)
        self._old_thumbnails.add(role)
        self.thumbnails_are_old.emit()

    def draw_thumbnails(self) -> None:
        """Draw the thumbnails of masks that are others than before.

        For one of them napari draws its list of layers whole, which takes as long as the canvas.
        """
        for role in self._old_thumbnails & self._own.keys():
            self._own[role].refresh(extent=False, data_displayed=False, highlight=False)
        self._old_thumbnails.clear()

    def proposed_mask(self) -> PlacedMask:
        """Return the mask of the object in progress, as brush and eraser left it."""
        if self.pane.step > 1:  # nobody can paint in what is not seen
            return self._proposed or PlacedMask.empty(self.shape)
        window = self.pane.window
        inside = PlacedMask.in_window(np.asarray(self.proposal.data != 0), window, self.shape)
        if self._proposed is None or self._proposed.bbox is None or is_whole(self.shape):
            return inside
        beyond = self._proposed.cropped.copy()
        top, left = self._proposed.bbox[:2]
        y0, x0, y1, x1 = moved(window, (-top, -left))
        beyond[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = False
        return PlacedMask.in_window(beyond, self._proposed.bbox, self.shape) | inside

    def show_accepted(self, objects: Sequence[AcceptedObject], *, cover: bool = False) -> None:
        """Show the accepted objects, oldest first.

        Args:
            objects: in the order they were accepted.
            cover: whether later masks cover their neighbours, or stop at them.

        """
        # napari works out the colour of every number there may be: of 256 that takes no time
        dtype = np.dtype(np.uint8 if len(objects) < _BYTE else np.uint16)
        if self.accepted.data.dtype != dtype:
            self._painted = Painted(np.zeros(self.pane.shape, dtype))
            self.accepted.data = self._painted.numbers
            self.accepted.editable = False  # napari makes a layer editable again with its data
        self._objects, self._cover = list(objects), cover
        is_other = self._painted.paint(self._in_pane(objects), cover=cover)
        colours = [shown.colour for shown in objects]
        if colours != self._colours[: len(colours)]:
            # with room for the next ones: napari takes long to take in other colours
            self._colours = [*colours, *colours[-1:] * _COLOURS_AHEAD]
            with self.accepted._block_refresh():  # it is drawn once, and its thumbnail later
                self.accepted.colormap = class_colours(self._colours)
            is_other = True
        if is_other:
            self._draw("accepted")

    def _in_pane(self, objects: Sequence[AcceptedObject]) -> list[AcceptedObject]:
        """Return objects as they lie in the pane; those that were there before as they were."""
        parts: dict[str, tuple[AcceptedObject, AcceptedObject]] = {}
        for shown in objects:
            known = self._parts.get(shown.id)
            is_same = known is not None and known[0].mask is shown.mask
            part = known[1] if known is not None and is_same else self.pane.part_of(shown)
            parts[shown.id] = shown, part
        self._parts = parts
        return [part for _, part in parts.values()]


def _covers(shown: AcceptedObject, row: int, column: int) -> bool:
    down, right = row - shown.corner[0], column - shown.corner[1]
    height, width = shown.mask.shape
    return 0 <= down < height and 0 <= right < width and bool(shown.mask[down, right])
