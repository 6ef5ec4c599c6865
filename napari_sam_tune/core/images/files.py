"""Images from disk, and the one preprocessing that turns any of them into what the encoder wants.

Pixels are returned as every viewer shows them, upright, with their own values: nothing is
stretched. A mask drawn on an image fits it in whatever other program.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    Pixels = NDArray[np.generic]

IMAGE_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp"})
_MID_GREY = 128
_SAMPLES = 4_000_000
_BLOCK_VALUES = 8_000_000
_TRUE = (255, 1)


def list_images(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """List the images of a folder by their suffix, without opening them.

    Args:
        folder: where to look. Hidden files and folders are left out. Links are what they point at,
            under their own name and in their own place.
        recursive: look into its subfolders as well.

    Returns:
        Paths in natural order: `a2.png` before `a10.png`.

    Raises:
        ImageError: the folder is not there or cannot be read.

    """
    return list_files(folder, IMAGE_SUFFIXES, recursive=recursive)


def list_files(
    folder: str | Path,
    suffixes: Container[str] | None = None,
    *,
    recursive: bool = True,
    folders: bool = False,
) -> list[Path]:
    """List the files of a folder, as `list_images` does.

    Args:
        folder: where to look.
        suffixes: in lower case, of the files wanted; None for all.
        recursive: look into its subfolders as well.
        folders: list folders of these suffixes instead, such as `.zarr`, and look into no such one.

    Raises:
        ImageError: the folder is not there or cannot be read.

    """
    try:
        found = list(_walk(Path(folder), suffixes, recursive, folders, (os.path.realpath(folder),)))
    except OSError as error:
        raise ImageError(
            tr(
                "The folder {folder} cannot be read: {strerror}. Check its name and permissions.",
                folder=folder,
                strerror=error.strerror,
            )
        ) from error
    return sorted(found, key=_natural)


def _walk(
    folder: Path,
    suffixes: Container[str] | None,
    recursive: bool,
    folders: bool,
    above: tuple[str, ...],
) -> Iterator[Path]:
    """Give what is asked for; `above` are the real folders on the way, for links may lead back."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_wanted = suffixes is None or os.path.splitext(entry.name)[1].lower() in suffixes  # noqa: PTH122  a Path per file doubles the time of a large folder
            target = Path(entry.path) if entry.is_symlink() else entry
            if not target.is_dir():
                if is_wanted and not folders and target.is_file():
                    yield Path(entry.path)
            elif is_wanted and folders:
                yield Path(entry.path)
            elif recursive and (real := os.path.realpath(entry.path)) not in above:
                yield from _walk(Path(entry.path), suffixes, recursive, folders, (*above, real))


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: str | Path, *, indices: bool = False) -> Pixels:
    """Read an image file as it is shown, with its own values.

    Args:
        path: a PNG, TIFF, JPEG, BMP or WebP file.
        indices: give the numbers of a palette's colours, not the colours.

    Returns:
        (H, W) or (H, W, C) array, upright; bool, uint8, uint16 or float as the file has it.
        Palettes and CMYK become RGB or RGBA, and white is the largest number.

    Raises:
        ImageError: the file is missing, truncated, too large, a stack of planes, or not an image
            whatever its name says; see `open_picture`.

    """
    with open_picture(Path(path)) as picture:
        pixels = picture.read(indices=indices)
    if pixels.size == 0:
        raise ImageError(tr("{path} holds no pixels. Export or copy it again.", path=path))
    return pixels


def read_like(path: str | Path, pixels: Pixels) -> Pixels:
    """Return pixels that another program read, as `read_image` reads them from their file.

    Args:
        path: the file they are said to come from.
        pixels: (H, W) or (H, W, C).

    Returns:
        The file's pixels, where those given are the same ones before they were turned upright or
        made black where they mean black; else those given.

    """
    try:
        with open_picture(Path(path)) as picture:
            if picture.is_plain or content_hash(picture.read_as_stored()) != content_hash(pixels):
                return pixels
            upright = picture.read()
    except ImageError:
        return pixels
    return upright if upright.ndim == pixels.ndim else pixels


