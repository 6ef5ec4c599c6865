"""A picture of a large image: it is searched tile by tile while finds are looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import tifffile
from camera import settle, spin
from scipy import ndimage

if TYPE_CHECKING:
    from camera import Camera, Hand
    from numpy.typing import NDArray

SIDE: Final = 9216
TILE: Final = 1024
WINDOW: Final = 1366, 768
SHOWN: Final = 5
"""Pores that are accepted."""


def pores() -> NDArray[np.int_]:
    """Return (y, x, radius) of the film's pores: one in most tiles."""
    rng = np.random.default_rng(8)
    places = [(y, x) for y in range(0, SIDE, TILE) for x in range(0, SIDE, TILE)]
    chosen = [(y, x) for y, x in places if rng.random() < 0.7]
    return np.array([(*(rng.integers(90, TILE - 90, 2) + p), rng.integers(14, 44)) for p in chosen])


def film(spots: NDArray[np.int_]) -> NDArray[np.uint8]:
    """Return (H, W) of a rolled film, brushed along one way, with dark pores in it."""
    rng = np.random.default_rng(8)
    grain = rng.normal(0, 1, (TILE, TILE)).astype(np.float32)
    brushed = ndimage.gaussian_filter(grain, (1, 14), mode="wrap")
    tile = 150 + 9 * brushed / brushed.std() + 3 * grain
    lines = 6 * ndimage.gaussian_filter1d(rng.normal(0, 1, SIDE), 30)
    image = np.empty((SIDE, SIDE), np.uint8)
    for y in range(0, SIDE, TILE):
        for x in range(0, SIDE, TILE):
            moved = np.roll(tile, rng.integers(0, TILE, 2), (0, 1))
            shade = 20 * np.sin(x / SIDE * 3)
            image[y : y + TILE, x : x + TILE] = moved + lines[y : y + TILE, None] * 8 + shade
    for y, x, radius in spots:
        reach = radius + 12
        rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        angle = np.arctan2(rows, columns)
        edge = radius * (1 + 0.15 * np.cos(3 * angle + y) + 0.1 * np.cos(5 * angle + x))
        inside = 1 / (1 + np.exp((np.hypot(rows, columns) - edge) / 1.5))
        part = image[y - reach : y + reach + 1, x - reach : x + reach + 1]
        part[...] = (part * (1 - 0.6 * inside)).astype(np.uint8)
    return image


def large(hand: Hand, camera: Camera) -> None:
    """Accept some pores of a film of 85 megapixels, and have all like them found."""
    hand.viewer.window._qt_window.resize(*WINDOW)
    folder, spots = Path(os.environ["HOME"], "film"), pores()
    folder.mkdir()
    tifffile.imwrite(folder / "film.tif", film(spots), tile=(512, 512), compression="zlib")
    hand.panel.controller.open_folder(folder)
    spin(lambda: hand.work is not None and hand.work.opening.is_ready)
    hand.panel.learning.automatic_changed.emit(False, 5)
    hand.panel.classes.edited.emit("pore", "")
    view, session = hand.viewer.scene.camera, hand.work.place.session
    for y, x, _ in spots[:: len(spots) // SHOWN]:
        view.center, view.zoom = (y, x), 1.5
        settle()
        hand.click((float(x), float(y)))
        hand.press("Q")
    spin(lambda: session.answerer.instant.snapshot() is not None)
    hand.press("Shift+F")
    image_id = str(hand.work.place.queue.current.id)

    def is_searching() -> bool:
        scan = session.review.scanning(image_id)
        return (
            scan is not None and scan.done > scan.total // 3 and session.open_object.is_suggestion
        )

    spin(is_searching)
    view.center, view.zoom = (SIDE / 2, SIDE / 2), 0.075  # all of it, beside the dock
    area = hand.panel._tabs.currentWidget()
    there = hand.panel.suggestions.mapTo(area.widget(), hand.panel.suggestions.rect().topLeft())
    area.verticalScrollBar().setValue(there.y() - 120)
    settle()
    camera.still("large")
