"""One black and white PNG for each object, with a list of them: overlap, parts and holes are kept.

The list has the columns of the `csv` format, and three more.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PIL import Image

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.images.names import NamedFiles, composed, own_name
from napari_sam_tune.core.texts.plain_text import in_spreadsheet
from napari_sam_tune.formats.csv_list import images_of, masked_image
from napari_sam_tune.formats.exported_folder import read_notes
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.label_images_out import check_drawn
from napari_sam_tune.formats.yolo_out import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Dataset, Location
    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.formats.folder import MaskedImage
    from napari_sam_tune.formats.writer import ExportOptions

LIST: Final = "masks.csv"
_COLUMNS: Final = ("image", "mask", "class", "group", "split", "score", "record")


def write_binary(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write `masks/<image>/<number>.png`, of the image's size and one bit, and `masks.csv`."""
    with (
        ExportedFolder(path) as folder,
        (path / LIST).open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for image in images:
            stem = folder.add(image)
            check_drawn(image)
            of_image = (image.group or "", FOLDERS[image.split] if image.split else "")
            for number, found in enumerate(image.objects, start=1):
                name = f"masks/{stem}/{number}.png"
                Image.fromarray(found.full_mask(image.shape)).save(folder.file(name))
                folder.note(name, found)
                score = "" if found.score is None else found.score
                cells = (image.name, name, found.label, *of_image, str(score), found.id or "")
                table.writerow(map(in_spreadsheet, cells))
            if not image.objects:
                table.writerow(map(in_spreadsheet, (image.name, "", "", *of_image, "", "")))
    return Counter()


def read_binary(location: Location) -> Dataset:
    """Read the list; images lie in `location.images`. Each mask file is one object.

    Raises:
        SamTuneError: it cannot be read, lacks a column, or a line (named) makes no sense.

    """
    if location.path is None:
        raise SamTuneError(f"Give the folder, or the {LIST} in it.")
    path = location.path / LIST if location.path.is_dir() else location.path
    folder = path.parent
    notes = read_notes(folder)
    stems = {note.name: stem for stem, note in notes.images.items()}
    files = NamedFiles(location.images or folder), NamedFiles(folder)
    left_out, names = LeftOut(), {}

    def read(row: dict[str, str], entry: str) -> MaskedImage:
        image = masked_image(row, files, entry)
        names[image.path] = row["image"]
        score, record = _score(row.get("score", ""), entry), row.get("record") or None
        note = notes.records.get(composed(row["mask"]))
        review = None if note is None else note.review
        masks = (
            replace(m, whole=True, record=record, score=score, review=review) for m in image.masks
        )
        return replace(image, masks=tuple(masks))

    found = images_of(path, files[0], read, left_out)
    images = [notes.named(image, stems.get(names[image.path], "")) for image in found]
    return notes.dataset(f"binary/{own_name(folder)}", images, left_out)


def _score(text: str, entry: str) -> float | None:
    try:
        score = float(text) if text else None
    except ValueError:
        score = math.nan
    if score is not None and not math.isfinite(score):
        raise SamTuneError(f"{entry} has the score {text!r}, which is no number.")
    return score
