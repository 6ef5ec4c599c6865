"""Reading labels of OME-Zarr 0.4 and 0.5, as objects of the image in it, or of one beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError, MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, unpacked
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import composed, inside, only, own_name, stems
from napari_sam_tune.core.images.zarr_levels import Level, described, level_of
from napari_sam_tune.formats.exported_folder import by_stem, image_of, read_notes
from napari_sam_tune.formats.label_images import numbered
from napari_sam_tune.formats.zarr_arrays import Enlarged, LabelPlane, opened, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.images.large_image import LargeImage

_COLOURS: Final = 3
_MOST_SMALLER: Final = 65
_ENLARGED: Final = "image whose labels are stored smaller, and were enlarged to its size"


@dataclass(frozen=True)
class Layer:
    """A label image inside a `.zarr`: where it lies, and what is said of each of its numbers."""

    level: Level
    properties: Mapping[int, Mapping[str, Any]]

    @property
    def path(self) -> Path:
        """The array's folder."""
        return self.level.path


@dataclass(frozen=True, kw_only=True)
class LabelledZarr(SourceImage):
    """An image with a `.zarr`; all label images in it count.

    Attributes:
        file: the `.zarr`.
        layers: the label images.
        level: the image in it, or None.
        any_channels: several channels are colours and opacity, as our own export writes them.

    """

    is_painted: bool = True

    file: Path
    layers: tuple[Layer, ...]
    level: Level | None
    any_channels: bool

    @property
    def has_file(self) -> bool:
        """Whether the image is a file beside the `.zarr`, or too large in it to be copied."""
        return self.path != self.file or self._is_large

    @property
    def _is_large(self) -> bool:
        if self.level is None:
            return False
        height, width = opened(self.level.path, in_parts=True).shape[-2:]
        return height * width > large_image.LARGE_PIXELS

    def shape(self) -> tuple[int, int]:
        """Return (H, W) from the header or the metadata."""
        if self.has_file:
            return super().shape()
        height, width = opened(self._image.path).shape[-2:]
        return height, width

    def orientation(self) -> int:
        """Return how the image file's tag says that it is to be turned."""
        return super().orientation() if self.has_file else UPRIGHT

    def read(self) -> NDArray[Any] | LargeImage:
        """Return the image's pixels, (H, W) or (H, W, C), or what they are read by."""
        if self.has_file:
            return super().read()
        level, array = self._image, opened(self._image.path)
        axes = level.axes if len(level.axes) == array.ndim else "tczyx"[-array.ndim :]
        several = {axis: n for axis, n in zip(axes[:-2], array.shape, strict=False) if n > 1}
        channels = several.pop("c", 1)
        if several or not (channels in (1, _COLOURS) or self.any_channels) or axes[-2:] != "yx":
            raise ImageError(
                f"The image in {self.file} has the shape {array.shape} along {axes}, and one plane "
                "is wanted, grey or in three colours. Save the plane as a file, and give its "
                "folder by --images."
            )
        pixels = values_of(level.path, array).reshape((channels, *array.shape[-2:]))
        return np.ascontiguousarray(pixels[0] if channels == 1 else np.moveaxis(pixels, 0, -1))

    @property
    def _image(self) -> Level:
        if self.level is None:
            raise SamTuneError(
                f"There is no image in {self.file}: give the folder of images by --images."
            )
        return self.level

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `with_sound_objects`: each label image is of a size of its own."""

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> LabelledZarr:
        """Keep the label images that lie over the image."""

        def sound(layer: Layer) -> tuple[Layer, int]:
            array = opened(layer.path, in_parts=True)
            return layer, self._factor(layer, array.shape, shape)

        found = left_out.take(FILE, self.layers, sound)
        remark = _ENLARGED if any(factor > 1 for _, factor in found) else None
        return replace(self, layers=tuple(layer for layer, _ in found), remark=remark)

    def _factor(self, layer: Layer, stored: tuple[int, ...], shape: tuple[int, int]) -> int:
        """Return how many pixels of the image a label image's pixel is long and high.

        Raises:
            MaskError: it is no plane of the image's size, or of a part of it, or lies elsewhere.

        """
        fitting = (factor for factor in range(1, _MOST_SMALLER) if _fits(stored, shape, factor))
        factor = next(fitting, None)
        if factor is None or any(side != 1 for side in stored[:-2]):
            raise MaskError(f"{layer.path} has the shape {stored}, {self.name} is {shape}.")
        of_image = self.level or Level(self.file, "")
        for scale, start, image_scale, image_start in zip(
            layer.level.scale, layer.level.start, of_image.scale, of_image.start, strict=True
        ):
            told = scale / image_scale if self.level is not None else factor
            is_elsewhere = abs(start - image_start) / image_scale > factor
            if not (np.isclose(told, (1, factor), rtol=0.1).any()) or is_elsewhere:
                raise MaskError(
                    f"{layer.path} says by its scale and translation that it does not lie over "
                    f"{self.name}. Crop the image to it, or write the labels in the image's size."
                )
        return factor

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give one object for each number of each label image."""
        for layer in self.layers:
            array = opened(layer.path, in_parts=True)
            factor = self._factor(layer, array.shape, shape)
            plane = Enlarged(LabelPlane(layer.path, array), factor, shape)
            where = layer.path.relative_to(self.file.parent).as_posix()
            for number, placed in numbered(plane, str(layer.path)):
                said = layer.properties.get(number, {})
                score, record = said.get("score"), said.get("record")
                entry = f"{where}#{number}"
                yield SourceObject(
                    entry,
                    placed,
                    str(said.get("class") or DEFAULT_LABEL),
                    score if isinstance(score, float) else None,
                    record if isinstance(record, str) else None,
                    review=unpacked(said.get(REVIEW), entry) if record else None,
                )


