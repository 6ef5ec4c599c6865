"""The shape of an accepted mask, and where it lies in another plane: moved, scaled and turned.

A mask that is drawn anew in every plane drifts: what is drawn a little wrong in one is carried to
the next. A shape does not, as it is that of the accepted mask until a person says otherwise, and
only its pose is estimated. Poses are fitted to what is seen in a region rather than at edges, as in
region-based tracking (Prisacariu and Reid 2012; Chan and Vese 2001 for the energy): the sum of the
evidence inside, with a soft border, is largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage, optimize

from napari_sam_tune.core.geometry.distance import signed_distance
from napari_sam_tune.core.geometry.windows import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Mask

    Numbers = NDArray[np.float64]

_ROOM: Final = 16
"""Px around a mask in which its distance is known; beyond them it is taken as there."""
_BORDER: Final = 1.0
"""Px over which a border is soft."""
_ALIKE: Final = 30.0
"""Px that say together what one would say alone: neighbours are not independent."""
_FINEST: Final = 128
"""Longer side at which poses are fitted, in samples."""
_STEPS: Final = 25
UNMOVED: Final = np.zeros(4)
"""A pose: rows and columns in px by which the middle moved, log of the scale, angle in radians."""


class Shape:
    """A mask as a signed distance, about its middle.

    Args:
        mask: (h, w) bool, inside `box`.
        box: (y0, x0, y1, x1) in px.

    """

    def __init__(self, mask: Mask, box: Window) -> None:
        places = np.argwhere(mask)
        middle = places.mean(axis=0)
        self.middle: Numbers = middle + box[:2]
        self._inner = middle + _ROOM
        self._radius = float(np.sqrt(((places - middle) ** 2).sum(axis=1).mean())) + 1
        self._distance = signed_distance(np.pad(mask, _ROOM))
        self._slopes = np.gradient(self._distance)

    def at(self, pose: Numbers, window: Window, step: int = 1) -> Numbers:
        """Return how far each px of a window, or every so many, is inside the shape in a pose."""
        inside = self._sampled(self._distance, self._turned_back(pose, window, step))
        return inside * float(np.exp(pose[2]))

    def along(self, evidence: Numbers, pose: Numbers, window: Window) -> float:
        """Return the mean of what is seen in a window along the border."""
        near = _soft(self.at(pose, window))
        near = near * (1 - near)
        return float((evidence * near).sum() / max(near.sum(), 1e-6))

    def fit(
        self,
        evidence: Numbers,
        window: Window,
        starts: Sequence[Numbers],
        expected: Numbers,
        doubt: Numbers,
    ) -> Numbers:
        """Return the pose that what is seen speaks for most.

        Args:
            evidence: (h, w) of the window, log odds of each px to be inside.
            window: (y0, x0, y1, x1) in px.
            starts: poses from which the best one is looked for.
            expected: the likely pose.
            doubt: (4,) standard deviations of its numbers.

        """
        step = -(-max(shape_of(window)) // _FINEST)
        seen = evidence[::step, ::step] * (step**2 / _ALIKE)
        units = np.array([1, 1, 1 / self._radius, 1 / self._radius])

        def cost(moved: Numbers) -> tuple[float, Numbers]:
            pose = expected + moved * units
            back = self._turned_back(pose, window, step)
            scale = np.exp(pose[2])
            distance = self._sampled(self._distance, back) * scale
            inside = _soft(distance)
            pull = seen * inside * (1 - inside) / _BORDER
            changes = self._changes(pose, window, step, back, distance)
            off = (pose - expected) / doubt
            slope = np.array([-(pull * change).sum() for change in changes]) + off / doubt
            return float((off**2).sum() / 2 - (seen * inside).sum()), slope * units

        found = [
            optimize.minimize(
                cost,
                (start - expected) / units,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": _STEPS},
            )
            for start in starts
        ]
        best = min(found, key=lambda one: float(one.fun))
        return np.asarray(expected + best.x * units)

    def _turned_back(self, pose: Numbers, window: Window, step: int) -> Numbers:
        """Return where each px of a window lies in the distance: (2, h, w)."""
        y0, x0, y1, x1 = window
        rows, columns = np.meshgrid(
            np.arange(y0, y1, step, dtype=float), np.arange(x0, x1, step, dtype=float),
            indexing="ij", sparse=True,
        )  # fmt: skip
        down, right = rows - self.middle[0] - pose[0], columns - self.middle[1] - pose[1]
        cos, sin = np.cos(pose[3]) / np.exp(pose[2]), np.sin(pose[3]) / np.exp(pose[2])
        back = np.stack([cos * down + sin * right, cos * right - sin * down])
        return np.asarray(back + self._inner[:, None, None])

    def _changes(
        self, pose: Numbers, window: Window, step: int, back: Numbers, distance: Numbers
    ) -> tuple[Numbers, ...]:
        """Return how the distance changes with each number of the pose."""
        down, right = (self._sampled(np.asarray(slope), back) for slope in self._slopes)
        rows, columns = back - self._inner[:, None, None]
        cos, sin, scale = np.cos(pose[3]), np.sin(pose[3]), np.exp(pose[2])
        return (
            right * sin - down * cos,
            -down * sin - right * cos,
            distance - scale * (down * rows + right * columns),
            scale * (down * columns - right * rows),
        )

    @staticmethod
    def _sampled(values: Numbers, at: Numbers) -> Numbers:
        return np.asarray(ndimage.map_coordinates(values, at, order=1, mode="nearest"))


def _soft(distance: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / _BORDER, -30, 30))))
