"""Writing Pascal VOC: an XML file and two index PNGs for each image, in the folders of VOC2012."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from PIL import Image

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.core.exchange.remarks import REVIEW, packed
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.label_images_out import paint
from napari_sam_tune.formats.palettes import VOC
from napari_sam_tune.formats.xml_files import write_xml
from napari_sam_tune.formats.yolo_out import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.formats.palettes import Colour
    from napari_sam_tune.formats.writer import ExportOptions

MOST: Final = 254
"""Objects in an index PNG of VOC, where 0 is background and 255 is not looked at."""
_BACKGROUND: Final = "background"
_NO_NAME: Final = re.compile(r"^#|[:\r\n]")
"""What would be read as a comment, another field or another line of the label map."""


def write_voc(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write the folder.

    Raises:
        SamTuneError: an image has more objects, or there are more classes, than an index PNG holds.

    """
    losses: Counter[str] = Counter()
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    if len(classes) > MOST:
        raise SamTuneError(
            tr(
                "The project has {n:,} classes, and an index PNG holds {most}. Export it as COCO.",
                n=len(classes),
                most=MOST,
            )
        )
    lists: dict[str, list[str]] = {}
    with ExportedFolder(path) as folder:
        colours = _palette(classes)
        folder.file("labelmap.txt").write_text(_labelmap(classes, colours), encoding="utf-8")
        for image in images:
            stem = folder.add(image)
            lists.setdefault(FOLDERS[image.split or "train"], []).append(stem)
            _check_count(image)
            filename = image.name
            if options.copy_images:
                copied = folder.copy_image(image, f"JPEGImages/{stem}")
                filename = copied.removeprefix("JPEGImages/")
            _write_xml(folder.file(f"Annotations/{stem}.xml"), image, filename)
            objects = paint(image, "uint8", losses, range(1, len(image.objects) + 1))
            _save(objects, [*VOC], folder.file(f"SegmentationObject/{stem}.png"))
            values = [numbers[found.label] for found in image.objects]
            of_class = paint(image, "uint8", Counter(), values)
            _save(of_class, colours, folder.file(f"SegmentationClass/{stem}.png"))
        for name, stems in lists.items():
            text = "".join(f"{stem}\n" for stem in stems)
            folder.file(f"ImageSets/Segmentation/{name}.txt").write_text(text, encoding="utf-8")
    return +losses


def _check_count(image: ImageOut) -> None:
    if len(image.objects) > MOST:
        raise SamTuneError(
            tr(
                "{image} has {n:,} objects, and an index PNG holds {most}. Export it as COCO.",
                image=image.name,
                n=len(image.objects),
                most=MOST,
            )
        )


def _palette(classes: Mapping[str, str]) -> list[Colour]:
    """Return the background's colour and one of its own for each class: by it readers tell them."""
    colours: list[Colour] = [(0, 0, 0)]
    for colour in map(rgb, classes.values()):
        free = next(other for other in VOC if other not in colours)
        colours.append(free if colour in colours else colour)
    return colours


def _labelmap(classes: Iterable[str], colours: Iterable[Colour]) -> str:
    """Return the file by which CVAT and Datumaro know the classes: name, colour, parts, actions."""
    names = [_BACKGROUND]
    for name in classes:
        said = _NO_NAME.sub("_", name)
        while said.lower() in (other.lower() for other in names):  # two of a name are refused
            said += "_"
        names.append(said)
    lines = [f"{n}:{r},{g},{b}::" for n, (r, g, b) in zip(names, colours, strict=True)]
    return "\n".join(("# label:color_rgb:parts:actions", *lines, ""))


def _save(indices: NDArray[Any], colours: Sequence[Colour], path: Path) -> None:
    picture = Image.fromarray(indices)
    picture.putpalette([channel for colour in colours for channel in colour])
    picture.save(path)


def _write_xml(path: Path, image: ImageOut, filename: str) -> None:
    root = ElementTree.Element("annotation")
    _add(root, folder="JPEGImages", filename=filename)
    height, width = image.shape
    _add(ElementTree.SubElement(root, "size"), width=width, height=height)
    _add(root, segmented=1)
    for found in image.objects:
        _add_object(root, found)
    write_xml(root, path)


def _add_object(root: ElementTree.Element, found: ObjectOut) -> None:
    """Describe an object; readers of VOC leave the elements alone that VOC does not have."""
    element = ElementTree.SubElement(root, "object")
    _add(element, name=found.label, pose="Unspecified", truncated=0, difficult=0)
    y0, x0, y1, x1 = found.bbox  # VOC counts from 1, and its ends are inside
    box = ElementTree.SubElement(element, "bndbox")
    _add(box, xmin=x0 + 1, ymin=y0 + 1, xmax=x1, ymax=y1)
    if found.id is not None:
        _add(element, record=found.id)
    if found.score is not None:
        _add(element, score=found.score)
    if found.review is not None:
        _add(element, **{REVIEW: packed(found.review)})
    if (said := found.provenance) is not None:
        _add(element, weights_version=said.weights_version, prompts=said.prompts)
        _add(element, reviewed=str(said.reviewed).lower(), source=said.source)
        _add(element, created=said.created)


def _add(parent: ElementTree.Element, **children: object) -> None:
    for name, value in children.items():
        ElementTree.SubElement(parent, name).text = str(value)
