"""What an object looks like beside what surrounds it: a classifier of pixels of its own.

Fisher's linear discriminant on a few filters of the grey values, learnt in planes where the object
is known and asked in the next. Values are taken in spreads of what surrounds the object, so that
planes of other brightness and contrast are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import clipped, grown, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.recall.grey import Grey

    Floats = NDArray[np.float32]

ROOM: Final = 14
"""Px around an object that are its surroundings."""
_GAP: Final = 1
"""Px beside its border that are neither."""
_SIGMAS: Final = (0.7, 1.5, 3.0)
_RIDGE: Final = 0.05
MOST_ALIKE: Final = 4.0
"""Logit of what surely looks like the object."""


@dataclass(frozen=True, eq=False)
class Look:
    """Sums over the pixels of an object and of its surroundings in one plane.

    Attributes:
        mean_in, mean_out: (F,), of the features.
        spread: (F, F), their covariance within either.

    """

    mean_in: NDArray[np.float64]
    mean_out: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, grey: Grey, mask: Mask, box: Window) -> Look | None:
        """Learn how an object looks; None where nothing surrounds it.

        Args:
            grey: the plane.
            mask: (h, w) bool, inside `box`.
            box: (y0, x0, y1, x1) in px.

        """
        window = clipped(grown(box, ROOM), grey.shape)
        inside = drawn_in(mask, box, window)
        far = ~ndimage.binary_dilation(inside, iterations=1 + _GAP)
        core = ndimage.binary_erosion(inside, iterations=_GAP)
        core = core if core.sum() >= 12 else inside
        if far.sum() < 12:
            return None
        features = _features(grey, window)
        own, other = features[core], features[far]
        means = own.mean(axis=0), other.mean(axis=0)
        centred = np.concatenate([(own - means[0]), (other - means[1])])
        weights = np.repeat([0.5 / len(own), 0.5 / len(other)], [len(own), len(other)])
        return cls(*means, (centred * weights[:, None]).T @ centred)


def likeness(looks: list[Look], grey: Grey, window: Window) -> Floats:
    """Return how much each pixel of a window looks like the object: (h, w) float32 logits.

    Args:
        looks: of the planes where the object is known; they count alike.
        grey: the plane asked about.
        window: which part of it.

    """
    features = _features(grey, window)
    spread = np.mean([look.spread for look in looks], axis=0)
    spread = spread + _RIDGE * np.diag(np.diag(spread)) + 1e-6 * np.eye(len(spread))
    inside = np.mean([look.mean_in for look in looks], axis=0)
    outside = np.mean([look.mean_out for look in looks], axis=0)
    weights = np.linalg.solve(spread, inside - outside)
    scores = (features - (inside + outside) / 2) @ weights
    logits: Floats = np.clip(scores, -MOST_ALIKE, MOST_ALIKE).astype(np.float32)
    return logits


def _features(grey: Grey, window: Window) -> NDArray[np.float64]:
    """Return (h, w, F) filters, in spreads of the window's values."""
    margin = grown(window, 8)
    seen = clipped(margin, grey.shape)
    part = grey.part(seen).astype(np.float64)
    middle = np.median(part)
    spread = float(np.median(np.abs(part - middle))) * 1.4826 + 1.0
    part = (part - middle) / spread
    found = []
    for sigma in _SIGMAS:
        found.append(ndimage.gaussian_filter(part, sigma))
        found.append(ndimage.gaussian_gradient_magnitude(part, sigma))
    smooth = found[2]
    found.append(np.sqrt(ndimage.gaussian_filter((part - smooth) ** 2, 2.0)))
    top, left = window[0] - seen[0], window[1] - seen[1]
    height, width = shape_of(window)
    return np.stack(found, axis=-1)[top : top + height, left : left + width]


def drawn_in(mask: Mask, box: Window, window: Window) -> Mask:
    """Return a mask that lies in a box as it lies in a window, which holds the box."""
    drawn: Mask = np.zeros(shape_of(window), bool)
    top, left = box[0] - window[0], box[1] - window[1]
    drawn[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return drawn
