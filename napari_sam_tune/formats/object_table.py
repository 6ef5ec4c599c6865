"""A CSV table of objects: how large, how long, where, how bright."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from skimage.measure import regionprops

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import channels_last
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.texts.plain_text import in_spreadsheet
from napari_sam_tune.core.texts.wording import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.formats.writer import ExportOptions

    Row = dict[str, object]
    Brightness = Callable[[BoundingBox], NDArray[Any]]

# as skimage.measure.regionprops defines them; areas and lengths in the unit given
_SHAPE: Final = (
    "area",
    "perimeter",
    "feret_diameter_max",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "orientation",
    "solidity",
)
_NOT_FOUND: Final = mark("image whose pixels were not found: no brightness")
_ANOTHER_FILE: Final = mark("image whose file is not the picture that was labelled: no brightness")
_BRIGHTNESS: Final = ("intensity_mean", "intensity_min", "intensity_max")
COLUMNS: Final = (
    *("image", "record", "class", "split", "score", "area_pixels", "y0", "x0", "y1", "x1"),
    *(*_SHAPE, *_BRIGHTNESS, "pixel_size", "unit"),
    *("weights_version", "prompts", "reviewed", "source", "created"),
)


def write_table(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write a row for each object; an image without objects has a row with its name alone.

    Boxes are in pixels, ends excluded; `area`, `perimeter`, the Feret diameter and the axes in
    `options.unit`. Brightness is that of the file's values, the mean of its colours. Names that a
    spreadsheet would take for formulas have a ' before them.
    """
    losses: Counter[str] = Counter()
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        for image in images:
            grey = _grey(image, losses)
            for found in image.objects:
                table.writerow(_row(image, found, grey, options))
            if not image.objects:
                table.writerow({"image": in_spreadsheet(image.name), "split": image.split or ""})
            losses[mark("mask: a table holds measures alone")] += len(image.objects)
    return +losses


def _grey(image: ImageOut, losses: Counter[str]) -> Brightness | None:
    """Return how bright it is, or None for an image that was moved, changed or has no pixels."""
    if not image.objects:
        return None
    try:
        pixels = None if image.read is None else image.read()
    except SamTuneError:
        pixels = None
    if pixels is None:
        is_there = image.path is not None and image.path.exists()
        losses[_ANOTHER_FILE if is_there else _NOT_FOUND] += 1
        return None
    if isinstance(pixels, LargeImage):
        return lambda box: _mean(pixels.read(box))
    grey = _mean(channels_last(pixels))
    return lambda box: grey[box[0] : box[2], box[1] : box[3]]


def _mean(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return (h, w) brightness of (h, w) or (h, w, C)."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].mean(axis=-1))


def _row(image: ImageOut, found: ObjectOut, grey: Brightness | None, options: ExportOptions) -> Row:
    y0, x0, y1, x1 = found.bbox
    # regionprops_table would measure each object twice, once to learn the types of its columns
    (region,) = regionprops(  # type: ignore[no-untyped-call]
        found.mask.astype(np.uint8),
        None if grey is None else grey(found.bbox),
        spacing=(options.pixel_size, options.pixel_size),
    )
    names = _SHAPE if grey is None else (*_SHAPE, *_BRIGHTNESS)
    row: Row = {name: f"{float(getattr(region, name)):.6g}" for name in names}
    row |= {"image": in_spreadsheet(image.name), "record": found.id or ""}
    row["class"] = in_spreadsheet(found.label)
    row |= {"split": found.split or "", "area_pixels": int(np.count_nonzero(found.mask))}
    row |= {"y0": y0, "x0": x0, "y1": y1, "x1": x1}
    row |= {"pixel_size": options.pixel_size, "unit": in_spreadsheet(options.unit)}
    row["score"] = "" if found.score is None else found.score
    if (said := found.provenance) is not None:
        row |= {"weights_version": said.weights_version, "prompts": said.prompts}
        row |= {"reviewed": str(said.reviewed).lower(), "source": said.source}
        row["created"] = said.created
    return row
