"""A mask comes back in the dock: the second image of a part is labelled with one click."""

from __future__ import annotations

from napari.settings import get_plugin_settings
from qtpy.QtCore import Qt

from napari_sam_tune.core.scoring import iou
from napari_sam_tune.ui.inference import Kind


def _headline(desk) -> str:
    return desk.label(desk.panel.object).text()


def _sentence(desk) -> str:
    return desk.label(desk.panel.suggestions, "quiet").text()


def test_a_click_brings_back_the_mask_of_the_image_before_until_told_not_to(desk, blobs):
    x, y, _ = blobs.discs[1]
    desk.open(blobs.folder)
    desk.propose((x, y))
    desk.hand.press(Qt.Key.Key_Q)
    (first,) = desk.session.project.annotations()
    desk.hand.press(Qt.Key.Key_Period)
    desk.wait_ready()

    recalled = desk.propose((x - 6, y + 4)).proposal
    assert recalled.recalled == (first.id,)
    assert iou(recalled.mask, first.mask) > 0.9
    assert _headline(desk) == "Mask of the same place on part 1.png · Next guess shows others"
    desk.shot("recalled")

    # what the model says by itself is a key away, and the way back too
    desk.hand.press(Qt.Key.Key_G)
    assert _headline(desk).startswith("Proposed, ")
    desk.hand.press(Qt.Key.Key_U)
    assert _headline(desk).startswith("Mask of the same place")
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.session.project.annotations()[-1].recalled == (first.id,)

    # it can be switched off
    get_plugin_settings("napari-sam-tune").labelling.recall_masks = False
    desk.hand.press(Qt.Key.Key_Period)
    desk.wait_ready()
    assert desk.propose((x - 6, y + 4)).proposal.recalled == ()


def test_all_masks_of_a_part_are_proposed_one_after_the_other(desk, blobs):
    desk.open(blobs.folder)
    for x, y, _ in blobs.discs[:2]:
        desk.propose((x, y))
        desk.hand.press(Qt.Key.Key_Q)
    assert "Let the model look" in _sentence(desk)
    desk.hand.press(Qt.Key.Key_Period)
    desk.wait_ready()
    assert "You labelled this part" in _sentence(desk)
    desk.shot("recalled_offered")
    for kind, said in {"everything": "Let the model look", "recalled": "You labelled"}.items():
        desk.panel.suggestions.choose_kind(kind)
        assert said in _sentence(desk)
    desk.panel.suggestions.button.click()
    desk.wait(lambda: not desk.is_busy(Kind.SUGGEST))
    assert desk.label(desk.panel.suggestions, "badge").text() == "1 of 2"
    assert _sentence(desk) == "This was accepted as “defect” on another photograph of the part."
    desk.shot("recalled_suggestion")
    desk.hand.press(Qt.Key.Key_Q)
    desk.hand.press(Qt.Key.Key_Q)
    second = desk.session.project.annotations()[2:]
    assert [a.suggested_by for a in second] == ["recalled"] * 2
    assert [a.effort.actions for a in second] == [1, 1]

    # nothing is to be brought back to an image that is done
    desk.panel.suggestions.button.click()
    desk.hand.press(Qt.Key.Key_K)
    desk.wait_ready()
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait_ready()
    assert desk.session.project.is_done("part 2.png")
    assert desk.session.state.image_id == "part 2.png"
    assert "Let the model look" in _sentence(desk)
