"""A real viewer, a hand on its canvas, images worth clicking, and a watch for what leaks."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from xml.etree import ElementTree

import napari
import numpy as np
import psutil
import pytest
from app_model import Application
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari._qt.qt_main_window import _QtMainWindow
from napari._qt.qt_viewer import QtViewer
from napari.plugins import _initialize_plugins
from napari.settings import get_settings
from npe2 import PluginManifest
from PIL import Image
from qtpy.QtCore import QEvent, QEventLoop, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QProgressBar,
    QTabBar,
    QTableWidget,
    QWidget,
)
from smaller import starters_at

from napari_sam_tune.ui import translation
from napari_sam_tune.ui.controller import Controller
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.translation import TRANSLATIONS, use_language
from napari_sam_tune.ui.views.panel import Panel
from napari_sam_tune.ui.views.recent_row import RecentRow
from napari_sam_tune.ui.views.start import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SIDE = 192
_STEPS_IN_A_DRAG = 8
_LOOK_MS = 10
_PATIENCE_MS = 300_000
_passed_over: set[str] = set()


@pytest.fixture
def px() -> int:
    """How many px starters see images at: enough for the discs that are drawn here.

    A test that wants more says so by `parametrize`.
    """
    return 256


@pytest.fixture(autouse=True)
def smaller_starters(px: int) -> Iterator[None]:
    with starters_at(px):
        yield


@pytest.fixture(autouse=True, scope="session")
def plugins_looked_for_once() -> Iterator[None]:
    """Let npe2 look through all that is installed once: every new viewer does it twice."""
    look = PluginManifest.discover
    known: dict[tuple[str, ...], list[Any]] = {}

    def look_once(paths: Sequence[str] = ()) -> Iterator[Any]:
        if tuple(paths) not in known:
            known[tuple(paths)] = list(look(paths))
        return iter(known[tuple(paths)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", look_once)
        yield


@pytest.fixture(autouse=True, scope="session")
def events_unfiltered() -> Iterator[None]:
    """Let no event of the application go through Python for a menu bar that could hide.

    There are 25,000 until a viewer is open. `_QtMainWindow` watches them all.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(_QtMainWindow, "eventFilter")
        yield


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the real home, or speaks the computer's language."""
    from napari import settings

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path / "documents"))
    monkeypatch.setattr(settings, "_CFG_PATH", str(tmp_path / "napari" / "settings.yaml"))
    settings._clear_plugin_settings_cache()
    monkeypatch.setattr(translation, "languages_of_computer", lambda: ["en"])


@pytest.fixture(autouse=True)
def modules_passed_over() -> None:
    """Let the garbage collector pass over all that was imported up to now.

    napari collects all garbage whenever a layer goes, which takes half a second with torch in
    memory. What a test makes is looked through as ever: this is between tests, and nothing of the
    one before is left.
    """
    if not _passed_over.issuperset(sys.modules):
        gc.collect()
        gc.freeze()
        _passed_over.update(sys.modules)


@pytest.fixture(autouse=True)
def garbage_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let layers go without a collection for each, which drivers of Windows alone need.

    Whether a viewer leaks is looked at as ever, after collections of its own.
    """
    if sys.platform != "win32":
        monkeypatch.setattr("napari._vispy.canvas.gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail where a test leaves an inference thread or a worker process behind."""
    yield
    for thread in threading.enumerate():
        if "sam-tune" in thread.name:
            # it may be at the end of its last task, such as importing torch
            thread.join(60)
    left = [t.name for t in threading.enumerate() if "sam-tune" in t.name]
    workers = [p.pid for p in psutil.Process().children() if "napari_sam_tune" in _line(p)]
    assert not left, f"threads left: {left}"
    assert not workers, f"workers left: {workers}"


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@dataclass(frozen=True)
class Blobs:
    """A folder of images with bright discs, and where the discs are: (x, y, radius)."""

    folder: Path
    discs: tuple[tuple[int, int, int], ...]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    discs = ((45, 45, 18), (130, 50, 22), (60, 130, 20), (140, 140, 16))
    folder = tmp_path / "images of parts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    for number in range(3):
        grey = rng.normal(90, 8, (_SIDE, _SIDE))
        for x, y, radius in discs:
            grey[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2] += 90
        pixels = grey.clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"part {number + 1}.png")
    return Blobs(folder, discs)


