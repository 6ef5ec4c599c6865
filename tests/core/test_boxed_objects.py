"""Objects of data sets come in their boxes: what full arrays say, at what the object costs."""

from __future__ import annotations

import math
import tracemalloc
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask
from scipy import ndimage

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.exchange.incoming import Folded, SourceObject
from napari_sam_tune.core.exchange.tiled_labels import HeldPlane, connected, numbered
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.turning import turned, turned_mask
from napari_sam_tune.formats.coco_masks import check_segmentation, decode_segmentation
from napari_sam_tune.formats.cvat_xml import _mask

SHAPE = (9, 13)
masks = arrays.arrays(bool, SHAPE, elements=st.booleans() | st.just(value=False))
labels = arrays.arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 1, 2, 250]))
sides = st.integers(1, 14)
corners = st.tuples(
    st.integers(-40, 200).map(lambda n: n / 10), st.floats(-4, 14, width=32)
)  # tenths lie where pycocotools rounds


@given(labels, sides, st.sampled_from([np.uint8, np.int64, np.float32]))
def test_numbers_are_found_tile_by_tile_as_at_once(values, side, dtype):
    found = dict(numbered(HeldPlane(values.astype(dtype)), side))
    assert list(found) == sorted(set(values.ravel().tolist()) - {0})
    for number, placed in found.items():
        assert placed == PlacedMask.of(values == number)


@given(labels, sides)
def test_connected_parts_are_one_across_tiles_and_counted_as_scipy_counts(values, side):
    wanted = []
    for number in sorted(set(values.ravel().tolist()) - {0}):
        parts, count = ndimage.label(values == number, np.ones((3, 3), int))
        wanted += [(number, PlacedMask.of(parts == part + 1)) for part in range(count)]
    assert list(connected(HeldPlane(values), side)) == wanted


@given(st.lists(st.lists(corners, min_size=3, max_size=6), min_size=1, max_size=3))
def test_polygons_of_coco_are_drawn_as_pycocotools_draws_them(parts):
    polygons = [[number for corner in part for number in corner] for part in parts]
    check_segmentation(polygons, SHAPE, "one")
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, *SHAPE))
    wanted = coco_mask.decode(runs).astype(bool)
    assert decode_segmentation(polygons, SHAPE) == PlacedMask.of(wanted)


@given(masks)
def test_run_lengths_are_what_was_written(mask):
    packed = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    packed["counts"] = packed["counts"].decode()
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    counts = np.diff(edges, prepend=0, append=flat.size).tolist()
    for runs in (packed, packed | {"counts": counts}):
        check_segmentation(runs | {"size": list(SHAPE)}, SHAPE, "one")
        assert decode_segmentation(runs, SHAPE) == PlacedMask.of(mask)


@given(*[st.floats(-3, 12, width=32)] * 2, *[st.floats(0.25, 9, width=32)] * 2, st.integers(0, 359))
def test_ellipses_are_the_pixels_whose_centres_are_inside(x, y, rx, ry, degrees):
    said = {"cx": x, "cy": y, "rx": rx, "ry": ry, "rotation": degrees}
    found = Element("ellipse", {name: repr(float(value)) for name, value in said.items()})
    turn = math.radians(degrees)
    across, down = np.arange(SHAPE[1]) + 0.5 - x, (np.arange(SHAPE[0]) + 0.5 - y)[:, None]
    along = across * math.cos(turn) + down * math.sin(turn)
    beside = down * math.cos(turn) - across * math.sin(turn)
    wanted = PlacedMask.of((along / rx) ** 2 + (beside / ry) ** 2 <= 1)
    try:
        placed = _mask(found, SHAPE, "one")
    except MaskError as error:
        assert "far outside" in str(error)  # noqa: PT017  it may be either
        return
    assert placed == wanted


@given(masks, st.integers(1, 8))
def test_objects_are_folded_and_turned_in_their_boxes(mask, orientation):
    placed = PlacedMask.of(mask)
    assert turned_mask(placed, orientation) == PlacedMask.of(turned(mask, orientation))
    source = SourceObject("1", placed, "dent")
    assert Folded.of(source).unfolded().placed == placed


@pytest.mark.parametrize("is_polygon", [True, False])
def test_an_object_costs_itself_however_large_its_image_is(is_polygon):
    side, length = 60_000, 500
    low = side - 2 * length
    if is_polygon:
        high = low + length
        said = [[low, low, high, low, high, high, low, high]]
    else:
        column = [side - length, length]
        first = low * side + low
        counts = [first, length, *column[:1], *([length, side - length] * (length - 2)), length]
        counts.append(side * side - sum(counts))
        said = {"size": [side, side], "counts": counts}
    tracemalloc.start()
    check_segmentation(said, (side, side), "one")
    placed = decode_segmentation(said, (side, side))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert placed.bbox == (low, low, low + length, low + length)
    assert placed.area == length**2
    assert peak < 20e6
    with pytest.raises(MaskError, match="too far"):
        check_segmentation([[0, 0, side, 0, side, side]], (side, side), "one")
