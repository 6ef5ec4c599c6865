"""What the dock looks like at any width, font and theme: nothing is cut, all can be read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMainWindow,
    QWidget,
)
from walking import faults, unreadable

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS
from napari_sam_tune.ui.recent import Recent
from napari_sam_tune.ui.views.classes import ClassSnapshot
from napari_sam_tune.ui.views.head_view import HeadSnapshot
from napari_sam_tune.ui.views.helping import HelpingRow
from napari_sam_tune.ui.views.history import VersionRow
from napari_sam_tune.ui.views.labelling import ImageSnapshot, ObjectSnapshot
from napari_sam_tune.ui.views.learning import CurveSnapshot, LearningSnapshot
from napari_sam_tune.ui.views.learnt_chart import LearntPoint
from napari_sam_tune.ui.views.look import Look
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.views.panel import Panel
from napari_sam_tune.ui.views.reviewing import STATE_COLOURS, Field, ReviewSnapshot
from napari_sam_tune.ui.views.reviewing import STATES as STATES_IN_WORDS
from napari_sam_tune.ui.views.rows import ListRow
from napari_sam_tune.ui.views.stack_view import StackSnapshot
from napari_sam_tune.ui.views.start import Choices
from napari_sam_tune.ui.views.suggestion_view import SuggestionSnapshot, SurveySnapshot

LONG = "a class that somebody named with all of its history " * 3
PATH = "/mnt/measurements/" + "line_4_camera_2_" * 12 + ".project"
HEIGHT = 690  # of the dock in a window of 1366 × 768


def _nothing_chosen(panel: Panel) -> None:
    picture = QImage(96, 60, QImage.Format.Format_RGB888)
    picture.fill(0x808080)
    recent = Recent(Path(PATH), None, "starter", "auto", 12345, 1795817761.0)
    gone = replace(recent, folder=Path("plates"), is_there=False)
    panel.start.show_recent([(recent, picture), (gone, QImage())])
    panel.start.show_images_in_viewer(3, Path(PATH))
    panel.start.show_home_of_samples(Path(PATH))
    panel.notice.show_notice(Notice(f"{PATH} cannot be read.", "error", remedy="Download it now"))


def _place_chosen(panel: Panel) -> None:
    panel.tour.hide()
    panel.start.show_images_in_viewer(0, Path())
    panel.start.show_choices(Choices(Path(PATH), model=f"{PATH}/{LONG}.pth"))
    panel.notice.show_notice(Notice(tr("Loading the model…"), busy=True))


def _no_image(panel: Panel) -> None:
    panel.show_work()
    panel.object.show_object(ObjectSnapshot("Preparing the image.", has_image=False))
    panel.tour.show_step(2, 5, "If the outline fits, accept it: press Q, or the button “Accept”.")


def _clicking(panel: Panel) -> None:
    panel.tour.hide()
    panel.show_work()
    panel.image.show_image(ImageSnapshot(PATH, 1204, 9999, 1203, False, False, 1234))
    rows = (("scratch", "#ff0000", "8"), (LONG, "#00ff00", "9"), (PATH, "#0000ff", ""))
    panel.classes.show_classes(ClassSnapshot(rows, LONG, is_guess=True))
    panel.object.show_object(
        ObjectSnapshot(
            "Proposal, confidence 87% · guess 1 of 3",
            can_accept=True,
            is_open=True,
            candidates=3,
            negative=True,
            has_earlier=True,
            can_undo=True,
            can_redo=True,
            accepted=4,
        )
    )
    panel.object.show_adoptable(["mine & yours", LONG])
    axes = (("z", 64, "slices"), ("", 3, ""))
    panel.stack.show_stack(StackSnapshot(LONG, axes, "z 63, t 120", waiting=3, has_things=True))
    panel.suggestions.offer_labels(["scratch", LONG])
    panel.suggestions.choose_kind("similar")
    panel.suggestions.show_suggestions(
        SuggestionSnapshot(f"This looks like “{LONG}” that you accepted.", "312 of 999", True)
    )
    panel.suggestions.survey.show_survey(
        SurveySnapshot("12,345 finds expected on 1,234 of 9,999 images", "a: 1", 0.4, True)
    )
    why_not = "A finder needs 12 more masks, one on another image to learn from."
    panel.suggestions.head.show_head(HeadSnapshot(LONG, "Train it again", why_not))


def _learning(panel: Panel) -> None:
    _clicking(panel)
    doing = "Finder: learning from your masks · 1 h 20 min left"
    panel.suggestions.head.show_head(HeadSnapshot(doing, training=True, fraction=0.4))
    panel.notice.show_notice(Notice("New weights answer from now on.", "info", busy=True))
    points = tuple(LearntPoint(masks, 0.4, 0.7) for masks in (3, 4))
    learnt = (
        "Learnt from 12 masks. Tried on 12 of them as if it had not seen them, a first click "
        "scores .71; without learning .48."
    )
    panel.learning.show_learning(
        LearningSnapshot(
            "0123456789ab",
            12,
            is_surface_new=True,
            learnt=learnt,
            learnt_points=points,
            gain="Learning gains nothing just now: a first click scores .71. Masks kept aside "
            "score .86 by version 12, were .80.",
            training=True,
            doing=tr("Learning: testing on your masks"),
            fraction=0.4,
            seconds_left=4800,
        )
    )
    panel.learning.show_curve(CurveSnapshot(((1, 0.5), (2, 0.4)), ((0, 0.7), (2, 0.8))))
    panel.helping.show_learnt(learnt, points)
    rows = (HelpingRow("base model", 12, 3, 1, 20), HelpingRow("version 12", 999, 22.5, 10, 99))
    panel.helping.show_effort(rows)


def _judged(panel: Panel) -> None:
    _clicking(panel)
    panel.notice.show_notice(Notice(LONG, "warning", remedy="Learn again"))
    outcome = (
        "New weights are not clearly better yet on the masks kept aside (.77, was .76), so they "
        "are not used; it goes on learning."
    )
    panel.learning.show_learning(
        LearningSnapshot(outcome=outcome, details=f"{LONG}\n{PATH}", is_fresh=True, awaited=LONG)
    )
    panel.learning._more.setChecked(True)
    versions = (
        VersionRow("0123456789ab", "version 1", "28 Nov 07:00", "0.71 → 0.76", True, "more"),
        VersionRow("base", "base model", "", "", False),
    )
    panel.history.show_versions(versions)


def _masks(panel: Panel) -> None:
    panel.show_work()
    page = panel.masks
    panel.show_page(page)
    page.show_classes({"scratch": "#ff0000", LONG: "#00ff00"})
    states = ("accepted", "second_look", "approved", "excluded")
    page.show_rows(
        [
            ListRow(
                f"{number}",
                LONG if number % 2 else "scratch",
                f"{PATH} · 1,204 × 88 px, area 12,345 px",
                "#00ff00",
                STATES_IN_WORDS[state],
                STATE_COLOURS.get(state, ""),
            )
            for number, state in enumerate(10 * states)
        ]
    )
    page.view.select(("3",))
    page.show_selected(("3",))
    fields = (Field("severity", ("low", LONG), LONG), Field(LONG, (), "12", tr("A number")))
    page.review.show_review(
        ReviewSnapshot("1 mask", "second_look", "anna, 2026-11-28 07:10", LONG, LONG, fields)
    )


def _images(panel: Panel) -> None:
    panel.show_work()
    page = panel.images
    panel.show_page(page)
    page.show_rows([ListRow(f"{n}", PATH, "12 masks", ranks=(n, n, n)) for n in range(40)])
    page.review.show_review(ReviewSnapshot(PATH, "approved", "anna, 2026-11-28 07:10"))


STATES = [_nothing_chosen, _place_chosen, _no_image, _clicking, _learning, _judged, _masks, _images]


@pytest.fixture
def window(qtbot):
    """A window with napari's styles and the dock in it, which can be shown in any look."""
    window = QMainWindow()
    qtbot.addWidget(window)
    panel = Panel()
    panel.show_keys(DEFAULT_KEYS)
    panel.tour.show_offer()
    window.setCentralWidget(panel)
    panel.show_folded(())
    window.show()
    return window