def when_open(
    kind: type[QWidget], find: Callable[[], QWidget | None], act: Callable[[Any], None]
) -> None:
    """Do something with a window of this kind as soon as there is one; it blocks the test."""

    def look() -> None:
        found = find()
        if isinstance(found, kind):
            act(found)
        else:
            QTimer.singleShot(10, look)

    QTimer.singleShot(0, look)


class Hand:
    """A person's hand: real mouse and key events on the canvas; positions are (x, y) pixels."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas
        self.native = self._canvas.native

    def at(self, xy: tuple[float, float]) -> QPoint:
        """Return where image pixel `xy` is on the canvas."""
        image = next(x for x in self._viewer.layers if x._type_string == "image" and x.visible)
        plane = self._viewer.dims.current_step[: image.ndim - 2]
        world = image.data_to_world((*plane, xy[1], xy[0]))[-2:]
        view = self._canvas.view
        where = (view.transform * view.scene.transform).map([world[1], world[0]])
        return QPoint(round(where[0]), round(where[1]))

    def click(
        self,
        xy: tuple[float, float],
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
        modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        QTest.mouseClick(self.native, button, modifier, self.at(xy))

    def hover(self, xy: tuple[float, float]) -> None:
        self._send(QEvent.Type.MouseMove, QPointF(self.at(xy)), Qt.MouseButton.NoButton)

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], *, escape: bool = False
    ) -> None:
        """Drag with the left button; with `escape` that key is pressed before it is let go."""
        self.trace((start, end), escape=escape)

    def trace(self, path: Sequence[tuple[float, float]], *, escape: bool = False) -> None:
        """Drag through places in their order."""
        places = [QPointF(self.at(xy)) for xy in path]
        b = places[-1]
        QTest.mousePress(
            self.native,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            places[0].toPoint(),
        )
        for a, c in pairwise(places):
            for step in range(1, _STEPS_IN_A_DRAG + 1):
                to = a + (c - a) * (step / _STEPS_IN_A_DRAG)
                self._send(QEvent.Type.MouseMove, to, Qt.MouseButton.LeftButton)
                # napari takes in a move at most every 5 ms and the last one on a timer
                QTest.qWait(6)
        if escape:
            self.press(Qt.Key.Key_Escape)
        QTest.mouseRelease(
            self.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, b.toPoint()
        )

    def press(
        self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        QTest.keyClick(self.native, key, modifier)

    def _send(self, kind: QEvent.Type, where: QPointF, buttons: Qt.MouseButton) -> None:
        event = QMouseEvent(
            kind,
            where,
            self.native.mapToGlobal(where),
            Qt.MouseButton.NoButton,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.native, event)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Go on with events until something is so.

    It is looked at as often as by `qtbot.waitUntil`, which makes a loop and timers anew each time:
    that takes eight times as long, where most of a test's time is waiting.
    """
    loop, looks, patience = QEventLoop(), QTimer(), QTimer()
    raised: list[BaseException] = []

    def look() -> None:
        try:
            if is_so():
                loop.quit()
        except BaseException as error:
            raised.append(error)
            loop.quit()

    def give_up() -> None:
        raised.append(TimeoutError("What was waited for did not come."))
        loop.quit()

    if is_so():
        return
    looks.timeout.connect(look)
    patience.timeout.connect(give_up)
    looks.start(_LOOK_MS)
    patience.start(_PATIENCE_MS)
    loop.exec()
    looks.stop()
    patience.stop()
    if raised:
        raise raised[0]


