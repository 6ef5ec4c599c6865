"""The layers a person labels with, on a `ViewerModel`; no Qt needed.

Over the image lie, from below: `accepted` (a Labels layer, one value per object, in class
colours), `box` (Vectors), `proposal` (a Labels layer that napari's own brush and eraser edit) and
`clicks` (Vectors, + and −). All inherit the image's scale, translation and rotation. Arrays are
(row, column) here; only `xy_at` hands out SAM's (x, y).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.prompts import rowcol_from_xy, xy_from_rowcol
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.canvas.looks import (
    CLICK_WIDTH,
    LINE_PIXELS,
    MAKERS,
    OWN,
    click_marks,
    inherit_place,
    outline,
    place_window,
)
from napari_sam_tune.ui.canvas.masks import MASKS, MasksOnCanvas
from napari_sam_tune.ui.canvas.pane import pane_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer, Vectors
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.prompts import Box, Point, Prompt

_MARKERS = ("box", "clicks", "preview")
_LINES = {
    "box": LINE_PIXELS,
    "clicks": CLICK_WIDTH,
    "preview": LINE_PIXELS,
    "selected": 1.5 * LINE_PIXELS,
}
_NAMES = {
    "accepted": mark("accepted"),
    "proposal": mark("proposal"),
    "box": mark("box"),
    "clicks": mark("clicks"),
    "preview": mark("preview"),
    "selected": mark("selected"),
}
"""Of the layers, by role."""
_OFTEN = {
    *("_extent_augmented", "colormap", "edge_color", "edge_width", "features"),
    *("selected_label", "set_data"),
}
"""What changes at every click and is told to nobody who listens to a layer as a whole. That is
napari's list of layers, which shows nothing of it, and draws all its rows anew for each."""


