"""Looking closer: windows that hold the object, logits that move with it, answers in place."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_tune import Predictor, Prompt
from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.zoom import holds, window_around, window_for
from napari_sam_tune.core.geometry.frame import OUTSIDE, Frame
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import shape_of, whole
from napari_sam_tune.core.scoring import iou

SIDE, SIZE = 512, 256


@pytest.fixture(scope="module")
def predictor():
    torch.set_num_threads(1)
    return Predictor.from_checkpoint("starter", device="cpu")


@st.composite
def objects(draw):
    """An image's shape and a mask's bounding box in it."""
    shape = draw(st.integers(1, 3000)), draw(st.integers(1, 3000))
    y0, x0 = (draw(st.integers(0, length - 1)) for length in shape)
    y1 = draw(st.integers(y0 + 1, min(shape[0], y0 + 600)))
    x1 = draw(st.integers(x0 + 1, min(shape[1], x0 + 600)))
    return shape, (y0, x0, y1, x1)


@given(objects())
def test_a_window_holds_its_object_lies_in_the_image_and_shows_it_larger(drawn):
    shape, (y0, x0, y1, x1) = drawn
    window = window_around((y0, x0, y1, x1), shape, SIDE)
    if window is None:
        return
    top, left, bottom, right = window
    assert 0 <= top <= y0
    assert y1 <= bottom <= shape[0]
    assert 0 <= left <= x0
    assert x1 <= right <= shape[1]
    assert max(shape_of(window)) <= 0.6 * max(shape) + 1


def disc(frame, y, x, radius):
    """Logits of a disc in an image, as a frame has it: (1, 256, 256)."""
    (height, width), window = frame.input, frame.window
    rows = (np.arange(SIZE) + 0.5) * 2 * frame.shape[0] / height + window[0]
    columns = (np.arange(SIZE) + 0.5) * 2 * frame.shape[1] / width + window[1]
    distance = np.hypot(rows[:, None] - y, columns[None] - x)
    return torch.from_numpy((radius - distance).clip(-8, 8)).float()[None]


@given(
    st.tuples(st.integers(200, 900), st.integers(200, 900)),
    st.floats(0.2, 0.8),
    st.floats(0.2, 0.8),
    st.floats(8, 40),
)
def test_logits_stay_where_they_are_in_the_image_and_come_back(shape, down, across, radius):
    y, x = down * shape[0], across * shape[1]
    content = (int(y), int(x), int(y) + 1, int(x) + 1)
    window = window_around(content, shape, SIDE) or whole(shape)
    source, target = Frame(whole(shape), SIDE, SIZE), Frame(window, SIDE, SIZE)
    coarse, fine = (disc(frame, y, x, radius) for frame in (source, target))
    rows, columns = target.input[0] // 2, target.input[1] // 2
    there = target.redraw(coarse, source)
    assert iou(there[0, :rows, :columns] > 0, fine[0, :rows, :columns] > 0) > 0.8
    back = source.redraw(fine, target)
    fits = y - radius > window[0] and y + radius < window[2]
    fits &= x - radius > window[1] and x + radius < window[3]
    if fits:
        assert iou(back[0] > 0, coarse[0] > 0) > 0.7
    if window != whole(shape):
        assert (back == OUTSIDE).any()


def test_a_window_is_kept_as_long_as_it_fits():
    mask = np.zeros((1000, 1000), bool)
    mask[500:520, 500:520] = True
    said = Prompt([(510, 510)], [1])
    window = window_for(PlacedMask.of(mask), said, SIDE, whole(mask.shape))
    assert max(shape_of(window)) == 128
    mask[500:524, 500:524] = True
    assert window_for(PlacedMask.of(mask), said, SIDE, window) == window
    mask[500:560, 500:560] = True  # reaches its edge
    assert window_for(PlacedMask.of(mask), said, SIDE, window) != window
    mask[100:900, 100:900] = True
    assert window_for(PlacedMask.of(mask), said, SIDE, window) == whole(mask.shape)
    assert holds(window, said)
    assert not holds(window, Prompt([(510, 510), (10, 10)], [1, 0]))


def test_where_nothing_was_drawn_or_pointed_at_there_is_nothing_to_look_at():
    mask = np.zeros((1000, 1000), bool)
    assert window_for(PlacedMask.of(mask), Prompt(mask=~mask), SIDE, whole(mask.shape)) == whole(
        mask.shape
    )


def test_a_small_object_is_looked_at_closely_and_corrected_there(predictor):
    rng = np.random.default_rng(0)
    image = rng.integers(150, 190, (700, 900), dtype=np.uint8)
    image[300:312, 400:414] = 40
    predictor.set_image(image)
    coarse = predictor.propose(Prompt([(407, 306)], [1]), refiners=REFINERS)
    assert coarse.window is None
    closer = predictor.look_closer(coarse, refiners=REFINERS)
    assert closer.window is not None
    assert len(closer.candidates) == len(coarse.candidates) == len(closer.logits)
    truth = image == 40
    assert iou(closer.mask, truth) >= iou(coarse.mask, truth) - 0.05
    assert closer.mask.shape == image.shape
    y0, x0, y1, x1 = closer.window
    outside = closer.mask.copy()
    outside[y0:y1, x0:x1] = False
    assert not outside.any()
    # a click there is answered there, and that is close enough
    again = predictor.propose(Prompt([(407, 306), (420, 306)], [1, 0]), closer, refiners=REFINERS)
    assert again.window == closer.window
    assert predictor.look_closer(again, refiners=REFINERS) is None
    # a click elsewhere is about the whole image again
    away = predictor.propose(Prompt([(407, 306), (800, 600)], [1, 0]), closer, refiners=REFINERS)
    assert away.window is None
    assert away.logits.shape == again.logits.shape


def test_a_large_object_needs_no_closer_look(predictor):
    image = np.full((300, 300), 200, np.uint8)
    image[60:240, 60:240] = 60
    predictor.set_image(image)
    proposal = predictor.propose(Prompt(box=(60, 60, 240, 240)))
    assert predictor.look_closer(proposal) is None
