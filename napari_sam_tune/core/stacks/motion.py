"""Where an object of one plane lies in the next: shifted, and a little larger or smaller.

Only what is near the object is looked at, by local contrast, so that a stage that drifts, an object
that moves by itself, and planes of different brightness come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import bounding_box, clipped, grown, shape_of
from napari_sam_tune.core.recall.grey import scaled
from napari_sam_tune.core.recall.registration import best_place, local_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.recall.grey import Grey

    Floats = NDArray[np.float32]

REACH: Final = 9
"""Px by which an object may move from a plane to the next, beyond what it moved before."""
_RIM: Final = 5
"""Px around an object that are looked at with it."""
_LONGEST: Final = 160
"""Longer side at which objects are compared, in px, at most."""
_SCALES: Final = (1.0, 0.96, 1.04)
_PENALTY: Final = 0.01
"""Correlation that another scale must gain."""


@dataclass(frozen=True, eq=False)
class Moved:
    """An object where it lies in another plane.

    Attributes:
        mask: (h, w) bool, inside `window`; what lies beyond the image is cut off.
        window: (y0, x0, y1, x1) in px of the image.
        shift: (rows, columns) px by which its middle moved.
        scale: how much larger it is.
        score: correlation of what is seen there with the object, from −1 to 1.

    """

    mask: Mask
    window: Window
    shift: tuple[float, float]
    scale: float
    score: float


def follow(
    mask: Mask,
    box: Window,
    before: Grey,
    after: Grey,
    speed: tuple[float, float] = (0.0, 0.0),
) -> Moved | None:
    """Find an object of one plane in the next.

    Args:
        mask: (h, w) bool, inside `box`.
        box: (y0, x0, y1, x1) in px.
        before: the plane it is in.
        after: the same of the other.
        speed: (rows, columns) px by which it moved from the plane before.

    Returns:
        Where it is; None where that is beyond the image.

    """
    window = clipped(grown(box, _RIM), before.shape)
    scale = min(1.0, _LONGEST / max(shape_of(window)))
    template = local_contrast(scaled(before.part(window), scale))
    best = (-2.0, 1.0, (0.0, 0.0))
    reach = REACH + int(np.ceil(max(abs(speed[0]), abs(speed[1]))))
    field_window = clipped(grown(window, reach), after.shape)
    field = local_contrast(scaled(after.part(field_window), scale))
    for factor in _SCALES:
        patch = template if factor == 1 else scaled(template, factor)
        score, (row, column), _ = best_place(patch, field)
        middle = (row + patch.shape[0] / 2) / scale, (column + patch.shape[1] / 2) / scale
        old = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
        shift = field_window[0] + middle[0] - old[0], field_window[1] + middle[1] - old[1]
        score -= 0.0 if factor == 1 else _PENALTY
        if score > best[0]:
            best = score, factor, shift
    return _placed(mask, box, best[2], best[1], best[0], after.shape)


def _placed(
    mask: Mask,
    box: Window,
    shift: tuple[float, float],
    scale: float,
    score: float,
    shape: tuple[int, ...],
) -> Moved | None:
    """Return a mask moved and scaled about the middle of its box, to parts of a pixel."""
    room = 2 + int(np.ceil(max(shape_of(box)) * abs(scale - 1)))
    window = grown(
        (
            int(np.floor(box[0] + shift[0])), int(np.floor(box[1] + shift[1])),
            int(np.ceil(box[2] + shift[0])), int(np.ceil(box[3] + shift[1])),
        ),
        room,
    )  # fmt: skip
    old = np.array([(box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2])
    new = old + shift
    offset = (np.array(window[:2]) - new) / scale + old - box[:2]
    drawn = ndimage.affine_transform(
        mask.astype(np.float32), np.eye(2) / scale, offset, output_shape=shape_of(window), order=1
    )
    inside = clipped(window, shape)
    top, left = inside[0] - window[0], inside[1] - window[1]
    height, width = shape_of(inside)
    cut: Mask = drawn[top : top + height, left : left + width] >= 0.5
    if height <= 0 or width <= 0 or not cut.any():
        return None
    y0, x0, y1, x1 = bounding_box(cut)
    tight = inside[0] + y0, inside[1] + x0, inside[0] + y1, inside[1] + x1
    return Moved(cut[y0:y1, x0:x1], tight, shift, scale, score)
