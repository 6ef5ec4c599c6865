"""Pictures of a stack: an accepted mask is carried on, accepted as a run, and seen in 3-D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from camera import settle, spin

if TYPE_CHECKING:
    from camera import Camera, Hand
    from numpy.typing import NDArray

SIDE: Final = 224
PLANES: Final = 11
START: Final = 5
PORES: Final = ((5, 84, 96, 30), (4, 150, 160, 22), (7, 160, 64, 18), (6, 60, 176, 14))
"""Plane, row and column of the middle of each, and its radius there, px."""
THICK: Final = 9.0
"""Pixels of a plane's width that lie between two planes."""


def tomogram() -> NDArray[np.uint8]:
    """Return slices (Z, H, W) of a casting with dark pores that drift from plane to plane."""
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 1, (PLANES, SIDE, SIDE))
    for axis in (0, 1, 2):  # neighbours resemble each other
        noise = (noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)) / 3
    grey = 150 + 30 * noise
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for z, y, x, radius in PORES:
        for plane in range(PLANES):
            away = (plane - z) * THICK / 2
            left = radius**2 - away**2
            if left > 0:
                far = np.hypot(rows - y - 2 * (plane - z), (columns - x + 3 * (plane - z)) * 0.8)
                grey[plane] -= 75 / (1 + np.exp((far - np.sqrt(left)) * 1.2))
    return grey.clip(0, 255).astype(np.uint8)


def stacks(hand: Hand, camera: Camera) -> None:
    """Click on a pore of one slice and let its mask go on through the others."""
    from napari_sam_tune.ui.inference import Kind

    hand.viewer.add_image(tomogram(), name="casting", axis_labels=("z", "y", "x"))
    hand.panel.start.viewer_chosen.emit()
    spin(lambda: hand.work is not None and hand.work.opening.is_ready)
    hand.panel.learning.automatic_changed.emit(False, 5)
    hand.panel.classes.edited.emit("pore", "")
    go_to(hand, START)
    _, y, x, _ = PORES[0]
    hand.click((float(x), float(y)))
    hand.press("Q")
    hand.press("Shift+K")
    session = hand.work.place.session
    (start,) = session.project.annotations()
    spin(lambda: not hand.work.place.inference.busy(Kind.CARRY) and session.waiting(start.id))
    go_to(hand, START + 2)
    show(hand)
    camera.still("stack")
    hand.press("Shift+J")
    settle()
    hand.panel.stack.in_3d.click()
    settle()
    hand.viewer.scene.camera.angles = (8, 32, 62)
    settle()
    camera.still("stack_3d")


def go_to(hand: Hand, plane: int) -> None:
    """Move the slider, and wait for the plane."""
    hand.viewer.dims.set_current_step(0, plane)
    settle()
    spin(lambda: hand.work.opening.is_ready)
    hand.wait()


def show(hand: Hand) -> None:
    """Scroll to the section about the stack."""
    area = hand.panel._tabs.currentWidget()
    scroll = area.verticalScrollBar()
    there = hand.panel.stack.mapTo(area.widget(), hand.panel.stack.rect().topLeft())
    scroll.setValue(there.y() - 40)
    settle()
