"""An image of the queue, read and known to the project, on the thread beside the viewer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.images.large_image import LargeImage, name_of_image
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.opening import height_and_width
from napari_sam_tune.core.project.image_files import keep_overview

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.session.session import Session
    from napari_sam_tune.ui.queued_image import QueuedImage


@dataclass(frozen=True, eq=False)
class ReadImage:
    """An image as it comes back from the inference thread.

    Attributes:
        queued: where it came from.
        pixels: (H, W) or (H, W, C), or what many are read by.
        record: the project's.
        crops: cropped masks of its accepted objects by annotation id.
        is_otherwise: its layer shows other pixels, as napari's own readers see its file.

    """

    queued: QueuedImage
    pixels: NDArray[Any] | LargeImage
    record: ImageRecord
    crops: dict[str, Mask]
    is_otherwise: bool


def read_queued(session: Session, queued: QueuedImage) -> ReadImage:
    """Read an image and find or make its record; a photograph is known by its content.

    Raises:
        ImageError: it cannot be read.
        ProjectError: the project knows another image by its name.

    """
    pixels, project = queued.read(), session.project
    shape = height_and_width(pixels)
    alike = [r for r in project.images() if r.shape == shape or r.shape == shape[::-1]]
    content = name_of_image(pixels, {n for r in alike for n in (r.content_hash, r.earlier)})
    known = _known(project, queued, content)
    if known is not None:
        record, pixels = known, project.upright(pixels, known)
    elif queued.layer is None and queued.path is not None:  # just read from there
        record = project.add_image(
            queued.id,
            shape=(shape[0], shape[1]),
            content_hash=content,
            path=queued.path,
            plane=queued.file_plane,
            group=queued.group,
        )
    else:
        record = project.register(
            pixels, queued.id, path=queued.path, plane=queued.file_plane, group=queued.group
        )
        pixels = project.upright(pixels, record)
    if isinstance(pixels, LargeImage):
        keep_overview(pixels, project.path)
        pixels.glance(1)  # what is seen first is read here, and not where the viewer waits for it
    crops = {a.id: a.cropped_mask for a in session.project.annotations(record.id)}
    return ReadImage(queued, pixels, record, crops, _is_otherwise(queued, pixels))


def _known(project: Project, queued: QueuedImage, content: str) -> ImageRecord | None:
    """Return an image the project knows by another name: a photograph opened in another way.

    Of a stack two planes may look the same, and are two.
    """
    records = project.images()
    if any(record.id == queued.id for record in records):
        return None
    alike = [r for r in records if content in (r.content_hash, r.earlier)]
    if queued.file_plane is not None:
        same = [r for r in alike if r.plane == queued.file_plane and _is_of(project, r, queued)]
        if same:
            return same[0]
    if queued.plane:
        alike = [r for r in alike if r.id == queued.former or project.stack_of(r.id) is None]
    return next(iter(alike), None)


def _is_of(project: Project, record: ImageRecord, queued: QueuedImage) -> bool:
    """Whether an image is of the file that is queued."""
    if record.path is None or queued.path is None:
        return False
    return absolute(project.path / record.path) == absolute(queued.path)


def _is_otherwise(queued: QueuedImage, pixels: NDArray[Any] | LargeImage) -> bool:
    layer = queued.layer
    if isinstance(pixels, LargeImage) or layer is None or queued.path is None:
        return False
    if layer.multiscale or queued.plane:
        return False
    may_be_nan = pixels.dtype.kind == "f"
    return not np.array_equal(layer.data, pixels, equal_nan=may_be_nan)
