"""Clicks beside the border of a mask that is nearly right: they move the border.

A model that is asked anew draws something else, and a mask that was carried or accepted before is
mostly wrong by a pixel or two; so is one that several clicks have been spent on. Who clicks in the
middle of what is missing, or of what is too much, says where the border is: as far beyond the click
as it is now before it. By how much the border is off is taken as a Gaussian process over the mask's
signed distance and the clicks as observations of it; its posterior mean (simple kriging; Rasmussen
and Williams 2006, chapter 2) moves the border. The covariance has three parts: what is near a click
is off alike, and the whole mask may have been put beside its place or drawn at another size, so
that one click on the right also moves the border on the left. What was clicked before stays where
it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.distance import signed_distance
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import area, grown, hull
from napari_sam_tune.core.scoring import inscribed_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Prompt

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int_]

_NEAR: Final = 0.7
"""Variance, of 1 in all, of what is off near a click."""
_SHIFTED: Final = 0.2
"""Variance of what is off because the whole mask lies beside its place."""
_SCALED: Final = 0.1
"""Variance of what is off because the whole mask is too large or too small."""
_REACH: Final = (2.0, 0.25)
"""Px, and share of the radius of a disc of the mask's area: standard deviation of "near"."""
_DOUBT: Final = (0.03, 2.0)
"""Variance of what a click says of how far the border is off; by how much it grows with the square
of the click's distance from the border, in radii."""
_LEAST: Final = 0.75
"""Px from the border at which a click lies on its own side at least."""
_FARTHEST: Final = 2.0
"""Px from the border at which a click still speaks of it, beside a share of that radius."""
_NARROW: Final = 0.35
"""Radius of the largest disc in a line at most, in radii of a disc of the line's area."""
_LARGEST: Final = 2**19
"""Px of the box of a mask whose border is moved, at most: a tenth of a second."""
_SMOOTH: Final = 1.0
"""Px over which the direction of the border is averaged."""


def first_at_border(mask: PlacedMask, prompt: Prompt, share: float) -> int | None:
    """Return which click of a prompt is the first that a mask does not follow.

    None where it follows all, where one speaks of more than the border, and of masks so large that
    it would take long.

    Args:
        mask: what is shown.
        prompt: its clicks.
        share: how far from the border a click may be to speak of it, two px aside, in radii of a
            disc of the mask's area.

    """
    if mask.bbox is None or area(mask.bbox) > _LARGEST:
        return None
    room = int(np.ceil(_FARTHEST + share * _radius(mask)))
    found = []
    for number, ((x, y), label) in enumerate(zip(prompt.points, prompt.labels, strict=True)):
        row, column = round(y), round(x)
        if mask.covers(row, column) == bool(label):
            continue
        near = mask.crop((row - room, column - room, row + room + 1, column + room + 1))
        away = np.argwhere(near == bool(label)) - room
        if not (len(away) and np.hypot(*away.T).min() <= room):
            return None
        found.append(number)
    return found[0] if found else None


def is_line(mask: PlacedMask) -> bool:
    """Say whether a mask is long and narrow, or branches, as cracks do."""
    if mask.bbox is None:
        return False
    return inscribed_radius(mask.crop(mask.bbox)) < _NARROW * _radius(mask)


