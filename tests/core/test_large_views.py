"""A large image is looked at in windows: where, how wide, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_tune import Predictor, Prompt
from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.zoom import beside, first_window, holds, runs_over, wider_window
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import area, shape_of, whole

SIDE = 512
SHAPE = (20_000, 24_000)
DISCS = (
    (4000.0, 9000.0, 7.0),
    (9000.0, 6000.0, 60.0),
    (15_000.0, 12_000.0, 1500.0),
)
"""Middles (y, x) and radii, in px."""


class Discs:
    """An image that is nowhere: dark discs on even ground, drawn where somebody looks."""

    shape = SHAPE

    def __init__(self):
        self.most = 0  # px of the largest window read at once

    def rgb(self, window, side=None):
        y0, x0, y1, x1 = window
        step = max(1, max(shape_of(window)) // side) if side else 1
        rows, columns = np.arange(y0, y1, step), np.arange(x0, x1, step)
        self.most = max(self.most, len(rows) * len(columns))
        grey = np.full((len(rows), len(columns)), 170, np.uint8)
        grey += ((rows[:, None] * 7 + columns[None] * 13) % 11).astype(np.uint8)
        for y, x, radius in DISCS:
            grey[np.hypot(rows[:, None] - y, columns[None] - x) <= radius] = 90
        return np.repeat(grey[..., None], 3, axis=-1)


def disc(y, x, radius):
    reach = int(radius) + 1
    line = np.arange(-reach, reach + 1)
    inside = np.hypot(line[:, None], line[None]) <= radius
    box = int(y) - reach, int(x) - reach, int(y) + reach + 1, int(x) + reach + 1
    return PlacedMask.in_window(inside, box, SHAPE)


@pytest.fixture(scope="module")
def predictor():
    torch.set_num_threads(1)
    return Predictor.from_checkpoint("starter", device="cpu")


lengths = st.integers(1, 60_000)


@given(lengths, lengths, st.data())
def test_a_window_lies_in_the_image_and_holds_what_was_said(height, width, data):
    x, y = (data.draw(st.integers(0, length - 1)) for length in (width, height))
    x1, y1 = data.draw(st.integers(x, width - 1)), data.draw(st.integers(y, height - 1))
    seen = data.draw(st.none() | st.integers(1, 60_000).map(lambda side: (0, 0, side, side // 2)))
    box = (x - 0.5, y - 0.5, x1 + 0.5, y1 + 0.5)
    for prompt in (Prompt([(x, y)], [1]), Prompt([(x, y), (x1, y1)], [1, 0]), Prompt(box=box)):
        window = first_window(prompt, (height, width), SIDE, seen=seen)
        assert 0 <= window[0] < window[2] <= height
        assert 0 <= window[1] < window[3] <= width
        assert window[0] <= y <= y1 < window[2] or prompt.points == ((x, y),)
        assert window[0] <= y < window[2]
        assert window[1] <= x < window[3]
        if max(height, width) <= 4 * SIDE:
            assert window == whole((height, width))
        if prompt.box is not None:
            assert window[1] <= x1 < window[3]
        wider = wider_window((y, x, y + 1, x + 1), window, (height, width), SIDE)
        assert wider == whole((height, width)) or area(wider) > area(window)


@given(lengths, lengths, st.data())
def test_a_click_on_the_very_edge_of_an_image_lies_in_its_windows(height, width, data):
    ends = ((-0.5, length - 0.5) for length in (width, height))
    x, y = (data.draw(st.floats(*both) | st.sampled_from(both)) for both in ends)
    prompt, shape = Prompt([(x, y)], [1]), (height, width)
    pixel = int(y), int(x), int(y) + 1, int(x) + 1
    window = first_window(prompt, shape, SIDE)
    assert holds(window, prompt)
    assert holds(wider_window(pixel, window, shape, SIDE), prompt)


def test_a_click_on_the_edge_that_shows_nothing_is_asked_about_from_farther_off(predictor):
    predictor.set_image(np.zeros((2600, 40), np.uint8))
    for y in (-0.5, 2599.5):
        answer = predictor.propose(Prompt([(39.5, y)], [1]))
        assert holds(answer.window or whole((2600, 40)), answer.prompt)


def test_neighbours_share_a_window_and_the_screen_says_how_wide_it_is():
    near = [first_window(Prompt([(5000 + at, 5000)], [1]), SHAPE, SIDE) for at in range(0, 400, 20)]
    assert len(set(near)) <= 2
    for length in (100, 600, 1500, 7000):
        seen = (4000, 4000, 4000 + length, 4000 + length)
        window = first_window(Prompt([(5000, 5000)], [1]), SHAPE, SIDE, seen=seen)
        assert max(512, length) / 1.5 < max(shape_of(window)) < max(512, length) * 1.5
    far = (0, 0, *SHAPE)
    assert first_window(Prompt([(5000, 5000)], [1]), SHAPE, SIDE, seen=far) == far


@pytest.mark.parametrize(("y", "x", "radius"), DISCS)
def test_objects_of_any_size_come_back_as_large_as_they_are(predictor, y, x, radius):
    discs, truth = Discs(), disc(y, x, radius)
    predictor.set_image(discs)
    reach = int(2 * radius + 100)
    seen = (int(y) - reach, int(x) - reach, int(y) + reach, int(x) + reach)
    for prompt, looked_at in (
        (Prompt([(x, y)], [1]), seen),
        (Prompt(box=(x - radius, y - radius, x + radius, y + radius)), None),
    ):
        first = predictor.propose(prompt, refiners=REFINERS, seen=looked_at)
        answer = predictor.look_closer(first, refiners=REFINERS) or first
        assert (answer.placed & truth).area / (answer.placed | truth).area > 0.85
        assert answer.placed.nbytes < 5 * (2 * radius + 12) ** 2
        longer = predictor.propose(prompt.add_point(x + 3 * radius, y, 0), answer)
        assert holds(longer.window or whole(SHAPE), longer.prompt)
        assert (longer.placed & truth).area / truth.area > 0.8
    assert discs.most <= (4 * SIDE) ** 2  # nothing is ever read whole


def test_what_runs_against_the_border_is_asked_about_from_farther_off(predictor):
    y, x, radius = DISCS[1]
    predictor.set_image(Discs())
    cut = (int(y) - 256, int(x) + 12 - 512, int(y) + 256, int(x) + 12)
    first = predictor.propose(Prompt([(x - 10, y)], [1]), refiners=REFINERS, window=cut)
    assert runs_over(first.placed, cut)
    wider = predictor.look_wider(first, refiners=REFINERS)
    truth = disc(y, x, radius)
    assert (wider.placed & truth).area / (wider.placed | truth).area > 0.85
    assert predictor.look_wider(wider, refiners=REFINERS) is None


def test_a_lone_click_finds_what_it_lies_deep_inside(predictor):
    predictor.set_image(Discs())
    for y, x, radius in DISCS:
        for off in (0, radius / 3):
            first = predictor.propose(Prompt([(x + off, y)], [1]), refiners=REFINERS)
            answer = predictor.look_closer(first, refiners=REFINERS) or first
            truth = disc(y, x, radius)
            assert (answer.placed & truth).area / (answer.placed | truth).area > 0.75
    assert answer.window != (0, 0, *SHAPE)  # no wider than it must be


def test_what_lies_beside_is_encoded_ahead_and_then_nothing_more(predictor):
    discs = Discs()
    predictor.set_image(discs)
    seen = (8500, 5500, 9500, 6500)
    asked = predictor.propose(Prompt([(6000, 9000)], [1]), seen=seen).window
    count = 0
    while predictor.opened.prepare_one():
        count += 1
    assert count == len(beside(asked, SHAPE, SIDE)) == 4
    discs.most = 0
    for step in (-512, 512):
        prompt = Prompt([(6000 + step, 9000)], [1])
        assert predictor.propose(prompt, seen=seen).window != asked
    assert discs.most == 0  # nothing had to be read
    assert beside((0, 0, 700, 700), SHAPE, SIDE) == []
    assert beside((0, 0, 128, 128), SHAPE, SIDE) == []  # a closer look's
