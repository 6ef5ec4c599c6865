"""What surrounds an accepted mask, and finding it on another photograph of the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import area, clipped, grown, moved, shape_of
from napari_sam_tune.core.recall.grey import scaled
from napari_sam_tune.core.recall.registration import (
    best_place,
    correlation,
    next_best_places,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.recall.contrast import ContrastOf

    Floats = NDArray[np.float32]
    Shift = tuple[int, int]

_SAME_PLACE: Final = 0.5
"""Correlation of an object's surroundings, and of the object by itself."""
_RIM: Final = 4
"""Px of its surroundings that belong to an object's look."""
_DISTINCT: Final = 0.7
"""How far an object's look may be from a perfect match, in what it is from one elsewhere on the
surface (the ratio test of Lowe 2004). Every photograph of a weave looks like every other."""
_ELSEWHERE: Final = 8
"""Places to compare with: those that look most like its surroundings."""
_PATCH: Final = 128
"""Longer side of an object's surroundings, in px, at most; and how far "elsewhere" goes."""
_AROUND: Final = (12, 0.25)
"""Px around an object, at least, and share of its longer side, that must be found again with it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of an image.

    Attributes:
        contrast: (h, w) float16.
        window: what it shows.
        scale: px of `contrast` for one of the image.

    """

    contrast: NDArray[np.float16]
    window: Window
    scale: float

    @classmethod
    def of(cls, image: ContrastOf, window: Window, scale: float) -> Patch:
        """Cut a window out of an image."""
        return cls(image.part(window, scale).astype(np.float16), window, scale)

    def place_on(self, image: ContrastOf, rough: Shift, slack: int) -> tuple[float, Shift, Floats]:
        """Find it on another image.

        Args:
            image: the image.
            rough: (rows, columns) px from its own image to that one, about.
            slack: px by which that may be wrong.

        Returns:
            The correlation there, the shift, and what lies there, of the shape of `contrast`; a
            correlation of −1 where most of it is not on the image.

        """
        wanted = moved(self.window, rough)
        if area(clipped(wanted, image.shape)) < area(wanted) / 2:
            return -1.0, rough, np.zeros(self.contrast.shape, np.float32)
        window = clipped(grown(wanted, slack), image.shape)
        field = image.part(window, self.scale)
        score, (row, column), there = best_place(self.contrast.astype(np.float32), field)
        down = window[0] + round(row / self.scale) - self.window[0]
        right = window[1] + round(column / self.scale) - self.window[1]
        return score, (down, right), there


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies in and around an accepted mask.

    Attributes:
        box: around the mask, on its own image.
        patch: the surroundings; of a large object at a smaller scale.
        detail: then, a place in the mask at full size, to fit the rest exactly.
        seen: (h, w) bool, where in the patch the object and its rim are.

    """

    box: Window
    patch: Patch
    detail: Patch | None
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, annotation: Annotation, image: ContrastOf) -> Surroundings:
        """Cut out what surrounds a mask in its image.

        Raises:
            ProjectError: the mask is gone or damaged.

        """
        box, mask = annotation.bbox, annotation.cropped_mask
        room = max(_AROUND[0], round(_AROUND[1] * max(shape_of(box))))
        window = clipped(grown(box, room), image.shape)
        scale = min(1.0, _PATCH / max(shape_of(window)))
        detail = None
        if scale < 1:
            places = np.argwhere(mask)
            middle = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
            y, x = (int(i) for i in middle + box[:2])
            near = clipped(grown((y, x, y, x), _PATCH // 2), image.shape)
            detail = Patch.of(image, near, 1.0)
        y0, x0, y1, x1 = moved(box, (-window[0], -window[1]))
        drawn = np.zeros(shape_of(window), np.float32)
        drawn[y0:y1, x0:x1] = mask
        seen = ndimage.binary_dilation(scaled(drawn, scale) > 0, iterations=_RIM)
        return cls(box, Patch.of(image, window, scale), detail, seen)

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays take."""
        patches = (self.patch, self.detail)
        return self.seen.nbytes + sum(p.contrast.nbytes for p in patches if p is not None)

    def found_on(
        self, image: ContrastOf, rough: Shift, slack: int, objects: Iterable[Window]
    ) -> tuple[float, Shift] | None:
        """Find the object on another image.

        Args:
            image: the image.
            rough: (rows, columns) px from its own image to that one, about.
            slack: px by which that may be wrong.
            objects: boxes around objects on that image, about; others may well look the same.

        Returns:
            How well it fits, up to 1, and the shift; None where it is not there.

        """
        around, shift, there = self.patch.place_on(image, rough, slack)
        if around < _SAME_PLACE:
            return None
        if self.detail is not None:
            exact, fine, _ = self.detail.place_on(image, shift, round(1 / self.patch.scale) + 1)
            shift = fine if exact >= _SAME_PLACE else shift
        # regular parts are alike everywhere: the object itself must be there too, and not its like
        score = self._likeness(there)
        if score < _SAME_PLACE:
            return None
        return (score, shift) if self._is_distinct(score, image, shift, objects) else None

    def _likeness(self, there: Floats) -> float:
        """Return the correlation of the object with what lies there, (h, w)."""
        return correlation(self.patch.contrast[self.seen].astype(np.float32), there[self.seen])

    def _is_distinct(
        self, score: float, image: ContrastOf, shift: Shift, objects: Iterable[Window]
    ) -> bool:
        """Whether the object fits much better here than where no object is."""
        scale, here = self.patch.scale, moved(self.patch.window, shift)
        top, left, *_ = window = clipped(grown(here, round(_PATCH / scale)), image.shape)
        y0, x0, y1, x1 = moved(self.box, (-self.patch.window[0], -self.patch.window[1]))
        # where the patch's corner would be, were the object to touch a box
        taken = np.array([moved(self.box, shift), *objects]) - (top, left, top, left)
        corners = (taken - (y1, x1, y0, x0)) * scale
        elsewhere = next_best_places(
            self.patch.contrast.astype(np.float32),
            image.part(window, scale),
            but=corners.round().astype(int).tolist(),
            count=_ELSEWHERE,
        )
        best = max((self._likeness(there) for there in elsewhere), default=-1.0)
        return 1 - score <= _DISTINCT * (1 - best)
