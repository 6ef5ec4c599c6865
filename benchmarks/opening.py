"""The longest the viewer's event loop is kept waiting while images are opened and worked on.

A 10 ms timer runs in a real viewer from before the folder is chosen until after a mask was
accepted, a class made and the image left. Asked: never more than 50 ms, p99 at most 16 ms above
bare redrawing, which is measured in the same run: masks are drawn like those of the clicks. "busy"
is the most work of the viewer's thread between two ticks, by the processor's clock, whatever else
the machine does. `--where` tells what that thread was at while a tick was late by more than 50 ms.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/opening.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from event_loop import Pulse, spin
from PIL import Image
from qtpy.QtCore import QEventLoop, QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from rich.console import Console
from rich.table import Table

from napari_sam_tune.ui.controller import Controller
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_MS = 50.0


class Watch:
    """Looks from another thread at what the viewer's thread is at while a tick is late."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse, self._main = pulse, threading.main_thread().ident
        self._on = True
        self.places: Counter[str] = Counter()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while self._on:
            time.sleep(0.02)
            if self._pulse.waiting_ms() > LATE_MS:
                frames = traceback.extract_stack(sys._current_frames()[self._main])
                ours = [frame for frame in frames if "napari_sam_tune" in frame.filename]
                named = [f"{Path(f.filename).name}:{f.lineno}" for f in [frames[-1], *ours[:-4:-1]]]
                self.places[" < ".join(named)] += 1

    def stop(self) -> None:
        """Look no more."""
        self._on = False


def phase(name: str, act: Callable[[], None], until: Callable[[], bool], where: bool) -> tuple:
    """Do something and run the event loop until it is through."""
    pulse = Pulse()
    watch = Watch(pulse)
    act()
    spin(until, slowly=False)
    pulse.stop()
    watch.stop()
    if where:
        for place, count in watch.places.most_common(8):
            Console().print(f"    {count * 20:5d} ms  {place}", markup=False, highlight=False)
    return name, np.array(pulse.late[1:] or [0.0]), max(pulse.busy[1:], default=0.0)


def waiting(seconds: float) -> Callable[[], bool]:
    """Return a condition that holds after some seconds."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def run(folder: Path, side: int, where: bool) -> list[tuple]:
    """Measure opening and working in one viewer."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1366, 768)
    panel = Panel()
    controller = Controller(viewer, panel)
    viewer.window.add_dock_widget(panel, name="Label and learn", area="right")
    canvas = viewer.window._qt_viewer.canvas.native
    ready = lambda: controller.work is not None and controller.work.opening.is_ready  # noqa: E731
    phases = [
        phase("opening", lambda: controller.open_folder(folder), ready, where),
    ]
    work = controller.work
    panel.learning.automatic_changed.emit(False, 500)
    rows, columns = np.mgrid[:side, :side]
    masks = [np.hypot(columns - x, rows - side // 2) < side // 20 for x in (side // 3, side // 2)]

    def redraw() -> None:
        timer = QTimer(canvas)
        state = iter(range(40))

        def draw() -> None:
            work.place.layers.show_proposal(masks[next(state, 0) % 2])

        timer.timeout.connect(draw)
        timer.start(300)
        loop = QEventLoop()
        QTimer.singleShot(6000, loop.quit)
        loop.exec()
        timer.stop()
        work.place.layers.show_proposal(None)

    phases.append(phase("redrawing", redraw, waiting(0.1), where))

    def click() -> None:
        QTest.mouseClick(
            canvas,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            canvas.rect().center() + QPoint(3, 3),
        )

    answered = lambda: not work.place.inference.busy(Kind.PROPOSE, Kind.CLOSER)  # noqa: E731
    settled = lambda: not work.place.inference.busy(*Kind)  # noqa: E731
    phases.append(phase("click", click, answered, where))
    phases.append(phase("accept", lambda: work.annotating.act("accept"), waiting(1.5), where))
    project = work.place.session.project
    phases.append(
        phase("class", lambda: work.accepted.edit_class("scratch", "#00aaff"), waiting(0.7), where)
    )
    phases.append(phase("learning", lambda: None, settled, where))
    phases.append(phase("next image", lambda: work.annotating.act("next_image"), ready, where))
    phases.append(phase("back", lambda: work.annotating.act("previous_image"), ready, where))
    assert project.annotations()
    controller.close()
    viewer.close()
    return phases


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1024, help="of the images, in px")
    parser.add_argument("--where", action="store_true", help="what a late tick waited for")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    side = arguments.side
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        rows, columns = np.mgrid[:side, :side]
        for number in range(3):
            grey = rng.normal(90, 9, (side, side)).astype(np.float32)
            grey[np.hypot(columns - side // 2, rows - side // 2) < side // 20] += 80
            pixels = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
            Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)
        phases = run(folder, side, arguments.where)
    table = Table(
        "phase", "seconds", "ticks", "median ms", "p99 ms", "max ms", "> 50 ms", "busy, max"
    )
    for name, late, busy in phases:
        figures = [f"{np.percentile(late, p):.1f}" for p in (50, 99, 100)]
        seconds = (late.sum() + 10 * len(late)) / 1e3
        table.add_row(
            name,
            f"{seconds:.1f}",
            str(len(late)),
            *figures,
            str(int((late > 50).sum())),
            f"{busy:.0f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
