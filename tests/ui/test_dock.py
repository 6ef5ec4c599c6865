"""The dock in a real viewer, used by mouse and keys."""

from __future__ import annotations

import itertools
import threading
from html import escape

import numpy as np
import pytest
from conftest import when_open
from napari.settings import get_settings
from PIL import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QInputDialog, QLabel
from scipy import ndimage

from napari_sam_tune.core.images.files import list_images, read_image
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.scoring import next_click, score
from napari_sam_tune.ui.guiding import Guiding
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.preferences import PreferencesSource
from napari_sam_tune.ui.queue import SAMPLE_IMAGES
from napari_sam_tune.ui.views.keys_dialog import KeysDialog
from napari_sam_tune.ui.work import others

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


def test_click_box_paint_accept_and_undo(desk, blobs, monkeypatch):
    desk.open(blobs.folder)
    x, y, radius = blobs.discs[0]

    first = desk.propose((x, y))
    assert np.allclose(first.prompt.points, [(x, y)], atol=1.0)
    assert len(first.proposal.candidates) == 3
    assert (desk.layers.proposal.data.astype(bool) == first.mask).all()

    desk.hand.press(Qt.Key.Key_G)
    assert desk.session.open_object.proposal.chosen == 1

    desk.propose((x + 3, y), button=RIGHT)
    desk.propose((x - 3, y), modifier=SHIFT)
    assert desk.session.open_object.prompt.labels == (1, 0, 0)

    desk.hand.press(Qt.Key.Key_W)
    desk.propose((x, y + 30))
    desk.hand.press(Qt.Key.Key_W)
    assert desk.session.open_object.prompt.labels == (1, 0, 0, 0)
    desk.hand.press(Qt.Key.Key_U)
    assert desk.session.open_object.prompt.labels == (1, 0, 0)

    center = desk.viewer.scene.camera.center
    before = desk.session.open_object
    desk.hand.drag((x - radius, y - radius), (x + radius, y + radius), escape=True)
    assert desk.session.open_object is before
    assert not desk.is_busy(Kind.PROPOSE)
    desk.hand.drag((x - radius, y - radius), (x + radius, y + radius))
    boxed = desk.answer()
    assert np.allclose(boxed.prompt.box, (x - radius, y - radius, x + radius, y + radius), atol=1.5)
    assert desk.viewer.scene.camera.center == center

    desk.hand.press(Qt.Key.Key_P)
    before = desk.session.open_object.mask
    desk.hand.drag((100, 10), (120, 10))
    painted = desk.session.open_object
    assert painted.correction is not None
    assert painted.mask[10, 110]
    desk.hand.press(Qt.Key.Key_U)
    assert (desk.session.open_object.mask == before).all()
    desk.hand.press(Qt.Key.Key_U, SHIFT)
    assert desk.session.open_object.mask[10, 110]

    desk.hand.press(Qt.Key.Key_Q)
    (annotation,) = desk.session.project.annotations()
    assert annotation.mask[10, 110]
    assert annotation.effort.strokes == 1
    assert annotation.effort.boxes == 1
    assert desk.layers.accepted.data[10, 110] == 1
    assert desk.session.open_object.is_empty
    assert not desk.layers.proposal.data.any()
    # in napari's list of layers masks are drawn when the person pauses
    accepted, proposal = desk.layers.accepted, desk.layers.proposal
    desk.wait(lambda: accepted.thumbnail[..., :3].any() and not proposal.thumbnail[..., :3].any())

    desk.hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.session.project.annotations() == []
    assert desk.session.open_object.mask[10, 110]

    # what cannot be answered is taken back, and not what was painted meanwhile
    said, is_painted = desk.session.open_object.prompt, threading.Event()

    def fail(_):
        is_painted.wait()
        raise RuntimeError("CUDA error: unknown")

    monkeypatch.setattr(desk.session.answerer, "answer", fail)
    desk.hand.press(Qt.Key.Key_Z)
    desk.hand.click((x, y + 40))
    desk.hand.press(Qt.Key.Key_P)
    desk.hand.drag((100, 180), (120, 180))
    is_painted.set()
    left = desk.answer()
    assert left.prompt == said
    assert left.mask[180, 110]


