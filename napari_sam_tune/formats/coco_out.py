"""Writing COCO: run lengths hold every mask exactly; polygons are for tools that know no others."""

from __future__ import annotations

import json
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from pycocotools import mask as coco_mask

from napari_sam_tune.core.exchange.remarks import NOT_KEPT, REVIEW, flat, packed
from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.outlines import rings
from napari_sam_tune.formats.yolo_out import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.formats.writer import ExportOptions

    Row = dict[str, Any]

DESCRIPTION: Final = "napari-sam-tune"
"""In `info`: by it our own file is known, in which an image's group and split are a project's."""


def write_coco(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write an "instances" file with compressed run lengths: holes, parts and overlap are kept."""
    return _write(images, classes, path, with_run_lengths)


def write_coco_polygons(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write an "instances" file with polygons, one for each part; holes are filled."""
    return _write(images, classes, path, _with_polygons)


def write_cvat(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write "instances" as CVAT exports masks itself: run lengths as lists, marked as crowds."""
    return _write(images, classes, path, _for_cvat)


def _write(
    images: Iterable[ImageOut],
    classes: Mapping[str, str],
    path: Path,
    described: Callable[[ObjectOut, tuple[int, int], Counter[str]], Row],
) -> Counter[str]:
    with CocoFile(path, classes) as file:
        for image in images:
            file.add(image, described)
    return file.losses


class CocoFile:
    """An "instances" file: annotations as they come; the list of images, which is short, last.

    Args:
        path: the file.
        classes: name to colour, all that the images have.

    """

    def __init__(self, path: Path, classes: Mapping[str, str]) -> None:
        self.losses: Counter[str] = Counter()
        self._categories = {name: number for number, name in enumerate(classes, start=1)}
        self._images: list[Row] = []
        self._separator, self._numbers = "\n", count(1)
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        listed = [{"id": n, "name": k, "supercategory": ""} for k, n in self._categories.items()]
        self._file.write(f'{{"info": {{"description": "{DESCRIPTION}"}}, "licenses": [],\n')
        self._file.write(f'"categories": {json.dumps(listed, ensure_ascii=False)},\n')
        self._file.write('"annotations": [')
        return self

    def add(
        self,
        image: ImageOut,
        described: Callable[[ObjectOut, tuple[int, int], Counter[str]], Row],
    ) -> None:
        """Write the objects of an image, as `described` says them."""
        image_id = len(self._images) + 1
        self._images.append(_image(image_id, image))
        for found in image.objects:
            row = {"id": next(self._numbers), "image_id": image_id}
            row["category_id"] = self._categories[found.label]
            row |= _common(found) | described(found, image.shape, self.losses)
            self._file.write(self._separator + json.dumps(row, ensure_ascii=False))
            self._separator = ",\n"

    def __exit__(self, *_: object) -> None:
        images = json.dumps(self._images, ensure_ascii=False)
        self._file.write(f'\n],\n"images": {images}}}\n')
        self._file.close()


def _image(number: int, image: ImageOut) -> Row:
    height, width = image.shape
    split = FOLDERS[image.split] if image.split else None
    said = {"group": image.group, "split": split, REVIEW: packed(image.review)}
    row = {"id": number, "file_name": image.name, "height": height, "width": width}
    return row | {name: value for name, value in said.items() if value}


def _common(found: ObjectOut) -> Row:
    y0, x0, y1, x1 = found.bbox
    row: Row = {
        "iscrowd": 0,
        "area": int(np.count_nonzero(found.mask)),
        "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
    }
    if found.id is not None:
        row["record"] = found.id
    if found.score is not None:
        row["score"] = float(found.score)
    return row


def _provenance(found: ObjectOut) -> Row:
    said = found.provenance
    if said is None:
        return {}
    return {
        "attributes": {
            **flat(found.review),
            "weights_version": said.weights_version,
            "prompts": said.prompts,
            "reviewed": said.reviewed,
            "source": said.source,
            "created": said.created,
        }
    }


def with_run_lengths(found: ObjectOut, shape: tuple[int, int], _: Counter[str]) -> Row:
    """Describe an object by compressed run lengths."""
    runs = {"size": list(shape), "counts": run_lengths(found, shape)}
    packed = coco_mask.frPyObjects(runs, *shape)["counts"].decode("ascii")
    return {"segmentation": {"size": list(shape), "counts": packed}, **_provenance(found)}


def _with_polygons(found: ObjectOut, _: tuple[int, int], losses: Counter[str]) -> Row:
    y0, x0, _y1, _x1 = found.bbox
    outer, holes = rings(found.mask)
    if holes:
        losses[mark("object whose holes are filled")] += 1
    polygons = [np.add(ring, (x0, y0)).ravel().tolist() for ring in outer]
    return {"segmentation": polygons, **_provenance(found)}


def _for_cvat(found: ObjectOut, shape: tuple[int, int], losses: Counter[str]) -> Row:
    if found.provenance is not None:
        losses[mark("object without its history (weights, prompts, time)")] += 1
    if found.review is not None:
        losses[NOT_KEPT] += 1
    runs = {"size": list(shape), "counts": run_lengths(found, shape)}
    return {"iscrowd": 1, "segmentation": runs, "attributes": {"occluded": False}}


def run_lengths(found: ObjectOut, shape: tuple[int, int]) -> list[int]:
    """Return COCO's run lengths, made from the cut-out alone: the image may be 8k × 8k.

    Args:
        found: the object.
        shape: the image's (H, W).

    Returns:
        pixels outside, inside, outside, …, down the columns, from the left to the right.

    """
    height, width = shape
    y0, x0, _, _ = found.bbox
    edges = np.diff(found.mask.T.astype(np.int8), axis=1, prepend=0, append=0)
    starts, ends = (
        (columns + x0) * height + rows + y0
        for columns, rows in (np.nonzero(edges == 1), np.nonzero(edges == -1))
    )
    # A run that reaches the bottom goes on at the top of the next column.
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    borders = np.stack((starts, ends), axis=1).ravel()
    counts = np.diff(borders, prepend=0, append=height * width)
    return [int(n) for n in (counts if counts[-1] else counts[:-1])]
