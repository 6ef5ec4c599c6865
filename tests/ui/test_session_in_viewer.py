"""Beside the whole session in `test_first_session`: rounds that start by themselves, failures."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton
from quick_rounds import QUICK

from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.ui.queue import PROJECT_NAME
from napari_sam_tune.ui.views.learnt_chart import LearntChart
from napari_sam_tune.ui.views.style import Section


def _unfold(desk, title: str) -> None:
    next(s for s in desk.panel.findChildren(Section) if s.title == title).open()


def _go(desk, key: Qt.Key) -> None:
    """Go to another image and wait until the model has it."""
    desk.hand.press(key)
    desk.wait_ready()


def test_a_round_starts_by_itself_after_as_many_masks_as_were_asked_for(make_desk, blobs):
    desk = make_desk(config=QUICK.model_copy(update={"steps": 2, "parts": ("decoder",)}))
    desk.open(blobs.folder)
    desk.panel.learning.automatic_changed.emit(True, len(blobs.discs))
    rounds = []
    desk.session.round_finished.connect(lambda finished: rounds.append(finished))
    rows, columns = np.mgrid[:192, :192]
    for x, y, radius in blobs.discs:
        assert rounds == []
        assert desk.reads("more mask")
        desk.session.adopt((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)
    desk.wait(lambda: rounds != [] and desk.reads("on the masks kept aside"))
    assert len(rounds) == 1


def test_a_click_does_not_draw_the_list_of_layers_anew(desk, blobs):
    desk.open(blobs.folder)
    told = []
    model = desk.viewer.window._qt_viewer.layers.model().sourceModel()
    model.dataChanged.connect(lambda _, __, roles: told.append(roles))
    x, y, _ = blobs.discs[0]
    desk.propose((x, y))
    desk.hand.press(Qt.Key.Key_Q)
    assert all(told), "napari draws all rows for a change without a role; thumbnails have theirs"
    desk.layers.proposal.visible = False
    assert told


def test_what_was_learnt_is_drawn_over_masks_and_comes_back(make_desk, blobs):
    desk = make_desk()
    desk.viewer.window._qt_window.resize(1366, 768)
    desk.open(blobs.folder)
    chart = desk.panel.learning.findChild(LearntChart)
    learnt = desk.label(desk.panel.learning.learnt_line)
    for masks, (image, disc) in enumerate([(1, 0), (2, 0), (3, 0), (3, 1)], start=1):
        if desk.session.state.image_id != f"part {image}.png":
            _go(desk, Qt.Key.Key_Period)
        x, y, _ = blobs.discs[disc]
        desk.propose((x, y))
        assert not chart.isVisible()
        desk.hand.press(Qt.Key.Key_Q)
        judged = desk.session.answerer.instant
        desk.wait(lambda n=masks, of=judged: of.judged.masks == n)
        assert desk.session.state.learnt.masks == masks
    desk.wait(chart.isVisible)
    assert [point.masks for point in chart.points] == [3, 4]
    said = learnt.text()
    assert said.startswith("Learnt from 4 masks")
    desk.shot("learnt")
    _unfold(desk, "Is it helping?")
    helping = desk.panel.helping
    repeated, verdict = helping.findChildren(QLabel)
    assert repeated.text() == said
    assert helping.findChild(LearntChart).points == chart.points
    assert "nothing to compare" in verdict.text()
    assert repeated.geometry().bottom() < verdict.geometry().top()
    desk.shot("helping")

    desk.panel.image.leave.emit()
    desk.resume()
    desk.wait(lambda: len(chart.points) == 2)
    assert learnt.text() == said


def test_a_full_disk_keeps_the_mask_and_a_retry_works(desk, blobs, monkeypatch):
    desk.open(blobs.folder)
    desk.propose((45, 45))
    mask = desk.session.open_object.mask
    add = desk.session.project.add

    def full(*_, **__):
        raise StorageError("The mask could not be saved: the disk is full.")

    monkeypatch.setattr(desk.session.project, "add", full)
    desk.hand.press(Qt.Key.Key_Q)
    assert "disk is full" in desk.said
    assert "Nothing is lost" in desk.said
    assert (desk.session.open_object.mask == mask).all()
    desk.shot("disk full")
    monkeypatch.setattr(desk.session.project, "add", add)
    desk.panel.notice.findChild(QPushButton).click()
    assert len(desk.session.project.annotations()) == 1
    assert desk.said == ""


def test_what_cannot_be_opened_is_said_in_words(desk, blobs, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    desk.panel.start.folder_chosen.emit(empty)
    assert not desk.panel.start.isEnabled()  # the folder is listed beside the viewer
    desk.wait(lambda: "no image" in desk.said)
    assert desk.panel.start.isEnabled()

    desk.panel.start.folder_chosen.emit(tmp_path / "nowhere")
    desk.wait(lambda: "cannot be read" in desk.said)

    from napari_sam_tune.ui.views.start import Choices

    desk.panel.start.show_choices(Choices(model=str(tmp_path / "gone.pth")))
    desk.panel.start.folder_chosen.emit(blobs.folder)
    desk.wait(lambda: "gone.pth" in desk.said)
    assert desk.controller.work is None
    desk.shot("model missing")

    (blobs.folder / "part 0.png").write_text("this is no picture")
    desk.panel.start.show_choices(Choices())
    desk.panel.start.folder_chosen.emit(blobs.folder)
    desk.wait(lambda: "part 0.png" in desk.said)
    desk.panel.notice.findChild(QPushButton).click()
    desk.wait_ready()
    assert desk.session.state.image_id == "part 1.png"


def test_a_project_of_the_edition_before_says_what_changed(desk, blobs):
    project = Project.open(blobs.folder / PROJECT_NAME)
    former = BaseRef("starter", "0" * 64)
    project.set_base(former)
    version = project.save_weights({"a": torch.zeros(1)}, {"base": asdict(former)})
    project.promote(version, report={})
    desk.open(blobs.folder)
    assert "better model now" in desk.said
    assert desk.session.weights_version == "base"
    desk.shot("another edition")
    desk.propose((45, 45))
