"""Label images: one integer picture per image. Overlap is resolved, later over earlier."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import tifffile
from PIL import Image

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.core.exchange.remarks import NOT_KEPT
from napari_sam_tune.core.texts.plain_text import in_spreadsheet
from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.exported_folder_out import ExportedFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.formats.writer import ExportOptions

    Labels = NDArray[np.unsignedinteger]

HIDDEN: Final = mark("object partly hidden by a later one")
GONE: Final = mark("object wholly hidden by later ones")
MERGED: Final = mark("object whose own number is lost: class images hold no objects")
CLASSES: Final = "classes.csv"


def paint(
    image: ImageOut, dtype: DTypeLike, losses: Counter[str], values: Sequence[int] | None = None
) -> Labels:
    """Paint the objects of one image, later over earlier where they overlap.

    Args:
        image: the image.
        dtype: of the picture.
        losses: counts the objects that were painted over.
        values: of the objects; None for their numbers, see `numbers_of`.

    Returns:
        (H, W); 0 is background.

    Raises:
        SamTuneError: there are more numbers than the type holds.

    """
    count = len(image.objects)
    values = numbers_of(image) if values is None else values
    if max(values, default=0) > np.iinfo(dtype).max:
        raise SamTuneError(
            f"{image.name} has {count} objects with numbers up to {max(values)}, and "
            f"{np.dtype(dtype).itemsize * 8} bits hold numbers up to {np.iinfo(dtype).max}. Export "
            "it as labels-tiff, or as COCO."
        )
    numbers = np.zeros(image.shape, np.uint32)
    areas = []
    for number, found in enumerate(image.objects, start=1):
        numbers[found.window][found.mask] = number
        areas.append(np.count_nonzero(found.mask))
    left = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    losses[GONE] += int(np.count_nonzero(left == 0))
    losses[HIDDEN] += int(np.count_nonzero((left > 0) & (left < areas)))
    table = np.array([0, *values])
    painted: Labels = table.astype(dtype)[numbers]
    return painted


def numbers_of(image: ImageOut) -> Sequence[int]:
    """Return the objects' numbers in the label image they are from, or else 1, 2, …."""
    numbers = [found.number for found in image.objects if found.number is not None]
    return numbers if len(numbers) == len(image.objects) else range(1, len(image.objects) + 1)


def wide(image: ImageOut) -> type[np.uint16 | np.uint32]:
    """Return the type its numbers need."""
    is_wide = max(numbers_of(image), default=0) > np.iinfo(np.uint16).max
    return np.uint32 if is_wide else np.uint16


def write_label_pngs(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write 16-bit PNGs with one number for each object; its class stands in `records.csv`."""
    return _write_instances(images, path, ".png")


def write_label_tiffs(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write TIFFs with one number for each object, of 32 bits where 16 do not suffice."""
    return _write_instances(images, path, ".tif")


def _write_instances(images: Iterable[ImageOut], path: Path, suffix: str) -> Counter[str]:
    losses: Counter[str] = Counter()
    with ExportedFolder(path) as folder:
        for image in images:
            stem = folder.add(image)
            painted = paint(image, wide(image) if suffix == ".tif" else np.uint16, losses)
            _save(painted, folder.file(stem + suffix))
            for number, found in zip(numbers_of(image), image.objects, strict=True):
                folder.note(f"{stem}#{number}", found)
    return +losses


def write_semantic_pngs(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write 8-bit PNGs in the classes' colours; `classes.csv` says which value is which."""
    return _write_semantic(images, classes, path, ".png")


def write_semantic_tiffs(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write 8-bit TIFFs; `classes.csv` says which value is which class."""
    return _write_semantic(images, classes, path, ".tif")


def _write_semantic(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, suffix: str
) -> Counter[str]:
    losses: Counter[str] = Counter()
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    palette = [channel for colour in ("#000000", *classes.values()) for channel in rgb(colour)]
    with ExportedFolder(path) as folder:
        with folder.file(CLASSES).open("w", newline="", encoding="utf-8") as file:
            rows = [
                (numbers[name], in_spreadsheet(name), colour) for name, colour in classes.items()
            ]
            csv.writer(file).writerows([("value", "class", "colour"), *rows])
        for image in images:
            stem = folder.add(image)
            values = [numbers[found.label] for found in image.objects]
            painted = paint(image, np.uint8, losses, values)
            _save(painted, folder.file(stem + suffix), palette)
            losses[MERGED] += len(values)
            losses[NOT_KEPT] += sum(found.review is not None for found in image.objects)
    return +losses


def _save(labels: Labels, path: Path, palette: Sequence[int] | None = None) -> None:
    if path.suffix == ".tif":
        tifffile.imwrite(path, labels, compression="zlib")
        return
    picture = Image.fromarray(labels)
    if palette is not None:
        picture.putpalette(list(palette))
    picture.save(path)
