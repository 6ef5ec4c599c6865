"""Pictures of a stack: an accepted mask is carried on, accepted as a run, and seen in 3-D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from camera import settle, spin
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from camera import Camera, Hand
    from numpy.typing import NDArray

SIDE: Final = 224
PLANES: Final = 11
START: Final = 5
PORES: Final = ((5, 92, 100, 30), (4, 160, 164, 22), (6, 164, 60, 18))
"""Plane, row and column of the middle of each, and its radius there, px."""
BETWEEN: Final = 5.0
"""Pixels from plane to plane."""


def tomogram() -> NDArray[np.uint8]:
    """Return slices (Z, H, W) of a casting with dark pores that drift from plane to plane."""
    rng = np.random.default_rng(4)
    noise = gaussian_filter(rng.normal(0, 1, (PLANES, SIDE, SIDE)), (0.5, 1.2, 1.2))
    grey = 150 + 27 * noise
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for z, y, x, radius in PORES:
        turn, other, _ = rng.uniform(0, 6, 3)
        for plane in range(PLANES):
            left = radius**2 - ((plane - z) * BETWEEN) ** 2
            if left <= 0:
                continue
            down, right = rows - y - 2 * (plane - z), columns - x + 1.5 * (plane - z)
            angle = np.arctan2(down, right)
            bumps = 0.12 * np.sin(2 * angle + turn + 0.1 * plane) + 0.06 * np.sin(3 * angle + other)
            far = np.hypot(down, right) / (1 + bumps)
            grey[plane] -= 90 / (1 + np.exp((far - np.sqrt(left)) * 1.5))
    return grey.clip(0, 255).astype(np.uint8)


def stacks(hand: Hand, camera: Camera) -> None:
    """Click on the pores of one slice and let their masks go on through the others."""
    hand.viewer.add_image(tomogram(), name="casting", axis_labels=("z", "y", "x"))
    hand.panel.start.viewer_chosen.emit()
    spin(lambda: hand.work is not None and hand.work.opening.is_ready)
    hand.panel.learning.automatic_changed.emit(False, 5)
    hand.panel.classes.edited.emit("pore", "")
    for pore in PORES:
        carry(hand, pore)
        if pore is PORES[0]:
            go_to(hand, START + 2)
            show(hand)
            camera.still("stack")
        hand.press("Shift+J")
    hand.panel.stack.in_3d.click()
    hand.work.place.layers.image.visible = False
    settle()
    hand.viewer.scene.camera.angles = (12, 28, 70)
    hand.viewer.scene.camera.zoom *= 1.5
    settle()
    camera.still("stack_3d")


def carry(hand: Hand, pore: tuple[int, int, int, int]) -> None:
    """Accept a pore where the others are clicked on too, and have it carried both ways."""
    from napari_sam_tune.ui.inference import Kind

    go_to(hand, START)
    z, y, x, _ = pore
    hand.click((x - 1.5 * (START - z), y + 2.0 * (START - z)))
    spin(lambda: hand.work.place.session.open_object.mask is not None, 60)
    hand.press("Q")
    hand.press("Shift+K")
    session, inference = hand.work.place.session, hand.work.place.inference
    start = session.project.annotations()[-1]
    spin(lambda: bool(session.waiting(start.id)), 120)
    still = 0
    while still < 3:  # between two planes nothing is asked for a moment
        settle()
        still = 0 if inference.busy(Kind.CARRY) else still + 1


def go_to(hand: Hand, plane: int) -> None:
    """Move the slider, and wait for the plane."""
    hand.viewer.dims.set_current_step(0, plane)
    session = hand.work.place.session
    spin(lambda: session.state.image_id == f"casting [z {plane}]", 60)
    spin(lambda: hand.work.opening.is_ready)
    hand.wait()


def show(hand: Hand) -> None:
    """Scroll to the section about the stack."""
    area = hand.panel._tabs.currentWidget()
    scroll = area.verticalScrollBar()
    there = hand.panel.stack.mapTo(area.widget(), hand.panel.stack.rect().topLeft())
    scroll.setValue(there.y() - 40)
    settle()
