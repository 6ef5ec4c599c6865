"""From a stroke along a crack to its mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam_tune.core.answers.nearby import NEAR, changed_near, clicks_to_heed
from napari_sam_tune.core.answers.stroke import encloses, inside, snap
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou


def crack(side: int, half_width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a wavy line as (H, W) bool and the (x, y) of its middle."""
    x = np.arange(12, side - 12)
    wave = np.random.default_rng(seed).uniform(0, 6)
    y = side / 2 + side / 10 * np.sin(6 * x / side + wave)
    mask = np.zeros((side, side), bool)
    mask[np.rint(y).astype(int), x] = True
    return ndimage.binary_dilation(mask, iterations=half_width), np.stack([x, y], axis=1)


@settings(max_examples=15)
@given(
    half_width=st.integers(1, 5),
    seed=st.integers(0, 99),
    sign=st.sampled_from([-1, 1]),
    depth=st.sampled_from([np.uint8, np.uint16, np.float32]),
)
def test_the_mask_is_as_wide_as_the_line(half_width, seed, sign, depth) -> None:
    truth, middle = crack(120, half_width, seed)
    rng = np.random.default_rng(seed)
    image = rng.normal(120, 4, truth.shape) + sign * 60 * truth
    image = (image * (200 if depth == np.uint16 else 1)).astype(depth)
    hand = ndimage.gaussian_filter1d(rng.normal(0, 6, middle.shape), 8, axis=0)
    assert iou(snap(image, (middle + hand)[::7].tolist()).draw(), truth) > 0.6


def test_a_long_crack_in_windows_has_no_seam() -> None:
    truth, middle = crack(2400, 2, 0)
    image = (150 - 60 * truth[900:1500]).astype(np.uint8)
    path = [(x, y - 900) for x, y in middle[::20]]
    assert iou(snap(image, path).draw(), truth[900:1500]) > 0.75


def test_what_is_no_line_is_said() -> None:
    image = np.full((40, 40), 90, np.uint8)
    for path in ([(5, 5)], [(5, 5), (5, 5)], [(-50, -9), (-60, -9)], [(np.nan, 2), (3, 4)]):
        with pytest.raises(PromptError, match="drawn along a crack"):
            snap(image, path)
    with pytest.raises(PromptError, match="more than 0 px"):
        snap(image, [(2, 2), (30, 30)], reach=0)
    assert snap(image, [(2, 2), (90, 38)]).any()  # even ground: a thin line, as it was drawn


def test_a_stroke_whose_ends_meet_is_a_loop() -> None:
    around = np.linspace(0, 2 * np.pi, 30)
    loop = [(20 + 9 * np.cos(a), 15 + 9 * np.sin(a)) for a in around]
    assert encloses(loop)
    assert not encloses(loop[:20])
    assert not encloses([(0, 0), (50, 2), (0, 3)])  # along a crack and back
    assert not encloses([(3, 3), (3, 3)])
    within = inside(loop, (40, 50))
    assert within.shape == (40, 50)
    assert within.covers(15, 20)
    assert not within.covers(15, 30)


@settings(max_examples=40)
@given(
    before=st.integers(0, 99),
    now=st.integers(0, 99),
    click=st.tuples(st.floats(-0.5, 149.4), st.floats(-0.5, 99.4)),
    adds=st.booleans(),
)
def test_a_click_changes_what_was_drawn_near_it_and_as_it_says(before, now, click, adds) -> None:
    mask, answer = (
        ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(100, 150)), 6) > 0
        for seed in (before, 100 + now)
    )
    placed = PlacedMask.of(mask)
    after = changed_near(placed, PlacedMask.of(answer), click, adds=adds)
    changed = after.draw()
    other = changed != mask
    rows, columns = np.nonzero(other)
    assert (np.hypot(columns - click[0], rows - click[1]) <= NEAR).all()
    assert (changed[other] == adds).all()
    x, y = (round(at) for at in click)
    assert changed[min(max(y, 0), 99), min(max(x, 0), 149)] == adds
    prompt = Prompt([(3, 3), click], [1, int(adds)])
    left = list(clicks_to_heed(after, prompt))
    assert left[-1] == ((3, 3), True) if not changed[3, 3] else (click, adds)