def _dress(window: QMainWindow, theme: str, points: int, width: int) -> Panel:
    panel = window.centralWidget()
    window.setStyleSheet(get_stylesheet(theme, extra_variables={"font_size": f"{points}pt"}))
    look = Look.of(theme)
    panel.show_look(Look(look.background, look.button, look.text, points))
    window.resize(width, HEIGHT)
    for _ in range(4):
        QApplication.processEvents()
    return panel


@pytest.mark.parametrize("points", [9, 14])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_"))
def test_nothing_is_cut_and_everything_can_be_read(window, state, points):
    """A theme gives the colours and nothing that takes room: one width says what of it is read."""
    state(window.centralWidget())
    for theme, width in (("light", 300), ("dark", 300), ("dark", 376), ("dark", 500)):
        panel = _dress(window, theme, points, width)
        assert panel.width() == width
        name = f"{state.__name__.strip('_')} {theme} {points} {width}"
        if "SAM_TUNE_SHOTS" in os.environ:
            panel.grab().save(f"{os.environ['SAM_TUNE_SHOTS']}/{name}.png")
        found = faults(panel, (LONG, PATH, Path(PATH).name), is_narrow=width < 372)
        if width == 300:
            found += unreadable(panel)
        assert not found, f"{name}: {found}"


@pytest.mark.parametrize("points", [9, 14])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_"))
def test_another_language_shows_and_nothing_of_it_is_cut(untranslated, window, state, points):
    assert not untranslated(window.centralWidget())
    state(window.centralWidget())
    panel = _dress(window, "dark", points, 300)
    if "SAM_TUNE_SHOTS" in os.environ:
        name = f"ja {state.__name__.strip('_')} {points}"
        panel.grab().save(f"{os.environ['SAM_TUNE_SHOTS']}/{name}.png")
    assert not faults(panel, (LONG, PATH, Path(PATH).name), is_narrow=True)
    assert panel.object.buttons["accept"].text().startswith("確定")