@dataclass
class Desk:
    """The dock in a real viewer, with somebody sitting at it."""

    viewer: napari.Viewer
    panel: Panel
    controller: Controller
    hand: Hand
    wait: Callable[..., None]

    @property
    def work(self) -> Any:
        return self.controller.work

    @property
    def session(self) -> Any:
        return self.work.place.session

    @property
    def layers(self) -> Any:
        return self.work.place.layers

    @property
    def said(self) -> str:
        """What the notice says, or nothing."""
        notice = self.panel.notice.notice
        return "" if notice is None else notice.text

    def is_busy(self, *kinds: Kind) -> bool:
        """Whether the model is at work on one of these, or what came of it is on its way."""
        return self.work.place.inference.busy(*kinds)

    @staticmethod
    def label(view: QWidget, role: str | None = None) -> QLabel:
        """Return the first label of a role (see `views.style`) in a view."""
        labels = view.findChildren(QLabel)
        return next(label for label in labels if label.property("role") == role)

    @staticmethod
    def button(view: QWidget, text: str) -> QAbstractButton:
        """Return the button of a view that says `text`."""
        return next(b for b in view.findChildren(QAbstractButton) if b.text() == text)

    def reads(self, text: str) -> bool:
        """Whether a label that is in view says this somewhere."""
        labels = self.panel.findChildren(QLabel)
        return any(text in label.text() for label in labels if label.isVisible())

    def open(self, folder: Path, **choices: Any) -> None:
        """Choose a folder and wait until the model has its first image."""
        if choices:
            self.panel.start.show_choices(Choices(**choices))
        self.panel.start.folder_chosen.emit(folder)
        self.wait_ready()

    def drop(self, *paths: Path) -> bool:
        """Drag files over the dock and let them go; return whether it took them."""
        data, none = QMimeData(), Qt.KeyboardModifier.NoModifier
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        how = QPoint(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none
        entering = QDragEnterEvent(*how)
        QApplication.sendEvent(self.panel, entering)
        if entering.isAccepted():
            QApplication.sendEvent(self.panel, QDropEvent(QPointF(how[0]), *how[1:]))
        return entering.isAccepted()

    def resume(self) -> None:
        """Go on with what was labelled last, and wait until the model has its image."""
        rows = self.panel.start
        self.wait(lambda: rows.findChild(RecentRow) is not None)
        rows.findChild(RecentRow).open.click()
        self.wait_ready()

    def wait_ready(self) -> None:
        self.wait(lambda: self.work is not None)
        self.wait(lambda: self.work.opening.is_ready)

    def propose(self, xy: tuple[float, float], **how: Any) -> Any:
        """Click and wait for the mask."""
        self.hand.click(xy, **how)
        return self.answer()

    def answer(self) -> Any:
        """Wait until nothing is asked any more; return the object in progress."""
        self.wait(lambda: not self.is_busy(Kind.PROPOSE))
        return self.session.open_object

    def shot(self, name: str, window: QWidget | None = None) -> None:
        """Keep a screenshot, of the viewer or another window, where SAM_TUNE_SHOTS says so."""
        folder = os.environ.get("SAM_TUNE_SHOTS")
        if folder is None:
            return
        file = str(Path(folder) / f"{name}.png")
        QApplication.processEvents()
        if window is None:
            self.viewer.screenshot(file, canvas_only=False, flash=False)
        else:
            window.grab().save(file)


@pytest.fixture
def untranslated(qapp: QApplication) -> Iterator[Callable[[QWidget], set[str]]]:
    """The dock speaks Japanese; ask of a widget what in it still is English."""
    use_language(["ja-JP", "ja"])
    messages = ElementTree.parse(TRANSLATIONS / "ja.ts").iter("message")
    sources = [m[0].text for m in messages if m.findtext("translation") != m[0].text]
    texts = [re.sub(r"\\{.*?\\}", ".*", re.escape(source)) for source in sources]
    # where little stands between values it may be anybody's
    english = re.compile("|".join(text for text in texts if re.search(r"[A-Za-z]{3}", text)))

    def find(root: QWidget) -> set[str]:
        said = {text for widget in (root, *root.findChildren(QWidget)) for text in _said(widget)}
        return {text for text in said if english.fullmatch(text)}

    yield find
    use_language(["en"])


def _said(widget: QWidget) -> list[str]:
    """Return all that a widget says, or would if it were in view or pointed at."""
    said = [widget.toolTip(), widget.windowTitle()]
    for ask in ("text", "placeholderText", "suffix", "title"):
        found = getattr(widget, ask, None)
        said += [found()] if callable(found) else []
    if isinstance(widget, QComboBox):
        said += [widget.itemText(item) for item in range(widget.count())]
    if isinstance(widget, QTabBar):
        said += [widget.tabText(tab) for tab in range(widget.count())]
        said += [widget.tabToolTip(tab) for tab in range(widget.count())]
    if isinstance(widget, QTableWidget):
        columns = range(widget.columnCount())
        said += [widget.horizontalHeaderItem(column).text() for column in columns]
    return [text.removeprefix("▾ ").removeprefix("▸ ").strip() for text in said]


class KeptViewer:
    """One viewer for the docks of many tests, as for somebody who closes it and opens it again.

    A new viewer takes as long as much of what is tested. What a dock leaves behind in it fails the
    test; so does, when it is closed at last, that something keeps it.
    """

    def __init__(self) -> None:
        self._viewer: napari.Viewer | None = None
        self._before: list[Any] = []
        self._life = ExitStack()

    def open(self) -> napari.Viewer:
        """Return the viewer, empty and as large as ever; make it where there is none."""
        get_settings().reset()
        if self._viewer is None:
            self._life.enter_context(_application_of_its_own())
            self._viewer = napari.Viewer(show_welcome_screen=False)
            assert QTest.qWaitForWindowExposed(self._viewer.window._qt_window)
            self._before = self._called(self._viewer)
        self._viewer.window._qt_window.resize(1280, 900)
        return self._viewer

    def clear(self, panel: Panel) -> None:
        """Take a dock out that was closed, and all layers; look whether anything is left of it."""
        viewer = self._viewer
        if viewer is None or not hasattr(viewer.window, "_qt_window"):
            self._viewer = None  # the test has closed it
            self._life.close()
            return
        viewer.window.remove_dock_widget(panel)
        viewer.layers.clear()
        viewer.dims.ndisplay = 2
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        left = [call for call in self._called(viewer) if call not in self._before]
        assert not left, f"the viewer still calls what was in the dock: {left}"
        assert not viewer.window.dock_widgets

    @staticmethod
    def _called(viewer: napari.Viewer) -> list[Any]:
        """What the viewer calls, that a dock may have joined."""
        events = viewer.layers.events
        return [
            *(*viewer.mouse_drag_callbacks, *viewer.mouse_move_callbacks),
            *viewer.mouse_double_click_callbacks,
            *(*events.inserted.callbacks, *events.removed.callbacks, *events.removing.callbacks),
            *(*viewer.events.theme.callbacks, *viewer.dims.events.current_step.callbacks),
            *viewer.dims.events.ndisplay.callbacks,
        ]

    def close(self) -> None:
        """Close it, before a test opens one of its own or when all are through."""
        if self._viewer is not None:
            with patch.object(self._viewer.window._qt_window, "_save_current_window_settings"):
                self._viewer.close()
            self._viewer, self._before = None, []
            self._life.close()
            gc.collect()


@contextmanager
def _application_of_its_own() -> Iterator[None]:
    """Register napari's actions for one viewer, as its `mock_app_model` does for one test."""
    app = NapariApplication("kept")
    app.injection_store.namespace = _napari_names
    caches = _initialize_plugins, init_qactions
    for cache in caches:
        cache.cache_clear()
    with patch.object(NapariApplication, "get_app_model", return_value=app):
        yield
    Application.destroy("kept")
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(scope="session")
def kept_viewer(qapp: QApplication) -> Iterator[KeptViewer]:
    kept = KeptViewer()
    with pytest.MonkeyPatch.context() as patched:
        # as napari's own `make_napari_viewer` has it
        patched.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None)
        yield kept
        kept.close()
        assert not QtViewer._instances, "something keeps the viewer"


