"""How the plugin's layers look: what they are made as, colours, outlines."""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Vectors
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.colormaps.standardize_color import transform_color
from scipy import ndimage

from napari_sam_tune.core.images.files import to_rgb8

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.prompts import Mask

OWN = "napari_sam_tune"
"""Key in a layer's metadata that marks it as the plugin's own; the value is its role."""

Colour = tuple[float, float, float, float]
_PROPOSAL_COLOUR: Colour = (0.10, 0.85, 1.00, 0.65)
POSITIVE, NEGATIVE, BOX_COLOUR = "#39d353", "#ff5a52", "#ffd166"
PREVIEW_COLOUR, SELECTED_COLOUR = "#1ad9ff", "#ffffff"
# Lightness of one class's objects alternates a little, so that touching neighbours can be told.
_SHADES = (0.0, 0.10, -0.10, 0.18)
_DARK: Colour = (0.0, 0.0, 0.0, 1.0)
# On the screen, whatever the zoom: length and width of what clicks are marked with, its dark rim.
CLICK_PIXELS, CLICK_WIDTH, _RIM_PIXELS = 11.0, 3.0, 1.4
LINE_PIXELS = 2.0


def _clicks_layer() -> Vectors:
    layer = _line_layer("black")
    layer.blending = "translucent_no_depth"  # what comes later lies above: bright on dark
    return layer


def click_marks(
    points: NDArray[np.float64], positive: NDArray[np.bool_], pixel: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return + and − with a dark rim, drawn with lines.

    A Points layer would show them, too: napari takes a fifth of a second to show its first one, in
    one turn of the event loop (of it a quarter for the letters of texts that it does not have, the
    rest for shaders of all symbols), and twice as long for every click.

    Args:
        points: (N, 2), row and column.
        positive: (N,), whether it is a +.
        pixel: of the screen, in px of the layer.

    Returns:
        (M, 2, 2) rows and columns where lines start and how far they lead, and their (M, 4)
        colours, RGBA; the dark ones first.

    """
    middles = np.concatenate([points, points[positive]])
    along = np.repeat([[0.0, 1.0], [1.0, 0.0]], [len(points), positive.sum()], axis=0)
    inks = np.where(positive[:, None], transform_color(POSITIVE), transform_color(NEGATIVE))
    inks = np.concatenate([inks, inks[positive]])
    half, rim = CLICK_PIXELS / 2 * pixel, _RIM_PIXELS * pixel

    def bars(aside: float, half: float) -> NDArray[np.float64]:
        starts = middles + aside * along[:, ::-1] - half * along
        return np.stack([starts, 2 * half * along], axis=1)

    lines = np.concatenate([bars(-rim, half + rim), bars(rim, half + rim), bars(0, half)])
    colours = np.concatenate([np.tile(_DARK, (2 * len(along), 1)), inks])
    return lines.astype(np.float32), colours.astype(np.float32)


def _line_layer(colour: str) -> Vectors:
    return Vectors(ndim=2, edge_color=colour, vector_style="line")


def _mask_layer(colour: Colour) -> Labels:
    table = {None: colour, 0: (0, 0, 0, 0), 1: colour}
    return Labels(np.zeros((1, 1), np.uint8), colormap=DirectLabelColormap(color_dict=table))


def _accepted_layer() -> Labels:
    return Labels(np.zeros((1, 1), np.uint8), opacity=0.55, colormap=class_colours([]))


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


def outline(mask: Mask) -> NDArray[np.float32]:
    """Return a mask's edge as (N, 2, 2) steps of one pixel: (row, column) and where it leads."""
    filled = ndimage.find_objects(mask.astype(np.uint8, copy=False))
    if not filled:
        return np.zeros((0, 2, 2), np.float32)
    rows, columns = filled[0]
    inside = np.pad(mask[rows, columns], 1)
    corner = np.array([rows.start - 0.5, columns.start - 0.5])
    across = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1]) + corner
    along = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1]) + corner
    starts = np.concatenate([across, along])
    steps = np.repeat([[1.0, 0.0], [0.0, 1.0]], [len(across), len(along)], axis=0)
    return np.stack([starts, steps], axis=1).astype(np.float32)


def displayable(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return an image as napari shows it: grey and RGB(A) as they are, the rest as 8-bit RGB."""
    is_colour = pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and pixels.dtype == np.uint8
    return pixels if pixels.ndim == 2 or is_colour else to_rgb8(pixels)


def large_layer(image: LargeImage, name: str) -> Image:
    """Return a layer that shows a large image in as many pixels as it takes."""
    levels, is_grey = image.levels, image.levels[0].ndim == 2
    limits = None
    if is_grey and image.dtype != np.bool_:
        limits = (0, 255) if image.dtype == np.uint8 else image.limits
        limits = limits if limits[0] < limits[1] else (limits[0], limits[0] + 1)
    return Image(
        levels,
        name=name,
        multiscale=True,
        rgb=not is_grey,
        contrast_limits=limits,
        metadata={OWN: "image"},
    )


def inherit_place(layer: Layer, image: Image) -> None:
    """Put a two-dimensional layer where the last two dimensions of `image` are.

    What is right already is left: napari draws the layer anew for each of these, and its list.
    """
    place = {
        "scale": image.scale[-2:],
        "translate": image.translate[-2:],
        "rotate": image.rotate[-2:, -2:],
        "shear": image.shear[-1:],
        "units": image.units[-2:],
    }
    for name, value in place.items():
        if not np.array_equal(getattr(layer, name), value):
            setattr(layer, name, value)
    affine = image.affine.affine_matrix[-3:, -3:]
    if not np.array_equal(layer.affine.affine_matrix, affine):
        layer.affine = affine


def place_window(layer: Layer, image: Image, window: tuple[int, int, int, int], step: int) -> None:
    """Put a two-dimensional layer over a window of `image`, so many px to one of its own.

    Args:
        layer: with an array of the window.
        image: what it lies over.
        window: (y0, x0, y1, x1) in px of the image.
        step: px of the image to a px of the layer.

    """
    inherit_place(layer, image)
    if step == 1 and window[:2] == (0, 0):
        return
    scale, shift = np.asarray(image.scale[-2:]), np.array(window[:2]) + (step - 1) / 2
    turned = np.asarray(image.rotate)[-2:, -2:]
    layer.translate = np.asarray(image.translate)[-2:] + turned @ (shift * scale)
    layer.scale = scale * step


# From below; the order in which they are laid over the image.
MAKERS: dict[str, Callable[[], Layer]] = {
    "accepted": _accepted_layer,
    "box": partial(_line_layer, BOX_COLOUR),
    "proposal": partial(_mask_layer, _PROPOSAL_COLOUR),
    "clicks": _clicks_layer,
    "preview": partial(_line_layer, PREVIEW_COLOUR),
    "selected": partial(_line_layer, SELECTED_COLOUR),
}
