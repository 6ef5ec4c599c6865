"""Masks in their boxes say what full arrays say, whatever is done to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.session.packing import pack, unpack

SHAPE = (7, 11)
masks = arrays.arrays(bool, SHAPE, elements=st.booleans() | st.just(value=False))
places = st.integers(-4, 14)
windows = st.tuples(places, places, st.integers(0, 12), st.integers(0, 12)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[0] + drawn[2], drawn[1] + drawn[3])
)


def cut(mask, window):
    """A window of a mask that may reach beyond it."""
    y0, x0, y1, x1 = window
    wide = np.pad(mask, 20)
    return wide[y0 + 20 : y1 + 20, x0 + 20 : x1 + 20]


@given(masks, masks)
def test_sets_of_pixels_are_what_they_are_in_full_arrays(one, other):
    here, there = PlacedMask.of(one), PlacedMask.of(other)
    for placed, full in (
        (here | there, one | other),
        (here & there, one & other),
        (here - there, one & ~other),
        (here ^ there, one ^ other),
    ):
        np.testing.assert_array_equal(placed.draw(), full)
        assert placed == PlacedMask.of(full)  # the box is the smallest, whatever it came from
        assert placed.area == full.sum()
        assert placed.any() == full.any()
        assert placed.first == np.unravel_index(full.argmax(), SHAPE)
    assert (here == there) == np.array_equal(one, other)
    assert unpack(pack(here)) == here


@given(masks, windows)
def test_a_window_shows_what_lies_in_it(mask, window):
    placed, seen = PlacedMask.of(mask), cut(mask, window)
    np.testing.assert_array_equal(placed.crop(window), seen)
    np.testing.assert_array_equal(placed.within(window).draw(), seen)
    back = PlacedMask.in_window(seen, window, SHAPE)
    assert back == placed & back
    assert back.area == seen.sum()


@given(masks, places, places)
def test_a_pixel_is_inside_or_not(mask, row, column):
    there = 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]
    assert PlacedMask.of(mask).covers(row, column) == (there and bool(mask[row, column]))


def test_a_mask_is_as_large_as_its_object_and_not_to_be_changed():
    vast = PlacedMask.in_window(np.ones((3, 4), bool), (40_000, 5, 40_003, 9), (60_000, 60_000))
    assert vast.nbytes == 12
    with pytest.raises(ValueError, match="read-only"):
        vast.cropped[0, 0] = False
    far = PlacedMask.in_window(np.ones((1, 1), bool), (0, 50_000, 1, 50_001), vast.shape)
    with pytest.raises(MaskError, match="too far for one mask"):
        vast | far
    with pytest.raises(MaskError, match="cannot be put together"):
        vast & PlacedMask.empty((4, 4))


@pytest.mark.parametrize("shape", [(900, 700), (300, 1000)])
def test_large_windows_are_drawn_and_averaged_as_small_ones_are(shape):
    # 16 px of input: all windows above 64 px are large; a small one is drawn in one go
    large, small = Frame((0, 0, *shape), 16, 8), Frame((0, 0, *shape), 1024, 8)
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(-0.5, 1, (1, 1, 8, 8))).float()
    drawn = large.draw(logits, shape)
    upscaled = (large.upscale(logits)[0, 0] > 0).numpy()
    assert (drawn.draw() != upscaled).mean() < 1e-4  # floats are rounded otherwise
    assert large.draw(logits - 9, shape) == PlacedMask.empty(shape)
    full = np.zeros(shape, bool)
    full[100:250, 200:640] = True
    placed = PlacedMask.of(full)
    np.testing.assert_array_equal(small.mask_to_logits(placed), small.mask_to_logits(full))
    inside = (large.mask_to_logits(placed) > 0) == (large.mask_to_logits(full) > 0)
    assert inside.all()
