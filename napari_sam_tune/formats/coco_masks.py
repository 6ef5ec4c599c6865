"""COCO segmentations: polygons, run lengths and compressed run lengths, checked before decoding.

pycocotools trusts what it is given: run lengths that end early leave the rest of a mask to whatever
was in memory, and far-away polygon corners are walked to step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from napari_sam_tune.core.prompts import Mask

_MOST_BITS = 50  # of a run
_MOST_TURNS = 4  # a pixel has so many sides


def check_segmentation(segmentation: object, shape: tuple[int, int], entry: str) -> None:
    """Check that a segmentation describes a mask of an image.

    Args:
        segmentation: a list of polygons [x, y, x, y, …], or {"size": [H, W], "counts": …}.
        shape: the image's (H, W).
        entry: whose it is, for the error.

    Raises:
        MaskError: it is malformed, or of another size than the image.

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
    counts = runs.get("counts")
    if isinstance(counts, str):
        counts = _uncompressed(counts)
    is_whole = isinstance(counts, list) and all(type(c) is int and c >= 0 for c in counts)
    if not is_whole or sum(counts or ()) != shape[0] * shape[1]:
        raise MaskError(
            tr(
                "{entry} has run lengths that do not add up to {height} × {width}.",
                entry=entry,
                height=shape[0],
                width=shape[1],
            )
        )


def _uncompressed(text: str) -> list[int] | None:
    """Read COCO's run lengths as `rleFrString` does: 5 bits a letter, differences from the third.

    Returns:
        None where a letter is none of COCO's, the last number is cut short, or one is larger than
        any image.

    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64:
            return None
        if shift > _MOST_BITS:  # a number that never ends takes longer with each letter
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return None if shift else counts


def decode_segmentation(segmentation: Any, shape: tuple[int, int]) -> Mask:
    """Return the (H, W) bool mask of a segmentation that was checked.

    The polygons of a list are parts of one object; COCO has no holes but in run lengths.
    """
    runs = segmentation
    if isinstance(segmentation, list):
        runs = coco_mask.merge(coco_mask.frPyObjects(polygons(segmentation), *shape))
    elif isinstance(segmentation["counts"], list):
        runs = coco_mask.frPyObjects({**segmentation, "size": list(shape)}, *shape)
    return np.asarray(coco_mask.decode(runs), dtype=bool)
