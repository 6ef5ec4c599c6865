"""Folders of images with true masks: what the robot labels and what scores are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.documents import read_csv
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.exchange.large_labels import open_labels
from napari_sam_tune.core.exchange.left_out import IMAGE
from napari_sam_tune.core.exchange.tiled_labels import Changed, connected, numbered, tiles_of
from napari_sam_tune.core.geometry.turning import UPRIGHT, turned_mask, turned_shape
from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.core.images.names import only, paired, stem_of, stems
from napari_sam_tune.core.images.opening import list_all_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.left_out import LeftOut
    from napari_sam_tune.core.exchange.tiled_labels import Plane
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask

# Components smaller than this are specks of the mask's own making, not objects.
SMALLEST_OBJECT = 10
_LARGEST_NUMBER = 1 << 20
_WHITE = (1 << 24) - 1


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its mask file.

    Attributes:
        stem: file name without its suffix, see `names.stems`.
        image: path of the image.
        mask: path of the mask, an image whose nonzero pixels are objects.
        label: class of its objects.
        group: images of one part, lot or film share a group.
        turn: orientation of the pixels the mask was drawn on, see `which_way`.

    """

    stem: str
    image: Path
    mask: Path
    label: str
    group: str
    turn: int = UPRIGHT


@dataclass(frozen=True)
class LabelledObject:
    """One true object: its number in the mask, and its mask in its box."""

    number: int
    placed: PlacedMask

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask, (H, W) bool: as large as the image."""
        return self.placed.draw()


def read_pairs(
    images: Path,
    masks: Path,
    *,
    manifest: Path | None = None,
    class_column: str | None = None,
    group_column: str | None = None,
    left_out: LeftOut | None = None,
) -> list[LabelledImage]:
    """Pair images with masks by stem.

    Args:
        images: folder of images, files and `.zarr`.
        masks: folder of masks, files and `.zarr`; a mask without an image is ignored, an image
            without one is not.
        manifest: CSV with a `stem` (or first) column and the two columns named below.
        class_column: column that holds the class; without it every object is a "defect".
        group_column: column that holds the group; without it each image is its own.
        left_out: told of images that cannot be paired: of two files of one stem, or without a row
            in the manifest; None where they are an error.

    Raises:
        SamTuneError: no pairs, or the manifest lacks a column; or both are the same folder.

    """
    require_apart(images, masks)
    of_images = stems(list_all_images(images), images)
    of_masks = paired(of_images, stems(list_all_images(masks), masks))
    rows = {} if manifest is None else manifest_rows(manifest, class_column, group_column)
    of_rows = paired(of_images, rows)

    def pair(stem: str) -> LabelledImage:
        image, mask = only(of_images[stem]), only(of_masks[stem])
        row = of_rows.get(stem)
        if manifest is not None and row is None:
            raise SamTuneError(f"{manifest} has no row for the image {image.name}.")
        label, group = row or (None, None)
        return LabelledImage(stem, image, mask, label or "defect", group or stem)

    masked = [stem for stem in of_images if stem in of_masks]
    if not masked:
        raise SamTuneError(
            f"No image in {images} has a mask of the same name (without its suffix) in {masks}."
        )
    return [*map(pair, masked)] if left_out is None else left_out.take(IMAGE, masked, pair)


def require_apart(images: Path, masks: Path) -> None:
    """Refuse to look for masks where the images are: each would be its own.

    Raises:
        SamTuneError: both are the same folder.

    """
    if images.resolve() == masks.resolve():
        raise SamTuneError(
            f"Images and masks are both looked for in {images}, where each image would be its own "
            "mask. Give two folders."
        )


def manifest_rows(
    manifest: Path, class_column: str | None, group_column: str | None
) -> dict[str, tuple[str | None, str | None]]:
    """Read a manifest: stem to (class, group), each None where no column was named.

    Raises:
        SamTuneError: it cannot be read or lacks a column.

    """
    rows = read_csv(manifest, [name for name in (class_column, group_column) if name is not None])
    key = next((name for _, row in rows for name in ("stem", *row) if name in row), "")
    return {
        stem_of(row[key]): (
            row[class_column] if class_column else None,
            row[group_column] if group_column else None,
        )
        for _, row in rows
    }


def true_objects(pair: LabelledImage, shape: tuple[int, int]) -> list[LabelledObject]:
    """Read the objects of a mask file in the order of their numbers, without specks.

    A mask of one nonzero value, or an 8-bit picture that is mostly black and white (grey edges
    from resizing or JPEG), holds one object per 8-connected component; any other integer mask
    holds one object per label, however many parts it has.

    Raises:
        ImageError: the mask is not of the image's `shape` (H, W).

    """
    return [
        LabelledObject(found.number, turned_mask(found.placed, pair.turn))
        for found in mask_objects(pair.mask, turned_shape(shape, pair.turn))
        if found.placed.area >= SMALLEST_OBJECT
    ]


def mask_objects(path: Path, shape: tuple[int, int]) -> Iterator[LabelledObject]:
    """Read the objects of a mask file one by one, specks and all; see `true_objects`.

    Raises:
        ImageError: the mask is not of the image's `shape` (H, W).

    """
    plane = open_labels(path, read_mask)
    require_shape(path, plane.shape, shape)
    yield from objects_of(plane)


def objects_of(plane: Plane) -> Iterator[LabelledObject]:
    """Give the objects of a mask; see `true_objects`."""
    plane = Changed(plane, without_unlabelled)
    seen = _Seen.of(plane)
    if seen.is_picture:
        parts = connected(Changed(plane, lambda values: values > seen.threshold))
        for number, (_, placed) in enumerate(parts, start=1):
            yield LabelledObject(number, placed)
        return
    for rank, (value, placed) in enumerate(numbered(plane), start=1):
        yield LabelledObject(rank if seen.most > _LARGEST_NUMBER else int(value), placed)


def require_shape(mask: Path, mask_shape: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Refuse a mask file that is not of its image's `shape` (H, W).

    Raises:
        ImageError: names the mask and both sizes.

    """
    if mask_shape != shape:
        raise ImageError(
            f"The mask {mask.name} is {mask_shape[0]} × {mask_shape[1]} pixels, its image "
            f"{shape[0]} × {shape[1]}."
        )


