"""Where a raster lies on the earth."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

from napari_sam_tune.core.geometry.turning import unturning
from napari_sam_tune.core.images.pictures import open_picture

if TYPE_CHECKING:
    from pathlib import Path

    from rasterio.crs import CRS

# GDAL left to itself also reads formats that name other files, and addresses, to read from.
_DRIVERS: Final = {"TIFF": "GTiff", "PNG": "PNG", "JPEG": "JPEG", "BMP": "BMP", "WebP": "WEBP"}


def georeference(path: Path) -> tuple[Affine, CRS | None]:
    """Return the transform from pixels, upright, to coordinates, and the system of these.

    Raises:
        ImageError: it is no picture; see `open_picture`.
        RasterioError: it cannot be read.

    """
    with open_picture(path) as picture:
        driver, orientation = _DRIVERS[picture.kind], picture.orientation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver=driver) as raster:
            # GDAL gives pixels as they are stored
            return raster.transform * Affine(*unturning(raster.shape, orientation)), raster.crs
