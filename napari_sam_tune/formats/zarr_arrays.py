"""Arrays of OME-Zarr: where they lie in a group and in the world, and how they are read safely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_sam_tune.core.documents import check_bounds
from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.images.picture import MOST_BYTES, check_claim
from napari_sam_tune.formats.blosc_chunks import check_blosc
from napari_sam_tune.formats.text_files import inside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Level:
    """The finest array of a multiscale image.

    Attributes:
        path: its folder.
        axes: their letters, such as "cyx"; "" where they are not told.
        scale: (y, x), the length of a pixel's sides in the world.
        start: (y, x), where its first pixel lies in the world.

    """

    path: Path
    axes: str
    scale: tuple[float, float] = (1.0, 1.0)
    start: tuple[float, float] = (0.0, 0.0)


def described(path: Path) -> Mapping[str, Any]:
    """Return what a group says of itself, without the version's wrapping.

    Raises:
        SamTuneError: it is none, or damaged.

    """
    try:
        attributes = dict(zarr.open_group(path, mode="r").attrs)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SamTuneError(f"{path} is no zarr group, or damaged: {error}.") from error
    check_bounds(attributes, path)
    said = attributes.get("ome", attributes)
    return said if isinstance(said, dict) else {}


def level_of(group: Path, said: Mapping[str, Any]) -> Level | None:
    """Return the finest array of a group; None where it is no image.

    Args:
        group: its folder.
        said: see `described`.

    Raises:
        SamTuneError: what it says makes no sense, or leads out of the group.

    """
    if "multiscales" not in said:
        return None
    try:
        image = said["multiscales"][0]
        finest = image["datasets"][0]
        name = finest["path"]
        axes = image.get("axes") or ()
        letters = "".join(a["name"] if isinstance(a, dict) else a for a in axes).lower()
        moves = (*finest.get("coordinateTransformations", ()), *_common(image))
        scale = math.prod(np.array([_plane(m, "scale", 1.0) for m in moves] or [(1.0, 1.0)]))
        start = sum(np.array([_plane(m, "translation", 0.0) for m in moves] or [(0.0, 0.0)]))
        if not (np.isfinite(scale).all() and (scale > 0).all() and np.isfinite(start).all()):
            raise ValueError(f"scale {scale}, translation {start}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SamTuneError(f"{group} is no image of OME-Zarr 0.4 or 0.5: {error!r}.") from error
    return Level(inside(group, name, str(group)), letters, tuple(scale), tuple(start))


def _common(image: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return what moves all levels of an image alike."""
    return tuple(image.get("coordinateTransformations") or ())


def _plane(move: Mapping[str, Any], kind: str, default: float) -> tuple[float, float]:
    """Return what a transformation says of rows and columns."""
    numbers = move.get(kind) or (default, default)
    return float(numbers[-2]), float(numbers[-1])


def opened(path: Path) -> zarr.Array[Any]:
    """Open an array whose metadata can be trusted.

    Raises:
        MaskError, ImageError: it is none, damaged, or too large to unpack.

    """
    try:
        found = zarr.open_array(path, mode="r")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise MaskError(f"{path} is no zarr array, or damaged: {error}.") from error
    held = math.prod(found.chunks) * found.dtype.itemsize
    if held > MOST_BYTES:  # a chunk is unpacked whole, however small the array
        raise MaskError(f"{path} has chunks of {held / 1e9:.1f} GB: write it in smaller ones.")
    # absent chunks are all one value, and take no place
    check_claim(found.nbytes, sum(f.stat().st_size for f in path.rglob("*")), str(path))
    return found


def values_of(path: Path, array: zarr.Array[Any]) -> NDArray[Any]:
    """Read an array that was opened.

    Raises:
        MaskError: it is damaged.

    """
    try:
        check_blosc(path, array)
        return np.asarray(array[...])
    except (RuntimeError, ValueError, TypeError, OSError) as error:  # of decompressors
        raise MaskError(f"{path} cannot be read: {error}.") from error
