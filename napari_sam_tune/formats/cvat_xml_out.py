"""Writing "CVAT for images 1.1": `annotations.xml` with a mask for each object, beside `images`.

Masks hold parts, holes and overlap exactly: run lengths along the rows of the object's box.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from napari_sam_tune.core.exchange.remarks import packed
from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.cvat_xml import ANNOTATIONS, RECORD, SAID, SCORE
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.xml_files import write_xml
from napari_sam_tune.formats.yolo_out import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.formats.writer import ExportOptions


def write_cvat_xml(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write the file, and the images where these are asked for."""
    losses: Counter[str] = Counter()
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    labels = _child(_child(_child(root, "meta"), "task"), "labels")
    for name, colour in classes.items():
        label = _child(labels, "label")
        for tag, text in (("name", name), ("color", colour), ("type", "any")):
            _child(label, tag).text = text
        attributes = _child(label, "attributes")
        for known in (RECORD, SCORE, SAID):
            attribute = _child(attributes, "attribute")
            for tag, text in (("name", known), ("mutable", "False"), ("input_type", "text")):
                _child(attribute, tag).text = text
            _child(attribute, "default_value")
            _child(attribute, "values")
    with ExportedFolder(path) as folder:
        for number, image in enumerate(images):
            stem, name = folder.add(image), image.name
            if options.copy_images:
                name = folder.copy_image(image, f"images/{stem}").removeprefix("images/")
            height, width = map(str, image.shape)
            subset = {"subset": FOLDERS[image.split]} if image.split else {}
            said = {"id": str(number), "name": name, **subset, "width": width, "height": height}
            element = ElementTree.SubElement(root, "image", said)
            for found in image.objects:
                element.append(_mask(found))
                if found.provenance is not None:
                    losses[mark("object without its history (weights, prompts, time)")] += 1
    write_xml(root, path / ANNOTATIONS)
    return losses


def _child(parent: ElementTree.Element, tag: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag)


def _mask(found: ObjectOut) -> ElementTree.Element:
    y0, x0, y1, x1 = found.bbox
    said = {"label": found.label, "source": "manual", "occluded": "0"}
    said |= {"rle": ", ".join(map(str, run_lengths(found.mask)))}
    said |= {"left": str(x0), "top": str(y0), "width": str(x1 - x0), "height": str(y1 - y0)}
    element = ElementTree.Element("mask", said | {"z_order": "0"})
    review = packed(found.review) or None
    for name, value in ((RECORD, found.id), (SCORE, found.score), (SAID, review)):
        if value is not None:
            ElementTree.SubElement(element, "attribute", {"name": name}).text = str(value)
    return element


def run_lengths(mask: Mask) -> list[int]:
    """Return pixels outside, inside, outside, …, along the rows."""
    borders = np.flatnonzero(np.diff(mask.ravel().astype(np.int8), prepend=0))
    return [int(n) for n in np.diff(borders, prepend=0, append=mask.size)]
