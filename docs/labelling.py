"""What the hand of the pictures does on its way: open a folder, label its objects, go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from camera import spin

from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.core.scoring import next_click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camera import Hand
    from numpy.typing import NDArray

CLICKS: Final = 4


def open_folder(hand: Hand, images: Path, name: str) -> None:
    """Open a copy of a folder of images; no round starts by itself in it."""
    folder = Path(os.environ["HOME"], name)
    shutil.copytree(images, folder)
    hand.panel.controller.open_folder(folder)
    spin(lambda: hand.work is not None and hand.work.opening.is_ready)
    hand.panel.learning.automatic_changed.emit(False, 5)


def open_image(hand: Hand) -> str:
    """Return the name of the open image."""
    return str(hand.work.place.queue.current.id)


def objects(hand: Hand) -> Iterator[NDArray[np.bool_]]:
    """Yield the true objects of the open image."""
    (path,) = hand.truths.glob(f"{Path(open_image(hand)).stem}.*")
    labels = read_image(path)
    for value in np.unique(labels[labels > 0]):
        yield labels == value


def middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return where somebody would click on an object."""
    x, y, _ = next_click(None, mask)
    return float(x), float(y)


def label_object(hand: Hand, truth: NDArray[np.bool_]) -> None:
    """Click where the mask is most wrong, some times, and accept."""
    for _ in range(CLICKS):
        mask = hand.work.place.session.open_object.mask
        x, y, label = next_click(mask, truth)
        hand.click((float(x), float(y)), inside=bool(label))
    hand.press("Q")


def next_image(hand: Hand, key: str = "K") -> None:
    """Say that the image is done, or pass it over, and wait for the next."""
    before = hand.work.place.session.state.image_id
    hand.press(key)
    spin(lambda: hand.work.place.session.state.image_id != before)
    spin(lambda: hand.work.opening.is_ready)
    hand.wait()
