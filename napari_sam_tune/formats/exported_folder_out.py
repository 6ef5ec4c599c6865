"""What exports that are folders share: file names, copies of images, and two tables.

`images.csv` says which file belongs to which image of the project, `records.csv` which entry of the
format is which record and how that came about. Formats have no place of their own for these. Names
that a spreadsheet would take for formulas have a ' before them, which reading takes off again.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import tifffile
from PIL import Image

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import IMAGE_SUFFIXES, channels_last
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.names import composed
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.texts.plain_text import in_spreadsheet
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.core.project.review import Review

IMAGES: Final = "images.csv"
RECORDS: Final = "records.csv"
IMAGE_COLUMNS: Final = ("file", "image", "group", "split")
RECORD_COLUMNS: Final = (
    "entry",
    "record",
    "class",
    "score",
    "weights_version",
    "prompts",
    "reviewed",
    "source",
    "created",
)
SAID_COLUMNS: Final = ("state", "note", "tags", "attributes")
"""What was said of a record, and, but for the last one, of an image.

Exports of earlier releases have none of these.
"""
_SUFFIXES: Final = {
    "PNG": ".png",
    "TIFF": ".tif",
    "JPEG": ".jpg",
    "BMP": ".bmp",
    "WebP": ".webp",
}
# Windows allows none of these in a name, and none of the others for one.
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_HIDDEN = "."
"""Begins names that programs pass over, and so do we."""


class ExportedFolder:
    """A folder that is being written, with its two tables.

    Args:
        path: the folder, empty.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stems: dict[str, str] = {}
        self._open = ExitStack()
        self._images = self._table(IMAGES, IMAGE_COLUMNS + SAID_COLUMNS[:-1])
        self._records = self._table(RECORDS, RECORD_COLUMNS + SAID_COLUMNS)

    def _table(self, name: str, columns: tuple[str, ...]) -> Any:
        file = (self.path / name).open("w", newline="", encoding="utf-8")
        writer = csv.writer(self._open.enter_context(file))
        writer.writerow(columns)
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, image: ImageOut) -> str:
        """Note an image and return its name without suffix, with "/" between folders.

        Raises:
            SamTuneError: another image's name differs in the suffix alone.

        """
        stem = self.stem(image.name)
        names = map(in_spreadsheet, (stem, image.name, image.group or ""))
        self._images.writerow((*names, image.split or "", *_said(image.review)[:-1]))
        return stem

    def stem(self, name: str) -> str:
        """Return the name without suffix of what is written for an image or a stack.

        Raises:
            SamTuneError: another one would have it too.

        """
        stem = safe_stem(name)
        other = self._stems.setdefault(composed(stem).casefold(), name)
        if other != name:
            raise SamTuneError(
                tr(
                    "{other} and {image} would both become {stem}. Export them as COCO, or rename "
                    "one.",
                    other=other,
                    image=name,
                    stem=stem,
                )
            )
        return stem

    def note(self, entry: str, found: ObjectOut) -> None:
        """Say which record an entry of the format is."""
        said = found.provenance
        history: tuple[object, ...] = ("",) * 5
        if said is not None:
            reviewed = str(said.reviewed).lower()
            history = (said.weights_version, said.prompts, reviewed, said.source, said.created)
        score = "" if found.score is None else found.score
        label = in_spreadsheet(found.label)
        row = (in_spreadsheet(entry), found.id or "", label, score, *history, *_said(found.review))
        self._records.writerow(row)

    def file(self, name: str) -> Path:
        """Return the path of a file whose folders are there."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def copy_image(self, image: ImageOut, name: str) -> str:
        """Put an image in and return its name with its suffix.

        Args:
            image: the image.
            name: without a suffix.

        Raises:
            SamTuneError: it was moved, or changed since its masks were made, is no picture, or has
                no pixels.

        """
        if image.read is None:
            raise SamTuneError(
                tr("{image} has no pixels to copy; export without images.", image=image.name)
            )
        # Whatever is named as an image may be any file by now: what cannot be read as the picture
        # that was labelled does not leave.
        pixels = image.read()
        if image.path is None:
            return self._write_image(_held(pixels), name)
        if image.path.is_dir():
            shutil.copytree(image.path, self.file(f"{name}.zarr"))
            return f"{name}.zarr"
        with open_picture(image.path, lazily=isinstance(pixels, LargeImage)) as picture:
            is_plain = picture.is_plain
        # Whoever reads it must see what was labelled, upright, whether or not it asks for tags; and
        # the very same pixels, by which the project knows the image when it comes back.
        if not is_plain:
            return self._write_image(_held(pixels), name)
        suffixed = name + _suffix(image.path, image.name)
        shutil.copyfile(image.path, self.file(suffixed))
        return suffixed

    def _write_image(self, pixels: NDArray[Any], name: str) -> str:
        suffixed = name + (".png" if _fits_png(pixels) else ".tif")
        if suffixed.endswith(".png"):
            Image.fromarray(pixels).save(self.file(suffixed))
        else:
            # left to itself, tifffile takes black of bits for white, and deep colours for a stack
            is_colour = pixels.ndim == 3 and pixels.shape[-1] >= 3
            tifffile.imwrite(
                self.file(suffixed),
                pixels,
                photometric="rgb" if is_colour else "minisblack",
                planarconfig="contig" if pixels.ndim == 3 else None,
            )
        return suffixed


def _held(pixels: NDArray[Any] | LargeImage) -> NDArray[Any]:
    """Return all pixels, (H, W) or (H, W, C), of an image of which no copy of a file will do."""
    held = channels_last(pixels.whole() if isinstance(pixels, LargeImage) else pixels)
    return held[..., 0] if held.ndim == 3 and held.shape[-1] == 1 else held


def _said(review: Review | None) -> tuple[str, ...]:
    if review is None:
        return ("",) * len(SAID_COLUMNS)
    tags = json.dumps(list(review.tags), ensure_ascii=False) if review.tags else ""
    values = json.dumps(dict(review.values), ensure_ascii=False) if review.values else ""
    return review.state, in_spreadsheet(review.note), tags, values


def safe_stem(name: str) -> str:
    """Return an image's name as a relative path without suffix that any system allows."""
    path = PurePosixPath(_FORBIDDEN.sub("_", name))
    parts = [part for part in path.parts if part not in ("/", "..", ".")]
    return "/".join(map(_allowed, without_suffix("/".join(parts) or "image").split("/")))


def without_suffix(name: str) -> str:
    """Return an image's name without the suffix of its file, with the folders in it."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def _allowed(name: str) -> str:
    name = name.lstrip(" ").rstrip(" .") or "_"
    return f"_{name}" if name.startswith(_HIDDEN) or _DEVICE.match(name) else name


def _suffix(file: Path, name: str) -> str:
    """Return the suffix of a copy: the file's, that of its name, or what it should be."""
    for suffix in (file.suffix, PurePosixPath(name).suffix):
        if suffix.lower() in IMAGE_SUFFIXES:
            return suffix
    with open_picture(file) as picture:
        return _SUFFIXES[picture.kind]


def _fits_png(pixels: NDArray[Any]) -> bool:
    if pixels.dtype == np.uint8:
        return pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in (2, 3, 4))
    return pixels.dtype == np.uint16 and pixels.ndim == 2
