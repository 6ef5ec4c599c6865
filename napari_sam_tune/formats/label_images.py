"""Label images: one integer picture per image, object k painted with k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.project import Annotation

_MOST_OBJECTS = np.iinfo(np.uint16).max


def label_image(annotations: Sequence[Annotation], shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Paint the objects of one image, later over earlier where they overlap.

    Args:
        annotations: the image's living records in time order.
        shape: (H, W) of the image.

    Returns:
        (H, W) uint16; 0 is background, k the k-th record.

    Raises:
        SamTuneError: more objects than 16 bits can number.

    """
    if len(annotations) > _MOST_OBJECTS:
        raise SamTuneError(
            f"A 16-bit label image holds {_MOST_OBJECTS} objects; this image has "
            f"{len(annotations)}. Export it as COCO instead."
        )
    labels = np.zeros(shape, dtype=np.uint16)
    for number, annotation in enumerate(annotations, start=1):
        labels[annotation.mask] = number
    return labels


def write_label_image(labels: NDArray[np.uint16], path: Path) -> None:
    """Write (H, W) uint16 labels as a 16-bit greyscale PNG."""
    Image.fromarray(labels).save(path, format="PNG")