def test_late_clicks_beside_the_border_move_it_there_alone(desk, blobs):
    desk.open(blobs.folder)
    x, y, radius = blobs.discs[1]
    for dx, dy in ((0, 0), (-8, 0), (8, 0), (0, 8)):
        shown = desk.propose((x + dx, y + dy)).mask
    for button, beyond in ((Qt.MouseButton.LeftButton, 3), (Qt.MouseButton.RightButton, -2)):
        edge = int(np.flatnonzero(shown[y])[-1])
        late = desk.propose((edge + beyond, y), button=button)
        assert late.proposal.moved_from is not None  # no model was asked
        assert late.mask[y, edge + beyond] == (beyond > 0)
        rows, columns = np.nonzero(late.mask != shown)
        assert np.hypot(columns - edge, rows - y).max() < 1.5 * radius  # the far side stays
        assert ndimage.label(late.mask)[1] == 1
        desk.hand.press(Qt.Key.Key_U)
        assert (desk.answer().mask == shown).all()
        desk.hand.press(Qt.Key.Key_U, SHIFT)
        shown = desk.answer().mask
        assert (shown == late.mask).all()


def test_a_stroke_along_a_crack_and_a_loop(desk, tmp_path):
    rows, columns = np.mgrid[:192, :192]
    crack = (abs(rows - columns) <= 2) & (rows >= 30) & (rows <= 120)
    disc = (columns - 140) ** 2 + (rows - 50) ** 2 <= 15**2
    grey = np.random.default_rng(0).normal(150, 6, rows.shape) - 70 * (crack | disc)
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(tmp_path / "part.png")
    desk.open(tmp_path)
    desk.wait_ready()
    session = desk.session

    desk.hand.press(Qt.Key.Key_W, SHIFT)
    assert desk.button(desk.panel.object, "Stroke").isChecked()
    assert desk.reads("Draw along a crack, or around a defect.")
    center = desk.viewer.scene.camera.center
    desk.hand.trace([(31, 33), (70, 68), (118, 119)], escape=True)  # Esc: nothing is drawn
    assert session.open_object.is_empty
    assert not desk.is_busy(Kind.PROPOSE)
    desk.button(desk.panel.object, "Stroke").click()
    desk.hand.trace([(31, 33), (70, 68), (118, 119)])
    desk.wait(lambda: session.open_object.mask is not None)
    drawn = session.open_object.mask
    assert (drawn & crack).sum() / (drawn | crack).sum() > 0.7
    assert desk.viewer.scene.camera.center == center
    assert not len(desk.layers.all_own[-1].data)  # the path is seen only while it is drawn
    assert desk.reads("Correct it by clicks or paint")
    desk.shot("stroke")

    # a click corrects from there; one step each, both ways
    corrected = desk.propose((140, 50))
    assert corrected.mask[50, 140]
    assert corrected.prompt.labels == (1,)
    desk.hand.press(Qt.Key.Key_U)
    assert (session.open_object.mask == drawn).all()
    desk.hand.press(Qt.Key.Key_U)
    assert session.open_object.is_empty
    desk.hand.press(Qt.Key.Key_U, SHIFT)
    assert (session.open_object.mask == drawn).all()

    # accepted before it is found: it is accepted all the same, and strokes go on
    corners = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 0))
    desk.hand.trace([(140 + 24 * x, 50 + 24 * y) for x, y in corners])
    desk.hand.press(Qt.Key.Key_Q)
    desk.wait(lambda: bool(session.project.annotations()))
    (annotation,) = session.project.annotations()
    assert annotation.mask[drawn].all()
    assert (annotation.mask & disc).sum() / disc.sum() > 0.8
    within = abs(columns - 140) + abs(rows - 50) <= 26
    assert not annotation.mask[~within & ~drawn].any()
    assert (annotation.effort.strokes, annotation.effort.boxes) == (2, 0)
    assert desk.button(desk.panel.object, "Stroke").isChecked()
    desk.hand.press(Qt.Key.Key_Z)
    assert desk.button(desk.panel.object, "Click").isChecked()


def test_space_and_preferences_change_what_a_drag_does_and_layers_come_back(desk, blobs):
    desk.open(blobs.folder)
    _space_and_drag_moves_the_view(desk)
    _preferences_change_keys_gestures_and_what_learns_at_once(desk)
    _layers_thrown_away_come_back(desk)


