"""Reading YOLO segmentation in the layout of Ultralytics: `data.yaml`, `images/…`, `labels/…`."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.documents import read_yaml
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, IMAGE, OBJECT, LeftOut
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import (
    NamedFile,
    NamedFiles,
    composed,
    inside,
    only,
    own_name,
    place_of,
    refuse_too_long,
    stems,
)
from napari_sam_tune.formats.drawn import drawn
from napari_sam_tune.formats.exported_folder import Notes, by_stem, image_of, read_notes
from napari_sam_tune.formats.text_files import lines_of
from napari_sam_tune.formats.yolo_out import FOLDERS, entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.split import Split

_EDGE: Final = 0.01  # corners that far outside are taken for rounding
_BOX: Final = 4  # values


@dataclass(frozen=True)
class Line:
    """A line of a file: its number from 0, its text, its class, its score, its corners (N, 2)."""

    number: int
    text: str
    label: str
    score: float | None
    corners: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class YoloImage(SourceImage):
    """An image with a file of lines.

    Attributes:
        file: the lines; without it the image has no object.
        stem: the file's name without suffix, with its folders.
        classes: number to class.
        notes: of its folder.
        lines: those that can be taken, see `with_sound_objects`.

    """

    file: Path
    stem: str
    classes: Mapping[int, str]
    notes: Notes
    lines: tuple[Line, ...] = ()

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `with_sound_objects`: lines know nothing of the image's size."""

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> YoloImage:
        """Read the lines, without drawing them."""
        texts = lines_of(self.file) if self.file.is_file() else []
        rows = [(number, text) for number, text in enumerate(texts) if text.strip()]
        # a confidence is a column: every polygon has one, or none has
        counts = {len(text.split()) for _, text in rows}
        is_scored = all(count % 2 == 0 for count in counts if count > _BOX + 1)

        def read(row: tuple[int, str]) -> Line:
            return self._parsed(*row, is_scored=is_scored)

        lines = tuple(left_out.take(OBJECT, rows, read))
        return replace(self, lines=lines, labels=frozenset(line.label for line in lines))

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Draw one line after the other, with the pixels of its corners inside."""
        for line in self.lines:
            note = self.notes.records.get(composed(entry(self.stem, line.text)))
            pixels = np.floor(line.corners * (shape[1], shape[0]))
            mask = drawn(np.clip(pixels, 0, (shape[1] - 1, shape[0] - 1)), shape)
            key = f"{self.stem}/{line.number}"
            score, record = (line.score, None) if note is None else (note.score, note.record)
            review = None if note is None else note.review
            yield SourceObject(key, mask, line.label, score, record, review=review)

    def _parsed(self, at: int, line: str, *, is_scored: bool) -> Line:
        where = f"{self.file}, line {at + 1},"
        try:
            number, *values = (float(word) for word in line.split())
        except ValueError as error:
            raise SamTuneError(f"{where} is not a list of numbers.") from error
        if number not in self.classes:
            raise SamTuneError(f"{where} has the class {number:g}, which data.yaml does not name.")
        if len(values) in (_BOX, _BOX + 1):  # one that was predicted has a confidence
            raise SamTuneError(f"{where} is a box; boxes alone are no masks.")
        score = values.pop() if is_scored and len(values) > _BOX + 1 else None
        if score is not None and not 0 <= score <= 1:
            raise SamTuneError(f"{where} has the confidence {score:g}, which is not from 0 to 1.")
        if len(values) < 6 or len(values) % 2:
            raise SamTuneError(f"{where} is not a class and three or more x, y pairs.")
        corners = np.array(values).reshape(-1, 2)
        if not (np.isfinite(corners) & (corners >= -_EDGE) & (corners <= 1 + _EDGE)).all():
            raise SamTuneError(f"{where} has corners outside its image: x and y are from 0 to 1.")
        return Line(at, line, self.classes[int(number)], score, corners)


def read_yolo(location: Location) -> Dataset:
    """Read the folder, or its `data.yaml`; the split is the folder's.

    Raises:
        SamTuneError: nothing can be taken, or what it says lies outside the folder.

    """
    if location.path is None:
        raise SamTuneError("Give the folder, or its data.yaml.")
    file = _yaml_in(location.path) if location.path.is_dir() else location.path
    folder, document = file.parent, _read_yaml(file)
    classes, notes = _classes(document, file), read_notes(file.parent)
    base, left_out = _base(document.get("path"), folder, file), LeftOut()
    found: list[SourceImage] = []
    files = NamedFiles(folder)
    seen: set[Path] = set()
    for split, name in FOLDERS.items():
        for part in _parts(document.get(name), base, f"{file}: “{name}”"):
            if part in seen:
                continue
            seen.add(part)
            if not part.exists() and location.images is None:
                left_out.add(FILE, f"{file}: “{name}” is {part}, which is not there.")
                continue
            for place in _places(part, files, location.images, left_out):
                found += _images(place, split, classes, notes, left_out)
    if all(document.get(name) is None for name in FOLDERS.values()):
        raise SamTuneError(f"{file} should say where images are: train, val, test or all of them.")
    if not found and left_out:
        raise SamTuneError(" ".join(left_out.reasons[FILE]))
    return notes.dataset(f"yolo/{own_name(folder)}", found, left_out)


def _yaml_in(folder: Path) -> Path:
    """Return the file that describes a data set, whatever it is called."""
    known = folder / "data.yaml"
    others = sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    if known.is_file() or not others:
        return known
    if len(others) > 1:
        names = ", ".join(file.name for file in others)
        raise SamTuneError(f"{folder} has no data.yaml but {names}: give one of them by --from.")
    return others[0]


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
    try:
        return {int(number): str(name) for number, name in names.items()}
    except (ValueError, TypeError) as error:
        raise SamTuneError(f"{file}: “names” goes from numbers to classes.") from error


def _base(path: object, folder: Path, file: Path) -> Path:
    """Return the folder that parts are relative to.

    An absolute `path`, or one that climbs, is good where it leads back into the file's own folder.
    One of another machine, or beside a downloaded copy, counts as that folder itself.
    """
    if path in (None, "", "."):
        return folder
    if not isinstance(path, str):
        raise SamTuneError(f"{file}: “path” is {path!r:.60}, which is no folder.")
    if _climbs(path):
        return _led_back(folder, path) or folder
    return inside(folder, path, f"{file}: “path”")


def _climbs(name: str) -> bool:
    return PureWindowsPath(name).anchor != "" or ".." in PureWindowsPath(name).parts


def _led_back(folder: Path, name: str) -> Path | None:
    """Return the place in a folder that an absolute or climbing name leads to, if it is in it."""
    if os.name != "nt" and PureWindowsPath(name).drive:
        return None
    top = folder.resolve()
    there = Path(os.path.normpath(top / name.replace("\\", "/")))
    return folder / there.relative_to(top) if there.is_relative_to(top) else None


def _parts(named: object, base: Path, where: str) -> list[Path]:
    listed = named if isinstance(named, list) else [] if named is None else [named]
    return [_part(base, name, where) for name in listed]


def _part(base: Path, name: object, where: str) -> Path:
    """Return the place of a part; Roboflow writes `../train/images` for `train/images`."""
    if isinstance(name, str) and _climbs(name):
        if (there := _led_back(base, name)) is not None:
            refuse_too_long(there, name, where)
            return there
        below = name.replace("\\", "/").removeprefix("../")
        name = name if _climbs(below) else below
    return inside(base, name, where)


@dataclass(frozen=True)
class _Place:
    """Where images and labels of a part lie.

    `listed` has the stems of those that a list names, and how it names those found elsewhere; None
    for all there.
    """

    images: Path
    labels: Path
    listed: Mapping[str, str | None] | None = None
    is_elsewhere: bool = False


def _places(part: Path, files: NamedFiles, images: Path | None, left_out: LeftOut) -> list[_Place]:
    """Return the places of `images/train`, or of the files that a `train.txt` lists."""
    if part.suffix != ".txt" or part.is_dir():
        return [_place(part, files.folder, images)]

    def read(name: str) -> NamedFile:
        # as Ultralytics has it: "./" is beside the list, all else is relative to the data set
        return files.find(name, str(part), beside=part.parent if name.startswith("./") else None)

    names = [line.strip() for line in lines_of(part) if line.strip()]
    by_folder: defaultdict[Path, dict[str, str | None]] = defaultdict(dict)
    for found in left_out.take(IMAGE, names, read):
        by_folder[found.path.parent][composed(found.path.stem)] = found.said
    return [
        replace(_place(place, files.folder, images), listed=listed)
        for place, listed in by_folder.items()
    ]


def _place(part: Path, folder: Path, images: Path | None) -> _Place:
    names = list(part.relative_to(folder).parts)
    if "images" not in names:
        raise SamTuneError(f"{part} has no “images” in its path, where labels have “labels”.")
    at = len(names) - 1 - names[::-1].index("images")
    labels = place_of(folder, (*names[:at], "labels", *names[at + 1 :]))
    return _Place(images or part, labels, is_elsewhere=images is not None)


def _images(
    place: _Place, split: Split, classes: Mapping[int, str], notes: Notes, left_out: LeftOut
) -> list[YoloImage]:
    """Return the images of a place, or, if they lie elsewhere, those that have labels."""
    every, labels = by_stem(place.images), place.labels
    files = stems(list_files(labels, {".txt"}), labels) if labels.is_dir() else {}
    known = notes.paired(files, every)
    labelled = {path: stem for stem, path in known.items()}
    if not place.is_elsewhere or place.listed is not None:
        # an image without lines is one without objects
        known |= {stem: path for stem, path in every.items() if path not in labelled}
    wanted: dict[str, str | None] = dict.fromkeys({*files, *known})
    if place.listed is not None:
        wanted = {labelled.get(every.get(s, ()), s): n for s, n in place.listed.items()}

    def read(stem: str) -> YoloImage:
        file = only(files.get(stem, (labels / f"{stem}.txt",)))
        path = image_of(stem, known, place.images, file)
        image = YoloImage(
            path=path,
            name=path.relative_to(place.images).as_posix(),
            said=wanted[stem],
            split=split,
            file=file,
            stem=stem,
            classes=classes,
            notes=notes,
        )
        return notes.named(image, stem)

    return left_out.take(IMAGE, sorted(wanted), read)
