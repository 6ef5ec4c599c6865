"""From a stroke along a crack to its mask: the line is found under the stroke, and how wide it is.

A hand is some pixels off. Along the stroke runs the cheapest path over the ridge that differs most
from its surroundings (minimal paths, Cohen and Kimmel 1997); the crack is as wide there as half of
the path's contrast is left at that distance from it, on both sides together. No model is asked:
what is thinner than the model's grid is as good as what is wide, and a long crack is followed in
windows. A stroke whose ends meet is a loop around an object.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.graph import route_through_array

from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.rgb_source import RgbSource
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Point

    Grey = NDArray[np.float32]

REACH: Final = 6.0
"""How far from the stroke the line may be, in px, unless said otherwise."""
# The widest crack that is found, and what lies beside it, in times the reach.
_WIDEST, _BESIDE = 1.5, 2.5
# Of the ridge: half its width, in px; the path keeps to dark or light lines of one of these.
_SCALES: Final = (1.0, 2.0, 3.5)
# A stroke is followed in pieces of so many times the reach.
_PIECE = 12
# A long stroke is followed in windows of so many of its pixels.
_WINDOW = 1024
# Of the length of a loop, how far apart its ends may be; of its square, what it encloses at least
# (a circle: .08).
_GAP, _ROUND = 0.1, 0.015
# What is near along the path, in px; brightness changes along a crack.
_NEAR = 7.0
# The line ends where this part of its contrast is left; no line is thinner than this beside it.
_PART, _LEAST = 0.5, 1.0


def snap(
    image: NDArray[Any] | RgbSource, path: Sequence[Point], reach: float = REACH
) -> PlacedMask:
    """Return the mask of the line that was drawn along.

    Args:
        image: (H, W[, C]), as `to_rgb8` takes it, or an image that is read in windows.
        path: at least two (x, y) positions in px, in the order they were drawn.
        reach: how far from it the line may be, in px.

    Raises:
        PromptError: the path is no line within the image, or the reach is not more than 0.

    """
    if not reach > 0:
        raise PromptError(
            tr(
                "How far from a stroke its line may be is more than 0 px, not {reach:g}.",
                reach=reach,
            )
        )
    height, width = image.shape[:2]
    drawn = _pixels(path, (height, width))
    if len(drawn) < 2:
        raise PromptError(tr("A stroke is drawn along a crack: press, draw, and let go."))
    margin = int(np.ceil(reach * (_BESIDE + 1)))
    mask = PlacedMask.empty((height, width))
    for first in range(0, max(1, len(drawn) - margin), _WINDOW - margin):
        piece = drawn[first : first + _WINDOW]
        low = np.maximum(piece.min(axis=0) - margin, 0)
        high = np.minimum(piece.max(axis=0) + margin + 1, (height, width))
        (y0, x0), (y1, x1) = low.tolist(), high.tolist()
        window = y0, x0, y1, x1
        seen = image.rgb(window) if isinstance(image, RgbSource) else to_rgb8(image[y0:y1, x0:x1])
        found = _snap(seen.mean(axis=-1, dtype=np.float32), piece - low, reach)
        mask = mask | PlacedMask.in_window(found, window, (height, width))
    return mask


def encloses(path: Sequence[Point]) -> bool:
    """Whether a path goes around something: its ends meet, and not because it came back."""
    x, y = np.array(path, float).T
    length = float(np.hypot(np.diff(x), np.diff(y)).sum())
    gap = float(np.hypot(x[-1] - x[0], y[-1] - y[0]))
    area = abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2
    return gap <= _GAP * length and area > _ROUND * length**2


def inside(loop: Sequence[Point], shape: tuple[int, int]) -> PlacedMask:
    """Return what of an image of (H, W) lies within a loop of (x, y) positions, as a mask."""
    corners = np.array([(y, x) for x, y in loop], float)
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    (y0, x0), (y1, x1) = low.tolist(), (high + 1).tolist()
    y0, x0, y1, x1 = clipped((y0, x0, y1, x1), shape)
    mask: Mask = polygon2mask(  # type: ignore[no-untyped-call]
        (y1 - y0, x1 - x0), corners - (y0, x0)
    )
    return PlacedMask.in_window(mask, (y0, x0, y1, x1), shape)


def _snap(grey: Grey, drawn: NDArray[np.intp], reach: float) -> Mask:
    away = _distance(drawn, grey.shape)
    line = _middle(grey, drawn, away, reach)
    on_line = np.zeros(grey.shape, bool)
    on_line[tuple(line.T)] = True
    far, nearest = ndimage.distance_transform_edt(~on_line, return_indices=True)
    half_width = _half_width(grey, far, reach)[tuple(nearest)]
    return np.asarray(far <= half_width + 0.5)  # a ring ends half a pixel from its middle


def _half_width(grey: Grey, far: NDArray[np.float64], reach: float) -> Grey:
    """Return at each place how far from the line it is still more like it than what is beside."""
    widest = int(np.ceil(reach * _WIDEST))
    beside = _along(grey, (far > reach) & (far <= reach * _BESIDE))
    stands_out = _along(grey, far == 0) - beside
    half_width = np.full(grey.shape, _LEAST, np.float32)
    still = np.ones(grey.shape, bool)
    for step in range(1, widest + 1):
        here = _along(grey, (far > step - 0.5) & (far <= step + 0.5)) - beside
        still &= here * np.sign(stands_out) > _PART * np.abs(stands_out)
        half_width[still] = np.maximum(half_width[still], step)
    return half_width


def _middle(grey: Grey, drawn: NDArray[np.intp], away: Grey, reach: float) -> NDArray[np.intp]:
    """Return the pixels of the line's middle, found within reach of the stroke."""
    under = away <= reach
    # Of dark and of light lines that which stands out more: beside a dark one it is lighter, but
    # by less.
    found = [_ridge(grey, sign) for sign in (1, -1)]
    strengths = [float(np.percentile(ridge[under], 95)) for ridge in found]
    ridge, strong = found[int(np.argmax(strengths))], max(strengths) or 1.0
    cost = 0.05 + 1 - np.clip(ridge / strong, 0, 1) + 0.3 * (away / reach) ** 2
    cost[~under] = 1e6
    ends = [_best(cost, point, reach / 2) for point in (drawn[0], drawn[-1])]
    # in pieces, so that a stroke may come back to where it was
    step = max(1, int(_PIECE * reach))
    stops = [ends[0], *(tuple(p) for p in drawn[step:-step:step]), ends[1]]
    stops = [ends[0], *(_best(cost, p, reach) for p in stops[1:-1]), ends[1]]
    pieces = [_way(cost, a, b) for a, b in pairwise(stops)]
    return np.concatenate(pieces)


