"""COCO segmentations: polygons, run lengths and compressed run lengths, checked before decoding.

pycocotools trusts what it is given: run lengths that end early leave the rest of a mask to whatever
was in memory, and far-away polygon corners are walked to step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask
from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox

    Counts = NDArray[np.int64]

_MOST_LETTERS = 8  # of a run, 5 bits each: more than any image has pixels
_MOST_PIXELS = 2**32  # which pycocotools can count
_MOST_TURNS = 4  # a pixel has so many sides


def check_segmentation(segmentation: object, shape: tuple[int, int], entry: str) -> None:
    """Check that a segmentation describes a mask of an image.

    Args:
        segmentation: a list of polygons [x, y, x, y, …], or {"size": [H, W], "counts": …}.
        shape: the image's (H, W).
        entry: whose it is, for the error.

    Raises:
        MaskError: it is malformed, or of another size than the image, or too large for one mask.

    """
    if isinstance(segmentation, list) and segmentation:
        parts = polygons(segmentation)
        for polygon in parts:
            _check_polygon(polygon, shape, entry)
        if not parts:
            raise MaskError(
                tr(
                    "{entry} has a polygon that is not a list of three or more x, y pairs.",
                    entry=entry,
                )
            )
        corners = np.concatenate([np.asarray(part, float).reshape(-1, 2) for part in parts])
        (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0)) + 1
        require_one_mask(clipped((int(y0), int(x0), int(y1), int(x1)), shape))
    elif isinstance(segmentation, dict) and segmentation:
        _check_runs(segmentation, shape, entry)
    else:
        raise MaskError(
            tr(
                "{entry} has no segmentation (it says {segmentation}); boxes alone are no masks.",
                entry=entry,
                segmentation=f"{segmentation!r:.60}",
            )
        )


def polygons(segmentation: list[Any]) -> list[Any]:
    """Return the polygons of a list, as converters nest them: flat, or a list too deep.

    Parts of one or two points, which have no area, are passed over.
    """
    if segmentation and not any(isinstance(part, list) for part in segmentation):
        return [segmentation]
    if all(
        isinstance(part, list) and any(isinstance(x, list) for x in part) for part in segmentation
    ):
        segmentation = [polygon for part in segmentation for polygon in part]
    return [part for part in segmentation if not (isinstance(part, list) and len(part) in (2, 4))]


def _check_polygon(polygon: object, shape: tuple[int, int], entry: str) -> None:
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        corners = np.empty(0)
    if corners.ndim != 1 or corners.size < 6 or corners.size % 2 or not np.isfinite(corners).all():
        raise MaskError(
            tr("{entry} has a polygon that is not a list of three or more x, y pairs.", entry=entry)
        )
    height, width = shape
    x, y = corners[::2], corners[1::2]
    # A corner may lie a little outside; one this far off belongs to another image.
    if min(x.min() + width, y.min() + height) < 0 or x.max() > 2 * width or y.max() > 2 * height:
        raise MaskError(
            tr(
                "{entry} has a polygon far outside its image, which is {height} × {width} pixels.",
                entry=entry,
                height=height,
                width=width,
            )
        )
    closed = corners.reshape(-1, 2)
    length = np.abs(closed - np.roll(closed, 1, axis=0)).sum()
    if length > _MOST_TURNS * (height + 1) * (width + 1):
        raise MaskError(
            tr(
                "{entry} has a polygon whose outline is longer than all its image's "
                "pixels have sides.",
                entry=entry,
            )
        )


def _check_runs(runs: dict[str, Any], shape: tuple[int, int], entry: str) -> None:
    if runs.get("size") != list(shape):
        raise MaskError(
            tr(
                "{entry} has run lengths of the size {said}, its image is {height} × "
                "{width} pixels.",
                entry=entry,
                said=runs.get("size"),
                height=shape[0],
                width=shape[1],
            )
        )
    said, counts = runs.get("counts"), None
    pixels = shape[0] * shape[1]
    if isinstance(said, str):
        counts = _uncompressed(said)
    elif isinstance(said, list) and all(type(c) is int and 0 <= c <= pixels for c in said):
        counts = np.array(said, np.int64)
    is_whole = counts is not None and bool(((counts >= 0) & (counts <= pixels)).all())
    if counts is None or not is_whole or counts.sum() != pixels:
        raise MaskError(
            tr(
                "{entry} has run lengths that do not add up to {height} × {width}.",
                entry=entry,
                height=shape[0],
                width=shape[1],
            )
        )
    if (box := _box_of(*_inside(counts), shape[0])) is not None:
        require_one_mask(box)


def _uncompressed(text: str) -> Counts | None:
    """Read COCO's run lengths as `rleFrString` does: 5 bits a letter, differences from the third.

    Returns:
        None where a letter is none of COCO's, the last number is cut short, or one is larger than
        any image.

    """
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not codes.size:
        return codes
    goes_on = (codes & 32) > 0
    if goes_on[-1] or codes.min() < 0 or codes.max() >= 64:
        return None
    last = np.flatnonzero(~goes_on)
    first = np.concatenate([[0], last[:-1] + 1])
    letters = last - first + 1
    if letters.max() > _MOST_LETTERS:
        return None
    places = np.arange(codes.size) - np.repeat(first, letters)
    counts = np.add.reduceat((codes & 31) << (5 * places), first)
    counts -= ((codes[last] & 16) > 0) * (np.int64(1) << (5 * letters))
    counts[1::2] = counts[1::2].cumsum()
    counts[2::2] = counts[2::2].cumsum()
    return counts


def decode_segmentation(segmentation: Any, shape: tuple[int, int]) -> PlacedMask:
    """Return the mask of a segmentation that was checked, of an image's `shape` (H, W).

    The polygons of a list are parts of one object; COCO has no holes but in run lengths.

    Raises:
        MaskError: it is too large for one mask; or the image has more px than polygons of COCO
            can be drawn in.

    """
    if isinstance(segmentation, list):
        if shape[0] * shape[1] >= _MOST_PIXELS:
            raise MaskError(
                tr(
                    "Polygons of COCO are drawn in images of up to {most:,} pixels; this one is "
                    "{height:,} × {width:,}. Cut it into tiles, or give run lengths.",
                    most=_MOST_PIXELS,
                    height=shape[0],
                    width=shape[1],
                )
            )
        runs = coco_mask.merge(coco_mask.frPyObjects(polygons(segmentation), *shape))
        counts = _uncompressed(runs["counts"].decode("ascii"))
    elif isinstance(segmentation["counts"], list):
        counts = np.array(segmentation["counts"], np.int64)
    else:
        counts = _uncompressed(segmentation["counts"])
    if counts is None:
        raise MaskError(tr("Run lengths of COCO cannot be understood."))
    return _placed(counts, shape)


def _placed(counts: Counts, shape: tuple[int, int]) -> PlacedMask:
    """Draw run lengths, which go down the columns, into the box they reach."""
    begins, ends = _inside(counts)
    box = _box_of(begins, ends, shape[0])
    if box is None:
        return PlacedMask.empty(shape)
    require_one_mask(box)
    y0, x0, y1, x1 = box
    height, width = y1 - y0, x1 - x0
    # a run that goes on in the next column is a run in each
    columns = begins // shape[0]
    several = (ends - 1) // shape[0] - columns + 1
    place = np.arange(several.sum()) - np.repeat(several.cumsum() - several, several)
    column = np.repeat(columns, several) + place
    down = np.maximum(np.repeat(begins, several) - column * shape[0], 0)
    up = np.minimum(np.repeat(ends, several) - column * shape[0], shape[0])
    corner = (column - x0) * height - y0
    edges = np.stack([corner + down, corner + up], axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=height * width)
    inside = np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(width, height).T
    return PlacedMask.in_window(inside, box, shape)


def _inside(counts: Counts) -> tuple[Counts, Counts]:
    """Return where each run inside begins and ends, in px down the columns."""
    ends = counts.cumsum()
    begins, ends = (ends - counts)[1::2], ends[1::2]
    is_there = ends > begins
    return begins[is_there], ends[is_there]


def _box_of(begins: Counts, ends: Counts, height: int) -> BoundingBox | None:
    """Return the box of runs that go down columns of a height; None where there are none."""
    if not begins.size:
        return None
    first, last = begins // height, (ends - 1) // height
    top, bottom = 0, height
    if (first == last).all():
        top, bottom = int((begins % height).min()), int(((ends - 1) % height).max()) + 1
    return top, int(first[0]), bottom, int(last[-1]) + 1
