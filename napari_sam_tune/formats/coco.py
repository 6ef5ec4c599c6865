"""Reading COCO "instances" files: run lengths, compressed or not, and polygons."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.images.names import NamedFiles, absolute
from napari_sam_tune.formats.coco_masks import check_segmentation, decode_segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location

    Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CocoImage(SourceImage):
    """An image of a COCO file.

    Attributes:
        size: (H, W) as the file says; None where it does not.
        annotations: its annotations, as they stand in the file.
        categories: category id to name.

    """

    size: tuple[Any, Any] | None
    annotations: tuple[Row, ...]
    categories: dict[Any, str]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes, and check that every segmentation can be decoded."""
        if self.size is not None and self.size != shape:
            raise ImageError(
                f"{self.name} is {shape[0]} × {shape[1]} pixels, but its COCO entry says "
                f"{self.size[0]} × {self.size[1]}."
            )
        for row in self.annotations:
            entry = f"The COCO annotation {row['id']} of {self.name}"
            check_segmentation(row.get("segmentation"), shape, entry)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Decode one annotation after the other."""
        for row in self.annotations:
            yield SourceObject(
                str(row["id"]),
                decode_segmentation(row["segmentation"], shape),
                self.categories[row["category_id"]],
                row.get("score"),
                _record(row),
            )


def _record(row: Row) -> str | None:
    """Return the id of the record that our own export wrote."""
    attributes = row.get("attributes")
    said = row.get("record", attributes.get("record") if isinstance(attributes, dict) else None)
    return said if isinstance(said, str) and said else None


def read_coco(location: Location) -> Dataset:
    """Read a COCO "instances" file; an image without annotations is one without objects.

    File names are relative to `location.images`, or to the file's own folder; where no file is
    there, see `names.NamedFiles`.

    Raises:
        SamTuneError: it is malformed; names the entry.

    """
    path = location.path
    if path is None:
        raise SamTuneError("Give the COCO file.")
    document = read_json(path)
    categories = {
        key: _text(row, "name", f"{path.name}: the category {key!r}")
        for key, row in _by_id(document, "categories", path).items()
    }
    images = _by_id(document, "images", path)
    of_image: defaultdict[Any, list[Row]] = defaultdict(list)
    for key, row in _by_id(document, "annotations", path).items():
        entry = f"{path.name}: the annotation {key!r}"
        _check_refers(row, "image_id", images, entry)
        _check_refers(row, "category_id", categories, entry)
        _check_score(row, entry)
        of_image[row["image_id"]].append(row)
    files = NamedFiles(location.images or _home(path))
    beside = None if location.images else path.parent
    return Dataset(
        f"coco/{path.name}",
        [
            _coco_image(row, tuple(of_image[key]), categories, files, path, beside)
            for key, row in images.items()
        ],
    )


def _home(path: Path) -> Path:
    """Return where a file's images are: beside it, or beside its folder in COCO's own layout."""
    folder = absolute(path).parent
    return folder.parent if folder.name == "annotations" else path.parent


def _coco_image(
    row: Row,
    annotations: tuple[Row, ...],
    categories: dict[Any, str],
    files: NamedFiles,
    path: Path,
    beside: Path | None,
) -> CocoImage:
    entry = f"{path.name}: the image {row['id']!r}"
    file = files.find(row.get("file_name"), entry, beside=beside)
    return CocoImage(
        path=file.path,
        name=file.path.relative_to(files.folder).as_posix(),
        said=file.said,
        labels=frozenset(categories[a["category_id"]] for a in annotations),
        size=(row["height"], row["width"]) if "height" in row and "width" in row else None,
        annotations=annotations,
        categories=categories,
    )


def _by_id(document: Row, key: str, path: Path) -> dict[Any, Row]:
    """Return the rows of a list by their ids, which must be there and differ."""
    rows = document.get(key)
    if not isinstance(rows, list):
        raise SamTuneError(f"{path} has no list “{key}”, so it is not a COCO instances file.")
    found: dict[Any, Row] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("id"), int | str):
            raise SamTuneError(f"{path.name}: “{key}”, entry {number} (from 0), has no id.")
        if row["id"] in found:
            raise SamTuneError(f"{path.name}: two of “{key}” have the id {row['id']!r}.")
        found[row["id"]] = row
    return found


def _text(row: Row, key: str, entry: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise SamTuneError(f"{entry} has no {key}.")
    return value


def _check_refers(row: Row, key: str, known: dict[Any, Any], entry: str) -> None:
    value = row.get(key)
    if not isinstance(value, int | str) or value not in known:
        raise SamTuneError(f"{entry} has the {key} {value!r}, which the file does not list.")


def _check_score(row: Row, entry: str) -> None:
    score = row.get("score")
    if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
        raise SamTuneError(f"{entry} has the score {score!r}, which is no number.")
