"""What leaves a project: images and their objects, as every writer of a format gets them.

Images come one by one and read their masks when these are asked for, so that an export of any size
holds the masks of one image at most.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, OWN_ORIGIN
from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.core.project.class_colours import free_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.project.review import Review
    from napari_sam_tune.core.project.split import Split
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.core.prompts import Mask

    Reviewed = tuple[Annotation, Review]

NOT_LABELLED: Final = "image that was not labelled yet"
EXCLUDED: Final = "image that is excluded"
ALL_EXCLUDED: Final = "image whose masks are all excluded"
MASK_EXCLUDED: Final = "mask that is excluded"
NOT_APPROVED: Final = "image with nothing approved"
MASK_NOT_APPROVED: Final = "mask that is not approved"


@dataclass(frozen=True)
class Provenance:
    """How a mask came about.

    Attributes:
        weights_version: the weights that proposed it.
        prompts: clicks and boxes it took.
        reviewed: a person accepted it; False where a robot did.
        source: "person", "robot", "adopted" or "import".
        created: UTC, seconds since 1970.

    """

    weights_version: str
    prompts: int
    reviewed: bool
    source: str
    created: float


@dataclass(frozen=True, eq=False)
class ObjectOut:
    """An object to write.

    Attributes:
        id: of its record, by which an import knows it again; None where it is no record.
        label: its class.
        bbox: (y0, x0, y1, x1) in pixels of the image, ends excluded.
        mask: (y1 - y0, x1 - x0) bool, the object inside `bbox`; never empty.
        score: the model's own estimate of its IoU, or None.
        provenance: how it came about; None where that is not known.
        review: what was said of it; None where nothing was.
        number: in the label image it is from, or None.
        thing: what it is a mask of in its plane, see `Project.thing_of`; None where no plane is.
        split: what it is for; None where that was not decided.

    """

    id: str | None
    label: str
    bbox: BoundingBox
    mask: Mask
    score: float | None = None
    provenance: Provenance | None = None
    review: Review | None = None
    number: int | None = None
    thing: str | None = None
    split: Split | None = None

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the mask lies in an array of the image's shape."""
        y0, x0, y1, x1 = self.bbox
        return slice(y0, y1), slice(x0, x1)

    def full_mask(self, shape: tuple[int, int]) -> Mask:
        """Return the mask in an image of `shape` (H, W)."""
        full = np.zeros(shape, dtype=bool)
        full[self.window] = self.mask
        return full


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageOut:
    """An image to write.

    Attributes:
        name: its id in the project, usually a file name, perhaps with folders.
        shape: (H, W) in pixels.
        objects: in the order of time; masks are read when an object is asked for.
        path: its file; None where there are only pixels.
        group: images of one part, lot or film share a group; None for a group of its own.
        split: what it is for; None where that was not decided, or for each place in it.
        no_defect: somebody looked at it and found nothing.
        review: what was said of it; None where that is not known.
        read: returns the pixels, (H, W) or (H, W, C), or what many are read by, as
            `images.open_image` does; None where there are none.
        stack: what it is a plane of; None of an image by itself.

    """

    name: str
    shape: tuple[int, int]
    objects: Sequence[ObjectOut]
    path: Path | None = None
    group: str | None = None
    split: Split | None = None
    no_defect: bool = False
    review: Review | None = None
    read: Callable[[], NDArray[Any] | LargeImage] | None = None
    stack: Stack | None = None


@dataclass(frozen=True)
class Selection:
    """What of a project is written.

    Attributes:
        images: number of images.
        classes: name to "#rrggbb", in the order the classes were made.
        left_out: why images are not written, to how many.

    """

    images: int
    classes: Mapping[str, str]
    left_out: Mapping[str, int] = field(default_factory=Counter)


def selection(project: Project, *, only_approved: bool = False) -> Selection:
    """Say what `images_out` gives, and what it leaves out."""
    chosen, left_out = _chosen(project, only_approved=only_approved)
    classes = project.classes()
    for _, kept in chosen:
        for annotation, _ in kept:
            if annotation.label not in classes:
                classes[annotation.label] = free_colour(classes)
    return Selection(len(chosen), classes, left_out)


def images_out(project: Project, *, only_approved: bool = False) -> Iterator[ImageOut]:
    """Give a project's images one by one: those with objects, and those marked done.

    An image nobody looked at is left out, for without objects it would say "no defect here". What
    is excluded is left out as well.

    Args:
        project: whose images.
        only_approved: only masks that are approved, themselves or with their image, and images that
            have such masks or are approved.

    Raises:
        ProjectError: while an object is asked for: its record is damaged.

    """
    reviews = project.image_reviews()
    chosen = _chosen(project, only_approved=only_approved)[0]
    # where places were set apart in images, whoever takes these in sets the same ones apart
    by_place = {r.group for r, kept in chosen if any(a.split != r.split for a, _ in kept)}
    for record, kept in chosen:
        split = None if record.group in by_place else record.split
        yield _image_out(project, record, kept, split, reviews.get(record.id))


