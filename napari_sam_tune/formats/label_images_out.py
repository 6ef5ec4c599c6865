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
from napari_sam_tune.core.images.large_image import LARGE_PIXELS
from napari_sam_tune.core.images.picture import MOST_PIXELS
from napari_sam_tune.core.texts.plain_text import in_spreadsheet
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.formats.exported_folder_out import ExportedFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.formats.writer import ExportOptions

    Labels = NDArray[np.unsignedinteger]

HIDDEN: Final = mark("object partly hidden by a later one")
GONE: Final = mark("object wholly hidden by later ones")
MERGED: Final = mark("object whose own number is lost: class images hold no objects")
CLASSES: Final = "classes.csv"
_TILE: Final = 512


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
    check_drawn(image)
    painting = Painting(image, checked_values(image, dtype, values), dtype)
    painted = painting.window((0, 0, *image.shape))
    painting.count_losses(losses)
    return painted


def checked_values(
    image: ImageOut, dtype: DTypeLike, values: Sequence[int] | None = None
) -> Sequence[int]:
    """Return the objects' numbers, or those given instead, if the type holds them.

    Raises:
        SamTuneError: it does not.

    """
    count = len(image.objects)
    values = numbers_of(image) if values is None else values
    if max(values, default=0) > np.iinfo(dtype).max:
        raise SamTuneError(
            tr(
                "{image} has {count} objects with numbers up to {number}, and {bits} bits hold "
                "numbers up to {most}. Export it as labels-tiff, or as COCO.",
                image=image.name,
                count=count,
                number=max(values),
                bits=np.dtype(dtype).itemsize * 8,
                most=np.iinfo(dtype).max,
            )
        )
    return values


def check_drawn(image: ImageOut) -> None:
    """Refuse to draw an image of more pixels than are read of a picture.

    Raises:
        SamTuneError: says which formats will do.

    """
    height, width = image.shape
    if height * width > MOST_PIXELS:
        raise SamTuneError(
            tr(
                "{image} has {millions:.0f} million pixels, too many for a picture of this format. "
                "Export it as labels-tiff or OME-Zarr, which are written in tiles, or as COCO.",
                image=image.name,
                millions=height * width / 1e6,
            )
        )


class Painting:
    """The objects of one image in numbers, later over earlier; drawn window by window.

    Args:
        image: the image.
        values: of the objects, see `checked_values`.
        dtype: of what is drawn.

    """

    def __init__(self, image: ImageOut, values: Sequence[int], dtype: DTypeLike) -> None:
        self._objects = image.objects
        self._table = np.array([0, *values]).astype(dtype)
        self._boxes = np.array([found.bbox for found in image.objects], int).reshape(-1, 4)
        self._left = np.zeros(len(image.objects) + 1, np.int64)

    def window(self, window: Window) -> Labels:
        """Return the labels of a window, (h, w); each pixel must be asked for once."""
        top, left, bottom, right = window
        numbers = np.zeros((bottom - top, right - left), np.uint32)
        y0, x0, y1, x1 = self._boxes.T
        touched = (y0 < bottom) & (y1 > top) & (x0 < right) & (x1 > left)
        for index in np.flatnonzero(touched).tolist():
            found = self._objects[index]
            a, b, c, d = found.bbox
            rows, columns = slice(max(a, top), min(c, bottom)), slice(max(b, left), min(d, right))
            mask = found.mask[rows.start - a : rows.stop - a, columns.start - b : columns.stop - b]
            part = numbers[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            part[mask] = index + 1
        self._left += np.bincount(numbers.ravel(), minlength=len(self._left))
        return self._table[numbers]

    def count_losses(self, losses: Counter[str]) -> None:
        """Count the objects that were painted over, once all of it was drawn."""
        areas = [np.count_nonzero(found.mask) for found in self._objects]
        left = self._left[1:]
        losses[GONE] += int(np.count_nonzero(left == 0))
        losses[HIDDEN] += int(np.count_nonzero((left > 0) & (left < areas)))


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
            dtype = wide(image) if suffix == ".tif" else np.uint16
            _write(image, folder.file(stem + suffix), dtype, losses)
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
    if len(classes) > np.iinfo(np.uint8).max:
        raise SamTuneError(
            tr(
                "There are {count} classes, and class images, of 8 bits, hold 255. Export label "
                "images, or as COCO.",
                count=len(classes),
            )
        )
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
            _write(image, folder.file(stem + suffix), np.uint8, losses, values, palette)
            losses[MERGED] += len(values)
            losses[NOT_KEPT] += sum(found.review is not None for found in image.objects)
    return +losses


def _write(
    image: ImageOut,
    path: Path,
    dtype: DTypeLike,
    losses: Counter[str],
    values: Sequence[int] | None = None,
    palette: Sequence[int] | None = None,
) -> None:
    """Write the labels of an image, those of a large one tile by tile."""
    if path.suffix != ".tif":
        _save(paint(image, dtype, losses, values), path, palette)
    elif image.shape[0] * image.shape[1] <= LARGE_PIXELS:
        tifffile.imwrite(path, paint(image, dtype, losses, values), compression="zlib")
    else:
        painting = Painting(image, checked_values(image, dtype, values), dtype)
        tifffile.imwrite(
            path,
            (_filled(painting.window(window)) for window in tiled(image.shape, _TILE)),
            shape=image.shape,
            dtype=np.dtype(dtype),
            tile=(_TILE, _TILE),
            compression="zlib",
            photometric="minisblack",
            bigtiff=True,
        )
        painting.count_losses(losses)


def tiled(shape: tuple[int, int], side: int) -> Iterator[Window]:
    """Give windows that make up an image of (H, W), row by row."""
    for y in range(0, shape[0], side):
        for x in range(0, shape[1], side):
            yield y, x, min(y + side, shape[0]), min(x + side, shape[1])


def _filled(tile: Labels) -> Labels:
    return np.pad(tile, [(0, _TILE - side) for side in tile.shape])


def _save(labels: Labels, path: Path, palette: Sequence[int] | None = None) -> None:
    picture = Image.fromarray(labels)
    if palette is not None:
        picture.putpalette(list(palette))
    picture.save(path)
