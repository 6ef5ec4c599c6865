"""The longest the viewer's event loop is kept waiting, deed by deed, and what kept it.

A 10 ms timer runs in a real viewer while a person opens images, clicks, draws boxes and strokes,
accepts, changes classes, jumps and deletes. Asked: never more than 50 ms, and p99 at most 16 ms
above bare redrawing, which is napari without this plugin drawing the same layers over the same
image; it is measured in a process of its own just before.

Of each tick it is said how late it came by the clock on the wall, and how late apart from the time
for which this thread waited for a processor ("own"; of Linux alone), and for how long the processor
was at this thread's work ("busy"), which other programs change least. A block that is own and not
busy waited: for the lock that Python's threads share, for the disk, or for the driver's threads,
which wait for a processor themselves. For the longest own block of a deed it is said what the
viewer's thread was at, looked at from another thread.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/blocking.py [small large many]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from deeds import TIMES, Deeds, rest
from event_loop import spin
from PIL import Image
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sam_tune.core.project.clock import new_id
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.core.rounds.plan import plan_round, unlearnt_by
from napari_sam_tune.ui.canvas.looks import MAKERS
from napari_sam_tune.ui.controller import Controller
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.panel import Panel
from napari_sam_tune.ui.views.start import Choices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.ui.work.work import Work

SIDES = {"small": 1024, "large": 8000, "many": 512}
MASKS, IMAGES = 20_000, 100  # of "many"


def make_images(folder: Path, side: int, count: int) -> None:
    """Noise with a bright disc in the middle and smaller ones around it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    grey = rng.normal(90, 9, (side, side)).astype(np.float32)
    for turn in range(7):
        x, y = (int(side * (0.5 + (turn > 0) * 0.2 * f(turn))) for f in (np.cos, np.sin))
        radius = max(8, side // (20 if turn == 0 else 40))
        rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        window = grey[y - radius : y + radius + 1, x - radius : x + radius + 1]
        window[np.hypot(rows, columns) < radius] += 80
    pixels = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    for number in range(count):
        pixels[:8, :8] = number
        Image.fromarray(pixels).save(folder / f"{number:03}.png", compress_level=1)


def make_viewer() -> napari.Viewer:
    """Return a window as on a small laptop."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1366, 768)
    rest(1.0)
    return viewer


# ------------------------------------------------------------------ napari alone


def run_bare(side: int) -> None:
    """Measure napari with the same layers, and without the plugin."""
    deeds, viewer = Deeds(), make_viewer()
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    deeds.do("add image", partial(viewer.add_image, pixels), times=1)
    made = {role: make() for role, make in MAKERS.items()}
    for role, layer in made.items():
        deeds.do(f"add {role}", partial(viewer.layers.append, layer), times=1)
        if role in ("accepted", "proposal"):
            give = partial(setattr, layer, "data", np.zeros((side, side), np.uint8))
            deeds.do(f"{role} as large as the image", give, times=1)
    for mask in discs(side):
        made["proposal"].data[mask] = 1
        deeds.do("redraw", made["proposal"].refresh, times=TIMES)
        made["proposal"].data[mask] = 0
    deeds.show(f"napari alone, {side} px")
    viewer.close()


def discs(side: int) -> Iterator[np.ndarray]:
    """Yield two masks as clicks give."""
    for x in (side // 3, side // 2):
        rows, columns = np.ogrid[:side, :side]
        yield np.hypot(columns - x, rows - side // 2) < side // 20


# ------------------------------------------------------------------ with the dock


class Person:
    """Somebody who works in the dock, with real mouse events."""

    def __init__(self, viewer: napari.Viewer, deeds: Deeds) -> None:
        self.viewer, self.deeds = viewer, deeds
        self.panel = Panel()
        self.controller = Controller(viewer, self.panel)
        viewer.window.add_dock_widget(self.panel, name="Label and learn", area="right")
        self.canvas = viewer.window._qt_viewer.canvas.native

    @property
    def work(self) -> Work:
        """The person at work."""
        assert self.controller.work is not None
        return self.controller.work

    def is_ready(self) -> bool:
        """Whether the model has the image."""
        work = self.controller.work
        return work is not None and work.opening.is_shown and work.opening.is_ready

    def is_settled(self) -> bool:
        """Whether nothing is asked any more."""
        return self.is_ready() and not self.work.place.inference.busy(*Kind)

    def at(self, dx: int, dy: int) -> QPointF:
        """Return a place on the canvas, from its middle."""
        return QPointF(self.canvas.rect().center() + QPoint(dx, dy))

    def click(self, dx: int = 3, dy: int = 3) -> None:
        """Click near the middle."""
        at, none = self.at(dx, dy).toPoint(), Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, none, at)

    def drag(self, size: int) -> None:
        """Drag over the middle, as a hand does it: with the event loop between the moves."""
        none = Qt.KeyboardModifier.NoModifier
        left, steps = Qt.MouseButton.LeftButton, 20
        QTest.mousePress(self.canvas, left, none, self.at(-size, -size).toPoint())
        for step in range(1, steps + 1):
            to = self.at(*2 * [round(size * (2 * step / steps - 1))])
            where = self.canvas.mapToGlobal(to)
            moved = QMouseEvent(
                QEvent.Type.MouseMove, to, where, Qt.MouseButton.NoButton, left, none
            )
            QApplication.postEvent(self.canvas, moved)
            rest(0.02)
        QTest.mouseRelease(self.canvas, left, none, self.at(size, size).toPoint())

    def act(self, action: str) -> None:
        """Do what a button or a key does."""
        self.work.annotating.act(action)

    def reject(self) -> None:
        """Start again, unmeasured."""
        self.act("reject")
        spin(self.is_settled, slowly=False)


def open_images(person: Person, folder: Path, project: Path) -> None:
    """Choose a folder and wait until its first image can be worked on."""
    person.panel.start.show_choices(Choices(project=project))
    open_it = partial(person.panel.start.folder_chosen.emit, folder)
    person.deeds.do("open the first image", open_it, person.is_ready, times=1)
    person.panel.learning.automatic_changed.emit(False, 500)
    spin(person.is_settled, slowly=False)


def label(person: Person) -> None:
    """Click, draw, accept, change classes, jump."""
    deeds, session = person.deeds, person.work.place.session
    deeds.do("click", person.click, person.is_settled, times=1)
    for _ in range(TIMES):
        person.reject()
        deeds.do("click", person.click, person.is_settled, times=1)
    join(deeds, "click")
    person.reject()
    deeds.do("box", partial(person.drag, 40), person.is_settled)
    deeds.do("accept", partial(person.act, "accept"), person.is_settled, times=1)
    for dx in range(TIMES):
        person.click(60 * dx - 150, 90)
        spin(person.is_settled, slowly=False)
        deeds.do("accept", partial(person.act, "accept"), person.is_settled, times=1)
    join(deeds, "accept")
    person.act("stroke")
    deeds.do("stroke", partial(person.drag, 60), person.is_settled, times=3)
    person.act("click")
    person.reject()
    names = iter(f"class {number}" for number in range(TIMES))
    edit = person.work.accepted.edit_class
    deeds.do("a new class", lambda: edit(next(names), ""), person.is_settled)
    ids = [a.id for a in session.project.annotations(session.state.image_id)]
    select, labels = person.work.selecting.select, ("class 1", "class 2") * TIMES
    turn = iter(labels)

    for _ in range(TIMES):
        deeds.do("select a mask", partial(select, ids[:1]), person.is_settled, times=1)
        relabel = partial(person.work.accepted.choose_class, next(turn))
        deeds.do("another class of a mask", relabel, person.is_settled, times=1)
        select(())
    join(deeds, "select a mask")
    join(deeds, "another class of a mask")
    deeds.do("undo", partial(person.act, "undo"), person.is_settled)
    deeds.do("next image", partial(person.act, "next_image"), person.is_ready, times=2)
    spin(person.is_settled, slowly=False)
    jump(person, ids)
    deeds.do("delete", lambda: person.work.annotating.take("delete", ids.pop()), person.is_settled)


def join(deeds: Deeds, name: str) -> None:
    """Make the rows of one name one, at the end."""
    same = [ticks for row, ticks in deeds.rows if row == name]
    others = [row for row in deeds.rows if row[0] != name]
    deeds.rows[:] = [*others, (name, [tick for ticks in same for tick in ticks])]


def jump(person: Person, ids: list[str]) -> None:
    """Go from a list to a mask on another image, and come back."""
    deeds = person.deeds
    go, back = person.work.selecting.go_to, person.work.opening.open_by_id
    here = person.work.place.session.state.image_id
    for _ in range(TIMES):
        deeds.do("jump to a mask", partial(go, ids[0]), person.is_ready, times=1)
        spin(person.is_settled, slowly=False)
        back(here)
        spin(person.is_settled, slowly=False)
    join(deeds, "jump to a mask")
    go(ids[0])
    spin(person.is_settled, slowly=False)


def run_dock(side: int, folder: Path) -> None:
    """Measure opening and labelling in one viewer."""
    deeds = Deeds()
    make_images(folder / "images", side, 4)
    person = Person(make_viewer(), deeds)
    idle = lambda: not person.controller._inference.busy(*Kind)  # noqa: E731
    deeds.do("the dock opens", lambda: None, idle, times=1)
    open_images(person, folder / "images", folder / "project")
    label(person)
    deeds.show(f"with the dock, {side} px")
    person.controller.close()
    person.viewer.close()


def run_many(side: int, folder: Path) -> None:
    """Measure what grows with the masks of a project."""
    deeds = Deeds()
    make_images(folder / "images", side, IMAGES)
    make_masks(folder / "images", folder / "project", side)
    person = Person(make_viewer(), deeds)
    spin(lambda: not person.controller._inference.busy(*Kind))
    open_images(person, folder / "images", folder / "project")
    session, panel = person.work.place.session, person.panel
    panel.show_folded(())  # "Is it helping?" is open, too
    project = session.project
    for _ in range(TIMES):
        person.click(0, 100)
        spin(person.is_settled, slowly=False)
        deeds.do("accept", partial(person.act, "accept"), person.is_settled, times=1)
    join(deeds, "accept")
    plan = lambda: plan_round(project.counting(), unlearnt_by(project))  # noqa: E731
    deeds.do("a round is planned", plan, person.is_settled)
    panel.show_page(panel.masks)
    spin(person.is_settled, slowly=False)
    ids = [a.id for a in project.annotations(session.state.image_id)]
    take = person.work.annotating.take
    deeds.do(f"delete {len(ids)} masks", partial(take, "delete", *ids), person.is_settled, times=1)
    deeds.do("undo that", partial(person.act, "undo"), person.is_settled, times=1)
    person.work.opening.go(1)
    spin(person.is_settled, slowly=False)
    jump(person, ids)
    deeds.show(f"with the dock, {MASKS:,} masks on {IMAGES} images")
    person.controller.close()
    person.viewer.close()


def make_masks(images: Path, path: Path, side: int) -> None:
    """Fill a project: one mask of each image is accepted, copies of its record are the others."""
    project = Project.open(path)
    rows, columns = np.ogrid[:side, :side]
    store, now = path / "annotations.zarr", time.time_ns() // 1000
    each = MASKS // IMAGES
    for number, file in enumerate(sorted(images.iterdir())):
        pixels = np.asarray(Image.open(file))
        project.register(pixels, file.name, path=file)
        mask = np.hypot(columns - side // 2, rows - side // 2) < side // 40
        added = project.add(NewAnnotation(file.name, mask, "scratch", effort=Effort(clicks=2)))
        for copy in range(1, each):
            shutil.copytree(store / added.id, store / new_id(now + number * each + copy))


def main() -> None:
    """Measure the parts asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(SIDES), help="small, large, many")
    parser.add_argument("--alone", choices=("bare", "dock"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone is None:
        for part in arguments.parts:
            for alone in ("dock",) if part == "many" else ("bare", "dock"):
                subprocess.run([sys.executable, __file__, part, "--alone", alone], check=True)
        return
    part = arguments.parts[0]
    if arguments.alone == "bare":
        run_bare(SIDES[part])
        return
    with tempfile.TemporaryDirectory() as scratch:
        (run_many if part == "many" else run_dock)(SIDES[part], Path(scratch))


if __name__ == "__main__":
    main()
