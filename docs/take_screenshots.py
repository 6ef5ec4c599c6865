"""Take the screenshots of the guide: a robot's clicks in a real viewer, on the sample images.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/take_screenshots.py
"""

# ruff: noqa: TID251 - a script about the dock

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.core.scoring import next_click
from napari_sam_tune.ui.preferences import PreferencesSource
from napari_sam_tune.ui.queue import SAMPLE_IMAGES
from napari_sam_tune.ui.views.start import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.ui.plugin import LabelAndLearn
    from napari_sam_tune.ui.work.work import Work

IMAGES = Path(__file__).parent / "images"
MASKS_NEEDED, CLICKS = 20, 4


def spin(until: Callable[[], bool], seconds: float = 600) -> None:
    """Run the event loop until something is the case."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("the viewer did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


class Robot:
    """Clicks like a person who knows the truth."""

    def __init__(self, viewer: napari.Viewer, panel: LabelAndLearn) -> None:
        self.viewer, self.panel = viewer, panel
        self._canvas = viewer.window._qt_viewer.canvas

    @property
    def work(self) -> Work:
        """What stands behind the panel."""
        return self.panel.controller.work

    def shot(self, name: str) -> None:
        """Keep a picture of the window."""
        for _ in range(30):
            QApplication.processEvents()
            time.sleep(0.01)
        self.viewer.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False, flash=False)

    def objects(self) -> Iterator[NDArray[np.bool_]]:
        """Yield the true objects of the open image."""
        stem = Path(self.work.place.queue.current.id).stem
        (path,) = (SAMPLE_IMAGES.parent / "masks").glob(f"{stem}.*")
        labels = read_image(path)
        for value in np.unique(labels[labels > 0]):
            yield labels == value

    def click(self, truth: NDArray[np.bool_]) -> None:
        """Click where the mask is most wrong, and wait for the answer."""
        mask = self.work.place.session.open_object.mask
        x, y, label = next_click(mask, truth)
        world = self.work.place.layers.image.data_to_world((y, x))
        view = self._canvas.view
        where = (view.transform * view.scene.transform).map([world[1], world[0]])
        button = Qt.MouseButton.LeftButton if label else Qt.MouseButton.RightButton
        QTest.mouseClick(
            self._canvas.native,
            button,
            Qt.KeyboardModifier.NoModifier,
            QPoint(round(where[0]), round(where[1])),
        )
        spin(lambda: not self.work.annotating.asking.is_asking)

    def press(self, key: Qt.Key) -> None:
        """Press a key on the canvas."""
        QTest.keyClick(self._canvas.native, key)

    def label_image(self) -> None:
        """Label the open image and go to the next."""
        for truth in self.objects():
            for _ in range(CLICKS):
                self.click(truth)
            self.press(Qt.Key.Key_Q)
        self.next_image()

    def next_image(self) -> None:
        """Go to the next image by key."""
        before = self.work.place.session.state.image_id
        self.press(Qt.Key.Key_Period)
        spin(lambda: self.work.place.session.state.image_id != before)
        spin(lambda: self.work.opening.is_ready)


def main() -> None:
    """Walk through the guide and keep a picture of each step."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "parts"
        shutil.copytree(SAMPLE_IMAGES, folder)
        walk(folder)


def walk(folder: Path) -> None:
    """Take the pictures with `folder` open."""
    viewer = napari.Viewer(show=True)
    PreferencesSource().save_tour_offered()
    viewer.window._qt_window.resize(1360, 960)
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam-tune", "Label and learn")
    panel.controller._config = TrainConfig()
    robot = Robot(viewer, panel)
    robot.shot("start")
    panel.start.show_choices(Choices(project=folder.parent / "project"))
    panel.controller.open_folder(folder)
    spin(lambda: robot.work is not None and robot.work.opening.is_ready)
    panel.learning.automatic_changed.emit(False, MASKS_BETWEEN_ROUNDS)
    truth = next(iter(robot.objects()))
    robot.click(truth)
    robot.shot("first_click")
    robot.click(truth)
    robot.shot("second_click")
    robot.press(Qt.Key.Key_J)
    panel.classes.edited.emit("scratch", "")
    panel.classes.edited.emit("defect", "")
    robot.label_image()
    robot.label_image()
    # the third image is another photograph of the part on the second
    robot.click(next(iter(robot.objects())))
    robot.shot("recalled")
    robot.press(Qt.Key.Key_J)
    while len(robot.work.place.session.project.annotations()) < MASKS_NEEDED:
        robot.label_image()
    robot.click(next(iter(robot.objects())))
    robot.work.fine_tuning.start()
    spin(lambda: len(robot.work.fine_tuning._curve.losses) > 6)
    robot.shot("round")
    session = robot.work.place.session
    spin(lambda: not session.state.training)
    # new weights in use are asked about the open object
    spin(lambda: session.open_object.proposal.weights_version == session.weights_version)
    panel.show_folded(())
    robot.shot("after_round")
    scroll = panel._tabs.currentWidget().verticalScrollBar()
    scroll.setValue(scroll.maximum())
    robot.shot("history")
    viewer.close()


if __name__ == "__main__":
    main()
