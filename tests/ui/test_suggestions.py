"""Suggestions in the dock: asked for by button or key, decided by the keys of any proposal."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QProgressBar

from napari_sam_tune.core.config import HeadConfig, TrainConfig
from napari_sam_tune.core.promptless.store import newest_head
from napari_sam_tune.core.suggestions import sources as suggestions
from napari_sam_tune.ui.inference import Kind

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(autouse=True)
def coarse_grid(monkeypatch):
    """Half the work for SAM; each disc still has a point."""
    monkeypatch.setattr(suggestions, "_POINTS_PER_SIDE_CPU", 6)


@pytest.fixture
def reviewing(desk, blobs):
    """The first image is open and SAM has proposed on it."""
    desk.open(blobs.folder)
    desk.panel.suggestions.choose_kind("everything")
    desk.panel.suggestions.button.click()
    _wait_found(desk)
    return desk


def _wait_found(desk):
    desk.wait(lambda: not desk.is_busy(Kind.SUGGEST))


def _counter(desk) -> str:
    return desk.label(desk.panel.suggestions, "badge").text()


def _sentence(desk) -> str:
    return desk.label(desk.panel.suggestions, "quiet").text()


def _choices(desk, text: str) -> QComboBox:
    """Return the combo box among whose items is `text`."""
    boxes = desk.panel.suggestions.findChildren(QComboBox)
    return next(box for box in boxes if box.findText(text) >= 0)


def test_a_suggestion_is_shown_accepted_rejected_and_undone_by_keys(reviewing, blobs):
    desk = reviewing
    shown = desk.session.open_object.suggestion
    count = len(desk.session.review.queue("part 1.png"))
    assert count >= 4
    assert _counter(desk) == f"1 of {count}"
    assert (desk.layers.proposal.data.astype(bool) == shown.full_mask).all()
    assert desk.panel.object.buttons["accept"].isEnabled()
    desk.shot("suggestion")

    desk.hand.press(Qt.Key.Key_J)
    assert desk.session.open_object.suggestion is not shown
    assert _counter(desk) == f"2 of {count}"
    desk.hand.press(Qt.Key.Key_Q)
    (accepted,) = desk.session.project.annotations()
    assert accepted.suggested_by == "everything"
    assert accepted.effort.actions == 2
    assert desk.layers.accepted.data.any()
    desk.hand.press(Qt.Key.Key_U)
    desk.hand.press(Qt.Key.Key_U)
    assert desk.session.open_object.suggestion is shown
    assert desk.session.project.annotations() == []
    desk.hand.press(Qt.Key.Key_J)

    # the brush corrects a suggestion as it does any mask
    desk.hand.press(Qt.Key.Key_P)
    desk.hand.click((96, 96))
    assert desk.session.open_object.correction is not None
    corrected = desk.session.open_object.suggestion
    desk.hand.press(Qt.Key.Key_C, SHIFT)
    assert desk.session.open_object.correction is None
    assert desk.session.open_object.suggestion is corrected
    desk.hand.press(Qt.Key.Key_U)
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.session.project.annotations()[-1].mask[96, 96]

    while desk.session.open_object.suggestion is not None:
        desk.hand.press(Qt.Key.Key_Q)
    masks = [a.mask for a in desk.session.project.annotations()]
    assert sum(any(m[y, x] for m in masks) for x, y, _ in blobs.discs) >= 3
    assert "All looked at" in _sentence(desk)
    desk.shot("all suggestions looked at")


def test_the_next_image_is_searched_by_itself_until_proposing_is_stopped(reviewing):
    desk = reviewing
    first = desk.session.open_object.suggestion
    desk.hand.press(Qt.Key.Key_N, SHIFT)  # no defect here: its suggestions go, the next image opens
    desk.wait(lambda: desk.session.state.image_id == "part 2.png")
    desk.wait_ready()
    _wait_found(desk)
    second = desk.session.open_object.suggestion
    assert second is not None
    assert second is not first

    _choices(desk, "Sure first").setCurrentIndex(1)
    surest = desk.session.open_object.suggestion
    waiting = desk.session.review.queue("part 2.png").waiting
    assert surest.uncertainty == min(one.uncertainty for one in waiting)

    desk.hand.press(Qt.Key.Key_S, SHIFT)
    assert desk.session.open_object.is_empty
    assert not desk.layers.proposal.data.any()
    assert _counter(desk) == ""
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.session.state.image_id == "part 1.png")
    desk.wait_ready()
    desk.hand.press(Qt.Key.Key_S, SHIFT)
    _wait_found(desk)
    assert "no defect" in _sentence(desk)
    assert desk.session.open_object.is_empty


def test_what_is_offered_can_propose(desk, blobs):
    desk.open(blobs.folder)
    offered = desk.panel.suggestions
    assert offered.kind == "everything"  # no head, no masks
    _keep_a_head_that_sees_a_pore(desk.session)
    desk.hand.press(Qt.Key.Key_Period)
    desk.wait_ready()
    assert offered.kind == "head"
    offered.choose_kind("everything")
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait_ready()
    assert offered.kind == "everything"  # the person's choice stays


def test_a_click_goes_before_the_search(desk, blobs, monkeypatch):
    monkeypatch.setattr(suggestions, "_POINTS_PER_SIDE_CPU", 12)  # it is to take a while
    desk.open(blobs.folder)
    desk.panel.suggestions.choose_kind("everything")
    desk.panel.suggestions.button.click()
    clicked = desk.propose((45, 45))
    assert desk.is_busy(Kind.SUGGEST)  # seconds of work; the click did not wait for it
    assert "Looking" in _sentence(desk)
    assert clicked.mask[45, 45]
    _wait_found(desk)
    assert desk.session.open_object is clicked
    assert "more after this object" in _sentence(desk)
    desk.hand.press(Qt.Key.Key_Q)
    (accepted,) = desk.session.project.annotations()
    assert accepted.suggested_by is None
    assert desk.session.open_object.suggestion is not None


def test_a_trained_head_proposes_with_its_class_and_its_absence_is_said(desk, blobs, monkeypatch):
    desk.open(blobs.folder)
    desk.panel.suggestions.choose_kind("head")
    desk.hand.press(Qt.Key.Key_S, SHIFT)
    desk.wait(lambda: "no trained finder yet" in desk.said)
    assert not desk.panel.suggestions.button.isChecked()
    assert "PROJECT" not in desk.said
    train = desk.button(desk.panel.suggestions.head, "Train it")
    assert not train.isEnabled()
    assert train.toolTip() == "A finder needs 12 more masks to learn from."
    assert desk.reads(train.toolTip())
    desk.shot("no finder")

    _keep_a_head_that_sees_a_pore(desk.session)
    desk.session.state.label = "scratch"
    desk.hand.press(Qt.Key.Key_S, SHIFT)
    _wait_found(desk)
    shown = desk.session.open_object.suggestion
    assert shown.label == desk.session.state.label == "pore"
    assert "pore" in _sentence(desk)
    desk.hand.press(Qt.Key.Key_Q)
    (accepted,) = desk.session.project.annotations()
    assert accepted.label == "pore"
    assert accepted.suggested_by.startswith("head:")
    assert desk.session.state.label == "scratch"
    assert np.array_equal(accepted.mask, shown.full_mask)

    for number in (2, 3):
        _accept_discs(desk, blobs.discs)
        _accept_discs(desk, [(96, 20, 8), (96, 180, 8)])
        desk.hand.press(Qt.Key.Key_Period)
        desk.wait(lambda n=number: desk.session.state.image_id == f"part {n}.png")
        desk.wait_ready()
    _wait_found(desk)
    queue = desk.session.review.queue("part 3.png")
    first = newest_head(desk.session.project).stem
    assert {s.weights_version for s in queue.waiting} == {first}
    quick = {"steps": 2, "batch_size": 1, "look_every": 9, "head": HeadConfig(flips=False)}
    quick = TrainConfig.for_a_run().model_copy(update=quick)
    monkeypatch.setattr(TrainConfig, "for_a_run", lambda: quick)
    assert desk.reads("The finder is trained. 13 masks are newer than it.")
    desk.button(desk.panel.suggestions.head, "Train it again").click()  # inline: it is over
    desk.wait(lambda: "finder is trained" in desk.said)
    assert desk.reads("The finder is trained on all your masks")
    assert train.isHidden()
    desk.shot("finder trained")
    _wait_found(desk)
    assert not queue.waiting  # the new one, which has learnt two steps, was asked at once
    (made,) = {p.stem for p in newest_head(desk.session.project).parent.iterdir()} - {first}
    assert newest_head(desk.session.project).stem == made


def _accept_discs(desk, discs):
    rows, columns = np.mgrid[:192, :192]
    for x, y, radius in discs:
        desk.session.adopt((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def _keep_a_head_that_sees_a_pore(session):
    from napari_sam_tune.core.promptless.head import build_head, build_neck, head_tensors
    from napari_sam_tune.core.promptless.store import keep_head

    head = build_head(session.predictor.network, 1)
    with torch.no_grad():
        head.mask.bias.fill_(5.0)
    ref = asdict(session.predictor.ref)
    info = {"base": ref, "classes": ["pore"], "images": 1, "losses": []}
    keep_head(session.project, head_tensors(head, build_neck(session.predictor)), info)


def test_all_like_what_was_accepted_is_proposed_at_the_press_of_a_button(desk, blobs):
    desk.open(blobs.folder)
    for number in range(3):
        desk.wait(lambda n=number: desk.session.state.image_id == f"part {n + 1}.png")
        desk.wait_ready()
        assert not desk.panel.suggestions.find_button.isEnabled()
        assert "3 images" in desk.panel.suggestions.find_button.toolTip() or number == 0
        labelled = blobs.discs if number < 2 else blobs.discs[:2]  # two are left to be found
        _accept_discs(desk, labelled)
        if number < 2:
            desk.hand.press(Qt.Key.Key_Period)
    desk.wait(desk.panel.suggestions.find_button.isEnabled)
    desk.panel.suggestions.find_button.click()
    desk.wait(lambda: desk.session.open_object.suggestion is not None)
    assert _sentence(desk) == "This looks like “defect” that you accepted."
    assert desk.reads("A suggestion, “defect”: accept, reject or correct it.")
    assert not desk.panel.suggestions.state.visibleRegion().isEmpty()
    desk.shot("all like these")
    found = [s.full_mask for s in desk.session.review.queue("part 3.png").waiting]
    for x, y, _ in blobs.discs[2:]:
        assert sum(mask[y, x] for mask in found) == 1
    for x, y, _ in blobs.discs[:2]:
        assert not any(mask[y, x] for mask in found)
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.session.project.annotations()[-1].suggested_by == "similar"


def _choose_class(desk, label):
    labels = _choices(desk, "All classes")
    labels.setCurrentIndex(labels.findData(label))
    labels.activated.emit(labels.currentIndex())
    _wait_found(desk)


def test_the_folder_is_looked_through_and_leads_to_finds(desk, blobs):
    """By keys alone: a class is chosen, finds are counted, the next image with some is opened."""
    plain = np.random.default_rng(9).normal(90, 8, (192, 192)).clip(0, 255).astype(np.uint8)
    Image.fromarray(plain).save(blobs.folder / "part 2b.png")
    for number in (4, 5):
        copy = np.array(Image.open(blobs.folder / f"part {(number - 1) % 3 + 1}.png"))
        Image.fromarray(copy[:, ::-1].copy()).save(blobs.folder / f"part {number}.png")
    desk.open(blobs.folder)
    view = desk.panel.suggestions
    rows, columns = np.mgrid[:192, :192]
    for name in ("part 1.png", "part 2.png", "part 2b.png", "part 3.png"):
        desk.wait(lambda name=name: desk.session.state.image_id == name)
        desk.wait_ready()
        if name == "part 2b.png":
            desk.hand.press(Qt.Key.Key_N, SHIFT)
            continue
        for at, (x, y, radius) in enumerate(blobs.discs[: 2 if name == "part 3.png" else 4]):
            mask = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
            desk.session.adopt(mask, "pore" if at % 2 else "blob")
        if name != "part 3.png":
            desk.hand.press(Qt.Key.Key_K)
    desk.hand.press(Qt.Key.Key_G, SHIFT)
    assert "Find all like these first" in desk.said

    desk.hand.press(Qt.Key.Key_F, SHIFT)
    assert view.kind == "similar"
    assert view.find_button.isChecked()
    desk.wait(lambda: not desk.is_busy(Kind.SUGGEST, Kind.SURVEY))
    finds = desk.session.review.expected_finds
    assert set(finds) == {"part 3.png", "part 4.png", "part 5.png"}
    assert all(2 <= finds[name] <= 5 for name in ("part 4.png", "part 5.png"))
    total = sum(finds.values())
    expected = desk.label(view.survey)
    assert expected.text() == f"{total} finds expected on 3 of 3 images"
    assert f"part 4.png: {finds['part 4.png']}" in expected.toolTip()
    desk.shot("finds in the folder")

    _choose_class(desk, "pore")
    assert {one.label for one in desk.session.review.queue("part 3.png").waiting} <= {"pore"}
    assert desk.is_busy(Kind.SURVEY)
    desk.shot("the folder is looked through")
    desk.button(view.survey, "Cancel").click()
    assert not desk.is_busy(Kind.SURVEY)
    assert not view.survey.findChild(QProgressBar).isVisible()
    assert sum(desk.session.review.expected_finds.values()) < total
    _choose_class(desk, None)
    desk.wait(lambda: not desk.is_busy(Kind.SURVEY))

    view.survey.findChild(QCheckBox).click()
    desk.hand.press(Qt.Key.Key_G, SHIFT)
    desk.wait(lambda: desk.session.state.image_id in ("part 4.png", "part 5.png"))
    first = desk.session.state.image_id
    desk.wait_ready()
    _wait_found(desk)
    desk.hand.press(Qt.Key.Key_K)
    desk.wait(lambda: desk.session.state.image_id in {"part 4.png", "part 5.png"} - {first})
    desk.hand.press(Qt.Key.Key_F, SHIFT)
    assert not view.survey.isVisible()
    assert desk.session.open_object.is_empty
