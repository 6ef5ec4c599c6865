"""How far pixels lie from the border of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far each pixel is inside a mask, in px from its border; negative outside.

    Args:
        mask: (h, w) bool, neither empty nor full.

    """
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask)
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside)
