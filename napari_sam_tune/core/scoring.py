"""How good a mask is, and where a robot would click next.

An object is scored by IoU; one that is thin everywhere by F1 with a tolerance of 2 px, as is the
field's practice for cracks, because a labelled edge is itself only good to a pixel. Clicks follow
the interactive-segmentation protocol (NoC): first the point of the object farthest from its
border, then the centre of the larger of the largest missed and the largest wrong region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.given_masks import as_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.prompts import Mask

THIN_RADIUS = 4.0
"""An object whose largest inscribed radius, in pixels, is below this is scored with tolerance."""

TOLERANCE = 2.0
"""How far apart, in pixels, two edges of a thin object may lie and still agree."""

BOUNDARY_DILATION = 0.02
"""Width of the edge that boundary IoU looks at, as a share of the image's diagonal."""

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def iou(a: ArrayLike, b: ArrayLike) -> float:
    """Return intersection over union of two (H, W) masks; two empty masks agree: 1.

    Raises:
        MaskError: not two-dimensional, or of different shapes.
    """
    a, b = _pair(a, b)
    union = np.count_nonzero(a | b)
    return 1.0 if union == 0 else float(np.count_nonzero(a & b) / union)


def dice(a: ArrayLike, b: ArrayLike) -> float:
    """Return twice the intersection over the sum of areas of two (H, W) masks; both empty: 1.

    Raises:
        MaskError: not two-dimensional, or of different shapes.
    """
    a, b = _pair(a, b)
    areas = np.count_nonzero(a) + np.count_nonzero(b)
    return 1.0 if areas == 0 else float(2 * np.count_nonzero(a & b) / areas)


def boundary_iou(a: ArrayLike, b: ArrayLike, dilation: float = BOUNDARY_DILATION) -> float:
    """Return the IoU of the inner edges of two (H, W) masks; two empty masks agree: 1.

    An edge is as wide as `dilation` times the image's diagonal, rounded and at least one pixel,
    counted in steps to any of eight neighbours; beyond the image is outside. Equal to the
    reference implementation of Cheng et al., "Boundary IoU" (CVPR 2021).

    Raises:
        MaskError: not two-dimensional, or of different shapes.
    """
    a, b = _pair(a, b)
    window = _bounding_box(a | b)
    if window is None:
        return 1.0
    width = max(1, round(dilation * float(np.hypot(*a.shape))))
    return iou(_inner_edge(a[window], width), _inner_edge(b[window], width))


