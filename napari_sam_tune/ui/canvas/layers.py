"""The layers a person labels with, on a `ViewerModel`; no Qt needed.

Over the image lie, from below: `accepted` (a Labels layer, one value per object, in class
colours), `box` (Shapes), `proposal` (a Labels layer that napari's own brush and eraser edit) and
`clicks` (Points, + and −). All inherit the image's scale, translation and rotation. Arrays are
(row, column) here; only `xy_at` hands out SAM's (x, y).
"""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils.colormaps import DirectLabelColormap
from scipy import ndimage

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.prompts import rowcol_from_xy, xy_from_rowcol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Box, Mask, Point, Prompt

OWN = "napari_sam_tune"
"""Key in a layer's metadata that marks it as the plugin's own; the value is its role."""

Colour = tuple[float, float, float, float]
_PROPOSAL_COLOUR: Colour = (0.10, 0.85, 1.00, 0.65)
_PREVIEW_COLOUR: Colour = (0.10, 0.85, 1.00, 1.00)
POSITIVE, NEGATIVE, BOX_COLOUR = "#39d353", "#ff5a52", "#ffd166"
# Lightness of one class's objects alternates a little, so that touching neighbours can be told.
_SHADES = (0.0, 0.10, -0.10, 0.18)
_CLICK_PIXELS = 11.0
_DIGITS = 6  # of positions in pixels; what is beyond comes of computing


@dataclass(frozen=True, eq=False)
class AcceptedObject:
    """What the accepted layer shows of one annotation.

    Attributes:
        id: the annotation's id.
        mask: bool, cut to the bounding box.
        corner: (row, column) of the box's first pixel.
        colour: its class's colour, "#rrggbb".

    """

    id: str
    mask: Mask
    corner: tuple[int, int]
    colour: str


