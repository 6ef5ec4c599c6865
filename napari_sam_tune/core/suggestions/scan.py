"""Searching a large image tile by tile; an object across a seam is one.

Of a tile the classifier says first, by what the first third of the encoder sees, whether there is
anything; only then it is encoded, and what is found is answered from its own embedding where it
lies well inside. So a search costs no more than encoding the tiles. What the tile's border cuts is
asked for anew in a window around it, and what is small from close by. Of what a head draws in tiles
that overlap, the pieces of one object are put together. A search that is left off goes on where it
was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.answers.zoom import DEFAULT_LEVEL, runs_over, window_on_grid
from napari_sam_tune.core.exchange.labelled_images import SMALLEST_OBJECT
from napari_sam_tune.core.geometry.windows import area, meet, shape_of
from napari_sam_tune.core.pixel_classifier.finder import Finder
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.suggestions.strictness import LEAST
from napari_sam_tune.core.suggestions.suggestion import Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_sam_tune.core.answers.chain import AnswerChain
    from napari_sam_tune.core.answers.instant_learning import InstantLearning
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape, Window
    from napari_sam_tune.core.prompts import Mask, Point, Proposal

SMALL: float = 24
"""Longest side, in px of the encoder's input, below which an object is encoded anew."""
_MOST_PLACES: Final = 40
"""Places asked about in a tile."""
_HIGHEST: Final = 2.0
"""Logit that a place must have: the mean in what is shown at first (`strictness.LEAST`)."""
_PROMISING: Final = 0.5
"""Likeness from which an object is looked at once more."""
_LARGEST: Final = 0.4
"""Share of a tile above which a mask is the background, or for larger tiles."""
_OVERLAP: Final = 4
"""Tiles whose finds are drawn in them overlap by their side over this."""


@dataclass(frozen=True)
class ScanProgress:
    """How far a search is: `done` of `total` tiles."""

    done: int
    total: int


@dataclass(eq=False)
class TileScan:
    """A search through a large image, which may be left off and gone on with.

    Attributes:
        shape: (H, W) of the image.
        tiles: what is left to be looked at, in this order.
        total: tiles there were.
        found: so far.

    """

    shape: Shape
    tiles: list[Window]
    total: int = field(init=False)
    found: list[Suggestion] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = len(self.tiles)

    @property
    def progress(self) -> ScanProgress:
        """How far it is."""
        return ScanProgress(self.total - len(self.tiles), self.total)

    def go_on(
        self,
        look: Callable[[Window], list[Suggestion]],
        checkpoint: Callable[[], None],
        seconds: float | None = None,
    ) -> None:
        """Look at the tiles that are left.

        Args:
            look: finds objects in a tile.
            checkpoint: called before each; may raise, and the search goes on there the next time.
            seconds: stop after about so long; None: when all is looked at.

        """
        until = None if seconds is None else monotonic() + seconds
        for looked_at in count():
            if not self.tiles or (looked_at and until is not None and monotonic() > until):
                return
            checkpoint()
            for one in look(self.tiles[0]):
                self._take(one)
            del self.tiles[0]

    def _take(self, one: Suggestion) -> None:
        """Add what was found, together with what of it was found in another tile."""
        pieces = [
            other
            for other in self.found
            if one.source == other.source == "head"
            and one.label == other.label
            and one.overlap(other.mask, other.bbox)
        ]
        if pieces:
            one = _together([one, *pieces])
            self.found = [other for other in self.found if other not in pieces]
        elif any(self._is_known(one, other) for other in self.found):
            return
        self.found.append(one)

    @staticmethod
    def _is_known(one: Suggestion, other: Suggestion) -> bool:
        """Whether a find is of an object that was found: parts of it are no objects like it."""
        if one.source == other.source == "similar":
            return one.says_nothing_new(other.mask, other.bbox, other.area)
        return one.is_like(other)


def _together(pieces: list[Suggestion]) -> Suggestion:
    """Put pieces of one object together; what is said of them counts by their areas."""
    mask = pieces[0].placed
    for piece in pieces[1:]:
        mask = mask | piece.placed
    areas = np.array([piece.area for piece in pieces], float)
    score, doubt = (
        float(np.average(values, weights=areas))
        for values in ([p.score for p in pieces], [p.uncertainty for p in pieces])
    )
    bbox = mask.bbox or pieces[0].bbox
    return replace(pieces[0], mask=mask.cropped, bbox=bbox, score=score, uncertainty=doubt)


def tiles_in(shape: Shape, length: int, *, overlapping: bool = False) -> list[Window]:
    """Return squares of a side that cover an image (H, W), row by row; the last lie against it.

    Args:
        shape: of the image.
        length: their side, in px.
        overlapping: by a quarter of it.

    """
    step = length - length // _OVERLAP if overlapping else length
    starts = []
    for end in shape:
        last = max(0, end - length)
        starts.append([*range(0, last, step), last])
    return [
        (y, x, min(y + length, shape[0]), min(x + length, shape[1]))
        for y in starts[0]
        for x in starts[1]
    ]