def _way(cost: Grey, start: tuple[int, int], end: tuple[int, int]) -> NDArray[np.intp]:
    """Return the pixels of the cheapest path."""
    way, _ = route_through_array(cost, start, end)  # type: ignore[no-untyped-call]
    return np.asarray(way, np.intp)


def _best(cost: NDArray[Any], point: Sequence[int], reach: float) -> tuple[int, int]:
    """Return the cheapest pixel near a point."""
    row, column = int(point[0]), int(point[1])
    r = max(1, int(reach))
    rows = slice(max(0, row - r), row + r + 1)
    columns = slice(max(0, column - r), column + r + 1)
    window = cost[rows, columns]
    y, x = np.unravel_index(int(window.argmin()), window.shape)
    return rows.start + int(y), columns.start + int(x)


def _ridge(grey: Grey, sign: int) -> Grey:
    """Return how much a pixel is on a dark (1) or a light (-1) line, at the best scale."""
    found = np.zeros_like(grey)
    for scale in _SCALES:
        rr = ndimage.gaussian_filter(grey, scale, order=(2, 0))
        cc = ndimage.gaussian_filter(grey, scale, order=(0, 2))
        rc = ndimage.gaussian_filter(grey, scale, order=(1, 1))
        bend = np.sqrt(((rr - cc) / 2) ** 2 + rc**2)
        found = np.maximum(found, scale**2 * (sign * (rr + cc) / 2 + bend))
    return found


def _along(grey: Grey, where: Mask) -> Grey:
    """Return the mean of the pixels meant, near each place."""
    weight = ndimage.gaussian_filter(where.astype(np.float32), _NEAR)
    total = ndimage.gaussian_filter(np.where(where, grey, 0).astype(np.float32), _NEAR)
    everywhere = float(grey[where].mean()) if where.any() else float(grey.mean())
    return np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), everywhere).astype(np.float32)


def _distance(drawn: NDArray[np.intp], shape: tuple[int, ...]) -> Grey:
    free = np.ones(shape, bool)
    free[tuple(drawn.T)] = False
    return np.asarray(ndimage.distance_transform_edt(free), np.float32)


def _pixels(path: Sequence[Point], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the pixels (row, column) a path runs over, in order, within the image."""
    points = np.array([(y, x) for x, y in path], float).reshape(-1, 2)
    if not len(points) or not np.isfinite(points).all():
        return np.zeros((0, 2), np.intp)
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    at = np.arange(0, lengths[-1] + 1)
    dense = np.stack([np.interp(at, lengths, side) for side in points.T], axis=1)
    pixels = np.rint(dense).astype(np.intp)
    inside = ((pixels >= 0) & (pixels < np.array(shape))).all(axis=1)
    kept = pixels[inside]
    changed = np.ones(len(kept), bool)
    changed[1:] = (np.diff(kept, axis=0) != 0).any(axis=1)
    along: NDArray[np.intp] = kept[changed]
    return along
