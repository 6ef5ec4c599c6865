"""Following one object from plane to plane, whoever answers what is seen in each.

In every plane three things come together: where the object moved (`motion`), what it looks like
beside its surroundings (`looks`), and what the model draws there. The first two are the logits that
are expected; the model's own are added to them, as with masks recalled from other photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import bounding_box, clipped, grown, moved
from napari_sam_tune.core.recall.recalled import CAP, Recalled
from napari_sam_tune.core.stacks.looks import MOST_ALIKE, Look, drawn_in, likeness
from napari_sam_tune.core.stacks.motion import follow
from napari_sam_tune.core.stacks.sureness import sureness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.stacks.motion import Moved

    Floats = NDArray[np.float32]

_ROOM: Final = 12
"""Px around an object in which it may have grown."""
_SOFT: Final = (1.0, 0.05)
"""Px, and share of the square root of the area, over which an expected logit changes by 1."""
_MOST: Final = 6.0
"""Logit of what is surely expected."""
_WEIGHT_OF_LOOKS: Final = 0.5
_BORDER: Final = (1.0, 0.03)
"""Px, and share of the square root of the area, by which a border may move from where it was: an
object that grows by a twentieth a plane does not do more, and a leak into a neighbour is stopped.
"""
_REMEMBERED: Final = 3
"""Planes by which an object is known by its looks: where it was accepted, and the last ones."""
_LEAST_SEEN: Final = 0.3
"""How far an object that is hardly seen where it was accepted must be seen in other planes."""
_RIM: Final = (1.0, 8.0)
"""Px beside a mask between which its surroundings are looked at."""
_PART: Final = 0.15
"""Share of an object from which a part that lies apart is told."""


class Answer(Protocol):
    """What a model draws, and how sure it is: a `Proposal`."""

    @property
    def mask(self) -> Mask:
        """(H, W) bool."""
        ...

    @property
    def iou(self) -> float:
        """Its own estimate of the mask's IoU."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """An object in one more plane.

    Attributes:
        mask: (h, w) bool, inside `box`.
        box: (y0, x0, y1, x1) in px.
        sureness: how likely it is the object, from 0 to 1.
        parts: how many parts of some size it has there.

    """

    mask: Mask
    box: Window
    sureness: float
    parts: int


class Follower:
    """Follows an object in one direction.

    Args:
        grey: (H, W) float32 from 0 to 255, the plane where it is known.
        mask: (h, w) bool, inside `box`.
        box: (y0, x0, y1, x1) in px.
        name: of the accepted mask it starts from.
        label: its class.

    """

    def __init__(self, grey: Floats, mask: Mask, box: Window, name: str, label: str) -> None:
        self._grey, self._mask, self._box = grey, mask, box
        self._name, self._label = name, label
        self._speed = (0.0, 0.0)
        self._looks: list[Look] = []
        self._remember(grey)
        self._usual = max(self._seen(mask, box, grey), _LEAST_SEEN)

    def _remember(self, grey: Floats) -> None:
        look = Look.of(grey, self._mask, self._box)
        if look is not None:
            first, rest = self._looks[:1], self._looks[1:]
            self._looks = [*first, *rest[-(_REMEMBERED - 2) :], look]

    def step(self, grey: Floats, ask: Callable[[Recalled], Answer]) -> Found | None:
        """Find the object in the next plane, and go on from there.

        Args:
            grey: (H, W) float32, that plane.
            ask: returns what the model makes of what is expected.

        Returns:
            Where it is; None where it left the image, or nothing is left of it.

        """
        there = follow(self._mask, self._box, self._grey, grey, self._speed)
        if there is None:
            return None
        expected = self._expected(there, grey)
        if not (expected.field > 0).any():
            return None
        answer = ask(expected)
        drawn = _held(answer.mask, there, grey.shape)
        if drawn is None:
            return None
        mask, box = drawn
        seen = self._seen(mask, box, grey) / self._usual
        sure = sureness(answer.iou, _iou(there, mask, box), seen)
        found = Found(mask, box, sure, _parts(mask))
        now, before = _middle(mask, box), _middle(self._mask, self._box)
        self._speed = now[0] - before[0], now[1] - before[1]
        self._grey, self._mask, self._box = grey, mask, box
        self._remember(grey)
        return found

    def _expected(self, there: Moved, grey: Floats) -> Recalled:
        """Return the logits of where the object moved and of what looks like it."""
        window = grown(there.window, _ROOM)
        inside = drawn_in(there.mask, there.window, window)
        softness = _SOFT[0] + _SOFT[1] * np.count_nonzero(inside) ** 0.5
        field = np.clip(signed_distance(inside) / softness, -_MOST, _MOST).astype(np.float32)
        seen = clipped(window, grey.shape)
        if self._looks:
            y0, x0, y1, x1 = moved(seen, (-window[0], -window[1]))
            alike = likeness(self._looks, grey, seen)
            field[y0:y1, x0:x1] += np.float32(_WEIGHT_OF_LOOKS) * alike
        field = np.clip(field, -CAP, CAP)
        return Recalled((self._name,), window, field, there.score, self._label)

    def _seen(self, mask: Mask, box: Window, grey: Floats) -> float:
        """Return how far a mask looks like the object and what surrounds it does not, 0 to 1."""
        if not self._looks:
            return 1.0
        window = clipped(grown(box, int(_RIM[1])), grey.shape)
        inside = drawn_in(mask, box, window)
        distance = signed_distance(inside)
        rim = (distance < -_RIM[0]) & (distance > -_RIM[1])
        alike = likeness(self._looks, grey, window)
        beside = float(alike[rim].mean()) if rim.any() else -MOST_ALIKE
        return (float(alike[inside].mean()) - beside) / (2 * MOST_ALIKE)


def signed_distance(mask: Mask) -> NDArray[np.float64]:
    """Return how far each pixel is inside a mask, in px; negative outside."""
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask)
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask)
    return inside - outside


def _held(mask: Mask, there: Moved, shape: tuple[int, ...]) -> tuple[Mask, Window] | None:
    """Return a mask (H, W), and its box, with borders no farther from where they should be."""
    window = clipped(grown(there.window, _ROOM), shape)
    expected = drawn_in(there.mask, there.window, window)
    distance = signed_distance(expected)
    most = _BORDER[0] + _BORDER[1] * np.count_nonzero(expected) ** 0.5
    y0, x0, y1, x1 = window
    held = (mask[y0:y1, x0:x1] & (distance > -most)) | (distance > most)
    if not held.any() or not mask.any():
        return None
    box = bounding_box(held)
    top, left, bottom, right = box
    return held[top:bottom, left:right], moved(box, (y0, x0))


def _iou(there: Moved, mask: Mask, box: Window) -> float:
    hull = (
        min(there.window[0], box[0]), min(there.window[1], box[1]),
        max(there.window[2], box[2]), max(there.window[3], box[3]),
    )  # fmt: skip
    one, other = drawn_in(there.mask, there.window, hull), drawn_in(mask, box, hull)
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def _middle(mask: Mask, box: Window) -> tuple[float, float]:
    row, column = ndimage.center_of_mass(mask)
    return float(row) + box[0], float(column) + box[1]


def _parts(mask: Mask) -> int:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return 1
    sizes = np.bincount(labels.ravel())[1:]
    return max(1, int((sizes >= _PART * sizes.sum()).sum()))
