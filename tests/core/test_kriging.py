"""Heeding clicks: every click on its own side, nothing moved without need."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from napari_sam_tune.core.answers.kriging import SURE, heed_clicks
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.windows import whole

SIDE, SIZE = 512, 256


def field(seed):
    """Smooth logits of a blob: (1, 1, 256, 256)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: 2 * SIZE, : 2 * SIZE][:, ::2, ::2]
    y, x, radius = rng.uniform(100, 400), rng.uniform(100, 400), rng.uniform(10, 150)
    distance = np.hypot(rows - y, columns - x)
    return torch.from_numpy(((radius - distance) / 8).clip(-12, 12)).float()[None, None]


def at(logits, x, y):
    """The logit that is drawn there: interpolated between cells."""
    drawn = functional.interpolate(logits, (SIDE, SIDE), mode="bilinear")
    return float(drawn[0, 0, y, x])


click = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(0, 1))


@given(st.integers(0, 99), st.lists(click, min_size=1, max_size=12), st.booleans())
def test_clicks_apart_from_each_other_lie_on_their_own_side(seed, clicks, guided):
    apart = []
    for x, y, label in clicks:
        if all(np.hypot(x - a, y - b) > 16 for a, b, _ in apart):
            apart.append((x, y, label))
    coords = torch.tensor([[(float(x), float(y)) for x, y, _ in apart]])
    labels = torch.tensor([[label for *_, label in apart]])
    guide = field(seed + 100) if guided else None
    heeded = heed_clicks(field(seed), coords, labels, SIDE, guide)
    for x, y, label in apart:
        assert at(heeded, x, y) * (1 if label else -1) > 1
    assert torch.isfinite(heeded).all()


@pytest.mark.parametrize("shape", [(128, 128), (120, 97), (200, 310)])
@pytest.mark.parametrize("step", [(1, 0), (0, 1), (1, 1)])
def test_pixels_next_to_each_other_are_told_apart(shape, step):
    frame = Frame(whole(shape), SIDE, SIZE)
    for x in range(10, shape[1] - 10, 7):
        y = 10 + x % (shape[0] - 20)
        pixels = np.array([(x, y), (x + step[0], y + step[1])])
        coords = torch.from_numpy(frame.to_input(pixels) + frame.half_pixel)[None].float()
        heeded = heed_clicks(field(x), coords, torch.tensor([[1, 0]]), SIDE)
        mask = frame.drawn_in(heeded[0, 0].numpy(), (0, 0, *shape))
        assert mask[y, x]
        assert not mask[y + step[1], x + step[0]]


def test_what_is_heeded_already_is_left_alone():
    logits = torch.full((1, 3, SIZE, SIZE), -SURE)
    coords, labels = torch.tensor([[[100.0, 100.0], [0.0, 0.0]]]), torch.tensor([[0, -1]])
    assert heed_clicks(logits, coords, labels, SIDE) is logits


def test_a_click_moves_what_is_near_and_not_what_is_far():
    logits = torch.full((1, 1, SIZE, SIZE), -4.0)
    heeded = heed_clicks(logits, torch.tensor([[[256.0, 256.0]]]), torch.tensor([[1]]), SIDE)
    drawn = heeded[0, 0] > 0
    radius = (drawn.sum().item() / np.pi) ** 0.5
    assert 5 < radius < 20  # cells: a click speaks for its surroundings, not for the image
    moved = (heeded - logits)[0, 0]
    assert moved[:, :64].max() < 0.1 * moved.max()
    assert moved[:, :8].max() < 0.01 * moved.max()


def test_a_click_speaks_for_what_is_like_its_place():
    logits = torch.zeros(1, 1, SIZE, SIZE)
    stripe = torch.full_like(logits, -6.0)
    stripe[..., 120:136, :] = 6
    coords, labels = torch.tensor([[[256.0, 256.0]]]), torch.tensor([[0]])
    moved = heed_clicks(logits, coords, labels, SIDE, stripe)[0, 0]
    along, across = moved[128, 168], moved[168, 128]
    assert along < 1.9 * across < 0
    torch.testing.assert_close(
        heed_clicks(logits, coords, labels, SIDE, torch.zeros_like(stripe))[0, 0, 128, 168],
        heed_clicks(logits, coords, labels, SIDE, torch.zeros_like(stripe))[0, 0, 168, 128],
    )


@pytest.mark.parametrize(("guide", "variance"), [(None, 1.0), (torch.zeros(1, 1, SIZE, SIZE), 1.5)])
def test_a_click_is_followed_as_far_as_it_is_believed(guide, variance):
    """Simple kriging with one observation: what it asks, by its share of all variance."""
    logits = torch.zeros(1, 1, SIZE, SIZE)
    coords = torch.tensor([[[200.5, 300.5]]])  # the middle of a cell
    heeded = heed_clicks(logits, coords, torch.tensor([[1]]), SIDE, guide)
    doubt = 0.5  # of a first click
    assert float(heeded[0, 0, 150, 100]) == pytest.approx(SURE * variance / (variance + doubt))


def test_clicks_on_one_spot_that_contradict_each_other_make_no_extremes():
    logits = torch.zeros(1, 1, SIZE, SIZE)
    coords = torch.tensor([[[256.0, 256.0], [258.0, 256.0]]])
    heeded = heed_clicks(logits, coords, torch.tensor([[1, 0]]), SIDE)
    assert heeded.abs().max() < 20 * SURE


def test_prompts_side_by_side_are_answered_as_alone():
    logits = torch.cat([field(1), field(2)]).expand(2, 3, SIZE, SIZE)
    coords = torch.tensor([[[30.0, 40.0], [300.0, 300.0]], [[400.0, 10.0], [0.0, 0.0]]])
    labels = torch.tensor([[1, 0], [1, -1]])
    both = heed_clicks(logits, coords, labels, SIDE)
    for i in range(2):
        alone = heed_clicks(logits[i : i + 1], coords[i : i + 1], labels[i : i + 1], SIDE)
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-4, rtol=1e-4)
