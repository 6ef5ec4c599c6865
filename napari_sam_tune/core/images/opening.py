"""Opening image files: small ones are read, large ones are looked into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.files import list_images, spatial_shape
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.large_source import HeldSource
from napari_sam_tune.core.images.large_tiff import tiff_source
from napari_sam_tune.core.images.large_zarr import ZarrSource, is_zarr, list_zarr_images
from napari_sam_tune.core.images.pictures import errors_told, open_picture
from napari_sam_tune.core.images.tiff_picture import TiffPicture
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from napari_sam_tune.core.images.large_source import Source
    from napari_sam_tune.core.images.picture import Pixels


def open_image(path: str | Path) -> Pixels | LargeImage:
    """Open an image file or a `.zarr`: its pixels, or what they are read by where they are many.

    Args:
        path: a PNG, TIFF, JPEG, BMP or WebP file, or the folder of a zarr array or of OME-Zarr.

    Returns:
        What `images.files.read_image` returns, of up to `LARGE_PIXELS`; else a `LargeImage`. Of
        a file that cannot be read in parts (PNG, JPEG, TIFFs in one strip, turned or in odd
        colours) the pixels are decoded, and windows are taken of those.

    Raises:
        ImageError: as `read_image`.

    """
    path = Path(path)
    if path.is_dir():
        return _open_zarr(path)
    with open_picture(path, lazily=True) as picture:
        height, width = picture.shape[:2]
        if height * width <= large_image.LARGE_PIXELS:
            picture.check_held()
            pixels = picture.read()
            if pixels.size == 0:
                raise ImageError(tr("{path} holds no pixels. Export or copy it again.", path=path))
            return pixels
        source: Source | None = None
        if isinstance(picture, TiffPicture):
            source = tiff_source(path, picture)
        if source is None:
            picture.check_held()
            source = HeldSource(picture.read())
    return LargeImage(source, str(path))


def list_all_images(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """List the images of a folder, files and `.zarr`; see `list_images`.

    Raises:
        ImageError: the folder cannot be read.

    """
    files = list_images(folder, recursive=recursive)
    return files + list_zarr_images(Path(folder), recursive=recursive)


def height_and_width(image: Pixels | LargeImage) -> tuple[int, int]:
    """Return (H, W) of what `open_image` gave; raises as `spatial_shape` does."""
    if not isinstance(image, LargeImage):
        return spatial_shape(image)
    height, width = image.shape[:2]
    return height, width


def _open_zarr(path: Path) -> Pixels | LargeImage:
    if not is_zarr(path):
        raise ImageError(
            tr("{path} is a folder, and neither a zarr array nor OME-Zarr. Give a file.", path=path)
        )
    with errors_told(str(path)):
        image = LargeImage(ZarrSource(path), str(path))
        if image.shape[0] * image.shape[1] <= large_image.LARGE_PIXELS:
            return image.read(whole((image.shape[0], image.shape[1])))
    return image
