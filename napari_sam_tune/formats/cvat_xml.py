"""Reading "CVAT for images 1.1": an XML file of masks, polygons, boxes and ellipses.

CVAT's zip holds `annotations.xml` and the folder `images`. Polygons are in pixels from the outer
corner of the first, and drawn as CVAT's own library (Datumaro) draws them, by pycocotools.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError, MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import IMAGE, OBJECT, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, unpacked
from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask
from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.images.names import NamedFiles, own_name
from napari_sam_tune.formats.coco_masks import check_segmentation, decode_segmentation
from napari_sam_tune.formats.exported_folder import read_notes
from napari_sam_tune.formats.text_files import split_named
from napari_sam_tune.formats.xml_files import read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.review import Review

ANNOTATIONS: Final = "annotations.xml"
RECORD: Final = "napari-sam-tune-record"
"""The attribute that holds the id of a record."""
SCORE: Final = "score"
"""The attribute that holds the model's own estimate."""
SAID: Final = f"napari-sam-tune-{REVIEW}"
"""The attribute that holds what was said of a mask."""
_SHAPES: Final = frozenset(
    {"mask", "polygon", "box", "ellipse", "polyline", "points", "cuboid", "skeleton"}
)


@dataclass(frozen=True, kw_only=True)
class CvatImage(SourceImage):
    """An image of a file.

    Attributes:
        file: the XML file.
        size: (H, W) as it says.
        grouped: the shapes of each object, by a key that is the same the next time.

    """

    file: Path
    size: tuple[str | None, str | None]
    grouped: dict[str, list[Element]]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes."""
        if None not in self.size and self.size != tuple(map(str, shape)):
            raise ImageError(
                f"{self.name} is {shape[0]} × {shape[1]} pixels, but {self.file} says "
                f"{self.size[0]} × {self.size[1]}."
            )

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> CvatImage:
        """Keep the objects all of whose shapes can be drawn."""

        def checked(item: tuple[str, list[Element]]) -> tuple[str, list[Element]]:
            for found in item[1]:
                entry = f"{self.file}, {found.tag} {item[0]} of {self.name},"
                if not found.get("label"):
                    raise MaskError(f"{entry} has no label.")
                _mask(found, shape, entry)
                _review(_attributes(found), entry)
            return item

        grouped = dict(left_out.take(OBJECT, self.grouped.items(), checked))
        labels = frozenset(shapes[0].get("label", "") for shapes in grouped.values())
        return replace(self, grouped=grouped, labels=labels)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Draw one object after the other."""
        for key, shapes in self.grouped.items():
            mask = reduce(or_, (_mask(found, shape, key) for found in shapes))
            said = _attributes(shapes[0])
            label = shapes[0].get("label", "")
            score = said.get(SCORE)
            known = None if not score else _number(score, f"{self.file}, {key}")
            record = said.get(RECORD) or None
            yield SourceObject(key, mask, label, known, record, review=_review(said, key))


def _attributes(found: Element) -> dict[str | None, str | None]:
    return {e.get("name"): e.text for e in found.iter("attribute")}


def _review(said: dict[str | None, str | None], entry: str) -> Review | None:
    """Return what our own export said of an object."""
    return unpacked(said.get(SAID), entry) if said.get(RECORD) else None


def read_cvat_xml(location: Location) -> Dataset:
    """Read an `annotations.xml`, or the folder it is in; images lie in `images`, or beside it.

    Raises:
        SamTuneError: it is malformed, or no image can be taken.

    """
    if location.path is None:
        raise SamTuneError("Give CVAT's annotations.xml, or its folder.")
    file = location.path / ANNOTATIONS if location.path.is_dir() else location.path
    root, left_out, notes = read_xml(file), LeftOut(), read_notes(file.parent)
    if root.tag != "annotations":
        raise SamTuneError(f"{file} is no file of “CVAT for images 1.1”: it has <{root.tag}>.")
    beside = file.parent / "images"
    folder = location.images or (beside if beside.is_dir() else file.parent)
    files = NamedFiles(folder)

    def read(found: Element) -> CvatImage:
        entry = f"{file}: the image {found.get('id', '')}"
        named = files.find(found.get("name"), entry)
        name = named.path.relative_to(folder)
        image = CvatImage(
            path=named.path,
            name=name.as_posix(),
            said=named.said,
            split=split_named(found.get("subset") or ""),
            file=file,
            size=(found.get("height"), found.get("width")),
            grouped=_grouped(found),
        )
        return notes.named(image, name.with_suffix("").as_posix())

    images = left_out.take(IMAGE, list(root.iter("image")), read)
    return notes.dataset(f"cvat-xml/{own_name(file.parent)}", images, left_out)


