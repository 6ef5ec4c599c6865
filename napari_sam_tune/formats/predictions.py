"""Predicted masks as PNG files: 0 and 255 for one object, indexed colours for several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_tune.core.evaluation.pictures import OBJECT_COLOURS, overlay, rgb
from napari_sam_tune.core.storage.durable import replacing_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask

_MOST_INDEXED = 255


def prediction_files(folder: Path, stem: str) -> tuple[Path, Path]:
    """Return where the mask and the overlay of an image go."""
    return folder / f"{stem}_mask.png", folder / f"{stem}_overlay.png"


def write_prediction(
    folder: Path, stem: str, image: NDArray[np.uint8], masks: Sequence[Mask]
) -> None:
    """Write `<stem>_mask.png` and `<stem>_overlay.png`.

    Args:
        folder: made if it is absent.
        stem: of the image's name.
        image: (H, W, 3).
        masks: (H, W) each; of several the k-th gets the value k (in a palette up to 255 objects,
            16-bit grey beyond), later over earlier.

    Raises:
        StorageError: the disk is full or not writable.

    """
    mask_file, overlay_file = prediction_files(folder, stem)
    _save(mask_picture(masks, (image.shape[0], image.shape[1])), mask_file)
    _save(Image.fromarray(overlay(image, masks)), overlay_file)


def mask_picture(masks: Sequence[Mask], shape: tuple[int, int]) -> Image.Image:
    """Return masks (H, W) as one picture; see `write_prediction`."""
    if len(masks) <= 1:
        only = masks[0] if masks else np.zeros(shape, bool)
        return Image.fromarray(only.astype(np.uint8) * np.uint8(255))
    labels = np.zeros(shape, np.uint8 if len(masks) <= _MOST_INDEXED else np.uint16)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        colours = [rgb(OBJECT_COLOURS[k % len(OBJECT_COLOURS)]) for k in range(len(masks))]
        picture.putpalette([channel for colour in ((0, 0, 0), *colours) for channel in colour])
    return picture


def _save(picture: Image.Image, path: Path) -> None:
    with replacing_file(path) as file:
        picture.save(file, format="PNG")