def _space_and_drag_moves_the_view(desk):
    center = np.array(desk.viewer.scene.camera.center)

    QTest.keyPress(desk.hand.native, Qt.Key.Key_Space)
    desk.hand.drag((60, 60), (100, 60))
    QTest.keyRelease(desk.hand.native, Qt.Key.Key_Space)
    assert not np.allclose(desk.viewer.scene.camera.center, center)
    assert desk.session.open_object.is_empty
    desk.propose((45, 45))
    assert desk.session.open_object.prompt.labels == (1,)


def _preferences_change_keys_gestures_and_what_learns_at_once(desk):
    from napari.settings import get_plugin_settings

    settings = get_plugin_settings("napari-sam-tune")
    settings.keys.accept = "Shift-L"
    settings.labelling.drag_draws_box = False
    settings.labelling.what_learns = "decoder and neck"
    assert desk.session.learner.config.parts == ("decoder", "neck")
    settings.labelling.what_learns = "automatic"
    assert desk.session.learner.config.parts == ()
    assert desk.panel.object.buttons["accept"].key == "⇧L"
    desk.propose((45, 45))
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.session.project.annotations() == []
    desk.hand.press(Qt.Key.Key_L, SHIFT)
    assert len(desk.session.project.annotations()) == 1

    center = np.array(desk.viewer.scene.camera.center)
    desk.hand.drag((60, 60), (100, 60))
    assert not np.allclose(desk.viewer.scene.camera.center, center)
    assert desk.session.open_object.is_empty


def _layers_thrown_away_come_back(desk):
    first = desk.layers.proposal
    desk.viewer.layers.remove(first)
    desk.wait(lambda: desk.layers.is_open and desk.layers.proposal is not first)
    desk.wait_ready()
    assert desk.propose((45, 45)).mask is not None


def test_correct_and_delete_by_key_under_the_mouse(desk, blobs):
    desk.open(blobs.folder)
    mask = np.zeros((192, 192), bool)
    mask[30:60, 30:60] = True
    desk.session.adopt(mask)
    desk.hand.hover((45, 45))
    desk.hand.press(Qt.Key.Key_E, SHIFT)
    assert (desk.session.open_object.mask == mask).all()
    assert not desk.layers.accepted.data.any()
    desk.propose((40, 40))
    desk.hand.press(Qt.Key.Key_Q)
    (annotation,) = desk.session.project.annotations()
    assert annotation.supersedes is not None

    buttons = desk.panel.object.buttons
    for leaving in (Qt.Key.Key_Escape, Qt.Key.Key_Z, Qt.Key.Key_Q, Qt.Key.Key_P):
        buttons["delete"].click()
        assert buttons["delete"].isChecked()
        desk.hand.press(leaving)
        assert not buttons["delete"].isChecked()
        assert desk.said == ""
    desk.hand.press(Qt.Key.Key_E)
    assert desk.reads("take away from the mask")
    desk.hand.press(Qt.Key.Key_Escape)
    assert desk.layers.proposal.mode == "pan_zoom"
    assert desk.reads("not part of it")
    # what the mouse was over before it went to the dock is not meant
    buttons["delete"].click()
    assert len(desk.session.project.annotations()) == 1
    inside = np.argwhere(annotation.mask)[0]
    desk.hand.click((float(inside[1]), float(inside[0])))
    assert desk.session.project.annotations() == []
    assert not any(buttons[name].isChecked() for name in ("reopen", "delete"))
    assert not buttons["delete"].isEnabled()
    assert "no accepted mask" in buttons["delete"].toolTip()


