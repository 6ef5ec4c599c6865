"""Objects of a picture of numbers, found tile by tile: it costs its objects, not its pixels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask
from napari_sam_tune.core.geometry.windows import (
    bounding_box,
    clipped,
    hull,
    moved,
    shape_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window

    Values = NDArray[Any]

_Edge = tuple["NDArray[np.int32]", "Values"]
"""Of a row or a column of pixels their parts, and their numbers."""
Key = TypeVar("Key", bound="Hashable")

TILE: Final = 1024
"""Px a side of what is looked at at once."""
_LISTED: Final = 1 << 16
"""Numbers up to this are looked up in a list as long."""
_EIGHT_NEIGHBOURS: Final = np.ones((3, 3), dtype=int)


class Plane(Protocol):
    """A picture of numbers of which windows are read, such as a `LargeImage`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W)."""

    @property
    def unit(self) -> Shape:
        """(h, w) of what is unpacked at once."""

    def read(self, window: Window) -> Values:
        """Return the (h, w) numbers of a window, which lies inside."""


class HeldPlane:
    """A picture of numbers that is in memory, (H, W)."""

    unit: Shape = (1, 1)

    def __init__(self, values: Values) -> None:
        self._values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W)."""
        return self._values.shape

    def read(self, window: Window) -> Values:
        """Return a window."""
        y0, x0, y1, x1 = window
        return self._values[y0:y1, x0:x1]


class Changed:
    """A picture whose numbers are changed as they are read."""

    def __init__(self, plane: Plane, change: Callable[[Values], Values]) -> None:
        self._plane, self._change = plane, change

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W)."""
        return self._plane.shape

    @property
    def unit(self) -> Shape:
        """See `Plane`."""
        return self._plane.unit

    def read(self, window: Window) -> Values:
        """Return a window, changed."""
        return self._change(self._plane.read(window))


def tiles_of(plane: Plane, side: int = TILE) -> Iterator[tuple[Window, Values]]:
    """Give each tile with its numbers, row by row; no two overlap.

    Tiles are of about `side` × `side` px, and of whole units, so that each is unpacked once.
    """
    height, width = plane.shape
    across = _multiple(plane.unit[1], side)
    down = _multiple(plane.unit[0], max(1, side * side // across))
    for y in range(0, height, down):
        for x in range(0, width, across):
            window = clipped((y, x, y + down, x + across), (height, width))
            yield window, plane.read(window)


def _multiple(of: int, about: int) -> int:
    """Return the multiple of a length that is the least not below another."""
    return -(-about // of) * of


def numbered(plane: Plane, side: int = TILE) -> Iterator[tuple[float, PlacedMask]]:
    """Give each number but 0 of a picture, from the least, with the mask of its pixels.

    Args:
        plane: numbers, NaN among none.
        side: px of a tile.

    """
    pieces = _Pieces[float](plane.shape)
    for window, values in tiles_of(plane, side):
        for number, inside, cut in _numbers_of(values):
            pieces.add(number, inside, moved(cut, window[:2]))
    for number in sorted(pieces.keys()):
        yield number, pieces.take(number)


def connected(plane: Plane, side: int = TILE) -> Iterator[tuple[float, PlacedMask]]:
    """Give the 8-connected parts of each number but 0, with that number.

    Number by number from the least, and of one number as `scipy.ndimage.label` counts: by the
    first pixel, row by row.
    """
    pieces, seams = _Pieces[int](plane.shape), _Seams()
    number_of: list[float] = []
    for window, values in tiles_of(plane, side):
        ids = np.full(values.shape, -1, np.int32)
        for number, inside, cut in _numbers_of(values):
            y0, x0, y1, x1 = cut
            parts, count = ndimage.label(inside, structure=_EIGHT_NEIGHBOURS)
            ids[y0:y1, x0:x1][inside] = parts[inside] - 1 + len(number_of)
            for part, (rows, columns) in enumerate(ndimage.find_objects(parts)):
                at = rows.start + y0, columns.start + x0, rows.stop + y0, columns.stop + x0
                seen = parts[rows, columns] == part + 1
                pieces.add(len(number_of) + part, seen, moved(at, window[:2]))
            number_of += [number] * count
        seams.join(ids, values, window)
    together = defaultdict[int, list[int]](list)
    for one in range(len(number_of)):
        together[seams.first_of(one)].append(one)
    found = [(number_of[one], pieces.take(*same)) for one, same in together.items()]
    yield from sorted(found, key=lambda pair: (pair[0], pair[1].first))


def _numbers_of(values: Values) -> Iterator[tuple[float, NDArray[np.bool_], Window]]:
    """Give each number but 0 of a tile, its pixels, and the window of the tile they are cut to."""
    there = values != 0
    if not there.any():
        return
    y0, x0, y1, x1 = bounding_box(there)
    seen = values[y0:y1, x0:x1]
    if seen.dtype.kind in "bu" and seen.max() <= _LISTED:
        dense, names = seen.astype(np.int32), None
    else:
        names, inverse = np.unique(seen, return_inverse=True)
        dense = inverse.reshape(seen.shape).astype(np.int32) + 1
    for index, cut in enumerate(ndimage.find_objects(dense)):
        number = index + 1 if names is None else names[index].item()
        if cut is not None and number != 0:
            rows, columns = cut
            at = rows.start + y0, columns.start + x0, rows.stop + y0, columns.stop + x0
            yield number, dense[cut] == index + 1, at


class _Pieces(dict[Key, "list[tuple[Window, NDArray[np.uint8]]]"]):
    """What tiles show of masks, as bits.

    Args:
        shape: (H, W) of the picture.

    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._shape: Shape = (shape[0], shape[1])

    def add(self, key: Key, inside: NDArray[np.bool_], window: Window) -> None:
        """Add what a window of the picture shows of a mask."""
        self.setdefault(key, []).append((window, np.packbits(inside)))

    def take(self, *keys: Key) -> PlacedMask:
        """Return a mask, of one key or of several together, whose pieces are forgotten.

        Raises:
            MaskError: it is too large for one mask.

        """
        every = [piece for key in keys for piece in self.pop(key)]
        box = hull([window for window, _ in every])
        require_one_mask(box)
        drawn = np.zeros(shape_of(box), bool)
        for window, bits in every:
            height, width = shape_of(window)
            y0, x0, y1, x1 = moved(window, (-box[0], -box[1]))
            flat = np.unpackbits(bits, count=height * width).reshape(height, width)
            drawn[y0:y1, x0:x1] |= flat > 0
        return PlacedMask.in_window(drawn, box, self._shape)


