"""Reading label images: pictures of objects, each with its number, and pictures of classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.documents import read_csv
from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import (
    read_mask,
    require_shape,
    without_unlabelled,
)
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.images.header import image_shape
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

    is_painted: ClassVar[bool] = True

    file: Path
    stem: str
    notes: Notes
    classes: Mapping[int, str] | None
    colours: Mapping[Colour, int]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare the sizes in the files' headers."""
        require_shape(self.file, image_shape(self.file), shape)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give one object for each number, or for each connected part of a class."""
        if self.classes is None and not self.notes.records:
            values = read_mask(self.file)  # whatever the numbers, each is an object
        else:
            table = RECORDS if self.classes is None else CLASSES
            give = f"{table} lists numbers: save an indexed PNG"
            give += "." if self.classes is None else ", or give a column “colour” (#rrggbb)."
            values = numbers_of(self.file, self.colours, give)
        require_shape(self.file, values.shape, shape)
        for number, cropped, window in numbered(values, str(self.file)):
            yield from self._of_number(number, cropped, window, shape)

    def _of_number(
        self,
        number: int,
        cropped: NDArray[np.bool_],
        window: tuple[slice, ...],
        shape: tuple[int, int],
    ) -> Iterator[SourceObject]:
        key = f"{self.stem}#{number}"
        if self.classes is None:
            note = self.notes.records.get(composed(key))
            mask = placed(cropped, window, shape)
            if note is None:
                yield SourceObject(key, mask, DEFAULT_LABEL)
            else:
                yield SourceObject(
                    key, mask, note.label, note.score, note.record, review=note.review
                )
            return
        if number not in self.classes:
            raise MaskError(f"{self.file} has the value {number}, which {CLASSES} does not list.")
        parts, count = ndimage.label(cropped, structure=np.ones((3, 3), dtype=int))
        for part in range(1, count + 1):
            mask = placed(parts == part, window, shape)
            yield SourceObject(f"{key}.{part}", mask, self.classes[number])


def numbered(
    values: NDArray[Any], entry: str
) -> Iterator[tuple[int, NDArray[np.bool_], tuple[slice, ...]]]:
    """Give each number of a label image but 0, its pixels, and the window they are cut to.

    Raises:
        MaskError: the values are no whole numbers.

    """
    values = without_unlabelled(values)
    if values.dtype.kind not in "buif" or bool((values != np.rint(values)).any()):
        raise MaskError(
            f"{entry} holds fractions ({values.dtype}); label images hold whole numbers. Save the "
            "labels, not the probabilities."
        )
    numbers, dense = np.unique(values, return_inverse=True)
    dense = dense.reshape(values.shape) + 1
    for index, window in enumerate(ndimage.find_objects(dense)):
        if numbers[index] != 0:
            yield int(numbers[index]), dense[window] == index + 1, window


def placed(
    cropped: NDArray[np.bool_], window: tuple[slice, ...], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return a cut-out as a mask of `shape` (H, W)."""
    full = np.zeros(shape, dtype=bool)
    full[window] = cropped
    return full


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