class SimilarInTiles:
    """Finds all like what was accepted, in one tile after the other.

    Args:
        chain: answers as people get them, about the open image.
        instant: what was learnt.
        shape: (H, W) of the image.
        side: of the encoder's input, in px.
        known: masks, each cut to its box, of what was accepted or rejected there.
        version: of the weights in use.
        label: only objects of this class; None: of any.

    """

    def __init__(
        self,
        chain: AnswerChain,
        instant: InstantLearning,
        shape: Shape,
        side: int,
        known: Iterable[tuple[Mask, BoundingBox]],
        version: str,
        label: str | None = None,
    ) -> None:
        self._chain, self._instant, self._shape, self._side = chain, instant, shape, side
        self._known, self._version, self._label = list(known), version, label

    def look(self, tile: Window) -> list[Suggestion]:
        """Return what looks like it in a tile."""
        maps = self._instant.class_maps(tile)
        if maps is None or (self._label is not None and self._label not in maps.classes):
            return []
        finder, found = Finder(maps, self._shape, self._label), list[Suggestion]()
        for mask, box in self._known:
            if meet(box, tile):
                finder.cover(mask, box)
        for _ in range(_MOST_PLACES):
            place = finder.next_place() if finder.highest > _HIGHEST else None
            if place is None:
                break
            one = self._suggested(place, finder, tile)
            if one is not None:
                found.append(one)
        return found

    def _suggested(self, place: Point, finder: Finder, tile: Window) -> Suggestion | None:
        """Return what is at a place, (x, y), in a tile that is encoded, if that is like it."""
        answer = self._chain.ask(Prompt((place,), (1,)), window=tile)
        if self._is_promising(answer.placed, finder, tile):
            answer = self._looked_at_again(answer, tile)
        mask = answer.placed
        if mask.bbox is None or mask.area < SMALLEST_OBJECT:
            return None
        finder.cover(mask.cropped, mask.bbox)
        if mask.area > _LARGEST * area(tile):
            return None
        self._known.append((mask.cropped, mask.bbox))  # nor is it asked for in the tiles beside
        score = finder.likeness(mask.cropped, mask.bbox)
        likeliest = finder.class_of(mask.cropped, mask.bbox)
        if score < LEAST or self._label not in (None, likeliest):
            return None
        return Suggestion(
            mask=mask.cropped,
            bbox=mask.bbox,
            shape=self._shape,
            label=likeliest,
            score=score,
            uncertainty=1 - score,
            source="similar",
            weights_version=self._version,
        )

    @staticmethod
    def _is_promising(mask: PlacedMask, finder: Finder, tile: Window) -> bool:
        """Whether a mask may be of something like it, so that it is worth a window of its own."""
        if mask.bbox is None or mask.area > _LARGEST * area(tile):
            return False
        return finder.likeness(mask.cropped, mask.bbox) > _PROMISING

    def _looked_at_again(self, answer: Proposal, tile: Window) -> Proposal:
        """Ask in another window where the tile cuts the object, closer where it is small."""
        if runs_over(answer.placed, tile):
            content, length = answer.placed.bbox or tile, max(shape_of(tile))
            around = window_on_grid(content, length, self._shape)
            answer = self._chain.ask(answer.prompt, window=around)
            if runs_over(answer.placed, around):
                return self._chain.ask_closer(answer) or answer
        box = answer.placed.bbox
        small = SMALL * max(shape_of(tile)) / self._side
        if box is not None and max(shape_of(box)) < small:
            return self._chain.ask_closer(answer) or answer
        return answer


def tiles_for_similar(shape: Shape, side: int, levels: Iterable[int]) -> list[Window]:
    """Return the tiles in which objects of sizes that were accepted are looked for, large first.

    Args:
        shape: (H, W) of the image.
        side: of the encoder's input, in px.
        levels: of the scenes those are learnt in, see `scenes.level_of`.

    """
    wanted = sorted({min(level, _highest(shape, side)) for level in levels}, reverse=True)
    return [tile for level in wanted for tile in tiles_in(shape, side << level)]


def _highest(shape: Shape, side: int) -> int:
    """Return the most doublings of a side after which a tile is still less than the image."""
    level = DEFAULT_LEVEL
    while side << (level + 1) < max(shape):
        level += 1
    return level


def whole_objects(
    drawn: Iterable[Suggestion],
    tile: Window,
    answer: Callable[[Prompt, Window], Proposal],
    shape: Shape,
) -> list[Suggestion]:
    """Return what was drawn in a tile, as if that were the image, as it lies in the image.

    What runs against a border of the tile is asked for anew, by a click in its middle.

    Args:
        drawn: of the tile.
        tile: where it lies.
        answer: answers about the image; a prompt, and the part in which the object may lie.
        shape: (H, W) of the image.

    """
    y0, x0, _, _ = tile
    found = []
    for one in drawn:
        top, left, bottom, right = one.bbox
        box = top + y0, left + x0, bottom + y0, right + x0
        moved = replace(one, bbox=box, shape=shape)
        if not _is_cut(box, tile, shape):
            found.append(moved)
            continue
        row, column = _middle(one.mask)
        mask = answer(Prompt(((column + box[1], row + box[0]),), (1,)), tile).placed
        if mask.bbox is not None and SMALLEST_OBJECT <= mask.area <= _LARGEST * area(tile):
            found.append(replace(moved, mask=mask.cropped, bbox=mask.bbox))
    return found


def moved_from(drawn: Iterable[Suggestion], tile: Window, shape: Shape) -> list[Suggestion]:
    """Return what was drawn in a tile, as if that were the image, as it lies in the image."""
    y0, x0, _, _ = tile
    return [
        replace(
            one,
            bbox=(one.bbox[0] + y0, one.bbox[1] + x0, one.bbox[2] + y0, one.bbox[3] + x0),
            shape=shape,
        )
        for one in drawn
    ]


def _is_cut(box: BoundingBox, tile: Window, shape: Shape) -> bool:
    ends = (0, 0, *shape)
    return any(box[edge] == tile[edge] != ends[edge] for edge in range(4))


def _middle(mask: Mask) -> tuple[int, int]:
    """Return (row, column) of the place farthest from a mask's border."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(inside.argmax()), mask.shape)
    return int(row), int(column)
