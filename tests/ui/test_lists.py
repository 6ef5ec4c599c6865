"""The lists of masks and images, their thumbnails, review and numbers: pages alone, and in use."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.project.journal import Journal
from napari_sam_tune.ui import going_on
from napari_sam_tune.ui.thumbnails import Thumbnails, thumbnail_of_object
from napari_sam_tune.ui.views.attribute_editor import AttributeEditor, AttributeRow
from napari_sam_tune.ui.views.image_page import ImagePage
from napari_sam_tune.ui.views.learning import LearningSnapshot
from napari_sam_tune.ui.views.list_page import Filter
from napari_sam_tune.ui.views.reviewing import Field, ReviewSnapshot, ReviewView
from napari_sam_tune.ui.views.rows import ListRow

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def _yellow_at(desk, xy) -> int:
    """Return how much more green than blue the canvas shows at a pixel of the image.

    A shade of a class has as much of it as its other shades.
    """
    at = desk.hand.at(xy)
    _, green, blue, _ = map(int, desk.viewer.screenshot(flash=False)[at.y(), at.x()])
    return green - blue


def test_masks_are_found_gone_to_given_another_class_and_reviewed(desk, blobs, monkeypatch):
    desk.viewer.window._qt_window.resize(1366, 768)
    desk.open(blobs.folder)
    session, panel, page = desk.session, desk.panel, desk.panel.masks
    panel.classes.edited.emit("scratch", "")
    for number, (x, y, radius) in enumerate(blobs.discs[:2]):
        mask = np.hypot(*np.mgrid[-y : 192 - y, -x : 192 - x]) < radius
        session.adopt(mask, ("defect", "scratch")[number])
    panel.show_page(page)
    desk.wait(lambda: len(page.view.rows) == 2)
    scratch, defect = page.view.rows
    assert (scratch.title, defect.title) == ("scratch", "defect")
    desk.wait(lambda: page.view.thumbnail(scratch) is not None)

    _click(page.view, 0)
    assert desk.work.selecting.ids == (scratch.id,)
    assert np.allclose(desk.viewer.scene.camera.center[-2:], blobs.discs[1][1::-1], atol=2)
    desk.shot("masks")
    at_first, at_second = blobs.discs[0][:2], blobs.discs[1][:2]
    assert abs(_yellow_at(desk, at_second) - _yellow_at(desk, at_first)) > 40
    looks, look = [], Journal._read_new
    monkeypatch.setattr(
        Journal, "_read_new", lambda log: (looks.append(threading.get_ident()), look(log))[1]
    )
    QTest.keyClick(page.view, Qt.Key.Key_8)  # keys are the canvas's also while the list has focus
    assert (
        looks.count(threading.get_ident()) <= 4
    )  # whether somebody else wrote; 43 at every question
    assert session.project.annotation(scratch.id).label == "defect"
    assert abs(_yellow_at(desk, at_second) - _yellow_at(desk, at_first)) < 15
    assert desk.session.state.label == "scratch"
    awaited = _awaited(desk)
    desk.hand.press(Qt.Key.Key_R, SHIFT)
    assert session.project.review(scratch.id).state == "second_look"
    assert _awaited(desk) != awaited  # it does not count now
    desk.wait(lambda: page.view.rows[0].mark == "Second look")
    desk.hand.press(Qt.Key.Key_U)
    desk.hand.press(Qt.Key.Key_U)
    assert session.project.annotation(scratch.id).label == "scratch"

    desk.hand.click(blobs.discs[0][:2], modifier=CTRL)
    assert page.view.selection == (defect.id,)
    desk.hand.press(Qt.Key.Key_D, SHIFT)
    assert [a.id for a in session.project.annotations()] == [scratch.id]

    panel.show_page(panel.images)
    desk.wait(lambda: len(panel.images.view.rows) == 3)
    desk.shot("images")
    _click(panel.images.view, 2)
    desk.wait(lambda: session.state.image_id == "part 3.png")
    desk.hand.press(Qt.Key.Key_Q, SHIFT)
    assert session.project.image_review("part 3.png").state == "approved"
    panel.show_page(page)
    page.choose_scope("doubted")
    desk.wait(lambda: [row.id for row in page.view.rows] == [scratch.id])
    assert "% alike" in page.view.rows[0].detail
    page.choose_scope("everywhere")
    desk.wait(lambda: [row.id for row in page.view.rows] == [scratch.id])
    panel.classes.renamed.emit("scratch", "crack")
    desk.wait(lambda: page.view.rows[0].title == "crack")
    assert "crack" in session.project.classes()
    assert panel.suggestions._labels.findData("crack") > 0
    desk.hand.press(Qt.Key.Key_U)
    desk.wait(lambda: page.view.rows[0].title == "scratch")
    desk.work.accepted.edit_attributes("scratch")
    editor = panel.findChild(AttributeEditor)
    editor._add(AttributeRow("depth", "number"))
    editor._lines[0].widgets[0].setText("side")
    editor._lines[0].widgets[2].setText("left, right")
    editor._on_save_pressed()
    assert "attributes of “scratch” are changed. Undo takes it back" in desk.said
    assert [a.name for a in session.project.attributes("scratch")] == ["side", "depth"]
    session.set_review(scratch.id, values={"depth": 2.5})
    desk.wait(lambda: page.view.rows[0].values == (("depth", 2.5),))
    assert page._values.isVisible()
    panel.images.numbers_asked.emit()
    desk.wait(lambda: bool(desk.work.counting.view._noted.bars))
    assert desk.work.counting.view._noted.bars[0].name == "depth: 2.5"
    desk.work.counting.view.close()
    desk.hand.press(Qt.Key.Key_U)
    desk.hand.press(Qt.Key.Key_U)
    assert session.project.attributes("scratch") == ()
    assert "the attributes of “scratch” are as before" in desk.said
    desk.wait(lambda: page._values.isHidden())
    panel.images.numbers_asked.emit()
    desk.wait(lambda: bool(desk.work.counting.view._classes.bars))
    assert desk.work.counting.view._classes.bars[0].name == "scratch"
    desk.work.counting.save(blobs.folder.parent / "numbers")
    desk.wait(lambda: "numbers are in" in desk.said)
    assert (blobs.folder.parent / "numbers" / "numbers.png").stat().st_size
    desk.work.counting.view.close()
    desk.hand.press(Qt.Key.Key_Y, SHIFT)
    desk.wait(lambda: desk.work.selecting.ids == (scratch.id,))
    assert session.state.image_id == "part 1.png"
    desk.hand.press(Qt.Key.Key_Escape)
    assert desk.work.selecting.ids == ()
    _delete_what_cannot_be_opened(desk, blobs.folder / "part 1.png", scratch.id)
    panel.images._words.setText("what is searched for in one project")
    page._states.setCurrentIndex(1)
    said, is_read = [], threading.Event()
    panel.notice.changed.connect(lambda: said.append(desk.said))
    panel.learning.show_learning(LearningSnapshot(gain="A first click scores .85."))
    monkeypatch.setattr(going_on, "MOMENT_MS", 0)
    monkeypatch.setattr(going_on, "load_recent", lambda: is_read.wait() and [])
    panel.image.leave.emit()
    assert "Closing the project…" in said
    assert not desk.reads("A first click scores")
    assert not panel.image.line.text()
    assert not panel.image.buttons["done"].isEnabled()
    desk.wait(lambda: desk.reads("Reading what you labelled last…"))
    is_read.set()
    desk.wait(lambda: not desk.reads("Reading what you labelled last…"))
    assert page.view.rows == panel.images.view.rows == ()
    assert page.filter == panel.images.filter == Filter()


def _awaited(desk):
    return desk.panel.learning.line.text()


def _delete_what_cannot_be_opened(desk, file, mask):
    """It is not deleted later either, when nobody thinks of it any more."""
    desk.work.opening.open_by_id("part 2.png")
    desk.wait(lambda: desk.session.state.image_id == "part 2.png")
    file.rename(file.with_suffix(".away"))
    desk.panel.masks.view.selectAll()
    desk.panel.masks.action.emit("delete")
    desk.wait(lambda: "part 1.png" in desk.said)
    file.with_suffix(".away").rename(file)
    desk.work.opening.open_by_id("part 1.png")
    desk.wait(lambda: desk.session.state.image_id == "part 1.png")
    assert [a.id for a in desk.session.project.annotations()] == [mask]


def test_an_object_is_outlined_where_it_lies():
    pixels = np.full((300, 400), 90, np.uint8)
    mask = np.ones((40, 60), bool)
    made = thumbnail_of_object(pixels, mask, (100, 200, 140, 260), "#ff0000")
    rows, columns = np.nonzero((made == (255, 0, 0)).all(-1))
    assert max(made.shape) == 96
    assert (rows.min() + rows.max()) / 2 == pytest.approx((made.shape[0] - 1) / 2, abs=1)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(60 / 40, rel=0.1)
    at_the_edge = thumbnail_of_object(pixels, mask, (0, 340, 40, 400), "#ff0000")
    assert (at_the_edge == (255, 0, 0)).all(-1).any()


def test_thumbnails_are_made_beside_and_one_that_cannot_be_read_is_blank(qtbot):
    thumbnails = Thumbnails()

    def broken():
        raise ImageError("no picture")

    picture = np.full((10, 20, 3), (10, 20, 30), np.uint8)
    with qtbot.waitSignals([thumbnails.made, thumbnails.made]):
        assert thumbnails.get("a", lambda: picture) is None
        thumbnails.get("b", broken)
    assert thumbnails.get("a", broken).pixelColor(3, 4).getRgb()[:3] == (10, 20, 30)
    assert thumbnails.get("b", broken).isNull()
    thumbnails.close()


def test_rows_are_narrowed_ordered_and_stay_selected(qtbot):
    page = ImagePage()
    qtbot.addWidget(page)
    page.offer_labels(["pore", "scratch"])
    labels, states = ("pore", "scratch"), ("to_do", "approved")
    rows = [
        ListRow(
            f"{n}",
            f"part {n}.png",
            labels=(labels[n % 2],),
            state=states[n // 2 % 2],
            words=f"part {n}.png edge" if n % 3 else f"part {n}.png",
            ranks=(n, -n, n % 5),
        )
        for n in range(10_000)
    ]
    page.show_rows(rows)
    page.view.select([f"{n}" for n in range(0, 10_000, 2)])
    assert len(page.view.selection) == 5000
    page._words.setText("EDGE part")
    page._labels.setCurrentIndex(1)
    page._labels.activated.emit(1)
    page._states.setCurrentIndex(page._states.findData("approved"))
    page._states.activated.emit(0)
    shown = [int(row.id) for row in page.view.rows]
    assert shown == [n for n in range(10_000) if n % 3 and n % 2 == 0 and n // 2 % 2]
    assert len(page.view.selection) == len(shown)
    page._orders.setCurrentIndex(1)
    page._orders.activated.emit(1)
    assert [int(row.id) for row in page.view.rows] == shown[::-1]


def test_rows_are_narrowed_to_what_is_noted(qtbot):
    page = ImagePage()
    qtbot.addWidget(page)

    def listed(severities, depths):
        noted = zip(severities, depths, strict=True)
        pairs = ((("severity", s), ("depth", d)) for s, d in noted)
        page.show_rows(
            [ListRow(f"{n}", "", values=v, ranks=(n, n, n)) for n, v in enumerate(pairs)]
        )

    page.show_rows([ListRow("0", "0", ranks=(0, 0, 0))])
    assert page._values.isHidden()
    listed(["low", "high", "low"], [10.0, 2.0, 0.5])
    texts = [page._values.itemText(n) for n in range(page._values.count())]
    assert texts == [
        "Any attribute",
        *("depth: 0.5", "depth: 2", "depth: 10"),
        *("severity: high", "severity: low"),
    ]
    page._values.setCurrentIndex(5)
    page._values.activated.emit(5)
    assert [row.id for row in page.view.rows] == ["0", "2"]
    listed(["high"] * 100, np.arange(100.0).tolist())
    assert page.view.rows == ()  # what was chosen stays chosen
    assert page._values.currentText() == "severity: low"
    many = [n for n in range(page._values.count()) if "depth" in page._values.itemText(n)]
    assert len(many) == 12
    seen = set()
    for index in many:
        page._values.setCurrentIndex(index)
        page._values.activated.emit(index)
        low, high = page._values.currentText().removeprefix("depth: ").split(" – ")
        rows = [int(row.id) for row in page.view.rows]
        assert rows == list(range(int(low), int(high) + 1))
        seen.update(rows)
    assert len(seen) == 100
    page._values.setCurrentIndex(0)
    page.show_rows([ListRow("0", "0", ranks=(0, 0, 0))])
    assert page._values.isHidden()
    assert [row.id for row in page.view.rows] == ["0"]


def test_attributes_are_edited_and_filled_in(qtbot):
    kept, filled = [], []
    editor = AttributeEditor("pore", (), lambda rows: kept.append(rows) or "")
    qtbot.addWidget(editor)
    (line,) = editor._lines
    line.widgets[0].setText("severity")
    line.widgets[2].setText("low, high")
    editor._add(AttributeRow("depth", "number"))
    editor._on_save_pressed()
    assert kept == [
        [AttributeRow("severity", "choice", "low, high"), AttributeRow("depth", "number")]
    ]

    view = ReviewView()
    qtbot.addWidget(view)
    view.filled.connect(lambda name, text: filled.append((name, text)))
    view.show_review(ReviewSnapshot("1 mask", fields=(Field("severity", ("low", "high"), "low"),)))
    choice = view._fields["severity"]
    assert choice.currentText() == "low"
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    assert filled == [("severity", "high")]
    view.show_review(ReviewSnapshot("1 mask", fields=(Field("depth", value="7"),)))
    view._fields["depth"].setText("8")
    view._fields["depth"].editingFinished.emit()
    assert filled[-1] == ("depth", "8")


def _click(view, number):
    where = view.visualRect(view.model().index(number)).center()
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, where
    )
