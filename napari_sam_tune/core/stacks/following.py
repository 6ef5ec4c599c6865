"""Following one object from plane to plane, whoever answers what is seen in each.

In every plane three things come together: where the object moved (`motion`), what it looks like
beside its surroundings (`looks`), and what the model draws there. By the first two and then by the
third the shape of the accepted mask (`shape`) is moved, scaled and turned; what the model draws
then bends its border a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.distance import signed_distance
from napari_sam_tune.core.geometry.windows import bounding_box, clipped, grown, moved
from napari_sam_tune.core.recall.recalled import Recalled
from napari_sam_tune.core.stacks.looks import MOST_ALIKE, Look, drawn_in, likeness
from napari_sam_tune.core.stacks.motion import follow
from napari_sam_tune.core.stacks.shape import UNMOVED, Shape
from napari_sam_tune.core.stacks.sureness import sureness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.recall.grey import Grey
    from napari_sam_tune.core.stacks.motion import Moved

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.float64]
    Ask = Callable[[Recalled], "Answer"]

_ROOM: Final = 14
"""Px around an object in which it may have moved farther than it seems to have, and grown."""
_SOFT: Final = (1.0, 0.05)
"""Px, and share of the square root of the area, over which an expected logit changes by 1."""
_MOST: Final = 6.0
"""Logit of what is surely expected, or seen."""
_WEIGHT_OF_MODEL: Final = 0.3
"""What the model's logits count beside those of the shape, which count whole."""
_BENT: Final = 10.0
"""The model's logits are no more than this where they bend the shape."""
_DOUBT: Final = np.array([1.5, 1.5, 0.03, 0.03])
"""Standard deviations of a pose about the likely one: px, px, log of the scale, angle."""
_GOES_ON: Final = 0.7
"""How much of a change goes on from one plane to the next."""
_REMEMBERED: Final = 3
"""Planes by which an object is known by its looks: where it was accepted, and the last ones."""
_LEAST_SEEN: Final = 0.3
"""How far an object that is hardly seen where it was accepted must be seen in other planes."""
_RIM: Final = (1.0, 8.0)
"""Px beside a mask between which its surroundings are looked at."""
_PART: Final = 0.15
"""Share of an object from which a part that lies apart is told."""


class Answer(Protocol):
    """What a model makes of a part of a plane, and how sure it is."""

    @property
    def logits(self) -> Floats:
        """(h, w) of the window that was asked about; 0 where nothing is known."""
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
        grey: the plane where it is known.
        mask: (h, w) bool, inside `box`.
        box: (y0, x0, y1, x1) in px.
        name: of the accepted mask it starts from.
        label: its class.
        ask: returns what a model makes of that plane.

    """

    def __init__(
        self, grey: Grey, mask: Mask, box: Window, name: str, label: str, ask: Ask
    ) -> None:
        self._grey, self._mask, self._box = grey, mask, box
        self._name, self._label = name, label
        self._shape = Shape(mask, box)
        self._pose, self._change = UNMOVED, UNMOVED
        self._looks: list[Look] = []
        self._remember(grey)
        self._usual = max(self._seen(mask, box, grey), _LEAST_SEEN)
        window = clipped(grown(box, _ROOM), grey.shape)
        alike = self._alike(grey, window)
        self._offset = self._shape.along(alike, UNMOVED, window)
        # what the fit gets wrong here, where the mask is known, it gets wrong in other planes too:
        # of a pit that is lit from one side only the dark one looks like it
        start = [UNMOVED]
        self._bias = self._shape.fit(alike - self._offset, window, start, UNMOVED, _DOUBT)
        # and what the model draws too wide or too narrow here, as a rim that is none of the pit,
        # it does in other planes
        expected = self._expected(UNMOVED, window)
        said = ask(Recalled((name,), window, expected, 1.0, label)).logits
        self._model_offset = np.float32(self._shape.along(_clear(said), UNMOVED, window))

    def _remember(self, grey: Grey) -> None:
        look = Look.of(grey, self._mask, self._box)
        if look is not None:
            first, rest = self._looks[:1], self._looks[1:]
            self._looks = [*first, *rest[-(_REMEMBERED - 2) :], look]

    def step(self, grey: Grey, ask: Ask) -> Found | None:
        """Find the object in the next plane, and go on from there.

        Args:
            grey: that plane.
            ask: returns what a model makes of what is expected there.

        Returns:
            Where it is; None where it left the image, or nothing is left of it.

        """
        there = follow(self._mask, self._box, self._grey, grey, tuple(self._change[:2]))
        if there is None:
            return None
        window = clipped(grown(there.window, _ROOM), grey.shape)
        pose = self._pose_by_looks(there, grey, window)
        expected = self._expected(pose, window)
        if not (expected > 0).any():
            return None
        answer = ask(Recalled((self._name,), window, expected, there.score, self._label))
        logits = answer.logits - self._model_offset
        pose = self._shape.fit(_clear(logits), window, [pose], pose, _DOUBT)
        bent = np.clip(logits, -_BENT, _BENT)
        drawn = self._expected(pose, window) + np.float32(_WEIGHT_OF_MODEL) * bent > 0
        if not drawn.any():
            return None
        y0, x0, y1, x1 = bounding_box(drawn)
        mask, box = drawn[y0:y1, x0:x1], moved((y0, x0, y1, x1), window[:2])
        kept = _iou(answer.logits > 0, drawn)
        sure = sureness(answer.iou, kept, self._seen(mask, box, grey) / self._usual)
        self._pose, self._change = pose, pose - self._pose
        self._grey, self._mask, self._box = grey, mask, box
        self._remember(grey)
        return Found(mask, box, sure, _parts(mask))

    def _pose_by_looks(self, there: Moved, grey: Grey, window: Window) -> Numbers:
        """Return the pose by where the surroundings moved, how it changed before, and its looks."""
        goes_on = self._pose + _GOES_ON * self._change
        likely = goes_on.copy()
        likely[:2] = self._pose[:2] + there.shift
        evidence = self._alike(grey, window) - self._offset
        return self._shape.fit(evidence, window, [likely, goes_on], likely, _DOUBT) - self._bias

    def _alike(self, grey: Grey, window: Window) -> Numbers:
        """Return how much each px of a window looks like the object: (h, w) logits."""
        if not self._looks:
            return np.zeros((window[2] - window[0], window[3] - window[1]))
        return likeness(self._looks, grey, window).astype(np.float64)

    def _expected(self, pose: Numbers, window: Window) -> Floats:
        """Return logits of the shape in a pose."""
        distance = self._shape.at(pose, window)
        softness = _SOFT[0] + _SOFT[1] * np.count_nonzero(distance > 0) ** 0.5
        logits: Floats = np.clip(distance / softness, -_MOST, _MOST).astype(np.float32)
        return logits

    def _seen(self, mask: Mask, box: Window, grey: Grey) -> float:
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


def _clear(logits: Floats) -> Numbers:
    """Return logits as evidence: what is sure counts no more than that."""
    return np.clip(logits, -_MOST, _MOST).astype(np.float64)


def _iou(one: Mask, other: Mask) -> float:
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / max(union, 1)


def _parts(mask: Mask) -> int:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return 1
    sizes = np.bincount(labels.ravel())[1:]
    return max(1, int((sizes >= _PART * sizes.sum()).sum()))
