"""Reading labels of OME-Zarr 0.4 and 0.5, as objects of images that lie elsewhere as files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import zarr

from napari_sam_tune.core.documents import check_bounds
from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import own_name, paired, stems
from napari_sam_tune.core.images.pictures import MOST_BYTES
from napari_sam_tune.formats.blosc_chunks import check_blosc
from napari_sam_tune.formats.exported_folder import by_stem, image_of, read_notes
from napari_sam_tune.formats.label_images import numbered, placed
from napari_sam_tune.formats.text_files import inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location


@dataclass(frozen=True)
class Layer:
    """A label image inside a `.zarr`: where it lies, and what is said of each of its numbers."""

    path: Path
    properties: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class LabelledZarr(SourceImage):
    """An image with a `.zarr`; all label images in it count."""

    is_painted: ClassVar[bool] = True

    file: Path
    layers: tuple[Layer, ...]

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `with_sound_objects`: each label image is of a size of its own."""

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> LabelledZarr:
        """Keep the label images whose metadata say the image's shape."""

        def checked(layer: Layer) -> Layer:
            found = _open(layer.path)
            if found.shape[-2:] != shape or any(side != 1 for side in found.shape[:-2]):
                raise MaskError(
                    f"{layer.path} has the shape {found.shape}, {self.name} is {shape}."
                )
            return layer

        return replace(self, layers=tuple(left_out.take(FILE, self.layers, checked)))

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give one object for each number of each label image."""
        for layer in self.layers:
            try:
                array = _open(layer.path)
                check_blosc(layer.path, array)
                values: NDArray[Any] = np.asarray(array[...]).reshape(shape)
            except (RuntimeError, ValueError, TypeError, OSError) as error:  # of decompressors
                raise MaskError(f"{layer.path} cannot be read: {error}.") from error
            where = layer.path.relative_to(self.file.parent).as_posix()
            for number, cropped, window in numbered(values, str(layer.path)):
                said = layer.properties.get(number, {})
                score, record = said.get("score"), said.get("record")
                yield SourceObject(
                    f"{where}#{number}",
                    placed(cropped, window, shape),
                    str(said.get("class") or DEFAULT_LABEL),
                    score if isinstance(score, float) else None,
                    record if isinstance(record, str) else None,
                )


def read_ome_zarr(location: Location) -> Dataset:
    """Read a `.zarr`, or a folder of them; images of the same names lie in `location.images`.

    Raises:
        SamTuneError: something is missing or malformed (named).

    """
    path, images = location.path, location.images
    if path is None or images is None:
        raise SamTuneError("Give the folder of .zarr, and the one of images.")
    folder = path.parent if path.suffix == ".zarr" else path
    zarrs = [path] if path.suffix == ".zarr" else list_files(path, {".zarr"}, folders=True)
    notes, files, left_out = read_notes(folder), stems(zarrs, folder), LeftOut()
    known = paired(files, by_stem(images))

    def read(item: tuple[str, Path]) -> LabelledZarr:
        stem, file = item
        image = image_of(stem, known, images, file)
        labelled = LabelledZarr(
            path=image,
            name=image.relative_to(images).as_posix(),
            file=file,
            layers=_layers(file),
        )
        return notes.named(labelled, stem)

    found = left_out.take(FILE, files.items(), read)
    return notes.dataset(f"ome-zarr/{own_name(folder)}", found, left_out)


def _layers(file: Path) -> tuple[Layer, ...]:
    names = _described(file / "labels").get("labels")
    if not isinstance(names, list):
        raise SamTuneError(f"{file} has no labels.")
    return tuple(_layer(inside(file / "labels", name, str(file))) for name in names)


def _layer(path: Path) -> Layer:
    said = _described(path)
    try:
        name = said["multiscales"][0]["datasets"][0]["path"]
        rows = said.get("image-label", {}).get("properties") or ()
        properties = {int(row["label-value"]): dict(row) for row in rows}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SamTuneError(
            f"{path} is no label image of OME-Zarr 0.4 or 0.5: {error!r}."
        ) from error
    return Layer(inside(path, name, str(path)), properties)


def _described(path: Path) -> Mapping[str, Any]:
    """Return what a group says of itself, without the version's wrapping."""
    try:
        attributes = dict(zarr.open_group(path, mode="r").attrs)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SamTuneError(f"{path} is no zarr group, or damaged: {error}.") from error
    check_bounds(attributes, path)
    said = attributes.get("ome", attributes)
    return said if isinstance(said, dict) else {}


def _open(path: Path) -> zarr.Array[Any]:
    try:
        found = zarr.open_array(path, mode="r")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise MaskError(f"{path} is no zarr array, or damaged: {error}.") from error
    held = math.prod(found.chunks) * found.dtype.itemsize
    if held > MOST_BYTES:  # a chunk is unpacked whole, however small the array
        raise MaskError(f"{path} has chunks of {held / 1e9:.1f} GB: write it in smaller ones.")
    return found