def _inner_edge(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask that are within `width` steps of the outside."""
    steps = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    edge: Mask = mask & (steps <= width)
    return edge


def tolerant_f1(predicted: ArrayLike, truth: ArrayLike, tolerance: float = TOLERANCE) -> float:
    """Return F1 of two (H, W) masks where a pixel counts if the other mask is near it.

    Precision is the share of predicted pixels within `tolerance` pixels (Euclidean, inclusive) of
    the truth, recall the share of true pixels within `tolerance` of the prediction.

    Raises:
        MaskError: not two-dimensional, or of different shapes.
    """
    predicted, truth = _pair(predicted, truth)
    window = _bounding_box(predicted | truth)
    if window is None:
        return 1.0
    predicted, truth = predicted[window], truth[window]
    hits = np.count_nonzero(predicted & _grown(truth, tolerance))
    found = np.count_nonzero(truth & _grown(predicted, tolerance))
    if hits == 0 or found == 0:
        return 0.0
    precision = hits / np.count_nonzero(predicted)
    recall = found / np.count_nonzero(truth)
    return float(2 * precision * recall / (precision + recall))


def inscribed_radius(mask: ArrayLike) -> float:
    """Return the radius in pixels of the largest disc inside a (H, W) mask; 0 if it is empty.

    It is the distance from the innermost pixel to the nearest pixel outside. What lies beyond the
    image counts as outside, so a single pixel has radius 1.
    """
    mask = as_mask(mask)
    window = _bounding_box(mask)
    return 0.0 if window is None else float(_depth(mask[window]).max())


def is_thin(mask: ArrayLike) -> bool:
    """Say whether the mask is narrower than `THIN_RADIUS` everywhere."""
    return inscribed_radius(mask) < THIN_RADIUS


def score(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    thin: bool | None = None,
    tolerance: float = TOLERANCE,
) -> float:
    """Return the IoU, or the tolerant F1 where the truth is thin; from 0 to 1.

    Args:
        predicted: (H, W) mask.
        truth: (H, W) mask.
        thin: `is_thin(truth)` where it is known already; it is the costly part of a score.
        tolerance: in px of these masks, where those are not the image's.

    Raises:
        MaskError: not two-dimensional, or of different shapes.
    """
    if is_thin(truth) if thin is None else thin:
        return tolerant_f1(predicted, truth, tolerance)
    return iou(predicted, truth)


def next_click(
    predicted: ArrayLike | None,
    truth: ArrayLike,
    *,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[float, float, int]:
    """Return where a robot that knows the truth clicks next.

    The first click (`predicted` is None or empty) goes to the point of the object farthest from
    its border; each next one to the centre of the larger of the largest missed and the largest
    wrong region. The border of the image counts as a border.

    Args:
        predicted: (H, W) mask proposed so far, or None before the first click.
        truth: (H, W) mask of the object.
        noise: from 0 (always the centre) to 1 (anywhere in the region, uniformly): the probability
            of the latter.
        rng: source of chance; needed only where `noise` is above 0.

    Returns:
        x, y (pixel centres) and label: 1 on the object, 0 outside it.

    Raises:
        MaskError: shapes differ, the truth is empty, or the two masks are already equal.
        ValueError: `noise` is not within 0 and 1, or comes without `rng`.
    """
    if not 0 <= noise <= 1:
        raise ValueError(f"noise is a probability between 0 and 1, not {noise}.")
    if noise > 0 and rng is None:
        raise ValueError("A noisy click needs rng, for example numpy.random.default_rng(seed).")
    truth = as_mask(truth)
    if not truth.any():
        raise MaskError("The true mask is empty: there is no object to click on.")
    if predicted is None:
        predicted = np.zeros_like(truth)
    predicted, truth = _pair(predicted, truth)
    if predicted.any():
        region, corner, label = _largest_error(predicted, truth)
    else:
        # the whole object, not its largest part: the deepest point decides
        region, corner = _cropped(truth)
        label = 1
    if rng is not None and rng.random() < noise:
        row, column = rng.choice(np.argwhere(region))
    else:
        row, column = np.unravel_index(np.argmax(_depth(region)), region.shape)
    return float(corner[1] + column), float(corner[0] + row), label


def _largest_error(predicted: Mask, truth: Mask) -> tuple[Mask, tuple[int, int], int]:
    """Return the largest wrong region cropped, its (row, column) corner, and the click's label."""
    parts = [(_largest_part(truth & ~predicted), 1), (_largest_part(predicted & ~truth), 0)]
    present = [(*part, label) for part, label in parts if part is not None]
    if not present:
        raise MaskError("The proposal equals the true mask: there is nothing left to click.")
    # max keeps the first of equals, the missed region: adding is what people do first
    region, corner, _, label = max(present, key=lambda part: part[2])
    return region, corner, label


def _largest_part(mask: Mask) -> tuple[Mask, tuple[int, int], int] | None:
    """Return the largest 8-connected part cropped, its (row, column) corner and its area."""
    if not mask.any():
        return None
    cropped, corner = _cropped(mask)
    parts, _ = ndimage.label(cropped, structure=_EIGHT_NEIGHBOURS)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    largest = int(areas.argmax())
    part, inner = _cropped(parts == largest)
    return part, (corner[0] + inner[0], corner[1] + inner[1]), int(areas[largest])


def _cropped(mask: Mask) -> tuple[Mask, tuple[int, int]]:
    """Cut a non-empty mask to its bounding box; also return the box's (row, column) corner."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return mask[top : rows[-1] + 1, left : columns[-1] + 1], (top, left)


def _bounding_box(mask: Mask) -> tuple[slice, slice] | None:
    if not mask.any():
        return None
    cropped, (top, left) = _cropped(mask)
    return slice(top, top + cropped.shape[0]), slice(left, left + cropped.shape[1])


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Return each pixel's distance to the nearest one outside; beyond the array is outside."""
    distances: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(mask, 1))
    return distances[1:-1, 1:-1]


def _grown(mask: Mask, radius: float) -> Mask:
    """Return the pixels within `radius` of a mask.

    Shifted copies beat a distance transform ten-fold at the radii used here.
    """
    reach = int(radius)
    height, width = mask.shape
    padded = np.pad(mask, reach)
    grown = np.zeros_like(mask)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down * down + right * right <= radius * radius:
                rows = slice(reach + down, reach + down + height)
                grown |= padded[rows, reach + right : reach + right + width]
    return grown


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Mask, Mask]:
    first = as_mask(a)
    return first, as_mask(b, (first.shape[0], first.shape[1]))
