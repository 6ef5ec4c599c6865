"""How long the viewer's event loop is kept waiting while the dock and its first images open.

In a process of its own in which nothing of the plugin was imported before, unlike `blocking.py`.
Beside it, napari alone: adding one image, in this very viewer before the dock, and in another one
after it the kinds of layers that the dock adds.

    xvfb-run -a -s "-screen 0 1366x768x24" python benchmarks/opening.py
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
from deeds import Deeds, rest
from PIL import Image

SIDE, IMAGES = 1024, 4


def make_images(folder: Path) -> None:
    """Noise, which nothing is asked about."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)


def add_layers(deeds: Deeds) -> None:
    """Measure napari adding the kinds of layers that the dock lays over its first image."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1366, 768)
    rest(1.0)
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for name, add in (
        ("image", partial(viewer.add_image, pixels)),
        ("labels", partial(viewer.add_labels, pixels[..., 0])),
        ("vectors", partial(viewer.add_vectors, np.zeros((0, 2, 2)))),
        ("points", partial(viewer.add_points, np.zeros((0, 2)))),
    ):
        deeds.do(f"napari in another window: {name}", add, times=1)
    viewer.close()


def main() -> None:
    """Measure napari's image, the dock, the first image and those after it, napari's layers."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("XDG_STATE_HOME", scratch)
        folder, deeds = Path(scratch), Deeds()
        make_images(folder / "images")
        viewer = napari.Viewer(show=True)
        viewer.window._qt_window.resize(1366, 768)
        rest(1.0)
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        deeds.do("napari adds an image", partial(viewer.add_image, pixels), times=1)
        deeds.do("napari adds another", partial(viewer.add_image, pixels), times=1)
        viewer.layers.clear()
        rest()
        docks: list[Any] = []

        def open_dock() -> None:
            docks.append(viewer.window.add_plugin_dock_widget("napari-sam-tune")[1])

        deeds.do("the dock opens", open_dock, lambda: docks[0].panel is not None, times=1)
        controller, start = docks[0].controller, docks[0].panel.start
        is_busy = lambda: bool(controller._inference._newest)  # noqa: E731
        deeds.do("the model's code comes", lambda: None, lambda: not is_busy(), times=1)

        def is_ready() -> bool:
            opening = controller.work and controller.work.opening
            return bool(opening and opening.is_shown and opening.is_ready)

        choose = partial(start.folder_chosen.emit, folder / "images")
        deeds.do("the first image opens", choose, is_ready, times=1)
        onward = lambda: controller.work.annotating.act("next_image")  # noqa: E731
        deeds.do("next image", onward, is_ready, times=3)
        controller.close()
        viewer.close()
        add_layers(deeds)
        deeds.show("opening")


if __name__ == "__main__":
    main()