def test_classes_done_and_navigation_and_what_others_accept(desk, blobs, monkeypatch):
    monkeypatch.setattr(others, "LOOK_MS", 50)
    desk.open(blobs.folder)
    desk.panel.classes.edited.emit("scratch", "")
    desk.hand.press(Qt.Key.Key_8)
    assert desk.session.state.label == "defect"
    desk.hand.press(Qt.Key.Key_N)
    assert desk.session.state.label == "scratch"
    assert len(set(desk.session.project.classes().values())) == 2
    for number in range(3, 11):
        desk.panel.classes.edited.emit(f"class {number}", "")
    buttons = [desk.button(desk.panel.classes, f"class {number}") for number in (4, 9, 10)]
    assert [button.key for button in buttons] == ["Ctrl+4", "Ctrl+9", ""]
    assert "N goes from class to class" in buttons[-1].toolTip()
    for number in (4, 9):
        desk.hand.press(getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        assert desk.session.state.label == f"class {number}"
    assert str(desk.layers.proposal.mode) == "pan_zoom"  # a digit alone is napari's

    desk.hand.press(Qt.Key.Key_Period)
    desk.wait(lambda: desk.session.state.image_id == "part 2.png")
    desk.wait_ready()
    desk.hand.press(Qt.Key.Key_N, SHIFT)
    assert desk.session.project.is_empty("part 2.png")
    desk.wait(lambda: desk.session.state.image_id == "part 3.png")
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.session.state.image_id == "part 2.png")
    desk.wait_ready()

    colleague = Project.open(desk.session.project.path)  # as if by another program
    mask = np.zeros((192, 192), bool)
    mask[20:60, 30:50] = True
    colleague.add(NewAnnotation("part 2.png", mask, "dent"))
    desk.wait(lambda: desk.layers.accepted.data[40, 40] != 0)
    # what comes between an own change, or the opening, and the next look is no less seen
    for reopened in (False, True):
        desk.work.others._looking.stop()
        if reopened:
            desk.controller.leave()
            monkeypatch.setattr(others, "LOOK_MS", 60_000)
            desk.open(blobs.folder)
        desk.propose(blobs.discs[1 + reopened][:2])
        desk.session.accept()
        mask = np.zeros((192, 192), bool)
        mask[88:98, 20 + 30 * reopened : 30 + 30 * reopened] = True
        colleague.add(NewAnnotation("part 2.png", mask, "dent"))
        assert desk.layers.accepted.data[mask].max() == 0
        desk.work.others._looking.start(50)
        desk.wait(lambda mask=mask: desk.layers.accepted.data[mask].any())
    assert desk.layers.accepted.data[70, 40] == 0


def test_a_suggested_class_is_seen_and_a_key_wins_over_it(desk, tmp_path):
    from napari_sam_tune.core.prompts import ClassGuess

    rows, columns = np.mgrid[:192, :192]
    spots = {"scratch": (50, 60), "pore": (130, 120)}
    discs = {c: (columns - x) ** 2 + (rows - y) ** 2 <= 400 for c, (x, y) in spots.items()}
    folder = tmp_path / "spots"
    folder.mkdir()
    for number in range(4):
        grey = np.random.default_rng(number).normal(120, 6, (192, 192))
        grey += 70 * discs["pore"] - 70.0 * discs["scratch"]
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    desk.viewer.window._qt_window.resize(1366, 768)
    desk.open(folder)
    for number in range(4):
        if number:
            desk.hand.press(Qt.Key.Key_Period)
            desk.wait(lambda n=number: desk.session.state.image_id == f"{n}.png")
            desk.wait_ready()
        for name, disc in discs.items():
            desk.panel.classes.edited.emit(name, "")
            desk.session.adopt(disc, name)
    for annotation in desk.session.project.annotations():  # as if guessed before, and rightly
        desk.session.answerer.classes.add(annotation.id, ClassGuess(annotation.label, 2.0))
    desk.session.accept(mask=discs["pore"])  # what was chosen before it no longer counts
    desk.wait(lambda: not desk.is_busy(*Kind))

    note = desk.label(desk.panel.classes, "quiet")
    assert not note.isVisible()
    desk.propose(spots["scratch"])
    assert desk.session.state.label == "scratch"
    assert note.isVisible()
    desk.shot("class suggested")
    desk.hand.press(Qt.Key.Key_0)
    assert desk.session.state.label == "pore"
    assert not note.isVisible()
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.session.project.annotations()[-1].label == desk.session.state.label == "pore"


