"""The lists of masks and images, their thumbnails, review and numbers: pages alone, and in use."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def test_masks_are_found_gone_to_given_another_class_and_reviewed(desk, blobs):
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
    QTest.keyClick(page.view, Qt.Key.Key_8)  # keys are the canvas's also while the list has focus
    assert session.project.annotation(scratch.id).label == "defect"
    assert desk.session.state.label == "scratch"
    desk.hand.press(Qt.Key.Key_R, SHIFT)
    assert session.project.review(scratch.id).state == "second_look"
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
    desk.hand.press(Qt.Key.Key_Y, SHIFT)
    desk.wait(lambda: session.state.image_id == "part 1.png")
    assert desk.work.selecting.ids == (scratch.id,)
    desk.hand.press(Qt.Key.Key_Escape)
    assert desk.work.selecting.ids == ()


def _click(view, number):
    where = view.visualRect(view.model().index(number)).center()
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, where
    )
