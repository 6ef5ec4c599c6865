"""Reading folders that an export wrote, or that another program wrote in the same layout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam_tune.core.documents import parse_json, read_csv
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.exchange.remarks import checked
from napari_sam_tune.core.images.files import list_images
from napari_sam_tune.core.images.names import composed, only, paired, stems
from napari_sam_tune.core.project.review import Review
from napari_sam_tune.core.project.split import SPLITS
from napari_sam_tune.formats.exported_folder_out import (
    IMAGE_COLUMNS,
    IMAGES,
    RECORD_COLUMNS,
    RECORDS,
    without_suffix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_sam_tune.core.project.split import Split

AnyImage = TypeVar("AnyImage", bound=SourceImage)
Found = TypeVar("Found")


@dataclass(frozen=True)
class ImageNote:
    """What an export said of an image: its name, group and split, and its review."""

    name: str
    group: str | None
    split: Split | None
    review: Review | None


@dataclass(frozen=True)
class RecordNote:
    """What an export said of an object; `record` is None for one that is no record."""

    record: str | None
    label: str
    score: float | None
    review: Review | None = None


@dataclass(frozen=True)
class Notes:
    """The tables of an exported folder; empty for folders of other programs.

    Attributes:
        images: by file name without suffix, see `names.composed`.
        records: by entry of the format, as well.

    """

    images: Mapping[str, ImageNote] = field(default_factory=dict)
    records: Mapping[str, RecordNote] = field(default_factory=dict)

    def named(self, image: AnyImage, stem: str) -> AnyImage:
        """Return the image as it was in the project it came from: name, group, split, review.

        Its labels lie upright, as all that an export writes, pictures too.
        """
        note = self.images.get(composed(stem))
        if note is None:
            return image
        said = note.review or image.review
        known = replace(image, name=note.name, group=note.group, split=note.split, review=said)
        return replace(known, is_painted=False)

    def paired(self, names: Iterable[str], files: Mapping[str, Found]) -> dict[str, Found]:
        """Return the image of each name without suffix, see `names.paired`.

        An export calls files as any system allows; what the images were called the tables tell.
        """
        names = [*names]
        found = paired(names, files)
        for name in names:
            note = None if name in found else self.images.get(composed(name))
            if note is not None and (own := composed(without_suffix(note.name))) in files:
                found[name] = files[own]
        return found

    def dataset(
        self, name: str, images: Sequence[SourceImage], left_out: LeftOut | None = None
    ) -> Dataset:
        """Return images as a data set; their names stay if all of them are from the tables."""
        known = {note.name for note in self.images.values()}
        is_named = bool(known) and all(i.name in known for i in images)
        return Dataset(name, images, LeftOut() if left_out is None else left_out, named=is_named)


def read_notes(folder: Path) -> Notes:
    """Read the tables of a folder, which need not be there.

    Raises:
        SamTuneError: a table is malformed (names the line).

    """
    images = {}
    for line, row in _rows(folder / IMAGES, IMAGE_COLUMNS):
        split = next((known for known in SPLITS if known == row["split"]), None)
        if not row["image"] or (row["split"] and split is None):
            raise SamTuneError(
                f"{folder / IMAGES}, line {line}: an image and its split are needed."
            )
        said = _review(row, f"{folder / IMAGES}, line {line}", Review.of_image)
        images[composed(row["file"])] = ImageNote(row["image"], row["group"] or None, split, said)
    records = {}
    for line, row in _rows(folder / RECORDS, RECORD_COLUMNS):
        entry = f"{folder / RECORDS}, line {line}"
        if not row["entry"] or not row["class"]:
            raise SamTuneError(f"{entry} has no entry or no class.")
        score = _score(row["score"], entry)
        records[composed(row["entry"])] = RecordNote(
            row["record"] or None, row["class"], score, _review(row, entry)
        )
    return Notes(images, records)


def _review(
    row: dict[str, str], entry: str, of: Callable[[Mapping[str, Any]], Review] = Review.of_mask
) -> Review | None:
    """Return what was said of a record or an image, where the table says that at all."""
    read = {
        "state": row.get("state"),
        "note": row.get("note"),
        "tags": parse_json(row.get("tags") or "[]", f"{entry}, tags,"),
        "values": parse_json(row.get("attributes") or "{}", f"{entry}, attributes,"),
    }
    return checked({name: value for name, value in read.items() if value}, entry, of)


def _score(text: str, entry: str) -> float | None:
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise SamTuneError(f"{entry} has the score {text!r}, which is no number.")
    return score


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    if not path.is_file():
        return []
    return read_csv(path, columns)


def by_stem(folder: Path) -> dict[str, tuple[Path, ...]]:
    """List the images of a folder and its subfolders by name without suffix, see `names.stems`.

    Raises:
        ImageError: the folder cannot be read.

    """
    return stems(list_images(folder, recursive=True), folder)


def image_of(
    stem: str, images: Mapping[str, tuple[Path, ...]], folder: Path, entry: object
) -> Path:
    """Return the image of a name without suffix, of those that `names.paired` gave.

    Raises:
        SamTuneError: there is none, or several; says whose it would be.

    """
    if stem not in images:
        raise SamTuneError(f"{entry} belongs to an image “{stem}”, which is not in {folder}.")
    return only(images[stem])