def to_rgb8(image: ArrayLike, limits: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Turn any image into the 8-bit RGB the encoder wants; the only preprocessing there is.

    8-bit values are kept. Anything else is stretched linearly, all channels alike, from the 0.1th
    to the 99.9th percentile of its finite values: from the data, never from display contrast.

    Args:
        image: grey (H, W), or (H, W, C) with C of 1, 2 (grey and alpha), 3 or 4 (RGBA), or
            (C, H, W) with C of 1, 3 or 4 where the last axis cannot be channels. bool, integer or
            float of any range; NaN becomes black, infinities black and white. Alpha is dropped.
        limits: what to stretch from instead, of the image that this is a part of.

    Returns:
        (H, W, 3) uint8, C-contiguous. A constant image that is not 8-bit is mid grey.

    Raises:
        ImageError: no pixels, not numbers, or not the shape of an image.

    """
    array = np.asarray(image)
    colour = _colour_channels(array)
    if colour.dtype == np.uint8:
        grey_or_rgb = colour
    elif colour.dtype == np.bool_:
        grey_or_rgb = colour.astype(np.uint8) * np.uint8(255)
    else:
        grey_or_rgb = _stretched(colour, value_range(colour) if limits is None else limits)
    height, width = colour.shape[:2]
    return np.ascontiguousarray(np.broadcast_to(grey_or_rgb, (height, width, 3)))


def spatial_shape(image: ArrayLike) -> tuple[int, int]:
    """Return an image's (H, W), by the rules of `to_rgb8`.

    Raises:
        ImageError: no pixels, not numbers, or not the shape of an image.

    """
    height, width = _colour_channels(np.asarray(image)).shape[:2]
    return height, width


def channels_last(image: Pixels) -> Pixels:
    """Return (C, H, W) as (H, W, C), by the rules of `to_rgb8`, and all else as it is."""
    is_first = image.ndim == 3 and image.shape[-1] not in (1, 2, 3, 4)
    return np.moveaxis(image, 0, -1) if is_first and image.shape[0] in (1, 3, 4) else image


def _colour_channels(array: Pixels) -> Pixels:
    """Return (H, W, 1) or (H, W, 3), without alpha, or refuse the shape or what it holds."""
    if array.dtype.kind not in "buif":
        raise ImageError(
            tr(
                "An image holds real numbers; this array holds {dtype}. Convert it first.",
                dtype=array.dtype,
            )
        )
    if array.size == 0:
        raise ImageError(tr("The image is empty: its shape is {shape}.", shape=array.shape))
    if array.ndim == 2:
        return array[:, :, None]
    array = channels_last(array)
    if array.ndim != 3 or array.shape[-1] > 4:
        raise ImageError(
            tr(
                "An image is (height, width), (height, width, channels) or (channels, height, "
                "width) with 1 to 4 channels; this array has the shape {shape}. Open the planes of "
                "a stack one by one.",
                shape=array.shape,
            )
        )
    return array[:, :, : 1 if array.shape[-1] < 3 else 3]


def _stretched(colour: Pixels, limits: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = limits
    # Half of each end first: the difference of two large floats may overflow.
    span = high / 2 - low / 2
    if span == 0:
        return np.full(colour.shape, _MID_GREY, np.uint8)
    out = np.empty(colour.shape, np.uint8)
    rows = max(1, _BLOCK_VALUES // (colour.shape[1] * colour.shape[2]))
    for start in range(0, len(colour), rows):
        block = colour[start : start + rows].astype(np.float64)
        np.nan_to_num(block, copy=False, nan=low, posinf=high, neginf=low)
        np.clip(block, low, high, out=block)
        out[start : start + rows] = np.rint((block / 2 - low / 2) / span * 255)
    return out


def value_range(colour: Pixels) -> tuple[float, float]:
    """Return what `to_rgb8` stretches from, of the (H, W, C) colours of an image."""
    # A regular sample tells percentiles well enough, and an 8k × 8k image is sorted in no time.
    stride = max(1, int(np.ceil(np.sqrt(colour.size / _SAMPLES))))
    sample = _finite(colour[::stride, ::stride])
    if sample.size:
        low, high = np.percentile(sample, (0.1, 99.9), method="nearest")
        if low < high:
            return float(low), float(high)
    everything = _finite(colour)
    if everything.size == 0:
        return 0.0, 0.0
    return float(everything.min()), float(everything.max())


def _finite(values: Pixels) -> NDArray[np.float64]:
    wide = np.asarray(values, dtype=np.float64).ravel()
    return wide[np.isfinite(wide)]


def content_hash(image: ArrayLike, among: Container[str | None] = ()) -> str:
    """Name an image by what it shows: 32 hex digits of the SHA-256 of shape, type and pixels.

    Args:
        image: the array as given or as `read_image` returns it; not preprocessed. Byte order and
            memory layout do not matter, nor which byte stands for true.
        among: names that images have already. An image of true and false that was named by other
            bytes, as the first releases did, is called as it is there.

    """
    array = np.asarray(image)
    if array.dtype != np.bool_:
        return _hash(array)
    # Pillow's 255 or NumPy's 1 is in memory for true, whoever made the array
    names = [_hash(np.where(array, np.uint8(one), np.uint8(0)).view(np.bool_)) for one in _TRUE]
    return next((name for name in names if name in among), names[0])


def _hash(array: Pixels) -> str:
    return hash_of_bands(array.shape, array.dtype, [array])


def hash_of_bands(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], bands: Iterable[Pixels]
) -> str:
    """Return the `content_hash` of an image that is given a few rows at a time."""
    dtype = dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{shape} {dtype.str}".encode())
    digest.update(struct.pack("<q", int(np.prod(shape, dtype=np.int64))))
    for band in bands:
        array = np.ascontiguousarray(band, dtype)
        digest.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()[:32]
