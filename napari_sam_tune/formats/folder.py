"""A folder of images beside a folder of masks, paired by stem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import (
    LabelledImage,
    mask_objects,
    read_mask,
    read_pairs,
    require_shape,
)
from napari_sam_tune.core.exchange.large_labels import labels_shape, open_labels
from napari_sam_tune.core.exchange.left_out import FILE, IMAGE, OBJECT, LeftOut
from napari_sam_tune.core.exchange.tiled_labels import Changed, numbered
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.images.names import own_name, stems
from napari_sam_tune.core.images.opening import list_all_images
from napari_sam_tune.core.images.planes import stack_as_said
from napari_sam_tune.formats.stack_folder import stacked_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.review import Review


@dataclass(frozen=True)
class MaskFile:
    """A mask file of an image: see `labelled_images.true_objects` for how it is read.

    Attributes:
        path: the file.
        name: by which its objects are known the next time.
        label: class of its objects.
        whole: all of its pixels are one object, however many parts it has.
        score, record, review: of that object, see `SourceObject`.

    """

    path: Path
    name: str
    label: str
    whole: bool = False
    score: float | None = None
    record: str | None = None
    review: Review | None = None


@dataclass(frozen=True, kw_only=True)
class MaskedImage(SourceImage):
    """An image with mask files of its size; several may overlap. Without any it has no object."""

    is_painted: bool = True

    masks: tuple[MaskFile, ...]

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `with_sound_objects`: each mask file is of a size of its own."""

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> MaskedImage:
        """Keep the mask files whose headers say the image's size."""

        def checked(mask: MaskFile) -> MaskFile:
            require_shape(mask.path, labels_shape(mask.path), shape)
            return mask

        kind = OBJECT if all(mask.whole for mask in self.masks) else FILE
        masks = tuple(left_out.take(kind, self.masks, checked, lambda mask: mask.path.name))
        return replace(self, masks=masks, labels=frozenset(mask.label for mask in masks))

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Read one mask file after the other."""
        for mask in self.masks:
            if mask.whole:
                plane = open_labels(mask.path, read_mask)
                require_shape(mask.path, plane.shape, shape)
                said = mask.score, mask.record
                found = numbered(Changed(plane, lambda values: values > 0))
                placed = next((placed for _, placed in found), PlacedMask.empty(shape))
                yield SourceObject(mask.name, placed, mask.label, *said, review=mask.review)
                continue
            for one in mask_objects(mask.path, shape):
                yield SourceObject(f"{mask.name}/{one.number}", one.placed, mask.label)


def read_folder(location: Location) -> Dataset:
    """Pair the images of a folder with the masks of another.

    Raises:
        SamTuneError: see `labelled_images.read_pairs`.

    """
    images, masks = location.images, location.masks
    if images is None or masks is None:
        raise SamTuneError("Give a folder of images and one of masks.")
    if location.class_column is not None and location.manifest is None:
        raise SamTuneError("--class-column names a column of the --manifest: give both.")
    left_out = LeftOut()
    pairs = read_pairs(
        images,
        masks,
        manifest=location.manifest,
        class_column=location.class_column,
        group_column=location.group_column,
        left_out=left_out,
    )
    alone = len(stems(list_all_images(images), images)) - len(pairs) - left_out.total

    def sources(pair: LabelledImage) -> list[SourceImage]:
        group = pair.group if location.group_column else None
        stack = stack_as_said(pair.image, location.reading)
        if stack is not None:
            return stacked_images(stack, pair.mask, pair.label, group)
        return [
            MaskedImage(
                path=pair.image,
                name=pair.image.name,
                labels=frozenset({pair.label}),
                group=group,
                masks=(MaskFile(pair.mask, pair.mask.name, pair.label),),
            )
        ]

    every = left_out.take(IMAGE, pairs, sources, lambda pair: pair.image.name)
    found = [image for several in every for image in several]
    if alone:
        left_out.add("image without a mask", count=alone)
    return Dataset(f"folder/{own_name(masks)}", found, left_out)
