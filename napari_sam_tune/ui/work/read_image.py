"""An image of the queue, read and known to the project, on the thread beside the viewer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.images.files import content_hash, spatial_shape, to_rgb8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.session.session import Session
    from napari_sam_tune.ui.queue import QueuedImage


@dataclass(frozen=True, eq=False)
class ReadImage:
    """An image as it comes back from the inference thread.

    Attributes:
        queued: where it came from.
        pixels: (H, W) or (H, W, C).
        record: the project's.
        crops: cropped masks of its accepted objects by annotation id.
        is_otherwise: its layer shows other pixels, as napari's own readers see its file.

    """

    queued: QueuedImage
    pixels: NDArray[Any]
    record: ImageRecord
    crops: dict[str, Mask]
    is_otherwise: bool


def displayable(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return an image as napari shows it: grey and RGB(A) as they are, the rest as 8-bit RGB."""
    is_colour = pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and pixels.dtype == np.uint8
    return pixels if pixels.ndim == 2 or is_colour else to_rgb8(pixels)


def read_queued(session: Session, queued: QueuedImage) -> ReadImage:
    """Read an image and find or make its record; a photograph is known by its content.

    Raises:
        ImageError: it cannot be read.
        ProjectError: the project knows another image by its name.

    """
    pixels, project = queued.read(), session.project
    names = {name for r in project.images() for name in (r.content_hash, r.earlier)}
    content = content_hash(pixels, names)
    known = _known(project, queued.id, content)
    if known is not None:
        record, pixels = known, project.upright(pixels, known)
    elif queued.layer is None and queued.path is not None:  # just read from there
        height, width = spatial_shape(pixels)
        record = project.add_image(
            queued.id,
            shape=(height, width),
            content_hash=content,
            path=queued.path,
        )
    else:
        record = project.register(pixels, queued.id, path=queued.path)
        pixels = project.upright(pixels, record)
    crops = {a.id: a.cropped_mask for a in session.project.annotations(record.id)}
    return ReadImage(queued, pixels, record, crops, _is_otherwise(queued, pixels))


def _known(project: Project, image_id: str, content: str) -> ImageRecord | None:
    """Return an image the project knows by another name: a photograph opened in another way."""
    records = project.images()
    if any(record.id == image_id for record in records):
        return None
    return next((r for r in records if content in (r.content_hash, r.earlier)), None)


def _is_otherwise(queued: QueuedImage, pixels: NDArray[Any]) -> bool:
    layer = queued.layer
    if layer is None or queued.path is None or layer.multiscale:
        return False
    may_be_nan = pixels.dtype.kind == "f"
    return not np.array_equal(layer.data, pixels, equal_nan=may_be_nan)
