"""A stack in the viewer: its axes are asked, a mask is carried through it and accepted as a run."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_sam_tune.core.project.stacks import IN_A_RUN
from napari_sam_tune.core.scoring import iou
from napari_sam_tune.ui.inference import Interrupted, Kind
from napari_sam_tune.ui.views.fields import ComboBox

SHIFT = Qt.KeyboardModifier.ShiftModifier
SIDE, PLANES = 192, 6


def truth(plane: int) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (rows - 80 - 4 * plane) ** 2 + (columns - 90 + 3 * plane) ** 2 <= (22 - plane) ** 2


@pytest.fixture
def stack() -> np.ndarray:
    """A bright disc that moves and shrinks, with no word of what the planes are."""
    grey = np.random.default_rng(1).normal(90, 8, (PLANES, SIDE, SIDE))
    for plane in range(PLANES):
        grey[plane][truth(plane)] += 90
    return grey.clip(0, 255).astype(np.uint8)


def wait_carried(desk) -> None:
    desk.wait(lambda: not desk.is_busy(Kind.CARRY))


def test_a_mask_is_carried_through_a_stack_by_keys(desk, stack):
    desk.viewer.window._qt_window.resize(1366, 768)
    desk.viewer.add_image(stack, name="part")
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    view = desk.panel.stack
    assert "does not say" in view._sentence.text()
    assert not view.carry.isEnabled()
    box = view.findChildren(ComboBox)[0]
    box.setCurrentIndex(box.findData("slices"))
    box.activated.emit(box.currentIndex())
    assert desk.session.project.stacks()[0].depth_role == "slices"

    desk.viewer.dims.set_current_step(0, 2)
    desk.wait(lambda: desk.session.state.image_id == "part [2]")
    desk.wait_ready()
    desk.hand.click((84, 88))
    desk.wait(lambda: desk.session.open_object.mask is not None)
    desk.hand.press(Qt.Key.Key_Q)
    (start,) = desk.session.project.annotations()
    desk.shot("stack, before")
    desk.hand.press(Qt.Key.Key_K, SHIFT)
    wait_carried(desk)
    waiting = desk.session.waiting(start.id)
    assert waiting.keys() == {f"part [{plane}]" for plane in range(PLANES) if plane != 2}, desk.said
    assert min(iou(one.full_mask, truth(int(i[6]))) for i, one in waiting.items()) > 0.6

    desk.viewer.dims.set_current_step(0, 4)  # the slider goes on working
    desk.wait(lambda: desk.session.state.image_id == "part [4]")
    desk.wait_ready()
    assert desk.session.open_object.suggestion is waiting["part [4]"]
    accept = desk.panel.object.buttons["accept"]
    for button in (view.carry, view.accept, view.unsure, accept):  # on a small screen, too
        assert button.visibleRegion().boundingRect() == button.rect()
    desk.shot("stack, carried")
    desk.hand.press(Qt.Key.Key_J, SHIFT)
    masks = desk.session.project.things()[start.id]
    assert len(masks) == PLANES
    assert sum(mask.suggested_by == IN_A_RUN for mask in masks) == PLANES - 1
    desk.shot("stack, accepted")
    desk.hand.press(Qt.Key.Key_U)
    assert len(desk.session.project.annotations()) == 1
    desk.hand.press(Qt.Key.Key_U, SHIFT)
    assert len(desk.session.project.annotations()) == PLANES

    view.in_3d.click()
    volume = desk.viewer.layers[-1]
    assert desk.viewer.dims.ndisplay == 3
    assert (np.asarray(volume.data[4]) > 0).sum() == masks[0].area or volume.data.shape[0] == PLANES
    desk.shot("stack in 3-D")
    view.in_3d.click()
    assert desk.viewer.dims.ndisplay == 2
    assert volume not in desk.viewer.layers


def open_slices(desk, stack) -> None:
    desk.viewer.add_image(stack, name="part", axis_labels=("z", "y", "x"))
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()


def test_what_was_accepted_is_learnt_before_it_is_carried_whatever_came_between(
    desk, stack, monkeypatch
):
    """A click that came right before the accept interrupts learning: planes were lost by that."""
    open_slices(desk, stack)
    answerer, order = desk.session.answerer, []
    learn, carry = answerer.learn, answerer.carry

    def interrupted(checkpoint=None):
        if checkpoint is not None:
            raise Interrupted
        order.append("learnt")
        learn()

    def carried(*said):
        order.append("carried")
        return carry(*said)

    desk.propose((90, 80))
    monkeypatch.setattr(answerer, "learn", interrupted)
    monkeypatch.setattr(answerer, "carry", carried)
    desk.hand.press(Qt.Key.Key_Q)
    desk.hand.press(Qt.Key.Key_K, SHIFT)
    wait_carried(desk)
    assert order[:2] == ["learnt", "carried"]


def test_a_correction_by_paint_alone_leads_the_planes_after_it_again(desk, stack):
    open_slices(desk, stack)
    desk.propose((90, 80))
    desk.hand.press(Qt.Key.Key_Q)
    (start,) = desk.session.project.annotations()
    desk.hand.press(Qt.Key.Key_K, SHIFT)
    wait_carried(desk)
    before = desk.session.waiting(start.id)
    assert {"part [z 1]", "part [z 2]"} <= before.keys()
    desk.viewer.dims.set_current_step(0, 1)
    desk.wait(lambda: desk.session.state.image_id == "part [z 1]")
    desk.wait_ready()
    painted = before["part [z 1]"].full_mask
    painted[95:115, 80:100] = True  # partly beyond its border
    desk.session.paint(painted)
    desk.hand.press(Qt.Key.Key_Q)
    corrected = desk.session.project.annotations("part [z 1]")[0]
    assert not corrected.prompts
    wait_carried(desk)
    after = desk.session.waiting(start.id)
    assert after["part [z 2]"] is not before["part [z 2]"]
    assert desk.session.project.annotations("part [z 1]")[0].id == corrected.id  # by hand: it stays


def test_the_stack_knows_its_axes_again_and_says_names_people_can_read(desk, stack):
    desk.viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    assert desk.session.state.image_id == "film [t 0]"
    assert desk.session.project.stack_of("film [t 0]").depth_role == "time"
