"""A zarr array or an image of OME-Zarr, read by the chunks a window touches."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.images.axes import check_parts
from napari_sam_tune.core.images.blosc_chunks import check_blosc
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.zarr_levels import Level, described, levels_of
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.axes import Parts
    from napari_sam_tune.core.images.picture import Pixels

_MOST_AT_ONCE: Final = 256 << 20
"""Bytes of a chunk: it is unpacked whole, however small the window."""
_COLOURS: Final = (3, 4)
_METADATA: Final = (".zgroup", ".zarray", "zarr.json")
_DESCRIPTIONS: Final = ("zarr.json", ".zattrs")


class ZarrSource:
    """The pixels of an image in a `.zarr`, from the disk whenever they are asked for.

    Args:
        path: the folder.
        parts: of one plane of a stack, where it lies along each axis, or what the axis is; None of
            an image.

    Attributes:
        shapes: (H, W) of each level, finest first.
        channels: () or (C,).
        dtype: of the pixels.
        units: (h, w) of a chunk, of each level.

    """

    def __init__(self, path: Path, parts: Parts | None = None) -> None:
        levels = _levels(path)
        arrays = [(level.path, _opened(level.path)) for level in levels]
        first = arrays[0][1]
        if parts is None:
            axes = _axes(path, first, levels[0].axes)
            self._y, self._x = axes.index("y"), axes.index("x")
        else:
            check_parts(parts, first.shape, str(path))
            self._y, self._x = parts.index("rows"), parts.index("columns")
        self._at = {n: part for n, part in enumerate(parts or ()) if isinstance(part, int)}
        others = [n for n in range(first.ndim) if n not in (self._y, self._x)]
        kept = (n for n in others if n not in self._at)
        self.channels = tuple(first.shape[n] for n in kept if first.shape[n] > 1)
        self.dtype = first.dtype.newbyteorder("=")
        self._order = (self._y, self._x, *others)
        self._arrays = [
            (at, array)
            for at, array in arrays
            if array.dtype == first.dtype
            and array.ndim == first.ndim
            and all(array.shape[n] == first.shape[n] for n in others)
        ]
        self.shapes = tuple(self._plane(array.shape) for _, array in self._arrays)
        self.units = tuple(self._plane(array.chunks) for _, array in self._arrays)

    def _plane(self, sides: tuple[int, ...]) -> tuple[int, int]:
        return int(sides[self._y]), int(sides[self._x])

    def read(self, level: int, window: Window) -> Pixels:
        """Return a window of a level.

        Raises:
            ImageError: a chunk is damaged or cannot be read.

        """
        (path, array), (y0, x0, y1, x1) = self._arrays[level], window
        bounds = [(0, side) for side in array.shape]
        bounds[self._y], bounds[self._x] = (y0, y1), (x0, x1)
        for n, at in self._at.items():
            bounds[n] = (at, at + 1)
        try:
            check_blosc(path, array, chunk_files(path, array, bounds))
            found = np.asarray(array[tuple(slice(*bound) for bound in bounds)])
        except ImageError:
            raise
        except (RuntimeError, ValueError, TypeError, OSError) as error:  # of decompressors
            raise ImageError(
                tr("{path} cannot be read: {error}.", path=path, error=error)
            ) from error
        pixels = found.transpose(self._order).reshape((y1 - y0, x1 - x0, *self.channels))
        return np.ascontiguousarray(pixels, self.dtype)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return path.is_dir() and any((path / name).is_file() for name in _METADATA)


def list_zarr_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List the `.zarr` folders that say of themselves that they are images; see `list_files`.

    Raises:
        ImageError: the folder cannot be read.

    """
    found = list_files(folder, {".zarr"}, recursive=recursive, folders=True)
    return [path for path in found if _says_image(path)]


def _says_image(path: Path) -> bool:
    """Whether a `.zarr` is an array, or a group with an image in it."""
    try:
        if (path / ".zarray").is_file():
            return True
        file = next((f for name in _DESCRIPTIONS if (f := path / name).is_file()), None)
        said = {} if file is None else read_json(file)
    except (SamTuneError, OSError):
        return False
    attributes = said.get("attributes", said)
    attributes = attributes if isinstance(attributes, dict) else {}
    ome = attributes.get("ome")
    return (
        said.get("node_type") == "array"
        or "multiscales" in attributes
        or (isinstance(ome, dict) and "multiscales" in ome)
    )


def _levels(path: Path) -> tuple[Level, ...]:
    """Return the arrays of the image in a `.zarr`.

    Raises:
        ImageError: there is none.

    """
    try:
        if isinstance(zarr.open(path, mode="r"), zarr.Array):
            return (Level(path, ""),)
        found = levels_of(path, described(path))
    except (SamTuneError, OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ImageError(
            tr("{path} is no image in zarr, or damaged: {error}", path=path, error=error)
        ) from error
    if not found:
        raise ImageError(
            tr(
                "There is no image in {path}: it is neither a zarr array nor OME-Zarr 0.4 or 0.5.",
                path=path,
            )
        )
    return found


def _opened(path: Path) -> zarr.Array[Any]:
    try:
        found = zarr.open_array(path, mode="r")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ImageError(
            tr("{path} is no zarr array, or damaged: {error}.", path=path, error=error)
        ) from error
    held = math.prod(found.shards or found.chunks) * found.dtype.itemsize
    if found.ndim < 2 or held > _MOST_AT_ONCE or found.dtype.kind not in "buif":
        raise ImageError(
            tr(
                "{path} cannot be read in parts: it holds {dtype} of the shape {shape} in chunks "
                "of {megabytes:.0f} MB. Write numbers in two dimensions and smaller chunks.",
                path=path,
                dtype=found.dtype,
                shape=" × ".join(map(str, found.shape)),
                megabytes=held / 1e6,
            )
        )
    return found


def _axes(path: Path, array: zarr.Array[Any], axes: str) -> str:
    """Return the letters of the axes; all but rows, columns and colours are of length 1.

    Raises:
        ImageError: there are planes.

    """
    if len(axes) != array.ndim:
        # an array that says nothing is taken for an image as every array is, see `to_rgb8`
        is_last = array.ndim == 3 and array.shape[-1] in _COLOURS
        # and the oldest OME-Zarr, always of five axes, puts channels before slices
        axes = "yxc" if is_last else ("tczyx" if array.ndim == 5 else "tzcyx"[-array.ndim :])
    several = {axis: side for axis, side in zip(axes, array.shape, strict=False) if side > 1}
    colours = several.pop("c", 1)
    is_image = {"y", "x"} <= set(axes) and len(set(axes)) == array.ndim
    if not is_image or several.keys() - {"y", "x"} or colours not in (1, *_COLOURS):
        raise ImageError(
            tr(
                "The image in {path} has the shape {shape} along {axes}, and one plane is wanted, "
                "grey or in colours. Open it in the viewer: there its planes are labelled one by "
                "one.",
                path=path,
                shape=" × ".join(map(str, array.shape)),
                axes=axes,
            )
        )
    return axes


def chunk_files(path: Path, array: zarr.Array[Any], bounds: list[tuple[int, int]]) -> list[Path]:
    """Return the files of the chunks that part of an array touches."""
    places = [
        range(low // chunk, -(-high // chunk))
        for (low, high), chunk in zip(bounds, array.chunks, strict=True)
    ]
    return [path / array.metadata.encode_chunk_key(at) for at in itertools.product(*places)]
