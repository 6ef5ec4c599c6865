"""Reading YOLO segmentation in the layout of Ultralytics: `data.yaml`, `images/…`, `labels/…`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.documents import read_yaml
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import composed, own_name, paired, stems
from napari_sam_tune.formats.drawn import drawn
from napari_sam_tune.formats.exported_folder import Notes, by_stem, image_of, read_notes
from napari_sam_tune.formats.text_files import inside
from napari_sam_tune.formats.yolo_out import FOLDERS, entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.split import Split

_EDGE = 0.01  # corners that far outside are taken for rounding


@dataclass(frozen=True, kw_only=True)
class YoloImage(SourceImage):
    """An image with a file of lines.

    Attributes:
        file: the lines; without it the image has no object.
        stem: the file's name without suffix, with its folders.
        classes: number to class.
        notes: of its folder.

    """

    file: Path
    stem: str
    classes: Mapping[int, str]
    notes: Notes

    def check(self, shape: tuple[int, int]) -> None:
        """Read the lines, without drawing them."""
        _ = self._lines

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Draw one line after the other, with the pixels of its corners inside."""
        for number, (text, label, corners) in enumerate(self._lines):
            note = self.notes.records.get(composed(entry(self.stem, text)))
            pixels = np.floor(corners * (shape[1], shape[0]))
            mask = drawn(np.clip(pixels, 0, (shape[1] - 1, shape[0] - 1)), shape)
            key = f"{self.stem}/{number}"
            score, record = (None, None) if note is None else (note.score, note.record)
            yield SourceObject(key, mask, label, score, record)

    @cached_property
    def _lines(self) -> list[tuple[str, str, NDArray[np.float64]]]:
        """Each line, its class, and its corners (N, 2) as x, y from 0 to 1."""
        if not self.file.is_file():
            return []
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SamTuneError(f"{self.file} cannot be read as text: {error}.") from error
        return [
            (line, *self._parsed(line, f"{self.file}, line {number},"))
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]

    def _parsed(self, line: str, where: str) -> tuple[str, NDArray[np.float64]]:
        try:
            number, *values = (float(word) for word in line.split())
        except ValueError as error:
            raise SamTuneError(f"{where} is not a list of numbers.") from error
        if number not in self.classes:
            raise SamTuneError(f"{where} has the class {number:g}, which data.yaml does not name.")
        if len(values) == 4:
            raise SamTuneError(f"{where} is a box; boxes alone are no masks.")
        if len(values) < 6 or len(values) % 2:
            raise SamTuneError(f"{where} is not a class and three or more x, y pairs.")
        corners = np.array(values).reshape(-1, 2)
        if not (np.isfinite(corners) & (corners >= -_EDGE) & (corners <= 1 + _EDGE)).all():
            raise SamTuneError(f"{where} has corners outside its image: x and y are from 0 to 1.")
        return self.classes[int(number)], corners


def read_yolo(location: Location) -> Dataset:
    """Read the folder, or its `data.yaml`; the split is the folder's.

    Raises:
        SamTuneError: something is missing or malformed (named), or lies outside the folder.

    """
    if location.path is None:
        raise SamTuneError("Give the folder, or its data.yaml.")
    file = location.path / "data.yaml" if location.path.is_dir() else location.path
    folder, document = file.parent, _read_yaml(file)
    classes, notes = _classes(document, file), read_notes(file.parent)
    base = folder
    if document.get("path") not in (None, "", "."):
        base = inside(folder, document["path"], f"{file}: “path”")
    found: list[SourceImage] = []
    seen: set[Path] = set()
    for split, name in FOLDERS.items():
        for part in _parts(document.get(name), base, f"{file}: “{name}”"):
            if part not in seen:
                seen.add(part)
                found += _images(part, folder, location.images, split, classes, notes)
    return notes.dataset(f"yolo/{own_name(folder)}", found)


def _read_yaml(file: Path) -> dict[str, Any]:
    document = read_yaml(file)
    if not isinstance(document, dict):
        raise SamTuneError(f"{file} should say train, val and names.")
    return document


def _classes(document: dict[str, Any], file: Path) -> dict[int, str]:
    names = document.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise SamTuneError(f"{file} has no “names”, the list of classes.")
    if not all(isinstance(number, int) for number in names):
        raise SamTuneError(f"{file}: “names” goes from numbers to classes.")
    return {number: str(name) for number, name in names.items()}


def _parts(named: object, base: Path, where: str) -> list[Path]:
    listed = named if isinstance(named, list) else [] if named is None else [named]
    return [inside(base, name, where) for name in listed]


def _images(
    part: Path,
    folder: Path,
    images: Path | None,
    split: Split,
    classes: Mapping[int, str],
    notes: Notes,
) -> Iterator[SourceImage]:
    """Give the images of `images/train`, or, if they lie elsewhere, of `labels/train`."""
    names = list(part.relative_to(folder).parts)
    if "images" not in names:
        raise SamTuneError(f"{part} has no “images” in its path, where labels have “labels”.")
    at = len(names) - 1 - names[::-1].index("images")
    labels = folder.joinpath(*names[:at], "labels", *names[at + 1 :])
    where = images or part
    every = by_stem(where)
    files = stems(list_files(labels, {".txt"}), labels) if labels.is_dir() else {}
    known = paired(files, every)
    if images is None:  # an image without lines is one without objects
        labelled = set(known.values())
        known |= {stem: path for stem, path in every.items() if path not in labelled}
    for stem in sorted({*files, *known}):
        file = files.get(stem, labels / f"{stem}.txt")
        path = image_of(stem, known, where, file)
        image = YoloImage(
            path=path,
            name=path.relative_to(where).as_posix(),
            split=split,
            file=file,
            stem=stem,
            classes=classes,
            notes=notes,
        )
        yield notes.named(image, stem)
