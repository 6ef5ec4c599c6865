"""Predicted masks as PNG files: 0 and 255 for one object, indexed colours for several.

Those of an image that is read in parts are a TIFF in tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile
from PIL import Image

from napari_sam_tune.core.evaluation.pictures import OBJECT_COLOURS, overlay, rgb
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.storage.durable import replacing_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Shape
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.prompts import Mask

_MOST_INDEXED = 255
_TILE = 512
_OVERVIEW = 2048
"""Longer side of the overlay of a large image, in px."""


def prediction_files(folder: Path, stem: str) -> tuple[Path, Path, Path]:
    """Return where the mask and the overlay of an image go, and the mask of a large one."""
    names = f"{stem}_mask.png", f"{stem}_overlay.png", f"{stem}_mask.tif"
    return folder / names[0], folder / names[1], folder / names[2]


def write_prediction(
    folder: Path, stem: str, image: NDArray[np.uint8], masks: Sequence[Mask]
) -> None:
    """Write `<stem>_mask.png` and `<stem>_overlay.png`.

    Args:
        folder: made if it is absent.
        stem: of the image's name.
        image: (H, W, 3).
        masks: (H, W) each; of several the k-th gets the value k (in a palette up to 255 objects,
            16-bit grey beyond), later over earlier.

    Raises:
        StorageError: the disk is full or not writable.

    """
    mask_file, overlay_file, _ = prediction_files(folder, stem)
    _save(mask_picture(masks, (image.shape[0], image.shape[1])), mask_file)
    _save(Image.fromarray(overlay(image, masks)), overlay_file)


def write_in_tiles(folder: Path, stem: str, image: LargeImage, masks: Sequence[PlacedMask]) -> None:
    """Write `<stem>_mask.tif` tile by tile, and `<stem>_overlay.png` of the image made smaller.

    Args:
        folder: made if it is absent.
        stem: of the image's name.
        image: it is read for the overlay, as far as it was not yet.
        masks: of the image; values as in `write_prediction`.

    Raises:
        StorageError: the disk is full or not writable.

    """
    _, overlay_file, mask_file = prediction_files(folder, stem)
    shape = image.shape[0], image.shape[1]
    dtype = np.uint8 if len(masks) <= _MOST_INDEXED else np.uint16
    numbers = [255] if len(masks) == 1 else range(1, len(masks) + 1)
    with replacing_file(mask_file) as file:
        tifffile.imwrite(
            file,
            _tiles(masks, numbers, shape, dtype),
            shape=shape,
            dtype=dtype,
            tile=(_TILE, _TILE),
            compression="zlib",
            photometric="minisblack",
            bigtiff=True,
        )
    seen = image.rgb(whole(shape), _OVERVIEW)
    _save(
        Image.fromarray(overlay(seen, [_smaller(m, seen.shape[:2]) for m in masks])), overlay_file
    )


def _tiles(
    masks: Sequence[PlacedMask],
    numbers: Iterable[int],
    shape: Shape,
    dtype: type[np.uint8 | np.uint16],
) -> Iterator[NDArray[np.unsignedinteger]]:
    """Give the tiles of a label image, row by row."""
    numbered = [(n, m, m.bbox) for n, m in zip(numbers, masks, strict=True) if m.bbox is not None]
    for top in range(0, shape[0], _TILE):
        row = [one for one in numbered if one[2][0] < top + _TILE and one[2][2] > top]
        for left in range(0, shape[1], _TILE):
            tile, window = np.zeros((_TILE, _TILE), dtype), (top, left, top + _TILE, left + _TILE)
            for number, mask, box in row:
                if box[1] < left + _TILE and box[3] > left:
                    tile[mask.crop(window)] = number
            yield tile


def _smaller(mask: PlacedMask, shape: tuple[int, ...]) -> Mask:
    """Return a mask (h, w) of the image made smaller; what is there stays seen."""
    drawn = np.zeros(shape, bool)
    if mask.bbox is not None:
        scale = shape[0] / mask.shape[0], shape[1] / mask.shape[1]
        for first in range(0, len(mask.cropped), _TILE):
            rows, columns = np.nonzero(mask.cropped[first : first + _TILE])
            y = ((rows + first + mask.bbox[0]) * scale[0]).astype(int)
            x = ((columns + mask.bbox[1]) * scale[1]).astype(int)
            drawn[y.clip(max=shape[0] - 1), x.clip(max=shape[1] - 1)] = True
    return drawn


def mask_picture(masks: Sequence[Mask], shape: tuple[int, int]) -> Image.Image:
    """Return masks (H, W) as one picture; see `write_prediction`."""
    if len(masks) <= 1:
        only = masks[0] if masks else np.zeros(shape, bool)
        return Image.fromarray(only.astype(np.uint8) * np.uint8(255))
    labels = np.zeros(shape, np.uint8 if len(masks) <= _MOST_INDEXED else np.uint16)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        colours = [rgb(OBJECT_COLOURS[k % len(OBJECT_COLOURS)]) for k in range(len(masks))]
        picture.putpalette([channel for colour in ((0, 0, 0), *colours) for channel in colour])
    return picture


def _save(picture: Image.Image, path: Path) -> None:
    with replacing_file(path) as file:
        picture.save(file, format="PNG")