def _fits(stored: tuple[int, ...], shape: tuple[int, int], factor: int) -> bool:
    """Whether a label image has every so many-th row and column of an image."""
    sides = zip(stored[-2:], shape, strict=False)
    return len(stored) > 1 and all(n in (s // factor, -(-s // factor)) for n, s in sides)


def read_ome_zarr(location: Location) -> Dataset:
    """Read a `.zarr`, or a folder of them.

    Images of the same names lie in `location.images`; without it, those in the `.zarr` are meant.

    Raises:
        SamTuneError: something is missing or malformed (named).

    """
    path, images = location.path, location.images
    if path is None:
        raise SamTuneError("Give the folder of .zarr.")
    folder = path.parent if path.suffix == ".zarr" else path
    zarrs = [path] if path.suffix == ".zarr" else list_files(path, {".zarr"}, folders=True)
    notes, files, left_out = read_notes(folder), stems(zarrs, folder), LeftOut()
    known = {} if images is None else notes.paired(files, by_stem(images))

    def read(item: tuple[str, tuple[Path, ...]]) -> LabelledZarr:
        stem, file = item[0], only(item[1])
        image = file if images is None else image_of(stem, known, images, file)
        labelled = LabelledZarr(
            path=image,
            name=image.relative_to(folder if images is None else images).as_posix(),
            file=file,
            layers=_layers(file),
            level=level_of(file, described(file)),
            any_channels=composed(stem) in notes.images,
        )
        return notes.named(labelled, stem)

    found = left_out.take(FILE, files.items(), read)
    return notes.dataset(f"ome-zarr/{own_name(folder)}", found, left_out)


def _layers(file: Path) -> tuple[Layer, ...]:
    names = described(file / "labels").get("labels")
    if not isinstance(names, list):
        raise SamTuneError(f"{file} has no labels.")
    return tuple(_layer(inside(file / "labels", name, str(file))) for name in names)


def _layer(path: Path) -> Layer:
    said = described(path)
    level = level_of(path, said)
    if level is None:
        raise SamTuneError(f"{path} is no label image of OME-Zarr 0.4 or 0.5: no “multiscales”.")
    try:
        rows = said.get("image-label", {}).get("properties") or ()
        properties = {int(row["label-value"]): dict(row) for row in rows}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SamTuneError(
            f"{path} is no label image of OME-Zarr 0.4 or 0.5: {error!r}."
        ) from error
    return Layer(level, properties)