def test_a_project_is_opened_with_its_images_where_they_are(desk, blobs, tmp_path, monkeypatch):
    """The place is shown before it is used; what is missing is said, and found again."""
    start, home = desk.panel.start, tmp_path / "documents" / "napari-sam-tune" / "viewer.project"
    desk.viewer.add_image(read_image(blobs.folder / "part 2.png"), name="only here")
    for name in ("part 1.png", "part 3.png"):
        desk.viewer.open(str(blobs.folder / name), plugin="napari")
    assert desk.reads("masks on the images in the viewer in")
    assert str(home) in [label.toolTip() for label in start.findChildren(QLabel)]
    start.viewer_chosen.emit()
    desk.wait_ready()
    assert desk.session.project.path == home
    for _ in range(2):
        desk.hand.press(Qt.Key.Key_Period)
        desk.wait_ready()
    pixels = desk.layers.image.data
    desk.panel.image.leave.emit()
    desk.viewer.layers.clear()

    (blobs.folder / "part 1.png").rename(tmp_path / "moved.png")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(home))
    desk.button(start, "Keep masks elsewhere…").click()
    assert not desk.panel.tour.isVisible()  # a new page is coming
    desk.wait_ready()
    assert [image.id for image in desk.work.place.queue.images] == ["only here", "part 3"]
    assert (desk.session.state.image_id, desk.viewer.layers[0].name) == ("part 3", "part 3")
    assert (desk.layers.image.data == pixels).all()
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.session.state.image_id == "only here")
    assert (desk.layers.image.data == read_image(blobs.folder / "part 2.png")).all()
    assert desk.said == "“part 1” is not where it was. Its masks are kept."
    desk.shot("image missing")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    desk.button(desk.panel.notice, "Look in a folder…").click()
    desk.wait_ready()
    assert len(desk.work.place.queue.images) == 3
    assert desk.said == ""


def test_what_is_dropped_on_the_dock_is_opened(desk, blobs, tmp_path):
    assert not desk.drop()  # nothing of this computer: napari's
    (tmp_path / "notes.txt").write_text("no image")
    assert desk.drop(tmp_path / "notes.txt")
    assert "notes.txt is no image file" in desk.said
    desk.drop(blobs.folder / "part 2.png")
    desk.wait_ready()
    desk.drop(blobs.folder / "part 3.png", blobs.folder / "part 2.png")  # they join
    desk.wait(lambda: desk.session.state.image_id == "part 3.png")
    names = [image.id for image in desk.work.place.queue.images]
    assert names == ["part 2.png", "part 3.png"]
    project = desk.session.project.path
    assert project.parent == blobs.folder
    desk.drop(project)
    desk.wait_ready()
    assert len(desk.work.place.queue.images) == 3  # all that it lies beside


def test_labels_layer_is_adopted_with_scale(desk, blobs):
    rng = np.random.default_rng(1)
    image = desk.viewer.add_image(
        rng.integers(0, 255, (80, 100), dtype=np.uint8),
        name="plate",
        scale=(2, 2),
        translate=(5, 9),
    )
    labels = np.zeros((80, 100), int)
    labels[10:20, 10:20], labels[30:50, 40:60] = 3, 7
    desk.viewer.add_labels(labels, name="mine", scale=(2, 2), translate=(5, 9))
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    desk.panel.object.adopt.emit("mine")
    desk.wait(lambda: len(desk.session.project.annotations()) == 2)
    shown = desk.layers.accepted
    desk.wait(lambda: shown.data.max() == 2)
    assert desk.said == "2 masks taken over from “mine”, as “defect”."
    assert (shown.scale == image.scale).all()
    assert (shown.translate == image.translate).all()
    first, second = desk.session.project.annotations()
    assert (first.mask == (labels == 3)).all()
    assert (second.mask == (labels == 7)).all()

    opened = desk.propose((50.0, 40.0))
    assert np.allclose(opened.prompt.points, [(50, 40)], atol=1.0)


def test_labels_are_taken_over_where_they_lie(desk):
    """In world coordinates and full resolution; what does not fit is refused in words."""
    labels = np.zeros((80, 100), int)
    labels[10:20, 10:20] = labels[30:50, 40:60] = 3
    add = desk.viewer.add_labels
    desk.viewer.add_image(np.random.default_rng(1).integers(0, 255, (80, 100), np.uint8), name="i")
    pyramid = add([labels, labels[::2, ::2]], multiscale=True, name="pyramid")
    add(labels, name="shifted", translate=(20, 30))
    add(labels[None], name="one plane")
    add(labels[::2, ::2], name="coarse", scale=(2, 2))
    stack = add(np.stack([labels] * 2), name="stack")
    add(labels, name="elsewhere", translate=(500, 0))
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    project = desk.session.project

    def take(name, boxes, signal="adopt"):
        for kept in project.annotations():
            project.delete(kept.id)
        getattr(desk.panel.object, signal).emit(name)
        desk.wait(lambda: len(project.annotations()) == len(boxes))
        assert sorted(kept.bbox for kept in project.annotations()) == boxes

    take("pyramid", [(10, 10, 50, 60)])
    assert not pyramid.visible
    take("pyramid", [(10, 10, 20, 20), (30, 40, 50, 60)], "adopt_parts")
    take("shifted", [(30, 40, 70, 90)])
    take("one plane", [(10, 10, 50, 60)])
    take("coarse", [(9, 9, 49, 59)])  # as on the screen: its pixels lie around even numbers
    for name, why in (("stack", "stack of planes"), ("elsewhere", "lies over the image")):
        desk.panel.object.adopt.emit(name)
        assert why in desk.panel.notice.notice.text
    assert stack.visible