class LabellingLayers:
    """The plugin's layers on one viewer.

    Args:
        viewer: the viewer's model.

    Attributes:
        image: the open image's layer, or None.
        shape: (H, W) of the open image.

    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.image: Any = None
        self.shape = (0, 0)
        self._own: dict[str, Layer] = {}
        self._prompt: Prompt | None = None  # what clicks and box show
        self._ids: list[str] = []

    # ---------------------------------------------------------------- opening

    def open(self, image: Image, shape: tuple[int, int]) -> None:
        """Lay empty layers over `image` and make the proposal layer the active one.

        Layers that are there already are used again: napari collects all garbage whenever a layer
        is removed, which with torch in memory takes more than a second.

        Args:
            image: its layer; of a stack, the last two dimensions count.
            shape: (H, W) of the image.

        """
        self._forget_removed()
        self.image, self.shape, self._ids = image, shape, []
        for role, make in _MAKERS.items():
            if role not in self._own:
                self._add(role, make())
            _inherit_place(self._own[role], image)
        for role in ("accepted", "proposal"):
            self._own[role].data = np.zeros(shape, self._own[role].data.dtype)
        self.show_prompt(None)
        self.show_preview(None)
        self.proposal.mode = "pan_zoom"
        self.viewer.layers.selection.active = self.proposal

    def _forget_removed(self) -> None:
        """Take away layers that lie below one that was thrown away: the order counts."""
        roles = list(self._own)
        lost = [n for n, role in enumerate(roles) if self._own[role] not in self.viewer.layers]
        for role in roles[min(lost, default=len(roles)) :]:
            layer = self._own.pop(role)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def close(self) -> None:
        """Take the plugin's layers off the viewer; the images stay."""
        own, self._own, self.image, self._ids = list(self._own.values()), {}, None, []
        for layer in own:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    @property
    def is_open(self) -> bool:
        """Whether an image is open and all layers over it are still there."""
        layers = self.viewer.layers
        wanted = [self.image, *self._own.values()]
        return self.image is not None and all(layer in layers for layer in wanted)

    @property
    def proposal(self) -> Labels:
        """The layer whose paint corrects the proposal."""
        return self._own["proposal"]

    @property
    def accepted(self) -> Labels:
        """The layer of accepted masks; value n is the n-th object."""
        return self._own["accepted"]

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
        layer.name = role
        layer.metadata[OWN] = role
        _inherit_place(layer, self.image)
        self.viewer.layers.append(layer)
        self._own[role] = layer

    # ------------------------------------------------------------ coordinates

    def xy_at(self, world: Sequence[float]) -> Point | None:
        """Return (x, y) in the image's pixels for a world position, or None outside of it."""
        row, column = self.image.world_to_data(world)[-2:]
        height, width = self.shape
        if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
            return None
        return xy_from_rowcol((row, column))

    def box_between(self, start: Sequence[float], end: Sequence[float]) -> Box:
        """Return the box (x0, y0, x1, y1) between two world positions, in the image's pixels."""
        ya, xa = self.image.world_to_data(start)[-2:]
        yb, xb = self.image.world_to_data(end)[-2:]
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)

    def id_at(self, world: Sequence[float]) -> str | None:
        """Return the id of the accepted object at a world position."""
        xy = self.xy_at(world)
        if xy is None:
            return None
        row, column = np.clip(np.rint(rowcol_from_xy(xy)).astype(int), 0, np.array(self.shape) - 1)
        value = int(self.accepted.data[row, column])
        return self._ids[value - 1] if value else None

    def labels_over(self, layer: Labels, plane: tuple[int, ...]) -> NDArray[Any]:
        """Return a Labels layer's numbers where they lie over the open image, in full resolution.

        Args:
            layer: of the person's; may be a pyramid, lie elsewhere, or have other pixels.
            plane: of the image's layer that is open.

        Returns:
            (H, W) integers, by the nearest pixel of the layer; 0 where it does not reach.

        Raises:
            MaskError: it is a stack of other planes than the image, or none of it lies over it.

        """
        level = layer.data[0] if layer.multiscale else layer.data
        leading = level.shape[:-2]
        if all(side == 1 for side in leading):
            labels = np.asarray(level).reshape(level.shape[-2:])
        elif leading == self._leading():
            labels = np.asarray(level[plane])
        else:
            raise MaskError(
                f"“{layer.name}” is a stack of planes ({' × '.join(map(str, level.shape))}), and "
                "the image is not. Take the plane out first, as a layer of its own."
            )
        corners = [(0, 0), (1, 0), (0, 1)]
        worlds = [self.image.data_to_world((*plane, *corner)) for corner in corners]
        at = np.array([layer.world_to_data(world)[-2:] for world in worlds], float)
        steps = np.round((at[1:] - at[0]).T, _DIGITS)
        found: NDArray[Any] = ndimage.affine_transform(
            labels, steps, np.round(at[0], _DIGITS), self.shape, order=0, prefilter=False
        )
        if not found.any():
            raise MaskError(f"No label of “{layer.name}” lies over the image: nothing was taken.")
        return found

    def _leading(self) -> tuple[int, ...]:
        shape = self.image.data[0].shape if self.image.multiscale else self.image.data.shape
        return tuple(shape[: self.image.ndim - 2])

    # ---------------------------------------------------------------- showing

    def show_proposal(self, mask: Mask | None) -> None:
        """Show the mask of the object in progress, or none."""
        data = self.proposal.data
        wanted = np.zeros_like(data) if mask is None else mask.astype(data.dtype)
        if not np.array_equal(data, wanted):
            np.copyto(data, wanted)
            self.proposal.refresh(extent=False)

    def show_preview(self, mask: Mask | None) -> None:
        """Show the outline a click would give, or none; its layer comes with the first one."""
        layer: Labels | None = self._own.get("preview")
        if layer is None:
            if mask is None or not self.is_open:
                return
            active = self.viewer.layers.selection.active
            self._add("preview", _mask_layer(_PREVIEW_COLOUR, contour=2))
            layer = self._own["preview"]
            self.viewer.layers.selection.active = active
        elif mask is None and not layer.data.any():
            return
        layer.data = np.zeros(self.shape, np.uint8) if mask is None else mask.astype(np.uint8)

    def proposed_mask(self) -> Mask:
        """Return the proposal layer as (H, W) bool, as brush and eraser left it."""
        return np.asarray(self.proposal.data != 0)

    def show_prompt(self, prompt: Prompt | None) -> None:
        """Show the clicks and the box of the object in progress."""
        if prompt is not None and prompt == self._prompt:
            return
        self._prompt = prompt
        points = [] if prompt is None else [rowcol_from_xy(p) for p in prompt.points]
        clicks: Points = self._own["clicks"]
        clicks.data = np.asarray(points, float).reshape(-1, 2)
        if points:
            positive = np.asarray(prompt.labels, bool)  # type: ignore[union-attr]
            clicks.face_color = np.where(positive, POSITIVE, NEGATIVE).tolist()
            clicks.symbol = np.where(positive, "cross", "hbar").tolist()
            clicks.size = _CLICK_PIXELS / max(self.viewer.scene.camera.zoom, 1e-6) / self._pixel()
        clicks.selected_data = set()
        self.show_box(None if prompt is None else prompt.box)

    def show_box(self, box: Box | None) -> None:
        """Show a box (x0, y0, x1, y1), also while it is being drawn."""
        if self._prompt is not None and box != self._prompt.box:
            self._prompt = None  # what is drawn now is not the prompt's box
        layer: Shapes = self._own["box"]
        if box is None:
            if layer.nshapes:
                layer.data = []
            return
        x0, y0, x1, y1 = box
        layer.data = [np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])]
        layer.edge_width = 2.0 / max(self.viewer.scene.camera.zoom, 1e-6) / self._pixel()

    def show_accepted(self, objects: Sequence[AcceptedObject], *, cover: bool = False) -> None:
        """Show the accepted objects, oldest first.

        Args:
            objects: in the order they were accepted.
            cover: whether later masks cover their neighbours, or stop at them.

        """
        data = np.zeros(self.shape, np.int32)
        for value, shown in enumerate(objects, start=1):
            height, width = shown.mask.shape
            row, column = shown.corner
            window = data[row : row + height, column : column + width]
            window[shown.mask if cover else shown.mask & (window == 0)] = value
        self._ids = [shown.id for shown in objects]
        self.accepted.colormap = class_colours([shown.colour for shown in objects])
        self.accepted.data = data
        self.accepted.editable = False  # napari makes a layer editable again with its data

    def _pixel(self) -> float:
        """Size of an image pixel in world units."""
        return float(np.abs(self.image.scale[-1])) or 1.0


