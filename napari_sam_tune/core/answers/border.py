"""Clicks beside the border of a mask that is nearly right: they move the border.

A model that is asked anew draws something else, and a mask that was carried, accepted before or
recalled is mostly wrong by a pixel or two. Who clicks in the middle of what is missing, or of what
is too much, says where the border is: as far beyond the click as it is now before it. By how much
the border is off is taken as a Gaussian process over the mask's signed distance and the clicks as
observations of it; its posterior mean (simple kriging; Rasmussen and Williams 2006, chapter 2)
moves the border. The covariance has three parts: what is near a click is off alike, and the whole
mask may have been put beside its place or drawn at another size, so that one click on the right
also moves the border on the left. What was clicked before stays where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.distance import signed_distance
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import area, grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Prompt

    Numbers = NDArray[np.float64]

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
_FARTHEST: Final = (2.0, 0.35)
"""Px, and share of that radius, from the border at which a click still speaks of it."""
_LARGEST: Final = 2**22
"""Px of the box of a mask whose border is moved, at most."""
_SMOOTH: Final = 1.0
"""Px over which the direction of the border is averaged."""


def first_at_border(mask: PlacedMask, prompt: Prompt) -> int | None:
    """Return which click of a prompt is the first that a mask does not follow.

    None where it follows all, where one speaks of more than the border, and of masks so large that
    it would take long.

    Args:
        mask: what is shown.
        prompt: its clicks.

    """
    if mask.bbox is None or area(mask.bbox) > _LARGEST:
        return None
    room = int(np.ceil(_FARTHEST[0] + _FARTHEST[1] * _radius(mask)))
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


def move_border(mask: PlacedMask, prompt: Prompt, since: int = 0) -> PlacedMask:
    """Return a mask with its border moved by the clicks of a prompt.

    Args:
        mask: as it was before them, not empty.
        prompt: its clicks, in the order they were made.
        since: how many of them had been made when it was like that; they hold it where they are.

    """
    if mask.bbox is None:
        return mask
    reach = _REACH[0] + _REACH[1] * _radius(mask)
    window = grown(mask.bbox, int(np.ceil(2 * reach)) + 2)
    inside = signed_distance(mask.crop(window))
    clicks = [
        (round(y) - window[0], round(x) - window[1], 1.0 if label else -1.0, number < since)
        for number, ((x, y), label) in enumerate(zip(prompt.points, prompt.labels, strict=True))
        if window[0] <= round(y) < window[2] and window[1] <= round(x) < window[3]
    ]
    if not clicks:
        return mask
    rows, columns = (np.array([click[axis] for click in clicks]) for axis in (0, 1))
    covariance = _covariance(inside, rows, columns, reach)  # (T, h, w)
    between = covariance[:, rows, columns]
    moved, lacking = inside, np.zeros(len(clicks))
    for number, (row, column, sign, is_old) in enumerate(clicks):
        now = sign * float(moved[row, column])
        # as far beyond the click as the border is before it; nothing where it agrees
        wanted = now if is_old else abs(now)
        lacking[number] = sign * max(wanted, _LEAST) - inside[row, column]
        between[number, number] += _DOUBT[0] + _DOUBT[1] * (now / _radius(mask)) ** 2
        known = slice(number + 1)
        weights = np.linalg.solve(between[known, known], lacking[known])
        moved = inside + np.tensordot(weights, covariance[known], axes=1)
    drawn = moved > 0
    drawn[rows, columns] = [sign > 0 for *_, sign, _ in clicks]  # whatever they say together
    return PlacedMask.in_window(drawn, window, mask.shape)


def _covariance(
    inside: Numbers, rows: NDArray[np.int_], columns: NDArray[np.int_], reach: float
) -> Numbers:
    """Return how alike the border is off at T places and at each px: (T, h, w)."""
    down, right = np.gradient(ndimage.gaussian_filter(inside, _SMOOTH))
    length = np.hypot(down, right) + 1e-6
    down, right = down / length, right / length
    below, beside = np.ogrid[: inside.shape[0], : inside.shape[1]]
    middle = np.argwhere(inside > 0).mean(axis=0)
    radius = np.sqrt(np.count_nonzero(inside > 0) / np.pi)
    outwards = ((below - middle[0]) * down + (beside - middle[1]) * right) / radius
    found = []
    for row, column in zip(rows, columns, strict=True):
        near = np.exp(-0.5 * ((below - row) ** 2 + (beside - column) ** 2) / reach**2)
        shifted = down[row, column] * down + right[row, column] * right
        scaled = outwards[row, column] * outwards
        found.append(_NEAR * near + _SHIFTED * shifted + _SCALED * scaled)
    return np.stack(found)


def _radius(mask: PlacedMask) -> float:
    return float(np.sqrt(mask.area / np.pi))
