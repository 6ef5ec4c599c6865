"""The object in progress: which answers are still wanted, and what steps bring back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.session.objects import Objects
from napari_sam_tune.core.state import SessionState

SHAPE = (8, 8)
CLICK = Prompt([(2, 2)], [1])


@pytest.fixture
def objects() -> Objects:
    objects = Objects(SessionState())
    objects.open("a.png", SHAPE)
    return objects


def square(side: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[:side, :side] = True
    return mask


def answer(*sides: int) -> Proposal:
    candidates = tuple((PlacedMask.of(square(side)), 0.9) for side in sides)
    logits = np.zeros((len(sides), 2, 2), np.float32)
    return Proposal(candidates[0][0], 0.9, candidates, CLICK, logits, "base")


def test_what_is_painted_meanwhile_sends_no_answer_away(objects):
    request = objects.request(CLICK)
    objects.paint(square(2))
    assert objects.receive(request, answer(4))
    objects.paint(square(5))
    assert objects.receive_closer(request, answer(6))
    np.testing.assert_array_equal(objects.current.proposal.mask, square(6))
    objects.take_back()  # the second stroke
    objects.repeat()
    np.testing.assert_array_equal(objects.current.proposal.mask, square(6))


def another_question(objects):
    objects.request(CLICK.add_point(5, 5, 1))


def another_candidate(objects):
    objects.cycle_candidate()


def another_object(objects):
    objects.advance(type(objects.current)())


def a_step_back(objects):
    objects.take_back()


def another_image_and_back(objects):
    objects.open("b.png", SHAPE)
    objects.open("a.png", SHAPE)


@pytest.mark.parametrize(
    "change",
    [another_question, another_candidate, another_object, a_step_back, another_image_and_back],
)
def test_an_answer_to_what_has_gone_on_changes_nothing(objects, change):
    request = objects.request(CLICK)
    assert objects.receive(request, answer(4, 5))
    change(objects)
    current = objects.current
    assert not objects.receive_closer(request, answer(6))
    assert not objects.receive(request, answer(6))
    assert objects.current is current


def test_an_answer_belongs_to_the_click_and_goes_with_it(objects):
    assert objects.receive(objects.request(CLICK), answer(4))
    objects.take_back()
    assert objects.current.is_empty
    objects.repeat()
    np.testing.assert_array_equal(objects.current.mask, square(4))
    assert objects.next_step is None


def test_a_question_that_fails_is_taken_back_and_no_paint_with_it(objects):
    assert objects.receive(objects.request(CLICK), answer(4))
    request = objects.request(CLICK.add_point(5, 5, 1))
    painted = [square(5) | square(n) for n in (6, 7)]
    for mask in painted:
        objects.paint(mask)
    assert objects.withdraw(request)
    assert not objects.receive(request, answer(6))
    assert objects.current.prompt == CLICK
    assert not objects.current.awaiting
    np.testing.assert_array_equal(objects.current.mask, painted[1])
    objects.take_back()
    np.testing.assert_array_equal(objects.current.mask, painted[0])
    objects.take_back()
    np.testing.assert_array_equal(objects.current.mask, square(4))
    objects.take_back()
    assert objects.current.is_empty

    objects.request(CLICK)
    objects.paint(square(2))
    another_image_and_back(objects)
    assert objects.withdraw(objects.request_again())
    assert objects.current.prompt is None
    np.testing.assert_array_equal(objects.current.mask, square(2))
    objects.take_back()
    assert objects.current.is_empty

    assert objects.withdraw(objects.request(CLICK))
    assert objects.current.is_empty
    objects.repeat()
    assert objects.current.awaiting  # it can be asked again


def test_without_an_image_there_is_nothing_to_ask_about():
    objects = Objects(SessionState())
    assert objects.current.is_empty
    assert objects.last_step is objects.next_step is None
    with pytest.raises(ProjectError, match="open one first"):
        objects.request(CLICK)
