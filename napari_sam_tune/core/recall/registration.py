"""Finding one photograph's surface on another: how far it is shifted, and how surely it is there.

Photographs are compared by local contrast, which exposures and lamps change little, with
normalised cross-correlation (`skimage.feature.match_template`; Lewis 1995). The same camera is
assumed: shifts are found, changes of scale and turns are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.recall.grey import resized, scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.recall.grey import Grey

    Floats = NDArray[np.float32]

SIDE: Final = 256
"""Longer side of a signature, in px, at most."""
_THUMBNAIL: Final = 16
_SIGMA: Final = 6.0
"""Standard deviation of the neighbourhood that contrast is local to, in px."""
MARGIN: Final = 3 * _SIGMA
"""Px beside a place that its local contrast depends on."""
_NOISE: Final = 2.0
"""Grey values: a surface with less contrast than this says little of where it is."""
_APART: Final = 3
"""Px between two places that are not the same, at least."""
_MOST_SHIFTED: Final = 0.2
"""Share of a photograph by which another of the same part may be shifted."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What a photograph is recognised by.

    Attributes:
        contrast: (h, w) float32 local contrast, longer side at most `SIDE`.
        shape: (H, W) of the photograph.
        thumbnail: (256,) float32 of norm 1; a product of two tells roughly how alike they are.

    """

    contrast: Floats
    shape: Shape
    thumbnail: Floats

    @classmethod
    def of(cls, grey: Grey) -> Signature:
        """Return the signature of a photograph."""
        seen = grey.part(whole(grey.shape), min(1.0, SIDE / max(grey.shape)))
        return cls.of_contrast(local_contrast(seen), grey.shape)

    @classmethod
    def of_contrast(cls, contrast: Floats, shape: Shape) -> Signature:
        """Return the signature that has this local contrast."""
        cell = max(contrast.shape) / _THUMBNAIL
        smooth = ndimage.gaussian_filter(contrast, cell / 3)
        small = resized(smooth, (_THUMBNAIL, _THUMBNAIL))
        small = (small - small.mean()).ravel()
        return cls(contrast, shape, small / max(float(np.linalg.norm(small)), 1e-6))

    @property
    def scale(self) -> float:
        """Px of the signature for one px of the photograph."""
        return float(max(self.contrast.shape) / max(self.shape))


def local_contrast(grey: Floats) -> Floats:
    """Return how many standard deviations of its neighbourhood each pixel lies above its mean.

    Args:
        grey: (H, W) float32, from 0 to 255.

    Returns:
        (H, W) float32.

    """
    above = grey - ndimage.gaussian_filter(grey, _SIGMA)
    spread = np.sqrt(ndimage.gaussian_filter(above * above, _SIGMA))
    contrast: Floats = (above / (spread + _NOISE)).astype(np.float32)
    return contrast


def shift_between(old: Signature, new: Signature) -> tuple[float, tuple[float, float]]:
    """Find the surface of one photograph on another.

    Returns:
        The correlation where they fit best, from −1 to 1; and (rows, columns), the px of the
        photographs to add to a position on the old one to find it on the new one.

    """
    contrast: Floats = scaled(old.contrast, new.scale / old.scale)
    rows, columns = (int(_MOST_SHIFTED * side) for side in contrast.shape)
    middle = contrast[rows : len(contrast) - rows, columns : contrast.shape[1] - columns]
    score, (down, right), _ = best_place(middle, new.contrast)
    return score, ((down - rows) / new.scale, (right - columns) / new.scale)


def best_place(template: Floats, field: Floats) -> tuple[float, tuple[int, int], Floats]:
    """Find a template in a field, which is padded with 0 where it is too small to hold it.

    Returns:
        The normalised cross-correlation at its best, the (row, column) of the template's corner
        there, and what of the field lies there, as large as the template.

    """
    missing = [max(0, t - f) for t, f in zip(template.shape, field.shape, strict=True)]
    padded = np.pad(field, [((m + 1) // 2, (m + 1) // 2) for m in missing])
    scores = _correlations(padded, template)
    row, column = (int(i) for i in np.unravel_index(int(scores.argmax()), scores.shape))
    corner = row - (missing[0] + 1) // 2, column - (missing[1] + 1) // 2
    found = padded[row : row + template.shape[0], column : column + template.shape[1]]
    return float(scores[row, column]), corner, found


def next_best_places(
    template: Floats, field: Floats, *, but: Iterable[Window], count: int
) -> Iterator[Floats]:
    """Yield what lies where a template fits a field best, but for some places.

    Args:
        template: (h, w).
        field: (H, W); nothing is yielded where it is too small to hold the template.
        but: where the template's upper left corner must not be, ends included.
        count: places at most, the best first, each where it fits better than a few px beside.

    """
    if any(t > f for t, f in zip(template.shape, field.shape, strict=True)):
        return
    from skimage.feature import peak_local_max

    scores = _correlations(field, template)
    for y0, x0, y1, x1 in but:
        scores[max(y0, 0) : max(y1 + 1, 0), max(x0, 0) : max(x1 + 1, 0)] = -1
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        scores, min_distance=_APART, exclude_border=False, num_peaks=count
    )
    for row, column in peaks:
        yield field[row : row + template.shape[0], column : column + template.shape[1]]


def _correlations(field: Floats, template: Floats) -> Floats:
    # Half a second of imports, which no image needs that nothing was seen like before.
    from skimage.feature import match_template

    found: Floats = match_template(field, template)  # type: ignore[no-untyped-call]
    return found


def correlation(one: Floats, other: Floats) -> float:
    """Return the correlation of two arrays of the same shape; 0 where one of them is constant."""
    one, other = one - one.mean(), other - other.mean()
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip((one * other).sum() / norms, -1, 1)) if norms > 0 else 0.0
