"""A CSV list of images and masks: columns image and mask, optionally class, group and split.

An image may stand in several rows, one for each of its masks. An empty mask cell says that the
image has no object.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.documents import read_csv
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.images.names import NamedFiles
from napari_sam_tune.formats.folder import MaskedImage, MaskFile
from napari_sam_tune.formats.text_files import SPLIT_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.split import Split

_SPLITS: Final[dict[str, Split | None]] = {"": None, "held_out": "held_out", **SPLIT_NAMES}


def read_csv_list(location: Location) -> Dataset:
    """Read a list; names are relative to its folder, or to `images` and `masks`.

    Raises:
        SamTuneError: it cannot be read, lacks a column, or a line (named) makes no sense.

    """
    path = location.path
    if path is None:
        raise SamTuneError("Give the CSV file.")
    files = NamedFiles(location.images or path.parent), NamedFiles(location.masks or path.parent)
    left_out = LeftOut()

    def read(row: dict[str, str], entry: str) -> MaskedImage:
        return masked_image(row, files, entry)

    return Dataset(f"csv/{path.name}", images_of(path, files[0], read, left_out), left_out)


def images_of(
    path: Path,
    files: NamedFiles,
    read: Callable[[dict[str, str], str], MaskedImage],
    left_out: LeftOut,
) -> list[MaskedImage]:
    """Put the lines of a list together, each image's in one.

    Args:
        path: the list.
        files: the images.
        read: returns what a line, and the words that name it in errors, say of an image.
        left_out: told of lines at fault; their images are not whole.

    Raises:
        SamTuneError: the list cannot be read, lacks a column, or no line can be taken.

    """
    images: dict[str, MaskedImage] = {}
    partial = set()

    def take(numbered: tuple[int, dict[str, str]]) -> None:
        number, row = numbered
        entry = f"{path.name}, line {number},"
        try:
            image = read(row, entry)
            known = images.get(image.name)
            images[image.name] = image if known is None else joined(known, image, entry)
        except SamTuneError:
            with suppress(SamTuneError):  # the image may be what cannot be found
                partial.add(files.find(row["image"], entry).path)
            raise

    left_out.take("line that cannot be taken", read_csv(path, ("image", "mask")), take)
    return [replace(i, is_whole=i.path not in partial) for i in images.values()]


def masked_image(
    row: dict[str, str], files: tuple[NamedFiles, NamedFiles], entry: str
) -> MaskedImage:
    """Return what a line says of its image: one mask, or none.

    Args:
        row: the line.
        files: the images and the masks.
        entry: the line, for the error.

    Raises:
        SamTuneError: it makes no sense.

    """
    image = files[0].find(row["image"], entry)
    said = image.said
    label = row.get("class") or DEFAULT_LABEL
    masks: tuple[MaskFile, ...] = ()
    if row["mask"]:
        mask = files[1].find(row["mask"], entry)
        masks = (MaskFile(mask.path, row["mask"], label),)
        said = said or mask.said
    split = row.get("split", "").strip().lower()
    if split not in _SPLITS:
        raise SamTuneError(f"{entry} has the split {split!r}; it is train, val or test.")
    return MaskedImage(
        path=image.path,
        name=image.path.relative_to(files[0].folder).as_posix(),
        said=said,
        labels=frozenset({label} if masks else ()),
        group=row.get("group") or None,
        split=_SPLITS[split],
        masks=masks,
    )


def joined(known: MaskedImage, more: MaskedImage, entry: str) -> MaskedImage:
    """Put the masks of two rows of one image together."""
    if (known.group, known.split) != (more.group, more.split):
        raise SamTuneError(f"{entry} gives {more.name} another group or split than a line before.")
    if not more.masks or not known.masks or more.masks[0].path in {m.path for m in known.masks}:
        raise SamTuneError(f"{entry} lists {more.name} with the same mask, or without one, again.")
    return replace(known, masks=known.masks + more.masks, labels=known.labels | more.labels)
