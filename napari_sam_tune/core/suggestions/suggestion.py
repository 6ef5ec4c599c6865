"""An object that is proposed without being asked for, and what of it is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam_tune.core.geometry.placed_mask import PlacedMask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.prompts import Mask

SuggestionKind = Literal["head", "everything", "recalled", "similar", "carried"]


SAME = 0.5
"""Two masks are of one object above this IoU."""


_COVERED = 0.5
"""Share of a suggestion, or of an accepted mask, in the other from which nothing new is said."""


@dataclass(frozen=True, eq=False)
class Suggestion:
    """An object somebody may want to accept.

    Attributes:
        mask: bool, cut to `bbox`.
        bbox: (y0, x0, y1, x1) in image px, ends excluded.
        shape: the image's (H, W).
        label: its class; None where what proposed it knows none.
        score: how good the mask is, as far as what proposed it can tell, from 0 to 1.
        uncertainty: from 0, sure, to 1.
        source: a trained head, SAM asked everywhere, masks of other images, what looks like
            accepted objects, or the mask of a neighbouring plane that was carried on.
        weights_version: of the head, or of the weights in use.
        thing: what it is a mask of in its plane, see `Project.thing_of`; None for a new thing.
        replaces: the accepted mask in whose place it comes; None where there is none.

    """

    mask: Mask = field(repr=False)
    bbox: BoundingBox
    shape: tuple[int, int]
    label: str | None
    score: float
    uncertainty: float
    source: SuggestionKind
    weights_version: str
    thing: str | None = None
    replaces: str | None = None

    @property
    def placed(self) -> PlacedMask:
        """The mask, in its box."""
        return PlacedMask.in_window(self.mask, self.bbox, self.shape)

    @property
    def full_mask(self) -> Mask:
        """The mask in its image, (H, W) bool: as large as the image."""
        return self.placed.draw()

    @property
    def origin(self) -> str:
        """What proposed it, as a record keeps it: its source, with the version of a head."""
        return f"head:{self.weights_version}" if self.source == "head" else self.source

    @property
    def area(self) -> int:
        """Pixels in the mask."""
        return int(np.count_nonzero(self.mask))

    def overlap(self, mask: Mask, bbox: BoundingBox) -> int:
        """Return how many pixels it shares with a mask that is cut to `bbox`."""
        y0, x0 = max(self.bbox[0], bbox[0]), max(self.bbox[1], bbox[1])
        y1, x1 = min(self.bbox[2], bbox[2]), min(self.bbox[3], bbox[3])
        if y0 >= y1 or x0 >= x1:
            return 0
        parts = [
            cut[y0 - top : y1 - top, x0 - left : x1 - left]
            for cut, (top, left, _, _) in ((self.mask, self.bbox), (mask, bbox))
        ]
        return int(np.count_nonzero(parts[0] & parts[1]))

    def says_nothing_new(self, mask: Mask, bbox: BoundingBox, area: int) -> bool:
        """Whether half of it lies in an accepted mask cut to `bbox`, or half of that in it."""
        return self.overlap(mask, bbox) > _COVERED * min(self.area, area)

    def is_like(self, other: Suggestion) -> bool:
        """Whether both are of one object: IoU above `SAME`."""
        shared = self.overlap(other.mask, other.bbox)
        return shared > SAME * (self.area + other.area - shared)


def without_accepted(
    suggestions: Iterable[Suggestion], accepted: Sequence[Annotation]
) -> list[Suggestion]:
    """Leave out suggestions of what is accepted already, of its parts and its surroundings."""
    masks = [(annotation.cropped_mask, annotation.bbox, annotation.area) for annotation in accepted]
    return [
        suggestion
        for suggestion in suggestions
        if not any(suggestion.says_nothing_new(mask, bbox, area) for mask, bbox, area in masks)
    ]
