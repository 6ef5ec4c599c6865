"""Writing OME-Zarr: for each image a `.zarr` with its pixels and its objects as labels.

Written with zarr itself: the ome-zarr library holds pydantic and others back by years of releases.
Colours and properties stand where the specification (ngff.openmicroscopy.org, "labels") has them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import zarr

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.core.exchange.remarks import REVIEW, packed
from napari_sam_tune.core.images.files import channels_last
from napari_sam_tune.core.images.large_image import LARGE_PIXELS, LargeImage
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.label_images_out import (
    Painting,
    checked_values,
    numbers_of,
    paint,
    tiled,
    wide,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.formats.writer import ExportOptions

    Version = Literal["0.4", "0.5"]
    Attributes = dict[str, Any]

LABELS: Final = "objects"
_CHUNK: Final = 1024
_OPAQUE: Final = 255


def write_ome_zarr(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write version 0.5, which is zarr 3."""
    return _write(images, classes, path, options, "0.5")


def write_ome_zarr_04(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write version 0.4, which is zarr 2."""
    return _write(images, classes, path, options, "0.4")


def _write(
    images: Iterable[ImageOut],
    classes: Mapping[str, str],
    path: Path,
    options: ExportOptions,
    version: Version,
) -> Counter[str]:
    losses: Counter[str] = Counter()
    with ExportedFolder(path) as folder:
        for image in images:
            file = folder.file(f"{folder.add(image)}.zarr")
            _write_one(file, image, classes, options, version, losses)
    return +losses


def _write_one(
    file: Path,
    image: ImageOut,
    classes: Mapping[str, str],
    options: ExportOptions,
    version: Version,
    losses: Counter[str],
) -> None:
    pixels, axes = _pixels(image) if options.copy_images else (None, ())
    described = {} if pixels is None else _multiscale(image.name, axes, options, version)
    root = zarr.open_group(
        file,
        mode="w",
        zarr_format=2 if version == "0.4" else 3,
        attributes=_wrapped(described, version),
    )
    if pixels is not None:
        _create(root, pixels, axes, version)
    listed = root.create_group("labels", attributes=_wrapped({"labels": [LABELS]}, version))
    described = _multiscale(LABELS, ("y", "x"), options, version)
    described |= _image_label(image, classes, version)
    group = listed.create_group(LABELS, attributes=_wrapped(described, version))
    if image.shape[0] * image.shape[1] <= LARGE_PIXELS:
        _create(group, paint(image, wide(image), losses), ("y", "x"), version)
        return
    dtype = wide(image)
    painting = Painting(image, checked_values(image, dtype), dtype)
    array = _empty(group, image.shape, np.dtype(dtype), ("y", "x"), version)
    for y0, x0, y1, x1 in tiled(image.shape, _CHUNK):
        array[y0:y1, x0:x1] = painting.window((y0, x0, y1, x1))
    painting.count_losses(losses)


def _pixels(image: ImageOut) -> tuple[NDArray[Any] | LargeImage, tuple[str, ...]]:
    """Return the pixels and their axes; where there are not too many, channels first."""
    if image.read is None:
        raise SamTuneError(
            tr("{image} has no pixels to copy; export without images.", image=image.name)
        )
    pixels = image.read()
    if pixels.ndim == 2:
        return pixels, ("y", "x")
    if isinstance(pixels, LargeImage):
        return pixels, ("c", "y", "x")
    return np.ascontiguousarray(np.moveaxis(channels_last(pixels), -1, 0)), ("c", "y", "x")


def _create(
    group: zarr.Group, pixels: NDArray[Any] | LargeImage, axes: Sequence[str], version: Version
) -> None:
    if isinstance(pixels, LargeImage):
        height, width = pixels.shape[:2]
        shape = (*pixels.shape[2:], height, width)
        array = _empty(group, shape, pixels.dtype, axes, version)
        for y0, x0, y1, x1 in tiled((height, width), _CHUNK):
            part = pixels.read((y0, x0, y1, x1))
            array[..., y0:y1, x0:x1] = part if part.ndim == 2 else np.moveaxis(part, -1, 0)
        return
    array = _empty(group, pixels.shape, pixels.dtype, axes, version)
    array[...] = pixels


def _empty(
    group: zarr.Group,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: Sequence[str],
    version: Version,
) -> zarr.Array[Any]:
    return group.create_array(
        "0",
        shape=shape,
        dtype=dtype,
        chunks=tuple(min(max(side, 1), _CHUNK) for side in shape),
        chunk_key_encoding={"name": "v2" if version == "0.4" else "default", "separator": "/"},
        dimension_names=None if version == "0.4" else axes,
    )


def _wrapped(said: Attributes, version: Version) -> Attributes:
    return said if version == "0.4" else {"ome": {"version": version, **said}}


def _multiscale(
    name: str, axes: Sequence[str], options: ExportOptions, version: Version
) -> Attributes:
    is_length = options.unit != "pixel"
    space = {"type": "space", **({"unit": options.unit} if is_length else {})}
    scale = [1.0 if axis == "c" else options.pixel_size for axis in axes]
    described: Attributes = {
        "name": name,
        "axes": [{"name": a, **({"type": "channel"} if a == "c" else space)} for a in axes],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        ],
    }
    return {"multiscales": [described | ({"version": version} if version == "0.4" else {})]}


def _image_label(image: ImageOut, classes: Mapping[str, str], version: Version) -> Attributes:
    numbered = list(zip(numbers_of(image), image.objects, strict=True))
    described: Attributes = {
        "colors": [
            {"label-value": n, "rgba": [*rgb(classes[found.label]), _OPAQUE]}
            for n, found in numbered
        ],
        "properties": [{"label-value": n, **_properties(found)} for n, found in numbered],
        "source": {"image": "../../"},
    }
    return {"image-label": described | ({"version": version} if version == "0.4" else {})}


def _properties(found: ObjectOut) -> Attributes:
    said = {} if found.provenance is None else asdict(found.provenance)
    return {
        "class": found.label,
        "record": found.id,
        "score": found.score,
        REVIEW: packed(found.review),
    } | said