def _turn_wheel(widget: QWidget | None) -> None:
    """Turn the wheel over a widget; Qt hands on what is ignored only where a hand turned it."""
    while widget is not None:
        middle = QPointF(widget.rect().center())
        there, none = widget.mapToGlobal(middle), Qt.MouseButton.NoButton
        phase, keys = Qt.ScrollPhase.NoScrollPhase, Qt.KeyboardModifier.NoModifier
        event = QWheelEvent(middle, there, QPoint(), QPoint(0, -120), none, keys, phase, False)
        QApplication.sendEvent(widget, event)
        widget = None if event.isAccepted() else widget.parentWidget()


def test_wheel_and_keys_never_land_in_a_field_by_surprise(window):
    panel = _dress(window, "dark", 9, 376)
    pressed = []
    window.keyPressEvent = lambda event: pressed.append(event.text())  # napari: to the canvas
    _clicking(panel)
    panel.show_folded(())
    for _ in range(4):
        QApplication.processEvents()
    bar = panel._tabs.currentWidget().verticalScrollBar()
    every = panel.learning.findChild(QAbstractSpinBox)
    kinds = panel.suggestions.findChild(QComboBox)
    chosen = kinds.currentIndex(), every.value()
    for field in (kinds, every):
        bar.setValue(0)
        _turn_wheel(field)
        assert (kinds.currentIndex(), every.value()) == chosen
        assert bar.value() > 0

    edited = []
    panel.learning.automatic_changed.connect(lambda _, number: edited.append(number))
    arrow = QPoint(every.width() - 8, every.height() // 2)
    QTest.mouseClick(every, Qt.MouseButton.LeftButton, pos=arrow)
    assert edited == [6]
    focused = QApplication.focusWidget()  # which may be another window's that is open still
    in_it = focused is not None and window.isAncestorOf(focused)
    QTest.keyClick(focused if in_it else window, Qt.Key.Key_8)
    assert (edited, pressed) == ([6], ["8"])
    typed = every.findChild(QLineEdit)
    QTest.mouseClick(typed, Qt.MouseButton.LeftButton)
    typed.selectAll()
    QTest.keyClicks(every, "12")
    _turn_wheel(every)
    assert edited == [6]  # not before Enter
    QTest.keyClick(every, Qt.Key.Key_Return)
    assert edited[-1] == every.value()
    assert not every.hasFocus()
    for button in panel.findChildren(QAbstractButton):
        assert not button.focusPolicy() & Qt.FocusPolicy.ClickFocus, button.text()
