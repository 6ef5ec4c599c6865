"""Reading labelme: JSON files with polygons, rectangles, circles and masks.

Shapes of one group are one object. X-AnyLabeling writes the same files, and its "rotation".
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, OBJECT, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, unpacked
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import NamedFile, NamedFiles, own_name, parts_of
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.formats.drawn import drawn, drawn_circle
from napari_sam_tune.formats.exported_folder import read_notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.review import Review
    from napari_sam_tune.core.prompts import Mask

    Shape = dict[str, Any]

_FEWEST: Final = {
    "polygon": 3,
    "rectangle": 2,
    "oriented_rectangle": 3,
    "circle": 2,
    "mask": 2,
    "rotation": 3,
}
"""Shapes that are masks, and the points they have at least."""


@dataclass(frozen=True, kw_only=True)
class LabelmeImage(SourceImage):
    """An image with its JSON file.

    Attributes:
        file: the JSON file.
        size: (H, W) as it says, or something else in place of a number it does not know.
        grouped: the shapes of each object, by a key that is the same the next time.

    """

    file: Path
    size: tuple[Any, Any]
    grouped: dict[str, list[Shape]]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes."""
        for said, side in zip(self.size, shape, strict=True):
            if isinstance(said, int) and said > 0 and said != side:
                raise ImageError(
                    f"{self.name} is {shape[0]} × {shape[1]} pixels, but {self.file} says "
                    f"{self.size[0]} × {self.size[1]}."
                )

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> LabelmeImage:
        """Keep the objects all of whose shapes can be drawn."""

        def checked(item: tuple[str, list[Shape]]) -> tuple[str, list[Shape]]:
            key, shapes = item
            for found in shapes:
                entry = f"{self.file}, shape {key},"
                _check(found, shape, entry)
                if found.get("shape_type") == "mask":
                    _mask(found, shape, entry)
                _review(found, entry)
            return key, [found | {"label": _label(found)} for found in shapes]

        grouped = dict(left_out.take(OBJECT, self.grouped.items(), checked))
        labels = frozenset(shapes[0]["label"] for shapes in grouped.values())
        return replace(self, grouped=grouped, labels=labels)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Draw one object after the other."""
        for key, shapes in self.grouped.items():
            entry = f"{self.file}, shape {key},"
            mask = reduce(or_, (_mask(found, shape, entry) for found in shapes))
            score, record = shapes[0].get("score"), shapes[0].get("record")
            yield SourceObject(
                f"{self.file.name}/{key}",
                mask,
                shapes[0]["label"],
                score if isinstance(score, float) else None,
                record if isinstance(record, str) else None,
                review=_review(shapes[0], entry),
            )


def read_labelme(location: Location) -> Dataset:
    """Read a folder of JSON files, or one; images lie where the files say, or in `images`.

    An image that is nowhere but in its JSON file is taken from there.

    Raises:
        SamTuneError: no file can be taken; those at fault are named.

    """
    if location.path is None:
        raise SamTuneError("Give the folder of JSON files.")
    folder = location.path if location.path.is_dir() else location.path.parent
    files = list_files(folder, {".json"}) if location.path.is_dir() else [location.path]
    notes, images, left_out = read_notes(folder), NamedFiles(location.images or folder), LeftOut()

    def read(file: Path) -> LabelmeImage:
        stem = file.relative_to(folder).with_suffix("").as_posix()
        return notes.named(_image(file, images, None if location.images else file.parent), stem)

    found = left_out.take(FILE, files, read)
    return notes.dataset(f"labelme/{own_name(folder)}", found, left_out)


def _image(file: Path, images: NamedFiles, beside: Path | None) -> LabelmeImage:
    document = read_json(file)
    shapes = document.get("shapes")
    if not isinstance(shapes, list):
        raise SamTuneError(f"{file} has no list “shapes”, so it is not a file of labelme.")
    image, content = _found(document, file, images, beside)
    grouped: dict[str, list[Shape]] = {}
    for number, found in enumerate(shapes):
        group = found.get("group_id") if isinstance(found, dict) else None
        key = str(number) if group is None else f"{found.get('label')}-{group}"
        grouped.setdefault(key, []).append(found)
    return LabelmeImage(
        path=image.path,
        name=image.path.relative_to(images.folder).as_posix(),
        said=image.said,
        content=content,
        file=file,
        size=(document.get("imageHeight"), document.get("imageWidth")),
        grouped=grouped,
    )


def _found(
    document: dict[str, Any], file: Path, images: NamedFiles, beside: Path | None
) -> tuple[NamedFile, bytes | None]:
    """Return where the image is, or, where it is nowhere else, what the JSON file holds of it."""
    name = document.get("imagePath")
    try:
        found = images.find(name, str(file), beside=beside)
    except SamTuneError:
        content = _embedded(document.get("imageData"), file)
        if content is None or not isinstance(name, str) or not (parts := parts_of(name)):
            raise
        return NamedFile((beside or images.folder) / parts[-1]), content
    is_there = found.path.exists()
    return found, None if is_there else _embedded(document.get("imageData"), file)


def _embedded(data: object, file: Path) -> bytes | None:
    """Return the image file that a JSON file holds, or None."""
    if not isinstance(data, str) or not data:
        return None
    try:
        return base64.b64decode(data)
    except ValueError as error:
        raise ImageError(f"{file} has “imageData” that is no base64: {error}.") from error


def _review(found: Shape, entry: str) -> Review | None:
    """Return what our own export said of an object."""
    return unpacked(found.get(REVIEW), entry) if found.get("record") else None


def _label(found: Shape) -> str:
    label = found.get("label")
    return label if isinstance(label, str) else ""


def _check(found: object, shape: tuple[int, int], entry: str) -> None:
    if not isinstance(found, dict) or not _label(found).strip():
        raise MaskError(f"{entry} has no label.")
    kind = found.get("shape_type") or "polygon"  # labelme 3 knew no others
    if kind not in _FEWEST:
        known = ", ".join(_FEWEST)
        raise MaskError(f"{entry} is a {kind!s:.30}; masks come from {known}.")
    try:
        points = np.array(found.get("points"), dtype=np.float64).reshape(-1, 2)
    except (ValueError, TypeError, OverflowError):
        points = np.empty((0, 2))
    if len(points) < _FEWEST[kind] or not np.isfinite(points).all():
        raise MaskError(f"{entry} has too few points for a {kind}, or some that are no numbers.")
    _check_near(points, shape, entry)
    if kind == "circle":
        radius = np.hypot(*(points[1] - points[0]))
        _check_near(points[:1] - radius, shape, entry)
        _check_near(points[:1] + radius, shape, entry)
    if kind == "mask" and (len(points) != 2 or (points < 0).any() or (points >= shape[::-1]).any()):
        raise MaskError(f"{entry} is a mask whose two corners are not inside its image.")


def _check_near(points: NDArray[np.float64], shape: tuple[int, int], entry: str) -> None:
    height, width = shape
    # A corner may lie a little outside; one this far off belongs to another image.
    if (points < (-width, -height)).any() or (points > (2 * width, 2 * height)).any():
        raise MaskError(f"{entry} lies far outside its image, which is {height} × {width} pixels.")


def _mask(found: Shape, shape: tuple[int, int], entry: str) -> PlacedMask:
    points = np.array(found["points"], dtype=np.float64).reshape(-1, 2)
    kind = found.get("shape_type")
    if kind == "circle":
        return drawn_circle(points[0], float(np.hypot(*(points[1] - points[0]))), shape)
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if kind != "mask":
        return drawn(points, shape)
    (x0, y0), (x1, y1) = points.astype(int).tolist()
    inside = _decoded(found.get("mask"), (y1 + 1 - y0, x1 + 1 - x0), entry)
    return PlacedMask.in_window(inside, (y0, x0, y1 + 1, x1 + 1), shape)


def _decoded(text: object, shape: tuple[int, int], entry: str) -> Mask:
    try:
        packed = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        with open_picture(packed, f"The mask of {entry.removesuffix(',')}") as picture:
            if picture.shape[:2] != shape:
                raise MaskError(
                    f"{entry} has a mask of {picture.shape[0]} × {picture.shape[1]} pixels between "
                    f"corners {shape[0]} × {shape[1]} apart."
                )
            values = picture.read().reshape(*shape, -1)
    except MaskError:
        raise
    except ValueError as error:
        raise MaskError(f"{entry} has a mask that is no PNG: {error}") from error
    channels = values.shape[-1]
    colours = values[..., : channels - (channels in (2, 4))]
    return np.asarray(colours.any(axis=-1), dtype=bool)