def test_a_photograph_that_napari_read_is_turned_upright(desk, tmp_path):
    """napari's own reader heeds no EXIF; the dock's picture is the file's all the same."""
    stored = np.random.default_rng(1).integers(0, 255, (60, 90, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif.tobytes())
    (layer,) = desk.viewer.open(str(tmp_path / "a.png"), plugin="napari")
    assert layer.data.shape == (60, 90, 3)
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    upright = np.rot90(stored, -1)
    assert np.array_equal(layer.data, upright)
    assert desk.layers.shape == (90, 60)
    assert "now shown as its file says: upright" in desk.panel.notice.notice.text
    (record,) = desk.session.project.images()
    assert record.path is not None
    assert np.array_equal(desk.session.project.read_image(record.id), upright)
    desk.propose((45, 45))
    desk.hand.press(Qt.Key.Key_Q)

    desk.panel.image.leave.emit()
    desk.viewer.layers.clear()
    desk.open(tmp_path)  # the same photograph, in the same project
    assert desk.session.project.images() == [record]
    assert desk.work.place.queue.current.path == tmp_path / "a.png"
    assert desk.layers.accepted.data.any()


def test_the_menu_opens_the_samples(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-sam-tune", "defects")
    assert len(viewer.layers) >= 4
    shown = [x.name for x in viewer.layers if x.visible]
    assert shown == [list_images(SAMPLE_IMAGES)[0].name]


def test_a_key_switches_connected_parts_and_paint_stays(desk, blobs):
    from napari.settings import get_plugin_settings

    settings = get_plugin_settings("napari-sam-tune").labelling
    box = desk.panel.object.connected
    desk.open(blobs.folder)
    assert box.isChecked()
    assert "⇧O" in box.text()
    connected = desk.propose((45, 45))
    desk.hand.press(Qt.Key.Key_O, SHIFT)
    free = desk.answer()
    assert (free.prompt, free.proposal is connected.proposal) == (connected.prompt, False)
    assert free.mask[connected.mask].all()
    assert "All parts" in desk.said
    assert not box.isChecked()
    assert not desk.session.chain.connects
    assert not settings.connected_parts

    desk.hand.press(Qt.Key.Key_P)
    desk.hand.drag((90, 10), (120, 10))
    box.click()
    again = desk.answer()
    assert again.mask[10, 100:118].all()  # painted, far from the click
    assert "Connected parts only" in desk.said
    assert desk.session.chain.connects
    assert settings.connected_parts
    desk.hand.press(Qt.Key.Key_Q)
    (annotation,) = desk.session.project.annotations()
    assert (annotation.effort.clicks, annotation.effort.strokes) == (1, 1)


def test_preview_follows_the_mouse(desk, blobs):
    from napari.settings import get_plugin_settings

    get_plugin_settings("napari-sam-tune").labelling.preview_on_hover = True
    # between one layer and the next, which takes napari long, the viewer hears the person
    turns, made = itertools.count(), []
    clock = QTimer()
    clock.timeout.connect(lambda: next(turns))
    clock.start(0)
    inserted = desk.viewer.layers.events.inserted
    note = inserted.connect(lambda _: made.append(next(turns)))
    desk.open(blobs.folder)
    inserted.disconnect(note)
    clock.stop()
    assert len(made) == len(desk.viewer.layers)
    assert all(later - earlier > 1 for earlier, later in itertools.pairwise(made))
    desk.hand.hover((45, 45))
    desk.wait(lambda: desk.viewer.layers["preview"].data.any())
    assert desk.viewer.layers.selection.active is desk.layers.proposal
    desk.propose((45, 45))
    assert not desk.viewer.layers["preview"].data.any()
    assert desk.session.open_object.prompt.labels == (1,)


def test_the_slider_of_a_stack_opens_its_planes(desk):
    rng = np.random.default_rng(2)
    desk.viewer.add_image(rng.integers(0, 255, (3, 64, 64), dtype=np.uint8), name="stack")
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    assert desk.session.state.image_id == "stack [0]"
    desk.viewer.dims.set_current_step(0, 2)
    desk.wait(lambda: desk.session.state.image_id == "stack [2]")
    desk.wait_ready()
    assert desk.propose((20, 30)).mask.shape == (64, 64)
    desk.hand.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.session.state.image_id == "stack [1]")
    assert desk.viewer.dims.current_step[0] == 1


def test_accepted_before_the_answer_and_gone_on(desk, blobs):
    desk.open(blobs.folder)
    for key, before, after in (
        (Qt.Key.Key_Period, "part 1.png", "part 2.png"),
        (Qt.Key.Key_K, "part 2.png", "part 3.png"),
    ):
        desk.hand.click((45, 45))
        desk.hand.press(Qt.Key.Key_Q)
        desk.hand.press(key)
        desk.wait(lambda after=after: desk.session.state.image_id == after)
        annotation = desk.session.project.annotations()[-1]
        assert annotation.image_id == before
        assert desk.session.project.is_done(before) == (key == Qt.Key.Key_K)
        assert desk.session.open_object.is_empty
        if key == Qt.Key.Key_Period:
            desk.wait_ready()
    assert len(desk.session.project.annotations()) == 2
    # done by mistake: undo goes back, and takes back what was before it
    desk.hand.press(Qt.Key.Key_U)
    desk.wait(lambda: desk.session.state.image_id == "part 2.png")
    assert not desk.session.project.is_done("part 2.png")
    assert desk.said == "Undone: “part 2.png” is to do again."
    desk.wait_ready()
    desk.hand.press(Qt.Key.Key_U)
    assert [a.image_id for a in desk.session.project.annotations()] == ["part 1.png"]


def test_a_small_object_is_looked_at_closely_as_part_of_the_click(desk, tmp_path):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:480, :480]
    grey = rng.normal(90, 6, (480, 480))
    grey[(columns - 300) ** 2 + (rows - 200) ** 2 <= 36] += 90
    folder = tmp_path / "specks"
    folder.mkdir()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / "speck.png")
    desk.open(folder)
    desk.propose((300, 200))
    desk.wait(lambda: desk.session.open_object.proposal.window is not None)
    desk.shot("looked closely")
    closer = desk.session.open_object
    assert closer.mask[200, 300]
    assert (desk.layers.proposal.data.astype(bool) == closer.mask).all()
    # it was no step of its own
    desk.hand.press(Qt.Key.Key_U)
    assert desk.session.open_object.is_empty
    desk.hand.press(Qt.Key.Key_U, SHIFT)
    again = desk.session.open_object.proposal
    assert again.window == closer.proposal.window
    assert np.array_equal(again.mask, closer.proposal.mask)
    corrected = desk.propose((312, 200), button=RIGHT)
    assert corrected.proposal.window == closer.proposal.window
    assert not corrected.mask[200, 312]


