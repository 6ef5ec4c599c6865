"""Reading Pascal VOC: objects are listed in an XML file and numbered in an index PNG.

CVAT and Datumaro list boxes as well, and number masks by what lies over what: their numbers are not
those of the list, and `SegmentationClass` says of which class an object is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import require_shape
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, unpacked
from napari_sam_tune.core.exchange.tiled_labels import HeldPlane, numbered
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.images.files import list_files, list_images
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.names import (
    NamedFile,
    NamedFiles,
    only,
    own_name,
    paired,
    stem_of,
    stems,
)
from napari_sam_tune.formats.exported_folder import by_stem, read_notes
from napari_sam_tune.formats.palettes import VOC, numbers_of, read_labelmap
from napari_sam_tune.formats.voc_painted import (
    CLASSES,
    LABELMAP,
    OBJECTS,
    VOID,
    PaintedImage,
    painted_images,
)
from napari_sam_tune.formats.xml_files import read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.review import Review


@dataclass(frozen=True)
class VocObject:
    """An object of an XML file; what is after its label is of our own export, or None."""

    label: str
    score: float | None
    record: str | None
    review: Review | None


@dataclass(frozen=True, kw_only=True)
class VocImage(SourceImage):
    """An image with its XML file.

    Attributes:
        key: the file's name without suffix, with its folders.
        file: the index PNG of objects.
        listed: the objects, the k-th is painted with k.

    """

    is_painted: bool = True

    key: str
    file: Path
    listed: tuple[VocObject, ...]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes; an image with objects needs its index PNG."""
        if self.listed and not self.file.is_file():
            raise MaskError(f"{self.key}.xml has no masks: {self.file} is missing. Boxes are none.")
        if self.file.is_file():
            require_shape(self.file, image_shape(self.file), shape)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give the objects in the file's order."""
        if not self.file.is_file():
            return
        give = (
            "Objects are numbered in the XML file's order, or painted in VOC's colours in that "
            "order; save it as an indexed PNG."
        )
        painted = numbers_of(self.file, VOC, give)
        require_shape(self.file, painted.shape, shape)
        beyond = painted[(painted != VOID) & (painted > len(self.listed))]
        if beyond.size:
            raise MaskError(
                f"{self.file} has the number {int(beyond[0])}, but {self.key}.xml lists "
                f"{len(self.listed)} objects."
            )
        masks = {int(number): placed for number, placed in numbered(HeldPlane(painted))}
        for number, found in enumerate(self.listed, start=1):
            key, placed = f"{self.key}/{number}", masks.get(number, PlacedMask.empty(shape))
            said = found.score, found.record
            yield SourceObject(key, placed, found.label, *said, review=found.review)


def read_voc(location: Location) -> Dataset:
    """Read a folder with `Annotations`, `SegmentationObject` and, without `images`, `JPEGImages`.

    Without `Annotations`, see `voc_painted`.

    Raises:
        SamTuneError: something is missing or malformed (named), or lies outside the folder.

    """
    folder = location.path
    if folder is None:
        raise SamTuneError("Give a folder with “Annotations” in it.")
    notes = read_notes(folder)
    images = location.images or folder / "JPEGImages"
    name, left_out = f"voc/{own_name(folder)}", LeftOut()
    if not (folder / "Annotations").is_dir():
        without = [notes.named(i, i.key) for i in painted_images(folder, images, left_out)]
        return notes.dataset(name, without, left_out)
    files, masks = NamedFiles(images), folder / OBJECTS
    listed = stems(list_files(folder / "Annotations", {".xml"}), folder / "Annotations")
    painted = paired(listed, by_stem(masks)) if masks.is_dir() else {}
    by_class = by_stem(folder / CLASSES) if (folder / CLASSES).is_dir() else {}
    classes = paired(listed, by_class) if (folder / LABELMAP).is_file() else {}
    names, colours = read_labelmap(folder / LABELMAP) if classes else ({}, {})
    own = paired(listed, stems(list_images(images, recursive=True), images))

    def read(item: tuple[str, tuple[Path, ...]]) -> VocImage | PaintedImage:
        key, file = item[0], only(item[1])
        root = read_xml(file)
        named = _image(root.findtext("filename"), file, files, own.get(key, ()))
        objects = tuple(_object(e, f"{file}, object {n},") for n, e in _numbered(root))
        is_ours = key in notes.images or any(o.record is not None for o in objects)
        if not is_ours and key in painted and key in classes:
            return PaintedImage(
                path=named.path,
                name=named.path.relative_to(images).as_posix(),
                said=named.said,
                key=key,
                of_objects=only(painted[key]),
                of_classes=only(classes[key]),
                classes=names,
                colours=colours,
            )
        image = VocImage(
            path=named.path,
            name=named.path.relative_to(images).as_posix(),
            said=named.said,
            labels=frozenset(o.label for o in objects),
            key=key,
            file=only(painted.get(key, (masks / f"{key}.png",))),
            listed=objects,
        )
        return notes.named(image, key)

    return notes.dataset(name, left_out.take(FILE, listed.items(), read), left_out)


def _image(said: str | None, file: Path, files: NamedFiles, own: tuple[Path, ...]) -> NamedFile:
    """Find the image of an XML file: by what it says, else by its own name, as VOC's devkit does.

    Raises:
        SamTuneError: both are there and are not the same, or it says no name.

    """
    named = files.find(said, str(file))
    if not own:
        return named
    if not named.path.is_file():
        return NamedFile(only(own), said)
    if named.path not in own and stem_of(named.path.name) != stem_of(file.stem):
        raise SamTuneError(
            f"{file} names the image {named.path.name}, and {own[0].name} is there too, which has "
            "its own name: nothing tells which is meant. Mend <filename> in it."
        )
    return named


def _numbered(root: ElementTree.Element) -> Iterator[tuple[int, ElementTree.Element]]:
    return enumerate(root.iter("object"), start=1)


def _object(element: ElementTree.Element, entry: str) -> VocObject:
    label = element.findtext("name")
    if not label:
        raise SamTuneError(f"{entry} has no name.")
    said = element.findtext("score")
    try:
        score = None if said is None else float(said)
    except ValueError:
        score = math.nan
    if score is not None and not math.isfinite(score):
        raise SamTuneError(f"{entry} has the score {said!r}, which is no number.")
    record = element.findtext("record") or None
    review = unpacked(element.findtext(REVIEW), entry) if record else None
    return VocObject(label, score, record, review)
