"""Reading label images: pictures of objects, each with its number, and pictures of classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.documents import read_csv
from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange import tiled_labels
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import (
    read_mask,
    require_apart,
    require_shape,
    without_unlabelled,
)
from napari_sam_tune.core.exchange.large_labels import labels_shape, open_labels
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.exchange.tiled_labels import Changed, connected
from napari_sam_tune.core.images.names import composed, only, own_name
from napari_sam_tune.formats.exported_folder import Notes, by_stem, image_of, read_notes
from napari_sam_tune.formats.exported_folder_out import RECORDS
from napari_sam_tune.formats.label_images_out import CLASSES
from napari_sam_tune.formats.palettes import numbers_of, parsed_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.exchange.tiled_labels import Plane
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.formats.palettes import Colour


@dataclass(frozen=True, kw_only=True)
class LabelPicture(SourceImage):
    """An image with a picture of numbers.

    Attributes:
        file: the picture.
        stem: its name without suffix.
        notes: of its folder.
        classes: value to class where values are classes; None where they are objects.
        colours: colour to value, where the table of classes has colours.

    """

    is_painted: bool = True

    file: Path
    stem: str
    notes: Notes
    classes: Mapping[int, str] | None
    colours: Mapping[Colour, int]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare the sizes in the files' headers."""
        require_shape(self.file, labels_shape(self.file), shape)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give one object for each number, or for each connected part of a class."""
        if self.classes is None and not self.notes.records:
            read = read_mask  # whatever the numbers, each is an object
        else:
            table = RECORDS if self.classes is None else CLASSES
            give = f"{table} lists numbers: save an indexed PNG"
            give += "." if self.classes is None else ", or give a column “colour” (#rrggbb)."
            read = partial(numbers_of, colours=self.colours, give=give)
        plane = open_labels(self.file, read)
        require_shape(self.file, plane.shape, shape)
        if self.classes is not None:
            yield from self._of_classes(plane, self.classes)
            return
        for number, placed in numbered(plane, str(self.file)):
            yield with_note(f"{self.stem}#{number}", placed, self.notes)

    def _of_classes(self, plane: Plane, classes: Mapping[int, str]) -> Iterator[SourceObject]:
        """Give the connected parts of each class."""
        counts = Counter[int]()
        for value, placed in connected(whole_numbers(plane, str(self.file))):
            number = int(value)
            if number not in classes:
                raise MaskError(
                    f"{self.file} has the value {number}, which {CLASSES} does not list."
                )
            counts[number] += 1
            key = f"{self.stem}#{number}.{counts[number]}"
            yield SourceObject(key, placed, classes[number])


def numbered(plane: Plane, entry: str) -> Iterator[tuple[int, PlacedMask]]:
    """Give each number of a label image but 0, from the least, with the mask of its pixels.

    Raises:
        MaskError: the values are no whole numbers.

    """
    for number, placed in tiled_labels.numbered(whole_numbers(plane, entry)):
        yield int(number), placed


def whole_numbers(plane: Plane, entry: str) -> Plane:
    """Return a label image of which what says "not labelled" is 0, as `without_unlabelled` has it.

    Raises:
        MaskError: as it is read: its values are no whole numbers.

    """

    def checked(values: NDArray[Any]) -> NDArray[Any]:
        values = without_unlabelled(values)
        if values.dtype.kind not in "buif" or bool((values != np.rint(values)).any()):
            raise MaskError(
                f"{entry} holds fractions ({values.dtype}); label images hold whole numbers. Save "
                "the labels, not the probabilities."
            )
        return values

    return Changed(plane, checked)


def with_note(key: str, placed: PlacedMask, notes: Notes) -> SourceObject:
    """Return an object of a label image, as what our own export noted of it."""
    note = notes.records.get(composed(key))
    if note is None:
        return SourceObject(key, placed, DEFAULT_LABEL)
    return SourceObject(key, placed, note.label, note.score, note.record, review=note.review)


def read_labels(location: Location) -> Dataset:
    """Read a folder of pictures with one number for each object.

    Raises:
        SamTuneError: a picture has no image, or a table is malformed.

    """
    return _read(location, "labels", None, {})


def read_semantic(location: Location) -> Dataset:
    """Read a folder of pictures of classes, with a `classes.csv` of values and classes.

    Raises:
        SamTuneError: a picture has no image, or a table is malformed or missing.

    """
    if location.path is None:
        raise SamTuneError("Give the folder of pictures.")
    return _read(location, "semantic", *_classes(location.path / CLASSES))


def _read(
    location: Location,
    form: str,
    classes: Mapping[int, str] | None,
    colours: Mapping[Colour, int],
) -> Dataset:
    folder, images = location.path, location.images
    if folder is None or images is None:
        raise SamTuneError("Give the folder of pictures and the one of images.")
    require_apart(images, folder)
    notes, files, left_out = read_notes(folder), by_stem(folder), LeftOut()
    known = notes.paired(files, by_stem(images))

    def read(item: tuple[str, tuple[Path, ...]]) -> LabelPicture:
        stem, file = item[0], only(item[1])
        path = image_of(stem, known, images, file)
        picture = LabelPicture(
            path=path,
            name=path.relative_to(images).as_posix(),
            file=file,
            stem=stem,
            notes=notes,
            classes=classes,
            colours=colours,
        )
        return notes.named(picture, stem)

    found = left_out.take(FILE, files.items(), read)
    return notes.dataset(f"{form}/{own_name(folder)}", found, left_out)


def _classes(path: Path) -> tuple[dict[int, str], dict[Colour, int]]:
    """Return value to class, and colour to value where there is a column of colours."""
    names, said = {}, {}
    for line, row in read_csv(path, ("value", "class")):
        if not row["value"].strip().isdecimal() or not row["class"]:
            raise SamTuneError(
                f"{path}, line {line}, should have a value (a number) and a class; it has "
                f"{row['value']!r} and {row['class']!r}."
            )
        names[int(row["value"])] = row["class"]
        said[int(row["value"])] = row.get("colour") or row.get("color") or ""
    colours = {value: parsed_colour(text) for value, text in said.items() if text}
    if None in colours.values():
        raise SamTuneError(f"{path} has a colour that is not like #ff8800 or 255,136,0.")
    used = Counter(colours.values())  # a colour of two classes says nothing
    return names, {c: value for value, c in colours.items() if c is not None and used[c] == 1}