def _grouped(image: Element) -> dict[str, list[Element]]:
    """Return the shapes of each object: those of one group and label are one, as CVAT has it."""
    grouped: dict[str, list[Element]] = {}
    for number, found in enumerate(e for e in image if e.tag in _SHAPES):
        group = found.get("group_id") or "0"
        key = str(number) if group == "0" else f"{found.get('label')}-{group}"
        grouped.setdefault(key, []).append(found)
    return grouped


def _mask(found: Element, shape: tuple[int, int], entry: str) -> PlacedMask:
    match found.tag:
        case "mask":
            return _unpacked(found, shape, entry)
        case "polygon":
            corners = _points(found.get("points", ""), entry)
        case "box":
            x0, y0, x1, y1 = _numbers(found, ("xtl", "ytl", "xbr", "ybr"), entry)
            corners = _turned(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), found, entry)
        case "ellipse":
            return _ellipse(found, shape, entry)
        case _:
            raise MaskError(f"{entry} is no mask; masks come from mask, polygon, box and ellipse.")
    polygon = [corners.ravel().tolist()]
    check_segmentation(polygon, shape, entry)
    return decode_segmentation(polygon, shape)


def _unpacked(found: Element, shape: tuple[int, int], entry: str) -> PlacedMask:
    """Read run lengths along the rows of a box: pixels outside, inside, outside, …."""
    x0, y0, width, height = (
        round(n) for n in _numbers(found, ("left", "top", "width", "height"), entry)
    )
    runs = _run_lengths(found.get("rle", ""), entry)
    if min(x0, y0) < 0 or min(width, height) < 1:
        raise MaskError(f"{entry} has a box that is not inside its image.")
    if y0 + height > shape[0] or x0 + width > shape[1]:
        raise MaskError(f"{entry} has a box that is not inside its image.")
    if sum(runs) != width * height:
        raise MaskError(f"{entry} has run lengths that do not add up to {height} × {width}.")
    require_one_mask((0, 0, height, width))
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    box = y0, x0, y0 + height, x0 + width
    return PlacedMask.in_window(flat.reshape(height, width), box, shape)


def _run_lengths(text: str, entry: str) -> list[int]:
    try:
        runs = [int(word) for word in text.split(",")]
    except ValueError as error:
        raise MaskError(f"{entry} has run lengths that are no numbers.") from error
    if min(runs) < 0:
        raise MaskError(f"{entry} has run lengths below 0.")
    return runs


def _ellipse(found: Element, shape: tuple[int, int], entry: str) -> PlacedMask:
    """Return the pixels whose centres are inside."""
    x, y, rx, ry = _numbers(found, ("cx", "cy", "rx", "ry"), entry)
    box = np.array([(x - rx, y - ry), (x + rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)])
    if min(rx, ry) <= 0:
        raise MaskError(f"{entry} is an ellipse without an area.")
    check_segmentation([_turned(box, found, entry).ravel().tolist()], shape, entry)
    turn = _angle(found, entry)
    reach = math.hypot(rx, ry) + 1
    low, high = (np.floor((y - reach, x - reach)), np.ceil((y + reach, x + reach)))
    window = clipped((int(low[0]), int(low[1]), int(high[0]), int(high[1])), shape)
    require_one_mask(window)
    across = np.arange(window[1], window[3]) + 0.5 - x
    down = (np.arange(window[0], window[2]) + 0.5 - y)[:, None]
    along = across * math.cos(turn) + down * math.sin(turn)
    beside = down * math.cos(turn) - across * math.sin(turn)
    inside = np.asarray((along / rx) ** 2 + (beside / ry) ** 2 <= 1)
    return PlacedMask.in_window(inside, window, shape)


def _turned(corners: NDArray[np.float64], found: Element, entry: str) -> NDArray[np.float64]:
    """Turn corners (N, 2) about their centre, as far as the element says, clockwise."""
    turn, centre = _angle(found, entry), corners.mean(axis=0)
    cos, sin = math.cos(turn), math.sin(turn)
    return np.asarray((corners - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre)


def _angle(found: Element, entry: str) -> float:
    return math.radians(_number(found.get("rotation") or "0", entry))


def _numbers(found: Element, names: tuple[str, ...], entry: str) -> list[float]:
    return [_number(found.get(name), entry) for name in names]


def _number(text: str | None, entry: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MaskError(f"{entry} lacks a number, or has {text!r} for it.")
    return number


def _points(text: str, entry: str) -> NDArray[np.float64]:
    pairs = [pair.split(",") for pair in text.split(";") if pair]
    if len(pairs) < 3 or any(len(pair) != 2 for pair in pairs):
        raise MaskError(f"{entry} is not a polygon of three or more points x,y.")
    return np.array([[_number(word, entry) for word in pair] for pair in pairs])