def _chosen(
    project: Project, *, only_approved: bool
) -> tuple[list[tuple[ImageRecord, list[Reviewed]]], Counter[str]]:
    """Return what is written, and why other things are not."""
    of_image: dict[str, list[Reviewed]] = {}
    for one in project.reviewed():
        of_image.setdefault(one[0].image_id, []).append(one)
    records, done = project.images(), project.done_images()
    images = project.image_reviews()
    chosen: list[tuple[ImageRecord, list[Reviewed]]] = []
    left_out: Counter[str] = Counter()
    for record in records:
        there, state = of_image.get(record.id, []), images[record.id].state
        kept = [(a, review) for a, review in there if review.state != "excluded"]
        if only_approved:
            good = {"approved", "accepted"} if state == "approved" else {"approved"}
            kept = [(a, review) for a, review in there if review.state in good]
        if state == "excluded":
            left_out[EXCLUDED] += 1
        elif only_approved and not kept and state != "approved":
            left_out[NOT_APPROVED] += 1
        elif not there and record.id not in done:
            left_out[NOT_LABELLED] += 1
        elif there and not kept:  # without them it would say "no defect here"
            left_out[ALL_EXCLUDED] += 1
        else:
            chosen.append((record, kept))
            why = MASK_NOT_APPROVED if only_approved else MASK_EXCLUDED
            left_out[why] += len(there) - len(kept)
    return chosen, +left_out


def _image_out(
    project: Project,
    record: ImageRecord,
    kept: Sequence[Reviewed],
    split: Split | None,
    review: Review | None,
) -> ImageOut:
    stack = project.stack_of(record.id)
    return ImageOut(
        name=record.id,
        shape=record.shape,
        objects=_Records(kept, None if stack is None else project.thing_of),
        path=_file_of(project, record),
        group=record.group,
        split=split,
        no_defect=not kept and project.is_empty(record.id),
        review=review,
        read=lambda: project.open_image(record.id),
        stack=stack,
    )


def _file_of(project: Project, record: ImageRecord) -> Path | None:
    """Return the file that is an image; of a plane of a file there is none."""
    if record.path is None or record.plane is not None:
        return None
    return Path(os.path.normpath(project.path / record.path))


class _Records(Sequence[ObjectOut]):
    """Records of one image; each mask is read when its object is asked for, and not kept."""

    def __init__(
        self, kept: Sequence[Reviewed], thing_of: Callable[[str], str] | None = None
    ) -> None:
        self._kept, self._thing_of = kept, thing_of

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> ObjectOut: ...
    @overload
    def __getitem__(self, index: slice) -> _Records: ...
    def __getitem__(self, index: int | slice) -> ObjectOut | _Records:
        if isinstance(index, slice):
            return _Records(self._kept[index], self._thing_of)
        annotation, review = self._kept[index]
        thing = None if self._thing_of is None else self._thing_of(annotation.id)
        return _object_out(annotation, review, thing)


def _object_out(annotation: Annotation, review: Review, thing: str | None) -> ObjectOut:
    origin = annotation.origin or ""
    return ObjectOut(
        # An object keeps the id it had in the first project it was a record of.
        id=origin.removeprefix(OWN_ORIGIN) if origin.startswith(OWN_ORIGIN) else annotation.id,
        label=annotation.label,
        bbox=annotation.bbox,
        mask=annotation.cropped_mask,
        score=annotation.predicted_iou,
        provenance=Provenance(
            weights_version=annotation.weights_version,
            prompts=annotation.effort.clicks + annotation.effort.boxes,
            reviewed=annotation.source != "robot",
            source=annotation.source,
            created=annotation.created,
        ),
        review=review if review.says_anything else None,
        thing=thing,
        split=annotation.split,
    )


def labels_out(
    name: str,
    labels: NDArray[Any],
    *,
    classes: Mapping[int, str] | None = None,
    path: Path | None = None,
    read: Callable[[], NDArray[Any] | LargeImage] | None = None,
) -> ImageOut:
    """Make a label array, such as a napari Labels layer's data, an image to write.

    Args:
        name: of the image.
        labels: (H, W) integers; 0 is background, every other number one object.
        classes: number to class; a number without one is a "defect".
        path: the image's file, or None.
        read: returns the image's pixels; None reads the file, if there is one.

    """
    from scipy import ndimage

    numbers, dense = np.unique(labels, return_inverse=True)
    dense = dense.reshape(labels.shape) + 1
    objects = []
    for index, window in enumerate(ndimage.find_objects(dense)):
        number = int(numbers[index])
        if number != 0 and window is not None:
            rows, columns = window
            bbox = (rows.start, columns.start, rows.stop, columns.stop)
            label = (classes or {}).get(number, DEFAULT_LABEL)
            mask = dense[window] == index + 1
            objects.append(ObjectOut(None, label, bbox, mask, number=number))
    height, width = labels.shape
    if read is None and path is not None:
        read = partial(read_image, path)
    return ImageOut(name=name, shape=(height, width), objects=objects, path=path, read=read)
