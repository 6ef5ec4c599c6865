import time

import numpy as np
import pytest

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.scoring import (
    inscribed_radius,
    iou,
    is_thin,
    next_click,
    score,
    tolerant_f1,
)


def disc(radius, centre=(50, 50), shape=(100, 100)):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def test_iou():
    a = np.zeros((4, 4), bool)
    b = a.copy()
    assert iou(a, b) == 1.0
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(4 / 12)
    with pytest.raises(MaskError, match="resize the mask"):
        iou(a, np.zeros((5, 4), bool))


def test_a_thin_line_two_pixels_off_is_right_and_three_off_is_wrong():
    truth = np.zeros((60, 60), bool)
    truth[20, 5:55] = True
    near, far = np.roll(truth, 2, axis=0), np.roll(truth, 3, axis=0)
    assert is_thin(truth)
    assert score(near, truth) == tolerant_f1(near, truth) == 1.0
    assert iou(near, truth) == 0.0
    assert score(far, truth) == 0.0
    half = truth & (np.arange(60) < 30)
    precision, recall = 1.0, 27 / 50  # 25 columns and 2 px beyond them
    assert tolerant_f1(half, truth) == pytest.approx(2 * precision * recall / (precision + recall))


def test_tolerance_is_euclidean():
    a, b = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    a[2, 2], b[4, 4] = True, True  # 2.83 px apart
    assert tolerant_f1(a, b) == 0.0
    assert tolerant_f1(a, b, tolerance=3) == 1.0


def test_thin_ends_at_a_radius_of_four():
    assert inscribed_radius(disc(20)) == pytest.approx(20.6, abs=1)
    assert inscribed_radius(np.ones((1, 1), bool)) == 1.0
    assert inscribed_radius(np.zeros((5, 5), bool)) == 0.0
    line = np.zeros((40, 40), bool)
    line[10:16] = True
    assert is_thin(line)
    line[10:17] = True
    assert not is_thin(line)


def test_the_first_click_is_farthest_from_the_border():
    truth = disc(30) | disc(5, centre=(90, 90))
    assert next_click(None, truth) == (50.0, 50.0, 1)
    assert next_click(np.zeros_like(truth), truth) == (50.0, 50.0, 1)
    # the image's edge is a border: not the corner of an object that fills it
    assert next_click(None, np.ones((11, 21), bool))[1] == 5.0


def test_the_next_click_goes_to_the_larger_error():
    truth = disc(20)
    predicted = truth & (np.arange(100) < 60) | disc(12, centre=(15, 80))
    x, y, label = next_click(predicted, truth)
    assert (x, y, label) == (80.0, 15.0, 0)
    x, y, label = next_click(truth & (np.arange(100) < 40), truth)
    assert label == 1
    assert x > 45
    with pytest.raises(MaskError, match="nothing left"):
        next_click(truth, truth)
    with pytest.raises(MaskError, match="empty"):
        next_click(None, np.zeros((5, 5), bool))


def test_noise_is_the_probability_of_a_click_anywhere_in_the_region():
    truth = disc(20)
    rng = np.random.default_rng(0)
    clicks = np.array([next_click(None, truth, noise=0.5, rng=rng)[:2] for _ in range(200)])
    centred = np.all(clicks == 50, axis=1).mean()
    assert 0.4 < centred < 0.6
    assert all(truth[int(y), int(x)] for x, y in clicks)
    with pytest.raises(ValueError, match="rng"):
        next_click(None, truth, noise=0.5)


def test_a_click_on_a_megapixel_is_fast():
    truth = disc(300, centre=(500, 480), shape=(1000, 1000))
    predicted = disc(280, centre=(530, 480), shape=(1000, 1000))
    durations = []
    for _ in range(3):
        began = time.process_time()
        next_click(predicted, truth)
        score(predicted, truth)
        durations.append(time.process_time() - began)
    assert min(durations) < 0.2