class _Seams:
    """Which parts of tiles are one, where they touch along the tiles' edges."""

    def __init__(self) -> None:
        self._same_as: dict[int, int] = {}
        self._above: list[_Edge] = []
        self._beside: list[_Edge] = []
        self._left: _Edge | None = None

    def first_of(self, part: int) -> int:
        """Return the first of the parts that are one with a part."""
        while part in self._same_as:
            part = self._same_as[part]
        return part

    def join(self, ids: NDArray[np.int32], values: Values, window: Window) -> None:
        """Join a tile to those before it, row by row.

        Args:
            ids: (h, w), the part of each pixel; -1 of none.
            values: (h, w), numbers; parts of two numbers never are one.
            window: where the tile lies.

        """
        if window[1] == 0:
            self._above, self._beside, self._left = self._beside, [], None
        if self._above:
            # the row above is all there; corners touch as well
            above = tuple(np.concatenate(rows) for rows in zip(*self._above, strict=True))
            self._touch((ids[0], values[0]), (above[0], above[1]), window[1])
        if self._left is not None:
            self._touch((ids[:, 0], values[:, 0]), self._left, 0)
        self._beside.append((ids[-1].copy(), values[-1].copy()))
        self._left = ids[:, -1].copy(), values[:, -1].copy()

    def _touch(self, edge: _Edge, other: _Edge, at: int) -> None:
        """Join an edge to one that runs along it, and begins `at` px before it."""
        length = len(edge[0])
        for shift in (-1, 0, 1):
            first, end = max(0, -at - shift), min(length, len(other[0]) - at - shift)
            there = slice(first + at + shift, end + at + shift)
            own, theirs = edge[0][first:end], other[0][there]
            alike = (own >= 0) & (theirs >= 0) & (edge[1][first:end] == other[1][there])
            for pair in np.unique(np.stack([own[alike], theirs[alike]], axis=1), axis=0).tolist():
                one, two = sorted(map(self.first_of, pair))
                if one != two:
                    self._same_as[two] = one
