"""Clicks beside the border of a mask that is nearly right move the border."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.answers.border import first_at_border, is_line, move_border
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou, next_click

SIDE = 96


def disc(row: float, column: float, radius: float, long: float = 1.0) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(rows - row, (columns - column) / long) <= radius


@settings(max_examples=40)
@given(
    radius=st.floats(10, 20),
    long=st.floats(1, 1.6),
    away=st.floats(0.5, 2),
    angle=st.floats(0, 6.3),
    grown=st.floats(0.9, 1.1),
)
def test_a_mask_beside_its_place_or_of_another_size_comes_closer_with_clicks(
    radius, long, away, angle, grown
):
    truth = disc(48, 48, radius, long)
    row, column = 48 + away * np.sin(angle), 48 + away * np.cos(angle)
    start = PlacedMask.of(disc(row, column, radius * grown, long))
    before = iou(start.draw(), truth)
    assume(before < 0.85)
    mask, prompt = start, None
    for _ in range(3):
        if iou(mask.draw(), truth) > 0.97:
            break
        x, y, label = next_click(mask.draw(), truth)
        prompt = Prompt(((x, y),), (label,)) if prompt is None else prompt.add_point(x, y, label)
        mask = move_border(start, prompt)
        for (column, row), said in zip(prompt.points, prompt.labels, strict=True):
            assert mask.covers(round(row), round(column)) == bool(said)
    assert iou(mask.draw(), truth) > before


def test_what_lies_beyond_the_border_is_none_of_its_business():
    mask = PlacedMask.of(disc(48, 48, 10))
    assert first_at_border(mask, Prompt(((48, 48), (60, 48)), (1, 1)), 0.35) == 1
    assert first_at_border(mask, Prompt(((48, 55),), (0,)), 0.35) == 0
    assert first_at_border(mask, Prompt(((48, 48),), (1,)), 0.35) is None  # it agrees
    assert first_at_border(mask, Prompt(((80, 48),), (1,)), 0.35) is None  # something else is meant
    assert first_at_border(mask, Prompt(((48, 48),), (0,)), 0.35) is None
    assert first_at_border(PlacedMask.empty((SIDE, SIDE)), Prompt(((48, 48),), (1,)), 0.35) is None


def test_clicks_made_before_hold_the_border_where_it_is():
    mask = PlacedMask.of(disc(48, 48, 10))
    held = Prompt(((37, 48), (48, 60)), (0, 1))
    alone = Prompt(((48, 60),), (1,))
    rows = slice(40, 57)
    assert (move_border(mask, held, 1).draw()[rows, :40] == mask.draw()[rows, :40]).all()
    assert (move_border(mask, alone).draw() & ~mask.draw())[57:].any()


def test_clicks_that_lead_on_from_one_another_are_all_in_the_mask():
    start = shown = PlacedMask.of(disc(48, 20, 10))
    prompt = Prompt(((20, 48),), (1,))
    for _ in range(15):
        away = shown.bbox[3] + 1  # two px beyond what it reaches now
        prompt = prompt.add_point(away, 48, 1)
        assert first_at_border(shown, prompt, 0.12) == len(prompt.points) - 1
        shown = move_border(start, prompt, 1, near_alone=True)
        for column, row in prompt.points:
            assert shown.covers(round(row), round(column))
    assert not shown.covers(48 + 25, 20)


def test_a_mask_at_the_edge_of_its_image_and_one_that_fills_it_stay_in_it():
    whole = PlacedMask.of(np.ones((20, 20), bool))
    prompt = Prompt(((10, 1),), (0,))
    moved = move_border(whole, prompt)
    assert moved.shape == (20, 20)
    assert not moved.covers(1, 10)
    assert moved.covers(10, 10)


def test_clicks_on_a_mask_taken_up_again_correct_it_and_a_box_draws_it_anew(tmp_path):
    truth = disc(48, 48, 12)
    image = np.where(truth, 200, 60).astype(np.uint8)
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(image, "disc")
        start = disc(48, 50, 12)
        made = session.adopt(start, "spot")
        session.reopen(made.id)
        one = session.propose(Prompt(((35.5, 48),), (1,)))
        assert one.moved_from is not None
        assert session.answerer.look_closer(one) is None
        assert iou(one.mask, truth) > iou(start, truth)
        two = session.propose(replace(one.prompt, mask=None).add_point(61, 48, 0))
        assert two.moved_from == one.moved_from  # all clicks from where it was
        assert iou(two.mask, truth) > iou(one.mask, truth)
        session.undo()
        assert (session.open_object.mask == one.mask).all()
        far = session.propose(replace(one.prompt, mask=None).add_point(80, 80, 1))
        assert far.moved_from is None  # something else is meant: the model is asked
        assert far.own_logits is not None
        session.undo()
        boxed = session.propose(Prompt(box=(34, 34, 62, 62)))
        assert boxed.moved_from is None  # drawn anew
        session.undo()
        (kept,) = [session.accept()]
        assert kept.predicted_iou is None
        assert (kept.mask == one.mask).all()


def test_the_fifth_click_beside_the_border_moves_it_where_clicks_are_heeded(tmp_path):
    image = np.where(disc(48, 48, 14), 200, 60).astype(np.uint8)
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(image, "disc")
        prompt = Prompt(((48, 48),), (1,))
        for x, y in ((44, 48), (52, 48), (48, 44)):
            session.propose(prompt)
            prompt = prompt.add_point(x, y, 1)
        shown = session.propose(prompt)
        assert shown.moved_from is None
        beyond = int(np.flatnonzero(shown.mask[48])[-1]) + 2
        prompt = prompt.add_point(beyond, 48, 1)
        moved = session.propose(prompt)
        assert moved.moved_from == shown.placed
        assert moved.placed.covers(48, beyond)
        assert (moved.mask & shown.mask).sum() > 0.98 * shown.placed.area
        rows, columns = np.nonzero(moved.mask != shown.mask)
        assert np.hypot(columns - beyond, rows - 48).max() < 20  # the far side is as it was
        session.undo()
        session.chain.heeds = False
        assert session.propose(prompt).own_logits is not None  # the model drew it anew


def test_where_a_line_goes_on_the_model_is_asked_however_many_clicks_there_were(tmp_path):
    image = np.full((256, 256), 60, np.uint8)
    image[126:131, 4:252] = image[4:252, 126:131] = 200
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(image, "crack")
        clicks = ((128, 128), (40, 128), (216, 128), (128, 40), (128, 216))
        shown = session.propose(Prompt(clicks, (1,) * len(clicks)))
        assert is_line(shown.placed)
        beyond = int(np.flatnonzero(shown.mask[:128, 64])[0]) - 1
        asked = session.propose(shown.prompt.add_point(64, beyond, 1))
        assert asked.moved_from is None
        assert asked.own_logits is not None


def test_what_branches_is_a_line_and_what_is_a_little_longer_than_wide_is_none():
    branching = np.zeros((SIDE, SIDE), bool)
    branching[46:50, 4:92] = branching[4:92, 46:50] = True
    assert is_line(PlacedMask.of(branching))
    assert not is_line(PlacedMask.of(disc(48, 48, 10, 3)))
    assert not is_line(PlacedMask.empty((SIDE, SIDE)))