@pytest.mark.parametrize("px", [512])  # the first sample is no easy one
def test_the_tour_leads_through_the_first_sample(desk):
    desk.viewer.window._qt_window.resize(1366, 768)
    get_settings().appearance.font_size = 14  # there is little room beside the card
    card = desk.panel.tour
    assert card.isVisible()
    desk.shot("tour_offered")
    desk.button(card, "Take the tour").click()
    desk.wait_ready()
    first = desk.work.place.queue.current
    assert first.id == list_images(SAMPLE_IMAGES)[0].name
    labels = read_image(SAMPLE_IMAGES.parent / "masks" / first.id)
    boxes = [np.argwhere(labels == n) for n in range(1, labels.max() + 1)]
    (first_rows, second_rows) = sorted(boxes, key=lambda at: at[:, 1].mean())
    assert desk.reads("step 1 of 5")
    x, y, _ = next_click(None, labels == labels[tuple(first_rows[0])])
    assert score(desk.propose((x, y)).mask, labels == labels[tuple(first_rows[0])]) >= 0.8
    assert desk.reads("step 2 of 5")
    assert desk.reads("press Q")
    accept = desk.panel.object.buttons["accept"]
    desk.wait(lambda: accept.visibleRegion().boundingRect().height() == accept.height())
    desk.shot("tour_first_mask")
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.reads("step 3 of 5")
    (top, left), (bottom, right) = second_rows.min(0), second_rows.max(0)
    desk.hand.drag((left, top), (right, bottom))
    boxed = desk.answer()
    assert score(boxed.mask, labels == labels[tuple(second_rows[0])]) >= 0.8
    desk.hand.press(Qt.Key.Key_Q)
    assert desk.reads("step 4 of 5")
    assert desk.reads("2 masks on it")
    desk.hand.press(Qt.Key.Key_K)
    desk.wait(lambda: desk.reads("step 5 of 5"))
    desk.shot("tour_last_step")
    desk.button(card, "Finish").click()
    assert not card.isVisible()

    desk.viewer.window._qt_window.activateWindow()
    desk.wait(desk.viewer.window._qt_window.isActiveWindow)
    desk.hand.press(Qt.Key.Key_Question, SHIFT)
    (page,) = desk.panel.findChildren(KeysDialog)
    said = " ".join(label.text() for label in page.findChildren(QLabel))
    for action, key in desk.panel.keys.items():
        assert f"<b>{escape(key)}</b>" in said, action
    desk.shot("keys")
    page.grab()
    page.close()
    # once is enough
    desk.panel.image.leave.emit()
    assert not card.isVisible()
    another = Guiding(desk.panel, PreferencesSource(), print, desk.controller)
    assert not card.isVisible()
    another.deleteLater()