class LabellingLayers(MasksOnCanvas):
    """The plugin's layers on one viewer.

    Args:
        viewer: the viewer's model.

    Attributes:
        image: the open image's layer, or None.
        shape: (H, W) of the open image.
        pane: the part of it that the layers of masks hold.
        is_viewer_closing: what the layers are drawn on is gone already; set by who hears of it.

    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.is_viewer_closing = False
        self._prompt: Prompt | None = None  # what clicks and box show
        self._clicked: Prompt | None = None  # what clicks show, also while another box is drawn
        self._outlined = False
        viewer.scene.camera.events.zoom.connect(self._follow_zoom)

    # ---------------------------------------------------------------- opening

    def open(self, image: Image, shape: tuple[int, int]) -> Iterator[None]:
        """Lay empty layers over `image` and make the proposal layer the active one.

        Yields after every layer that had to be made: napari takes up to a tenth of a second for
        one, in which the viewer stands still. Layers that are there already are used again: napari
        collects all garbage whenever a layer is removed, which with torch in memory takes more than
        a second.

        Args:
            image: its layer; of a stack, the last two dimensions count.
            shape: (H, W) of the image.

        """
        self._forget_removed()
        self.image, self.shape, self._objects = image, shape, []
        self._lift_above(image)
        self.pane = pane_for(shape, self.seen_window(), self.screen_pixel())
        for role, make in MAKERS.items():
            layer = self._own.get(role) or make()
            if role in MASKS and layer.data.shape != self.pane.shape:
                layer.data = np.zeros(self.pane.shape, layer.data.dtype)
            if role in self._own:
                self._put(role, layer)
            else:
                self._add(role, layer)
                yield
        self._begin_pane()
        self.show_proposal(None)
        self.show_prompt(None)
        self.show_preview(None)
        self.proposal.mode = "pan_zoom"
        self.viewer.layers.selection.active = self.proposal
        self._follow_zoom()

    def follow_view(self) -> None:
        """Let the masks of a large image be shown where the person looks now."""
        if self.is_open and self._follow_view():
            self._follow_zoom()

    def _put(self, role: str, layer: Layer) -> None:
        """Put a layer over the image, or over the part of it that it holds."""
        if role in MASKS:
            place_window(layer, self.image, self.pane.window, self.pane.step)
        else:
            inherit_place(layer, self.image)

    def _lift_above(self, image: Image) -> None:
        """Keep the image just below what is laid over it, where it came later."""
        layers = self.viewer.layers
        lowest = min((layers.index(layer) for layer in self._own.values()), default=len(layers))
        if layers.index(image) > lowest:
            layers.move(layers.index(image), lowest)

    def _forget_removed(self) -> None:
        """Take away layers that lie below one that was thrown away: the order counts."""
        roles = list(self._own)
        lost = [n for n, role in enumerate(roles) if self._own[role] not in self.viewer.layers]
        for role in roles[min(lost, default=len(roles)) :]:
            layer = self._own.pop(role)
            self._colours = []
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def close(self) -> None:
        """Take the plugin's layers off the viewer, unless that is closing; the images stay."""
        self.viewer.scene.camera.events.zoom.disconnect(self._follow_zoom)
        own, self._own, self.image, self._objects = list(self._own.values()), {}, None, []
        for layer in () if self.is_viewer_closing else own:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    @property
    def is_open(self) -> bool:
        """Whether an image is open and all layers over it are still there."""
        layers = self.viewer.layers
        wanted = [self.image, *self._own.values()]
        return self._own.keys() >= MAKERS.keys() and all(layer in layers for layer in wanted)

    @property
    def selected(self) -> Vectors:
        """The layer of the outlines of selected masks."""
        return self._own["selected"]

    @property
    def all_own(self) -> list[Layer]:
        """Every layer of the plugin, from below."""
        return list(self._own.values())

    def is_own(self, layer: Layer | None) -> bool:
        """Whether a layer is one of the plugin's."""
        return layer is not None and OWN in layer.metadata

    def is_expected(self, layer: Layer) -> bool:
        """Whether the open image needs this layer: it is the image, or one of the layers over it.

        False while `close` takes them away.
        """
        return layer is self.image or layer in self._own.values()

    def _add(self, role: str, layer: Layer) -> None:
        layer.name = tr(_NAMES[role])
        layer.metadata[OWN] = role
        if role in _LINES:
            # nobody is shown it (`_untold`), and for outlines napari works at it for 20 ms a time
            layer._update_thumbnail = _nothing
        self._put(role, layer)
        with not_selected(self.viewer):
            self.viewer.layers.append(layer)
        for name in _OFTEN & layer.events.emitters.keys():
            layer.events[name].disconnect(layer.events)
        self._own[role] = layer

    # ------------------------------------------------------------ coordinates

    def world_of(self, mask: PlacedMask) -> tuple[float, ...]:
        """Return the world position of the first pixel of a mask."""
        plane = self.viewer.dims.current_step[: self.image.ndim - 2]
        return tuple(self.image.data_to_world((*plane, *mask.first)))

    def box_between(self, start: Sequence[float], end: Sequence[float]) -> Box:
        """Return the box (x0, y0, x1, y1) between two world positions, in the image's pixels."""
        ya, xa = self.image.world_to_data(start)[-2:]
        yb, xb = self.image.world_to_data(end)[-2:]
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)

    def path_through(self, worlds: Sequence[Sequence[float]]) -> list[Point]:
        """Return world positions as (x, y) in the image's pixels, also outside of it."""
        return [xy_from_rowcol(self.image.world_to_data(world)[-2:]) for world in worlds]

    # ---------------------------------------------------------------- showing

    def show_preview(self, placed: PlacedMask | None) -> None:
        """Show the outline a click would give, or none."""
        lines = None if placed is None else outline(placed.cropped)
        if lines is not None and placed is not None and placed.bbox is not None:
            lines[:, 0] += placed.bbox[:2]
        self.show_lines("preview", lines)

    def show_path(self, path: Sequence[Point]) -> None:
        """Show a stroke while it is drawn, through at least two (x, y) positions."""
        corners = np.array([rowcol_from_xy(xy) for xy in path], np.float32)
        self.show_lines("preview", np.stack([corners[:-1], np.diff(corners, axis=0)], axis=1))

    def show_lines(self, role: str, lines: NDArray[np.float32] | None) -> None:
        """Show lines on the layer of a role, (N, 2, 2): (row, column) and where it leads."""
        layer = self._own.get(role)
        if layer is None:
            return  # no image was open yet
        if lines is not None or len(layer.data):
            self._fit_width(role)  # before there are more lines, which would be drawn twice
            with _untold(layer):
                layer.data = np.zeros((0, 2, 2), np.float32) if lines is None else lines

    def show_prompt(self, prompt: Prompt | None) -> None:
        """Show the clicks and the box of the object in progress."""
        if prompt is not None and prompt == self._prompt:
            return
        self._prompt = self._clicked = prompt
        self._show_clicks()
        self.show_box(None if prompt is None else prompt.box)

    def _show_clicks(self) -> None:
        """Show the clicks, in the size that the zoom asks for."""
        prompt, layer = self._clicked, self._own["clicks"]
        if prompt is None or not prompt.points:
            self.show_lines("clicks", None)
            return
        points = np.array([rowcol_from_xy(xy) for xy in prompt.points], float)
        lines, colours = click_marks(points, np.array(prompt.labels, bool), self.screen_pixel())
        self.show_lines("clicks", lines)
        if not np.array_equal(layer.edge_color, colours):
            with _untold(layer):
                layer.edge_color = colours

    def show_box(self, box: Box | None) -> None:
        """Show a box (x0, y0, x1, y1), also while it is being drawn."""
        if self._prompt is not None and box != self._prompt.box:
            self._prompt = None  # what is drawn now is not the prompt's box
        if box is None:
            self.show_lines("box", None)
            return
        x0, y0, x1, y1 = box
        corners = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]], np.float32)
        sides = np.roll(corners, -1, axis=0) - corners
        self.show_lines("box", np.stack([corners, sides], axis=1))

    def switch_markers(self) -> bool:
        """Hide clicks, box and preview, or show them again; returns whether they are shown."""
        markers = [self._own[role] for role in _MARKERS if role in self._own]
        shown = not all(layer.visible for layer in markers)
        for layer in markers:
            layer.visible = shown
        return shown

    def switch_outlines(self) -> bool:
        """Show masks as outlines, or filled; returns whether they are outlines now."""
        self._outlined = not self._outlined
        self._follow_zoom()
        return self._outlined

    def hide_masks(self, hidden: bool) -> None:
        """Let the image be seen without masks, or with them again."""
        for role in MASKS:
            self._own[role].visible = not hidden

    def _follow_zoom(self, _: object = None) -> None:
        """Keep marks and lines as wide on the screen as they were."""
        if not self.is_open:
            return
        width = LINE_PIXELS * self.screen_pixel() / self.pane.step
        self._show_clicks()
        for role in _LINES:
            if len(self._own[role].data):
                self._fit_width(role)
        # napari draws contours in whole pixels of the layer
        contour = max(1, round(width)) if self._outlined else 0
        for role in MASKS:
            if self._own[role].contour != contour:
                self._own[role].contour = contour

    def _fit_width(self, role: str) -> None:
        layer, width = self._own[role], _LINES[role] * self.screen_pixel()
        if layer.edge_width != width:
            layer.edge_width = width


def _nothing() -> None:
    """Do nothing."""


@contextmanager
def not_selected(viewer: ViewerModel) -> Iterator[None]:
    """Let layers come of which another is made the active one next.

    For each that becomes the active one napari lays out its controls, which takes as long as all
    else of the layer.
    """
    with viewer.layers.selection.events.active.blocker():
        yield


@contextmanager
def _untold(layer: Layer) -> Iterator[None]:
    """Let marks change without the viewer working out anew how far all layers reach.

    They lie on the image, so that nothing comes of it, and of a box that is being drawn it takes
    longer than drawing it. Neither are thumbnails in the list of layers drawn anew.
    """
    with layer.events.data.blocker(), layer.events.thumbnail.blocker():
        yield
