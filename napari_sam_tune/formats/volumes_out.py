"""Label volumes of stacks: one number a thing, the same in all its planes, with axes and sizes.

Planes come one by one and in any order, and are written where they belong, so that a stack of any
depth takes the memory of one plane. Planes without a mask are 0, whether or not somebody looked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import tifffile
import zarr

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.label_images_out import paint
from napari_sam_tune.formats.things_out import ThingTables, Voxel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.core.images.axes import Axis
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.formats.writer import ExportOptions

ALONE: Final = mark("image that is no plane of a stack")
LABELS: Final = "objects"
_LETTERS: Final = {"time": "T", "other": "C", "slices": "Z", "rows": "Y", "columns": "X"}
_ORDER: Final = "TCZYX"
_CHUNK: Final = 1024
_OPAQUE: Final = 255


class Volume(Protocol):
    """A volume that planes are written into."""

    def write(self, plane: tuple[int, ...], labels: Any) -> None:
        """Put (H, W) numbers where a plane lies along `Axes.along`."""

    def finish(self, numbers: Mapping[int, tuple[str, str]], classes: Mapping[str, str]) -> None:
        """End it; `numbers` are those of things with their names and classes."""


def write_volumes(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write an OME-TIFF of 16 bits for each stack, and two tables of its things.

    Raises:
        SamTuneError: a stack has more things than 16 bits count, or axes that OME-TIFF has not.

    """
    return _write(images, classes, path, options, _TiffVolume, np.uint16)


