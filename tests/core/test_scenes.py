"""What is learnt from a large image, window by window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.answers.scenes import level_of, scene_window, window_learnt_in
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import area, shape_of, tiles
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.suggestions.scan import tiles_in

SIDE = 512
SHAPE = (2500, 6000)
SEAM = (1024, 2048)
"""Where four tiles meet."""


@given(st.integers(2049, 60_000), st.integers(1, 60_000), st.data())
def test_scenes_tile_the_image_and_show_their_object_well(height, width, data):
    y0, x0 = (data.draw(st.integers(0, length - 1)) for length in (height, width))
    y1 = data.draw(st.integers(y0 + 1, min(height, y0 + 4000)))
    x1 = data.draw(st.integers(x0 + 1, min(width, x0 + 4000)))
    box, shape = (y0, x0, y1, x1), (height, width)
    length = SIDE << level_of(box, SIDE)
    assert length >= 3 * max(y1 - y0, x1 - x0)
    window = scene_window(box, length, shape)
    assert window[0] <= (y0 + y1) // 2 < window[2]
    assert window[1] <= (x0 + x1) // 2 < window[3]
    assert window in tiles(shape, length, box)
    seen = window_learnt_in(box, shape, SIDE)
    assert seen[0] <= y0 < y1 <= seen[2]
    assert seen[1] <= x0 < x1 <= seen[3]


def test_tiles_cover_all_and_are_of_one_size():
    for overlapping in (False, True):
        covered = np.zeros((700, 1100), int)
        found = tiles_in(covered.shape, 256, overlapping=overlapping)
        for y0, x0, y1, x1 in found:
            covered[y0:y1, x0:x1] += 1
        assert (covered >= 1).all()
        assert {shape_of(tile) for tile in found} == {(256, 256)}
        assert len(found) == len(set(found))
    assert set(tiles(covered.shape, 256)) == set(tiles_in(covered.shape, 256))
    assert tiles((40, 300), 256) == [(0, 0, 40, 256), (0, 44, 40, 300)]


def surface():
    """Grain with spots of two kinds, and their masks: bright flat ones are flaws."""
    rng = np.random.default_rng(3)
    grain = ndimage.gaussian_filter(rng.normal(size=SHAPE).astype(np.float32), 1)
    image = 120 + 12 * grain / grain.std()
    masks = []
    places = [(300 + 900 * (n % 3), 300 + 950 * (n // 3)) for n in range(18)]
    for y, x in (*places, SEAM):
        rows, columns = np.ogrid[y - 30 : y + 31, x - 30 : x + 31]
        inside = np.hypot(rows - y, columns - x) <= 22
        image[y - 30 : y + 31, x - 30 : x + 31][inside] += 80
        masks.append(PlacedMask.in_window(inside, (y - 30, x - 30, y + 31, x + 31), SHAPE))
    return image.clip(0, 255).astype(np.uint8), masks


@pytest.fixture
def worked(tmp_path):
    torch.set_num_threads(1)
    image, masks = surface()
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(image, "scan")
        yield session, masks


def test_what_is_accepted_in_one_place_is_known_in_another(worked):
    session, masks = worked
    for mask in masks[:9]:
        y0, x0, y1, x1 = mask.bbox
        session.propose(Prompt([((x0 + x1) / 2, (y0 + y1) / 2)], [1]))
        session.accept(mask, "flaw")
    session.answerer.learn()
    instant = session.answerer.instant
    assert instant.snapshot() is not None  # windows count as images do
    unseen = masks[15]
    maps = instant.class_maps(unseen.bbox)
    assert area(tuple(round(at) for at in maps.window)) < 4 * (2 * SIDE) ** 2
    inside = maps.cells_of(unseen.cropped, unseen.bbox)
    there = float((maps.logits * inside).sum() / inside.sum())
    assert there > np.percentile(maps.logits, 98)
    session.undo()  # the sums are as exact as those of small images
    session.answerer.learn()
    session.redo()
    session.answerer.learn()
    again = instant.class_maps(unseen.bbox)
    np.testing.assert_allclose(again.logits, maps.logits, atol=1e-3)


def test_an_accept_costs_the_object_and_not_the_image():
    vast = (60_000, 60_000)
    mask = PlacedMask.in_window(np.ones((40, 30), bool), (50_000, 100, 50_040, 130), vast)
    record = NewAnnotation("a", mask, "pore", proposal_mask=mask, locked=mask - mask)
    bits, attributes = record.checked(vast)
    assert bits.shape == (40, 30)
    assert attributes["bbox"] == [50_000, 100, 50_040, 130]
    assert shape_of(tuple(attributes["crop"])) == (40, 30)


def test_all_like_it_is_found_tile_by_tile_and_nothing_is_cut_or_comes_twice(worked):
    session, masks = worked
    for mask in masks[:9]:
        session.adopt(mask, "flaw")
    session.answerer.settle()
    review, looked_at = session.review, []
    encoded = count_encoded(session.answerer.predictor)
    found = review.find("similar", "scan", seconds=0)  # one tile at a time
    while (progress := review.scanning("scan")) is not None:
        looked_at.append(progress.done)
        found = review.find("similar", "scan", seconds=0)
    assert looked_at == list(range(1, progress_total(SHAPE)))
    assert len(encoded) <= len(looked_at) + 1  # what is found is answered by its tile
    assert len(masks) == 19  # the last lies where four tiles meet
    for truth in masks[9:]:
        like = [one for one in found if (one.placed & truth).any()]
        assert len(like) == 1
        shared = (like[0].placed & truth).area
        assert shared / (like[0].area + truth.area - shared) > 0.6
        assert like[0].label == "flaw"
    assert not any((one.placed & mask).any() for one in found for mask in masks[:9])


def count_encoded(predictor):
    """Return a list that grows whenever a window is encoded to its end."""
    encoded, encoder = [], predictor.encoder
    for name in ("encode", "go_on"):
        way = getattr(encoder, name)

        def counted(*given, way=way, **named):
            encoded.append(given)
            return way(*given, **named)

        setattr(encoder, name, counted)
    return encoded


def test_a_search_that_is_interrupted_goes_on_where_it_was(worked):
    session, masks = worked
    for mask in masks[:9]:
        session.adopt(mask, "flaw")
    session.answerer.settle()
    calls = 0

    def give_way():
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        session.review.find("similar", "scan", give_way)
    assert session.review.scanning("scan").done == 2
    session.suggest("similar")
    assert session.review.scanning("scan") is None
    assert session.open_object.is_suggestion


def progress_total(shape):
    return len(tiles(shape, 2 * SIDE))
