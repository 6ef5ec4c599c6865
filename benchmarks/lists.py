"""Scrolls a list of 10,000 images with thumbnails: frames per second, and the longest frame.

Asked: 30 frames a second, and no frame of more than 50 ms. Every image is a file of its own (the
same few pictures under many names), so each thumbnail is read and decoded for itself; this is done
by another thread while the list scrolls. "again" scrolls back over thumbnails that are there.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/lists.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from napari_sam_tune.core.project.project import Project
from napari_sam_tune.ui.queue import folder_queue
from napari_sam_tune.ui.views.image_page import ImagePage
from napari_sam_tune.ui.work.pictures import Pictures
from napari_sam_tune.ui.work.rows import Expected, rows_of_images

if TYPE_CHECKING:
    from napari_sam_tune.ui.queue import ImageQueue

PICTURES, SIDE = 20, 1024
STEP = 25
"""Pixels a frame: at 30 frames a second, fifteen rows a second."""
JUMP = 700
"""A page and more a frame, as the bar is dragged."""


class Opening(QObject):
    """No image is ever opened here."""

    opened = Signal(object)


def make_images(folder: Path, count: int) -> None:
    """Noise with bright discs as JPEGs, each under many names."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(count):
        file = folder / f"part {number:05}.jpg"
        if number >= PICTURES:
            os.link(folder / f"part {number % PICTURES:05}.jpg", file)
            continue
        grey = rng.normal(90, 9, (SIDE, SIDE))
        for x, y in rng.integers(40, SIDE - 40, (6, 2)):
            grey[np.hypot(columns - x, rows - y) < 60] += 80
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(file)


def scroll(page: ImagePage, step: int, seconds: float) -> tuple[float, np.ndarray]:
    """Scroll for some seconds; returns frames per second, and how long each took in ms."""
    bar, frames = page.view.verticalScrollBar(), []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        place = bar.value() + step
        bar.setValue(place if 0 <= place <= bar.maximum() else 0 if step > 0 else bar.maximum())
        page.view.viewport().repaint()
        QApplication.processEvents()
        frames.append(1000 * (time.perf_counter() - start))
    return len(frames) / seconds, np.array(frames)


def run(queue: ImageQueue, project: Project, seconds: float) -> Table:
    """Measure on one page."""
    place = SimpleNamespace(session=SimpleNamespace(project=project), queue=queue)
    page, pictures = ImagePage(), Pictures(place, Opening())
    page.view.thumbnail = pictures.of_image
    pictures.made.connect(lambda _: page.view.viewport().update())
    page.resize(376, 560)
    page.show()
    start = time.perf_counter()
    rows = rows_of_images(project, queue.images, Expected({}, {}, ()))
    made = time.perf_counter()
    page.show_rows(rows)
    QApplication.processEvents()
    shown = time.perf_counter()
    table = Table("scrolling", "frames a second", "median ms", "p99 ms", "longest ms")
    for name, step in (("rows", STEP), ("rows, again", -STEP), ("pages", JUMP)):
        rate, frames = scroll(page, step, seconds)
        figures = [f"{np.percentile(frames, p):.1f}" for p in (50, 99, 100)]
        table.add_row(name, f"{rate:.0f}", *figures)
    pictures.close()
    took = f"{1000 * (made - start):.0f} ms beside it, shown in {1000 * (shown - made):.0f} ms"
    table.caption = f"{len(rows):,} rows, put together in {took}"
    return table


def main() -> None:
    """Make the images, scroll, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each way to scroll")
    arguments = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        make_images(folder, arguments.images)
        queue = folder_queue(folder)
        project = Project.open(Path(scratch) / "project")
        Console().print(run(queue, project, arguments.seconds))
    application.quit()


if __name__ == "__main__":
    main()