def labels_to_masks(labels: NDArray[Any], *, parts: bool = False) -> list[Mask]:
    """Split a label image (H, W) into one bool mask per nonzero value, or (`parts`) per blob."""
    masks = [labels == value for value in np.unique(labels) if value]
    if not parts:
        return masks
    whole = np.ones((3, 3), int)
    numbered = [ndimage.label(mask, whole) for mask in masks]
    return [blobs == number for blobs, count in numbered for number in range(1, count + 1)]


def _inherit_place(layer: Layer, image: Image) -> None:
    """Put a two-dimensional layer where the last two dimensions of `image` are."""
    layer.scale, layer.translate = image.scale[-2:], image.translate[-2:]
    layer.rotate, layer.shear = image.rotate[-2:, -2:], image.shear[-1:]
    layer.affine = image.affine.affine_matrix[-3:, -3:]
    layer.units = image.units[-2:]


def _clicks_layer() -> Points:
    layer = Points(
        ndim=2,
        size=_CLICK_PIXELS,
        face_color=POSITIVE,
        border_color="black",
        border_width=0.12,
        symbol="cross",
    )
    layer.editable = False
    return layer


def _box_layer() -> Shapes:
    layer = Shapes(ndim=2, face_color="transparent", edge_color=BOX_COLOUR, edge_width=1.0)
    layer.editable = False
    return layer


def _mask_layer(colour: Colour, contour: int = 0) -> Labels:
    table = {None: colour, 0: (0, 0, 0, 0), 1: colour}
    layer = Labels(np.zeros((1, 1), np.uint8), colormap=DirectLabelColormap(color_dict=table))
    layer.contour = contour
    return layer


def _accepted_layer() -> Labels:
    return Labels(np.zeros((1, 1), np.int32), opacity=0.55)


def class_colours(colours: Sequence[str]) -> DirectLabelColormap:
    """Colour the labels 1, 2, … by their objects' class colours, shaded to tell neighbours."""
    table: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    seen: dict[str, int] = {}
    for value, colour in enumerate(colours, start=1):
        seen[colour] = seen.get(colour, -1) + 1
        table[value] = _shaded(colour, _SHADES[seen[colour] % len(_SHADES)])
    return DirectLabelColormap(color_dict=table)


def _shaded(colour: str, by: float) -> Colour:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = rgb_to_hls(red, green, blue)
    return (*hls_to_rgb(hue, float(np.clip(light + by, 0.1, 0.9)), saturation), 1.0)


# From below; the order in which they are laid over the image.
_MAKERS: dict[str, Callable[[], Layer]] = {
    "accepted": _accepted_layer,
    "box": _box_layer,
    "proposal": partial(_mask_layer, _PROPOSAL_COLOUR),
    "clicks": _clicks_layer,
}
