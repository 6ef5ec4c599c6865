"""How a robot draws along a crack: once, along its middle, with a hand that shakes a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage
from skimage.graph import MCP_Geometric
from skimage.morphology import skeletonize

from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.scoring import inscribed_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Stroke

    Line = NDArray[np.float64]

HAND: Final = 1.0
"""Standard deviation of a hand from the line it follows, in px."""
# Times its width that a line is long.
_ELONGATED: Final = 4.0
# The hand drifts over so many px; of a stroke at most so many positions are told.
_DRIFT: Final = 8
_MOST: Final = 200


def centre_line(mask: Mask) -> Line:
    """Return the longest way along the middle of the largest part of a mask.

    Args:
        mask: (H, W) bool, not empty.

    Returns:
        (N, 2), the (x, y) of its pixels from end to end.

    """
    y0, x0, y1, x1 = bounding_box(mask)
    cut = mask[y0:y1, x0:x1].copy()  # scikit-image takes nothing that may not be written
    middle = skeletonize(cut)  # type: ignore[no-untyped-call]
    parts, _ = ndimage.label(middle, np.ones((3, 3)))
    largest = np.bincount(parts.ravel())[1:].argmax() + 1
    thin = parts == largest
    start = tuple(np.argwhere(thin)[0])
    for _ in range(2):  # the farthest from anywhere is an end; the farthest from it the other
        ways = MCP_Geometric(np.where(thin, 1.0, -1.0))
        far, _ = ways.find_costs([start])
        far[~thin] = -1
        start = tuple(np.unravel_index(far.argmax(), far.shape))
    rows_columns = np.array(ways.traceback(start), float)
    return np.asarray(rows_columns[:, ::-1] + (x0, y0))


def is_elongated(mask: Mask, line: Line) -> bool:
    """Whether a mask is so long, along its `centre_line`, that one would draw along it."""
    return len(line) > _ELONGATED * 2 * inscribed_radius(mask)


def by_hand(line: Line, rng: np.random.Generator, hand: float = HAND) -> Stroke:
    """Return a line as a hand draws it: off by some px, smoothly."""
    off = ndimage.gaussian_filter1d(rng.normal(0, 1, line.shape), _DRIFT, axis=0, mode="nearest")
    off *= hand / max(float(off.std()), 1e-6) if len(line) > _DRIFT else 0.0
    shaky = (line + off)[:: max(1, len(line) // _MOST)]
    return tuple((float(x), float(y)) for x, y in shaky)