def write_volumes_zarr(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write an OME-Zarr 0.5 of 32 bits for each stack, and two tables of its things.

    Raises:
        SamTuneError: a stack has axes that OME-Zarr has not.

    """
    return _write(images, classes, path, options, _ZarrVolume, np.uint32)


def _write(
    images: Iterable[ImageOut],
    classes: Mapping[str, str],
    path: Path,
    options: ExportOptions,
    make: Callable[[Path, Stack, tuple[int, int], ExportOptions], Volume],
    dtype: type[np.unsignedinteger],
) -> Counter[str]:
    losses: Counter[str] = Counter()
    volumes: dict[str, Volume] = {}
    with ExportedFolder(path) as folder, ThingTables(path, options) as tables:
        for image in images:
            stack = image.stack
            if stack is None:
                losses[ALONE] += 1
                continue
            if stack.name not in volumes:
                file = folder.file(folder.stem(stack.name))
                volumes[stack.name] = make(file, stack, image.shape, options)
            stem = folder.add(image)
            values = []
            for found in image.objects:
                values.append(tables.number(stack, found))
                tables.note(image, stack, found)
                folder.note(f"{stem}#{values[-1]}", found)
            painted = paint(image, dtype, losses, values)
            volumes[stack.name].write(stack.planes[image.name], painted)
        numbers = tables.numbers()
        for name, volume in volumes.items():
            volume.finish(numbers.get(name, {}), classes)
        tables.finish()
    if not volumes:
        raise SamTuneError(
            tr(
                "No labelled image is a plane of a stack, so there is no volume to write. Choose "
                "label images, or say in “Stack” which axis is slices or time."
            )
        )
    return +losses


class _Layout:
    """Where planes lie in a volume whose axes are in OME's order, and how large its voxels are."""

    def __init__(self, stack: Stack, shape: tuple[int, int], options: ExportOptions) -> None:
        axes = [stack.axes.axes[place] for place in stack.axes.along]
        letters = [_LETTERS[axis.role or "other"] for axis in axes if axis.size > 1]
        if len(set(letters)) < len(letters):
            raise SamTuneError(
                tr(
                    "“{stack}” has two axes that are neither slices nor time, and a volume has one "
                    "place for such.",
                    stack=stack.name,
                )
            )
        self._kept = [place for place, axis in enumerate(axes) if axis.size > 1]
        self._sort = sorted(range(len(letters)), key=lambda i: _ORDER.index(letters[i]))
        kept = [axes[place] for place in self._kept]
        self.letters = "".join(letters[i] for i in self._sort) + "YX"
        self.shape = (*(kept[i].size for i in self._sort), *shape)
        self.voxel = Voxel.of(stack, options)
        self.time: Axis | None = stack.axes.of("time")

    def at(self, plane: tuple[int, ...]) -> tuple[int, ...]:
        """Return where a plane lies."""
        kept = [plane[place] for place in self._kept]
        return tuple(kept[i] for i in self._sort)

    def step(self, letter: str) -> tuple[float, str | None]:
        """Return from one to the next along an axis, and the unit; 1 and None where unknown."""
        unit = None if self.voxel.unit == "pixel" else self.voxel.unit
        if letter == "T" and self.time is not None and self.time.step is not None:
            return self.time.step, self.time.unit
        if letter == "Z" and self.voxel.depth is not None:
            return self.voxel.depth, unit
        if letter in "YX":
            return (self.voxel.height if letter == "Y" else self.voxel.width), unit
        return 1.0, None


class _TiffVolume:
    """An OME-TIFF, not compressed, so that planes can be put where they belong."""

    def __init__(
        self, file: Path, stack: Stack, shape: tuple[int, int], options: ExportOptions
    ) -> None:
        self._layout = layout = _Layout(stack, shape, options)
        said: dict[str, Any] = {"axes": layout.letters}
        for letter in "XYZ":
            step, unit = layout.step(letter)
            if letter in layout.letters and unit is not None:
                said |= {f"PhysicalSize{letter}": step, f"PhysicalSize{letter}Unit": _ome(unit)}
        step, unit = layout.step("T")
        if "T" in layout.letters and unit is not None:
            said |= {"TimeIncrement": step, "TimeIncrementUnit": _ome(unit)}
        self._pixels: Any = tifffile.memmap(
            file.with_name(f"{file.name}.ome.tif"),
            shape=layout.shape,
            dtype=np.uint16,
            ome=True,
            photometric="minisblack",
            metadata=said,
        )

    def write(self, plane: tuple[int, ...], labels: Any) -> None:
        """See `Volume`."""
        self._pixels[self._layout.at(plane)] = labels

    def finish(self, numbers: Mapping[int, tuple[str, str]], classes: Mapping[str, str]) -> None:
        """See `Volume`; what numbers are is in the tables."""
        self._pixels.flush()
        del self._pixels


class _ZarrVolume:
    """An OME-Zarr whose labels are the volume."""

    def __init__(
        self, file: Path, stack: Stack, shape: tuple[int, int], options: ExportOptions
    ) -> None:
        self._layout = layout = _Layout(stack, shape, options)
        self._root = zarr.open_group(file.with_name(f"{file.name}.zarr"), mode="w", zarr_format=3)
        ome: dict[str, Any] = {"version": "0.5", "labels": [LABELS]}
        labels = self._root.create_group("labels", attributes={"ome": ome})
        self._group = labels.create_group(LABELS, attributes={"ome": self._described()})
        sides = (1,) * (len(layout.shape) - 2)
        self._pixels = self._group.create_array(
            "0",
            shape=layout.shape,
            dtype=np.uint32,
            chunks=(*sides, *(min(side, _CHUNK) for side in shape)),
            dimension_names=tuple(layout.letters.lower()),
        )

    def _described(self) -> dict[str, Any]:
        axes, scale = [], []
        for letter in self._layout.letters:
            step, unit = self._layout.step(letter)
            kind = {"T": "time", "C": "channel"}.get(letter, "space")
            axes.append({"name": letter.lower(), "type": kind, **({"unit": unit} if unit else {})})
            scale.append(step)
        change = {"type": "scale", "scale": scale}
        datasets = [{"path": "0", "coordinateTransformations": [change]}]
        return {
            "version": "0.5",
            "multiscales": [{"name": LABELS, "axes": axes, "datasets": datasets}],
        }

    def write(self, plane: tuple[int, ...], labels: Any) -> None:
        """See `Volume`."""
        self._pixels[self._layout.at(plane)] = labels

    def finish(self, numbers: Mapping[int, tuple[str, str]], classes: Mapping[str, str]) -> None:
        """See `Volume`."""
        said: dict[str, Any] = {
            "colors": [
                {"label-value": number, "rgba": [*rgb(classes[label]), _OPAQUE]}
                for number, (_, label) in numbers.items()
            ],
            "properties": [
                {"label-value": number, "thing": thing, "class": label}
                for number, (thing, label) in numbers.items()
            ],
        }
        self._group.attrs["ome"] = {**self._described(), "image-label": said}


def _ome(unit: str) -> str:
    """Return a unit as OME-XML writes it."""
    known = {
        "micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm",
        "meter": "m", "angstrom": "Å", "inch": "in", "second": "s", "millisecond": "ms",
        "minute": "min", "hour": "h",
    }  # fmt: skip
    return known.get(unit, unit)
