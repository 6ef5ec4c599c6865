"""Somebody who closes napari's window in the middle of everything, in a process of its own.

    python tests/ui/closing.py FOLDER SAID

Labels the images of FOLDER until a round of learning is under way, clicks once more, clicks again
and closes the window while that answer is on its way. What was so by then is written into SAID.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import napari
from conftest import Hand, wait_until
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QMainWindow

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.ui.inference import Kind

ENDLESS = TrainConfig(steps=5_000, prompts_per_mask=1e9)
DISCS = ((45, 45), (130, 50), (60, 130), (140, 140))


def main(folder: Path, said: Path) -> None:
    """Open the window, label, close it."""
    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam-tune", "Label and learn")
    wait_until(lambda: dock.panel is not None)
    dock.controller._config = ENDLESS
    dock.panel.start.folder_chosen.emit(folder)
    wait_until(lambda: _is_ready(dock.controller))
    place, hand = dock.controller.work.place, Hand(viewer)
    session = place.session

    def ask(xy: tuple[int, int]) -> None:
        hand.click(xy)
        wait_until(lambda: not place.inference.busy(Kind.PROPOSE))

    for number in (1, 2):
        for disc in DISCS:
            ask(disc)
            hand.press(Qt.Key.Key_Q)
        if number == 1:
            hand.press(Qt.Key.Key_Period)
            wait_until(lambda: session.state.image_id == "part 2.png")
            wait_until(lambda: _is_ready(dock.controller))
    # eight masks: the round starts by itself
    wait_until(lambda: dock.controller.work.fine_tuning._shown.fraction is not None)
    ask((100, 100))
    assert session.open_object.placed is not None
    hand.click((110, 100))
    assert place.inference.busy(Kind.PROPOSE)
    found: dict[str, Any] = {
        "accepted": [a.id for a in session.project.annotations()],
        "image": session.state.image_id,
        "project": str(session.project.path),
        "training": session.state.training,
        "worker": session.learner.runner.worker_pid,
    }
    said.write_text(json.dumps(found))
    window = viewer.window._qt_window
    # what the window system's button does; napari's own `close` is another one
    QTimer.singleShot(0, lambda: QMainWindow.close(window))
    napari.run()
    left = [t.name for t in threading.enumerate() if "sam-tune" in t.name]
    assert not left, left


def _is_ready(controller: Any) -> bool:
    return controller.work is not None and controller.work.opening.is_ready


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
