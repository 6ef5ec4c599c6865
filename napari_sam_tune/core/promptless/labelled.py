"""What a head learns from and is judged on: labelled images, and windows of large ones.

A head is shown a small image whole, and a large one tile by tile; so it learns from tiles of large
images, those in which something was accepted. Where a person said that all of the image is done, or
that nothing is on it, tiles without masks count as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.zoom import DEFAULT_LEVEL
from napari_sam_tune.core.geometry.windows import meet, shape_of, tiles
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.storage.embeddings import name_of_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.project.project import Annotation, ImageRecord, Project

_MOST: Final = 400
"""Tiles of an image that count, at most."""
_EMPTY: Final = 16
"""Tiles of an image without a defect that count."""


@dataclass(frozen=True)
class Part:
    """A labelled image, or a window of a large one.

    Attributes:
        record: the image.
        window: of it; None for all.
        split: "train", "held_out" or "test", as its masks are; "" where those differ.

    """

    record: ImageRecord
    window: Window | None = None
    split: str = ""

    @property
    def name(self) -> str:
        """What its features are called in the cache."""
        return name_of_part(self.record.content_hash, self.window)

    @property
    def called(self) -> str:
        """What people call it."""
        if self.window is None:
            return self.record.id
        return f"{self.record.id}, x {self.window[1]}, y {self.window[0]}"

    @property
    def shape(self) -> Shape:
        """(H, W) in px."""
        return self.record.shape if self.window is None else shape_of(self.window)

    def pixels(self, project: Project) -> NDArray[Any]:
        """Return (H, W[, C]) as `to_rgb8` takes it.

        Raises:
            ImageError, ProjectError: the image cannot be read.

        """
        if self.window is None:
            return project.read_image(self.record.id)
        return rgb_source(project.open_image(self.record.id)).rgb(self.window)

    def label_map(self, project: Project, classes: Sequence[str]) -> NDArray[np.uint8]:
        """Paint its accepted masks into one map, (H, W); see `label_map`."""
        return label_map(project.annotations(self.record.id), self.shape, classes, self.window)


def label_map(
    annotations: Sequence[Annotation],
    shape: tuple[int, int],
    classes: Sequence[str],
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """Paint an image's accepted masks into one map, later ones over earlier ones.

    Args:
        annotations: the image's, oldest first; none at all is all background.
        shape: (H, W) of the image, or of the window.
        classes: at most 255 names; a single one takes every mask, whatever its class.
        window: of the image, if the map is of that alone.

    Returns:
        (H, W), 0 for the background and n for the n-th class.

    """
    painted = np.zeros(shape, np.uint8)
    seen = window or (0, 0, *shape)
    for annotation in annotations:
        if (len(classes) > 1 and annotation.label not in classes) or not meet(
            annotation.bbox, seen
        ):
            continue
        value = 1 if len(classes) == 1 else classes.index(annotation.label) + 1
        painted[annotation.placed.crop(seen)] = value
    return painted


def labelled_images(project: Project) -> list[ImageRecord]:
    """Return the images with accepted masks or marked as having no defect, in their order.

    An image counts as a whole: one that is set aside, or of which a mask is, does not.
    """
    counting, not_counting = project.told_apart()
    annotated = {annotation.image_id for annotation in counting}
    aside = {annotation.image_id for annotation in not_counting} | project.images_set_aside()
    known = [record for record in project.images() if record.id not in aside]
    return [r for r in known if r.id in annotated or project.is_empty(r.id)]


def parts_of(project: Project, records: Iterable[ImageRecord], side: int) -> list[Part]:
    """Return labelled images as a model sees them, whose input has a side in px: large in tiles."""
    parts: list[Part] = []
    for record in records:
        if is_large(record.shape, side):
            parts += _tiles_of(project, record, side << DEFAULT_LEVEL)
        else:
            parts.append(Part(record, None, record.split))
    return parts


def _tiles_of(project: Project, record: ImageRecord, length: int) -> list[Part]:
    masks: dict[Window, set[str]] = {}
    for annotation in project.annotations(record.id):
        for tile in tiles(record.shape, length, annotation.bbox):
            masks.setdefault(tile, set()).add(annotation.split)
    parts = [Part(record, tile, s.pop() if len(s) == 1 else "") for tile, s in masks.items()]
    if project.is_empty(record.id) or record.id in project.done_images():
        free = [tile for tile in tiles(record.shape, length) if tile not in masks]
        few = free[:: _each(len(free), max(_EMPTY, len(masks)))]
        parts += [Part(record, tile, record.split) for tile in few]
    return parts[:: _each(len(parts), _MOST)]


def _each(count: int, most: int) -> int:
    """Return every which one of so many to take, to have some evenly spread."""
    return max(1, -(-count // most))
