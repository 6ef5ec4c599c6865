"""Label images that lie on disk: large ones are read tile by tile, small ones at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.exchange.tiled_labels import HeldPlane
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.large_tiff import tiff_source
from napari_sam_tune.core.images.large_zarr import ZarrSource
from napari_sam_tune.core.images.pictures import errors_told, open_picture
from napari_sam_tune.core.images.tiff_picture import TiffPicture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.tiled_labels import Plane


def labels_shape(path: Path) -> tuple[int, int]:
    """Return the (H, W) of a label image, a file or a `.zarr`, without reading its pixels.

    Raises:
        ImageError: as `image_shape`; or the `.zarr` holds no single plane.

    """
    if not path.is_dir():
        return image_shape(path)
    plane = _zarr(path)
    height, width = plane.shape[:2]
    return height, width


def open_labels(path: Path, read: Callable[[Path], NDArray[Any]]) -> Plane:
    """Open a label image to find its objects in.

    Args:
        path: a picture, or a `.zarr` with one plane of numbers.
        read: reads (H, W) numbers of a picture that is held: of all but large TIFFs of numbers.

    Raises:
        ImageError: it cannot be read.

    """
    if path.is_dir():
        return _zarr(path)
    with open_picture(path, lazily=True) as picture:
        height, width = picture.shape[:2]
        if height * width > large_image.LARGE_PIXELS and isinstance(picture, TiffPicture):
            source = tiff_source(path, picture)
            if source is not None and not source.channels:
                return LargeImage(source, str(path))
    return HeldPlane(read(path))


def _zarr(path: Path) -> LargeImage:
    with errors_told(str(path)):
        return LargeImage(ZarrSource(path), str(path))
