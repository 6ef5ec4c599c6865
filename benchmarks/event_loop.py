"""Extra delay of a 10 ms timer in the viewer's event loop while the product works behind it.

Asked: p99 at most 16 ms while clicking, encoding ahead and training go on. Phases follow each other
in one run of one real viewer. "redrawing" draws masks like those of the clicks without asking the
model, so what it costs is napari's and the graphics driver's (without a GPU, Mesa's software
renderer draws on the processor, in this very thread).

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/event_loop.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QElapsedTimer, QEventLoop, QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.ui.controller import Controller
from napari_sam_tune.ui.views.panel import Panel
from napari_sam_tune.ui.views.start import Choices

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_MS, CLICK_MS = 10, 300
IMAGES, SIDE, MASKS = 40, 512, 8


class Pulse:
    """A 10 ms timer that notes by how much each tick came late, in ms.

    Of each tick it also notes for how long the processor was at this thread's work since the one
    before: what else the machine does is not in it.
    """

    def __init__(self) -> None:
        self._clock = QElapsedTimer()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self.late: list[float] = []
        self.busy: list[float] = []
        self._worked = time.thread_time()
        self._clock.start()
        self._timer.start(TICK_MS)

    def _on_tick(self) -> None:
        self.late.append(max(0.0, self.waiting_ms()))
        worked = time.thread_time()
        self.busy.append(1e3 * (worked - self._worked))
        self._worked = worked
        self._clock.restart()

    def waiting_ms(self) -> float:
        """By how much the next tick is late by now; below 0 before it is due."""
        return self._clock.nsecsElapsed() / 1e6 - TICK_MS

    def stop(self) -> None:
        """Tick no more."""
        self._timer.stop()


@dataclass(frozen=True)
class Phase:
    """Of each tick how late it came, and for how long the processor was at this thread's work; ms.

    The second is of other programs least: at a load above the number of cores the first says more
    about them.
    """

    name: str
    late: np.ndarray
    busy: np.ndarray


def make_images(folder: Path) -> None:
    """Noise with a few bright discs, enough of them that encoding ahead does not run out."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(IMAGES):
        grey = rng.normal(90, 9, (SIDE, SIDE))
        for x, y in rng.integers(40, SIDE - 40, (6, 2)):
            grey[np.hypot(columns - x, rows - y) < 30] += 80
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")


def spin(until: Callable[[], bool], seconds: float = 900, *, slowly: bool = True) -> None:
    """Run the event loop until something is the case; slowly, where the worker needs the core."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("the viewer did not get there")
        QApplication.processEvents()
        time.sleep(0.02 if slowly else 0.001)


def measure(name: str, seconds: float, act: Callable[[], None] | None) -> Phase:
    """Run the event loop for some seconds, with something done every `CLICK_MS`."""
    timer = QTimer()
    if act is not None:
        timer.timeout.connect(act)
        timer.start(CLICK_MS)
    pulse = Pulse()
    loop = QEventLoop()  # not the application's own: its end would close the dock
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()
    timer.stop()
    phase = Phase(name, np.array(pulse.late[1:]), np.array(pulse.busy[1:]))
    p99 = np.percentile(phase.late, 99)
    Console().print(f"{name}: p99 {p99:.1f} ms of {len(phase.late)} ticks")
    return phase


def main() -> None:
    """Measure all phases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="for each phase")
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        make_images(folder)
        phases = run(folder, arguments.model, arguments.seconds)
    show(phases)


def run(folder: Path, model: str, seconds: float) -> list[Phase]:
    """Measure in a viewer with the dock open on `folder`."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1200, 850)
    panel = Panel()
    controller = Controller(viewer, panel, config=TrainConfig(steps=100_000, prompts_per_mask=1e9))
    viewer.window.add_dock_widget(panel, name="Label and learn", area="right")
    panel.start.show_choices(Choices(model=model))
    controller.open_folder(folder)
    spin(lambda: controller.work is not None and controller.work.opening.is_ready)
    work = controller.work
    panel.learning.automatic_changed.emit(False, 500)
    canvas = viewer.window._qt_viewer.canvas.native
    rng, turn = np.random.default_rng(1), count()
    rows, columns = np.mgrid[:SIDE, :SIDE]

    def redraw() -> None:
        x, y = rng.integers(60, SIDE - 60, 2)
        work.place.layers.show_proposal(PlacedMask.of(np.hypot(columns - x, rows - y) < 40))

    def click() -> None:
        if next(turn) % 4 == 3:
            work.annotating.act("reject")
            return
        center = canvas.rect().center()
        x, y = rng.integers(-200, 200, 2)
        QTest.mouseClick(
            canvas,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            center + QPoint(int(x), int(y)),
        )

    def click_and_turn_pages() -> None:
        click()
        if next(turn) % 10 == 9 and work.opening.is_ready:
            work.annotating.act("next_image")

    phases = [measure("idle", seconds / 2, None), measure("redrawing", seconds, redraw)]
    phases.append(measure("clicking", seconds, click))
    phases.append(measure("clicking, encoding ahead", seconds, click_and_turn_pages))
    spin(lambda: work.opening.is_ready)
    for number in range(MASKS):
        mask = np.hypot(columns - 60 - 45 * number, rows - 60 - 45 * number) < 25
        work.place.session.adopt(mask)
    work.fine_tuning.start()
    spin(lambda: bool(work.fine_tuning._curve.losses))
    phases.append(measure("clicking, training", seconds, click))
    phases.append(measure("clicking, turning pages, training", seconds, click_and_turn_pages))
    controller.close()
    viewer.close()
    return phases


def show(phases: list[Phase]) -> None:
    """Print how late the timer was in each phase, and how long a tick kept the thread at work."""
    table = Table("phase", "ticks", "median ms", "p95 ms", "p99 ms", "max ms", "busy p99", "max")
    for phase in phases:
        figures = (
            *np.percentile(phase.late, (50, 95, 99, 100)),
            *np.percentile(phase.busy, (99, 100)),
        )
        table.add_row(phase.name, str(len(phase.late)), *(f"{figure:.1f}" for figure in figures))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
