"""VOC's pictures without XML files, as CVAT's "Segmentation mask 1.1": objects and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import require_shape
from napari_sam_tune.core.exchange.left_out import FILE
from napari_sam_tune.core.exchange.tiled_labels import Changed, HeldPlane, connected, numbered
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.names import only, paired
from napari_sam_tune.formats.exported_folder import by_stem, image_of
from napari_sam_tune.formats.palettes import VOC, numbers_of, read_labelmap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.left_out import LeftOut
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.formats.palettes import Colour

VOID = 255
LABELMAP = "labelmap.txt"
OBJECTS = "SegmentationObject"
CLASSES = "SegmentationClass"


@dataclass(frozen=True, kw_only=True)
class PaintedImage(SourceImage):
    """An image with a picture of objects, one of classes, or both.

    Attributes:
        key: its name without suffix, with its folders.
        of_objects: numbers, or VOC's colours; None where each connected part is an object.
        of_classes: numbers or colours of classes; None where there is a single class.
        classes: number to class.
        colours: colour to number.

    """

    is_painted: bool = True

    key: str
    of_objects: Path | None
    of_classes: Path | None
    classes: Mapping[int, str]
    colours: Mapping[Colour, int]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare the sizes in the files' headers, and see that classes can be told."""
        for file in (self.of_objects, self.of_classes):
            if file is not None:
                require_shape(file, image_shape(file), shape)
        if self.of_classes is None and len(self.classes) != 1:
            raise MaskError(
                f"{self.key} has objects, but no SegmentationClass/{self.key}.png that says of "
                f"which of the {len(self.classes)} classes of {LABELMAP} they are."
            )

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give the objects by their numbers."""
        give = f"Give its colour in {LABELMAP}: class:red,green,blue::"
        classes = None
        if self.of_classes is not None:
            classes = numbers_of(self.of_classes, self.colours or VOC, give)
            require_shape(self.of_classes, classes.shape, shape)
        if self.of_objects is not None:
            give = "Objects are numbered, or painted in VOC's colours; save it as an indexed PNG."
            numbers = numbers_of(self.of_objects, VOC, give)
            require_shape(self.of_objects, numbers.shape, shape)
            found = numbered(Changed(HeldPlane(numbers), _without_void))
        elif classes is not None:
            parts = connected(Changed(HeldPlane(classes), _without_void))
            found = ((number, placed) for number, (_, placed) in enumerate(parts, start=1))
        for number, placed in found:
            yield SourceObject(f"{self.key}/{number}", placed, self._class_of(placed, classes))

    def _class_of(self, placed: PlacedMask, classes: NDArray[Any] | None) -> str:
        """Return the class that most of an object is painted with."""
        if classes is None or placed.bbox is None:
            return next(iter(self.classes.values()))
        y0, x0, y1, x1 = placed.bbox
        painted = classes[y0:y1, x0:x1][placed.cropped]
        values, counts = np.unique(painted, return_counts=True)
        number = int(values[counts.argmax()])
        if number not in self.classes:
            raise MaskError(
                f"{self.of_classes} has an object of the number {number}, which is no class of "
                f"{LABELMAP}."
            )
        return self.classes[number]


def _without_void(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return numbers with 0 where they say that nothing is known."""
    return np.where(numbers == VOID, 0, numbers)


def painted_images(folder: Path, images: Path, left_out: LeftOut) -> list[PaintedImage]:
    """Read the pictures of a folder that has no `Annotations`; those without an image are left out.

    Raises:
        SamTuneError: there are none, none has an image, or there is no `labelmap.txt`.

    """
    pictures = {
        name: by_stem(folder / name) if (folder / name).is_dir() else {}
        for name in (OBJECTS, CLASSES)
    }
    objects, classes = pictures.values()
    if not objects and not classes:
        raise SamTuneError(
            f"Give a folder with “Annotations” in it, or with “SegmentationObject” and "
            f"“SegmentationClass”; {folder} has none."
        )
    names, colours = read_labelmap(folder / LABELMAP)
    keys = sorted({*objects, *classes})
    known = paired(keys, by_stem(images))

    def read(key: str) -> PaintedImage:
        of_objects = only(objects[key]) if key in objects else None
        of_classes = only(classes[key]) if key in classes else None
        path = image_of(key, known, images, of_objects or of_classes)
        return PaintedImage(
            path=path,
            name=path.relative_to(images).as_posix(),
            key=key,
            of_objects=of_objects,
            of_classes=of_classes,
            classes=names,
            colours=colours,
        )

    return left_out.take(FILE, keys, read)
