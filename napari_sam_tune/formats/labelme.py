"""Reading labelme: JSON files with polygons and masks; shapes of one group are one object."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import NamedFiles, own_name
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.formats.drawn import drawn
from napari_sam_tune.formats.exported_folder import read_notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.prompts import Mask

    Shape = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LabelmeImage(SourceImage):
    """An image with its JSON file.

    Attributes:
        file: the JSON file.
        size: (H, W) as it says, or None in place of a number that is missing.
        grouped: the shapes of each object, by a key that is the same the next time.

    """

    file: Path
    size: tuple[Any, Any]
    grouped: dict[str, list[Shape]]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes, and check that every shape can be drawn."""
        for said, side in zip(self.size, shape, strict=True):
            if said not in (None, side):
                raise ImageError(
                    f"{self.name} is {shape[0]} × {shape[1]} pixels, but {self.file} says "
                    f"{self.size[0]} × {self.size[1]}."
                )
        for key, shapes in self.grouped.items():
            for found in shapes:
                entry = f"{self.file}, shape {key},"
                _check_points(found, shape, entry)
                if found["shape_type"] == "mask":
                    _mask(found, shape, entry)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Draw one object after the other."""
        for key, shapes in self.grouped.items():
            entry = f"{self.file}, shape {key},"
            mask = np.any([_mask(found, shape, entry) for found in shapes], axis=0)
            score, record = shapes[0].get("score"), shapes[0].get("record")
            yield SourceObject(
                f"{self.file.name}/{key}",
                mask,
                shapes[0]["label"],
                score if isinstance(score, float) else None,
                record if isinstance(record, str) else None,
            )


def read_labelme(location: Location) -> Dataset:
    """Read a folder of JSON files, or one; images lie where the files say, or in `images`.

    Raises:
        SamTuneError: a file or shape (named) is malformed.

    """
    if location.path is None:
        raise SamTuneError("Give the folder of JSON files.")
    folder = location.path if location.path.is_dir() else location.path.parent
    files = list_files(folder, {".json"}) if location.path.is_dir() else [location.path]
    notes, images = read_notes(folder), NamedFiles(location.images or folder)
    found = []
    for file in files:
        image = _image(file, images, None if location.images else file.parent)
        stem = file.relative_to(folder).with_suffix("").as_posix()
        found.append(notes.named(image, stem))
    return notes.dataset(f"labelme/{own_name(folder)}", found)


def _image(file: Path, images: NamedFiles, beside: Path | None) -> LabelmeImage:
    document = read_json(file)
    shapes = document.get("shapes")
    if not isinstance(shapes, list):
        raise SamTuneError(f"{file} has no list “shapes”, so it is not a file of labelme.")
    image = images.find(document.get("imagePath"), str(file), beside=beside)
    grouped: dict[str, list[Shape]] = {}
    for number, found in enumerate(shapes):
        if not isinstance(found, dict) or not isinstance(found.get("label"), str):
            raise SamTuneError(f"{file}, shape {number}, has no label.")
        group = found.get("group_id")
        key = str(number) if group is None else f"{found['label']}-{group}"
        grouped.setdefault(key, []).append(found)
    return LabelmeImage(
        path=image.path,
        name=image.path.relative_to(images.folder).as_posix(),
        said=image.said,
        labels=frozenset(found["label"] for found in shapes),
        file=file,
        size=(document.get("imageHeight"), document.get("imageWidth")),
        grouped=grouped,
    )


def _check_points(found: Shape, shape: tuple[int, int], entry: str) -> None:
    kind = found.get("shape_type")
    if kind not in ("polygon", "mask"):
        raise MaskError(f"{entry} is a {kind}; masks come from polygons and masks alone.")
    try:
        points = np.array(found.get("points"), dtype=np.float64).reshape(-1, 2)
    except (ValueError, TypeError, OverflowError):
        points = np.empty((0, 2))
    if len(points) < 2 or not np.isfinite(points).all():
        raise MaskError(f"{entry} has no points, or some that are no numbers.")
    height, width = shape
    # A corner may lie a little outside; one this far off belongs to another image.
    if (points < (-width, -height)).any() or (points > (2 * width, 2 * height)).any():
        raise MaskError(f"{entry} lies far outside its image, which is {height} × {width} pixels.")
    if kind == "mask" and (len(points) != 2 or (points < 0).any() or (points >= shape[::-1]).any()):
        raise MaskError(f"{entry} is a mask whose two corners are not inside its image.")


def _mask(found: Shape, shape: tuple[int, int], entry: str) -> Mask:
    points = np.array(found["points"], dtype=np.float64)
    if found["shape_type"] == "polygon":
        return drawn(points, shape)
    (x0, y0), (x1, y1) = points.astype(int).tolist()
    mask = np.zeros(shape, dtype=bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = _decoded(found.get("mask"), (y1 + 1 - y0, x1 + 1 - x0), entry)
    return mask


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