def move_border(
    mask: PlacedMask, prompt: Prompt, since: int = 0, *, near_alone: bool = False
) -> PlacedMask:
    """Return a mask with its border moved by the clicks of a prompt.

    Args:
        mask: as it was before them, not empty.
        prompt: its clicks, in the order they were made.
        since: how many of them had been made when it was like that; they hold it where they are.
        near_alone: only what is near a click is off, not the whole mask beside its place or drawn
            at another size: a person who has corrected it by several clicks sees to one place after
            the other, and the far side is as they left it.

    """
    if mask.bbox is None:
        return mask
    reach = _REACH[0] + _REACH[1] * _radius(mask)
    new = [(round(y), round(x)) for x, y in prompt.points[since:]]
    # one after the other, they lead as far from the mask as it grows by them
    held = hull([mask.bbox, *((row, column, row + 1, column + 1) for row, column in new)])
    window = grown(held, int(np.ceil(2 * reach)) + 2)
    inside = signed_distance(mask.crop(window))
    clicks = [
        (round(y) - window[0], round(x) - window[1], 1.0 if label else -1.0, number < since)
        for number, ((x, y), label) in enumerate(zip(prompt.points, prompt.labels, strict=True))
        if window[0] <= round(y) < window[2] and window[1] <= round(x) < window[3]
    ]
    if not clicks:
        return mask
    rows, columns = (np.array([click[axis] for click in clicks]) for axis in (0, 1))
    signs = np.array([sign for *_, sign, _ in clicks])
    off = _Off.of(inside, reach, near_alone=near_alone)
    between = off.between(rows, columns)
    shown = inside[rows, columns]
    weights: Numbers = np.zeros(0)
    lacking = np.zeros(len(clicks))
    for number, (*_, sign, is_old) in enumerate(clicks):
        now = sign * float(shown[number] + weights @ between[:number, number])
        # as far beyond the click as the border is before it; nothing where it agrees
        wanted = now if is_old else abs(now)
        lacking[number] = sign * max(wanted, _LEAST) - shown[number]
        between[number, number] += _DOUBT[0] + _DOUBT[1] * (now / _radius(mask)) ** 2
        known = slice(number + 1)
        weights = np.asarray(np.linalg.solve(between[known, known], lacking[known]), np.float64)
    drawn = inside + off.field(rows, columns, weights) > 0
    drawn[rows, columns] = signs > 0  # whatever they say together
    return PlacedMask.in_window(drawn, window, mask.shape)


@dataclass(frozen=True)
class _Off:
    """How alike the border is off at two px of a window, by what they have in common.

    Attributes:
        reach: standard deviation of "near", in px.
        near: share of the variance that is "near".
        ways: (3, h, w), the direction in which distances grow, down and right, and how far they
            grow when the mask does; each with the root of its share of the variance.

    """

    reach: float
    near: float
    ways: Numbers

    @classmethod
    def of(cls, inside: Numbers, reach: float, *, near_alone: bool) -> _Off:
        """Look at a mask by the (h, w) distances from its border."""
        if near_alone:
            return cls(reach, 1.0, np.zeros((0, *inside.shape)))
        down, right = np.gradient(ndimage.gaussian_filter(inside, _SMOOTH))
        length = np.hypot(down, right) + 1e-6
        down, right = down / length, right / length
        below, beside = np.ogrid[: inside.shape[0], : inside.shape[1]]
        middle = np.argwhere(inside > 0).mean(axis=0)
        radius = np.sqrt(np.count_nonzero(inside > 0) / np.pi)
        outwards = ((below - middle[0]) * down + (beside - middle[1]) * right) / radius
        ways = [np.sqrt(_SHIFTED) * down, np.sqrt(_SHIFTED) * right, np.sqrt(_SCALED) * outwards]
        return cls(reach, _NEAR, np.stack(ways))

    def between(self, rows: Places, columns: Places) -> Numbers:
        """Return the covariance (T, T) of T places."""
        ways = self.ways[:, rows, columns]
        near = self._near(rows, rows[:, None]) * self._near(columns, columns[:, None])
        return self.near * near + ways.T @ ways

    def field(self, rows: Places, columns: Places, weights: Numbers) -> Numbers:
        """Return (h, w), the covariances with T places, times their weights."""
        _, height, width = self.ways.shape
        down = self._near(np.arange(height), rows[:, None])
        across = self._near(np.arange(width), columns[:, None])
        near: Numbers = (down * weights[:, None]).T @ across
        far = np.tensordot(self.ways[:, rows, columns] @ weights, self.ways, axes=1)
        return self.near * near + far

    def _near(self, here: Places, there: Places) -> Numbers:
        return np.asarray(np.exp(-0.5 * ((here - there) / self.reach) ** 2))


def _radius(mask: PlacedMask) -> float:
    return float(np.sqrt(mask.area / np.pi))