@pytest.fixture
def no_kept_viewer(kept_viewer: KeptViewer) -> None:
    """Close the viewer that others share, for a test that opens its own."""
    kept_viewer.close()


@pytest.fixture
def make_napari_viewer(no_kept_viewer: None, make_napari_viewer: Any) -> Any:
    """Napari's own, for a test that opens or closes the viewer itself."""
    return make_napari_viewer


@pytest.fixture
def make_desk(
    kept_viewer: KeptViewer, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Desk]]:
    from napari.settings import get_plugin_settings

    desks: list[Desk] = []

    def make(**options: Any) -> Desk:
        assert not desks, "one dock in a viewer"
        viewer = kept_viewer.open()
        # a test that wants a round starts it, or says after how many masks it is to start
        get_plugin_settings("napari-sam-tune").labelling.automatic_rounds = False
        panel = Panel()
        for bar in panel.findChildren(QProgressBar):
            # a busy one moves, and with each step the processor draws the whole window
            bar.setUpdatesEnabled("SAM_TUNE_SHOTS" in os.environ)
        controller = Controller(viewer, panel, **{"runner": "inline", **options})
        panel.controller = controller
        viewer.window.add_dock_widget(panel, name="Label and learn", area="right")
        desks.append(Desk(viewer, panel, controller, Hand(viewer), wait_until))
        return desks[-1]

    yield make
    for desk in desks:
        desk.controller.close()
        call = getattr(request.node, "rep_call", None)
        if call is None or call.failed:
            kept_viewer.close()
        else:
            kept_viewer.clear(desk.panel)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
