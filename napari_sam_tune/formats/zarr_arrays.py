"""Arrays of OME-Zarr that labels are read from, and how that is done safely."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_sam_tune.core.errors import ImageError, MaskError
from napari_sam_tune.core.images.blosc_chunks import check_blosc
from napari_sam_tune.core.images.picture import MOST_BYTES, check_claim

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


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
    except ImageError as error:
        raise MaskError(str(error)) from error
    except (RuntimeError, ValueError, TypeError, OSError) as error:  # of decompressors
        raise MaskError(f"{path} cannot be read: {error}.") from error