def test_in_another_language_nothing_that_is_shown_stays_english(untranslated, make_desk, blobs):
    desk, found = make_desk(), {}

    def look(when):
        QApplication.processEvents()
        desk.shot(f"ja {when}")
        found.update(dict.fromkeys(untranslated(desk.panel), when))

    desk.panel.tour.show_offer()
    look("before anything is open")
    desk.open(blobs.folder)
    look("an image is open")
    x, y, _ = blobs.discs[0]
    desk.propose((x, y))
    assert "確信度" in desk.label(desk.panel.object).text()
    look("a mask is proposed")
    desk.hand.press(Qt.Key.Key_Q)
    desk.wait(lambda: desk.session.open_object.is_empty)
    desk.hand.drag((-30, 10), (-10, 40))
    desk.wait(lambda: "画像の外" in desk.said)
    look("a box beside the image")

    def close(box):
        assert "キャンセル" in {button.text() for button in box.findChildren(QAbstractButton)}
        found.update(dict.fromkeys(untranslated(box), "a class is named"))
        QTest.keyClick(box, Qt.Key.Key_Escape)

    when_open(QInputDialog, QApplication.activeModalWidget, close)
    desk.panel.classes._add.click()
    for key in (Qt.Key.Key_W, Qt.Key.Key_E, Qt.Key.Key_Z):
        desk.hand.press(key)
        look(f"after {key}")
    desk.hand.press(Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    desk.hand.press(Qt.Key.Key_M, Qt.KeyboardModifier.ShiftModifier)
    look("markers are hidden")
    desk.panel.suggestions.button.click()
    desk.wait(lambda: not desk.is_busy(Kind.PROPOSE, Kind.SUGGEST))
    look("objects are looked for")
    for page in (desk.panel.masks, desk.panel.images):
        desk.panel.show_page(page)
        desk.wait(lambda page=page: bool(page.view.rows))
        page.view.select((page.view.rows[0].id,))
        look(type(page).__name__)
    desk.hand.press(Qt.Key.Key_Q, Qt.KeyboardModifier.ShiftModifier)
    look("the image is approved")
    desk.hand.press(Qt.Key.Key_U)
    look("an approval is taken back")
    desk.controller.guiding.show_keys()
    look("the page of the keys")
    project = desk.session.project.path
    desk.controller.leave()
    (project / "project.json").unlink()
    desk.panel.start.project_chosen.emit(project)
    desk.wait(lambda: "project.jsonがありません" in desk.said)
    look("a damaged project")
    assert not found