def read_mask(path: Path) -> NDArray[Any]:
    """Read a mask as (H, W): palette indices as they are, each colour of a painted one a label."""
    pixels = read_image(path, indices=True)
    if pixels.ndim == 2:
        return pixels
    colours = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].astype(np.uint32)
    if pixels.shape[-1] in (2, 4):
        colours[pixels[..., -1] == 0] = 0  # nothing was painted there, whatever its colour
    if (colours == colours[..., :1]).all():
        return colours[..., 0].astype(pixels.dtype)
    packed = (colours * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(axis=-1)
    if packed.min() > 0 and pixels.dtype == np.uint8:
        packed[packed == _WHITE] = 0  # a paint program's paper
    _, labels = np.unique(packed, return_inverse=True)
    # Colours are numbered from the darkest; without black or white nothing is background.
    return np.asarray(labels, np.int32).reshape(packed.shape) + int(packed.min() > 0)


def without_unlabelled(mask: NDArray[Any]) -> NDArray[Any]:
    """Return a mask with 0 where its numbers say "not labelled": where they are negative or NaN."""
    return np.where(mask > 0, mask, 0) if mask.dtype.kind in "if" else mask


@dataclass
class _Seen:
    """What is said of a mask by all its numbers but 0.

    Attributes:
        least, most: of them; infinite where there are none.
        is_bool, is_byte: the type of all.
        has_fractions: some are no whole numbers.
        count, white: how many there are, and how many are nearly white as a byte.

    """

    least: float = np.inf
    most: float = -np.inf
    is_bool: bool = False
    is_byte: bool = False
    has_fractions: bool = False
    count: int = 0
    white: int = 0

    @classmethod
    def of(cls, plane: Plane) -> _Seen:
        """Look through a mask."""
        seen = cls()
        for _, values in tiles_of(plane):
            seen.is_bool, seen.is_byte = values.dtype == bool, values.dtype == np.uint8
            inside = values[values != 0]
            if not inside.size:
                continue
            seen.least = min(seen.least, inside.min().item())
            seen.most = max(seen.most, inside.max().item())
            seen.count += inside.size
            if values.dtype.kind == "f":
                seen.has_fractions |= bool((inside != np.rint(inside)).any())
            if seen.is_byte:
                seen.white += int(np.count_nonzero(inside >= 250))
        return seen

    @property
    def is_picture(self) -> bool:
        """Whether values mean brightness, not object numbers: one, fractions, or mostly white."""
        if self.is_bool or self.least >= self.most or self.has_fractions:
            return True
        return self.is_byte and self.white > 0.5 * self.count

    @property
    def threshold(self) -> float:
        """The brightness above which a pixel is inside."""
        return 0 if self.is_bool else max(0.0, self.most / 2)
