"""GeoJSON polygons over rasters: georeferenced ones, or plain images whose pixels are the units.

Coordinates are brought into the raster's pixels: x to the right and y downwards from the outer
corner of the first pixel. A pixel is inside where its centre is (GDAL's rule).

Which coordinates a file is in: those of its `crs` member; without one longitude and latitude (RFC
7946) where the raster has a coordinate system, and the raster's own where it has none. `"crs":
null` says that they are the raster's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio.features
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom
from shapely.affinity import affine_transform
from shapely.errors import ShapelyError
from shapely.geometry import box, mapping
from shapely.geometry import shape as geometry_of

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import composed, own_name, paired
from napari_sam_tune.formats.exported_folder import by_stem, read_notes
from napari_sam_tune.formats.rasters import georeference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.prompts import Mask

_LONGITUDE_LATITUDE: Final = "OGC:CRS84"
_SUFFIXES: Final = frozenset({".geojson", ".json"})


@dataclass(frozen=True)
class Polygons:
    """A feature: its id, its class, and its polygon or polygons in the file's coordinates.

    `score` and `record` are those of our own export, or None. An id that is a text is lasting.
    """

    id: str
    label: str
    geometry: BaseGeometry
    score: float | None
    record: str | None
    lasting: bool


@dataclass(frozen=True, kw_only=True)
class RasterImage(SourceImage):
    """A raster and the polygons over it.

    Attributes:
        file: the GeoJSON file.
        crs: what its `crs` member says; None for `null`.
        features: its features.

    """

    file: Path
    crs: str | None
    features: tuple[Polygons, ...]

    def check(self, shape: tuple[int, int]) -> None:
        """Open the raster, and see that some polygon lies over it."""
        whole = box(0, 0, shape[1], shape[0])
        if self._in_pixels and not any(p.intersects(whole) for p in self._in_pixels):
            bounds = ", ".join(f"{v:g}" for v in self.features[0].geometry.bounds)
            raise SamTuneError(
                f"No polygon of {self.file.name} lies over {self.name}; the first spans {bounds}. "
                "Without a “crs” member a GeoJSON file is in longitude and latitude (RFC 7946); "
                'add one, or "crs": null where the coordinates are those of the raster itself.'
            )

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Rasterize one feature after the other."""
        for feature, polygons in zip(self.features, self._in_pixels, strict=True):
            mask = _rasterized(polygons, shape)
            said = feature.score, feature.record, feature.lasting
            yield SourceObject(feature.id, mask, feature.label, *said)

    @cached_property
    def _in_pixels(self) -> list[BaseGeometry]:
        """The features in the raster's pixels."""
        try:
            transform, raster_crs = georeference(self.path)
            inverse = ~transform
            source = CRS.from_user_input(self.crs) if self.crs and raster_crs else raster_crs
            return [
                affine_transform(
                    _reprojected(feature.geometry, source, raster_crs), inverse.to_shapely()
                )
                for feature in self.features
            ]
        except (RasterioError, ValueError) as error:
            raise ImageError(
                f"{self.file.name} cannot be laid over {self.name}: {error}. Check the coordinate "
                "systems of both."
            ) from error


def _reprojected(geometry: BaseGeometry, source: CRS | None, target: CRS | None) -> BaseGeometry:
    if source is None or target is None or source == target:
        return geometry
    moved = geometry_of(transform_geom(source, target, mapping(geometry)))
    if not np.isfinite(moved.bounds).all():
        raise ValueError(f"{source} cannot be turned into {target} at these coordinates")
    return moved


def _rasterized(polygons: BaseGeometry, image_shape: tuple[int, int]) -> Mask:
    """Return the (H, W) bool mask of polygons in pixels; only their bounding box is looked at."""
    height, width = image_shape
    x0, y0, x1, y1 = polygons.bounds
    left, top = max(floor(x0), 0), max(floor(y0), 0)
    right, bottom = min(ceil(x1), width), min(ceil(y1), height)
    mask = np.zeros(image_shape, dtype=bool)
    if left < right and top < bottom:
        moved = affine_transform(polygons, (1, 0, 0, 1, -left, -top))
        size = bottom - top, right - left
        window = rasterio.features.rasterize([(moved, 1)], out_shape=size, dtype=np.uint8)
        mask[top:bottom, left:right] = window != 0
    return mask


def read_geojson(location: Location) -> Dataset:
    """Read one GeoJSON file over one raster, or folders of both, paired by stem.

    The raster is `location.images`, or lies in that folder, or else beside the GeoJSON file. The
    class is the property named `location.class_column`.

    Raises:
        SamTuneError: no pairs, or a feature (named) is malformed.

    """
    path = location.path
    if path is None:
        raise SamTuneError("Give the GeoJSON file, or a folder of them.")
    pairs = _pairs(path, location.images)
    folder = path if path.is_dir() else path.parent
    notes = read_notes(folder)
    images = [
        notes.named(_raster_image(file, raster, location.class_column), _stem(file, folder))
        for file, raster in pairs
    ]
    return notes.dataset(f"geojson/{own_name(folder)}", images)


def _pairs(path: Path, images: Path | None) -> list[tuple[Path, Path]]:
    if not path.is_dir() and images is not None and images.is_file():
        return [(path, images)]
    folder = images or (path if path.is_dir() else path.parent)
    rasters = by_stem(folder)
    files = [path]
    if path.is_dir():
        files = list_files(path, _SUFFIXES)
    names = {_stem(file, path if path.is_dir() else path.parent): file for file in files}
    pairs = [(names[name], raster) for name, raster in paired(names, rasters).items()]
    if not pairs:
        raise SamTuneError(f"No image in {folder} has the name of {path} (without its suffix).")
    return pairs


def _stem(file: Path, folder: Path) -> str:
    return composed(file.relative_to(folder).with_suffix("").as_posix())


def _raster_image(file: Path, raster: Path, class_column: str | None) -> RasterImage:
    document = read_json(file)
    features = _features(document, file, class_column)
    return RasterImage(
        path=raster,
        name=raster.name,
        labels=frozenset(feature.label for feature in features),
        file=file,
        crs=_crs_name(document, file),
        features=features,
    )


def _crs_name(document: dict[str, Any], file: Path) -> str | None:
    member = document.get("crs", {"properties": {"name": _LONGITUDE_LATITUDE}})
    if member is None:
        return None
    try:
        return str(member["properties"]["name"])
    except (TypeError, KeyError) as error:
        raise SamTuneError(f"{file} has a “crs” member without a name: {member}.") from error


def _features(
    document: dict[str, Any], file: Path, class_column: str | None
) -> tuple[Polygons, ...]:
    rows = [document] if document.get("type") == "Feature" else document.get("features")
    if not isinstance(rows, list):
        raise SamTuneError(f"{file} is neither a FeatureCollection nor a Feature.")
    found: dict[str, Polygons] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise SamTuneError(f"{file.name}: entry {number} (from 0) is not a feature.")
        key = str(row.get("id", number))
        entry = f"{file.name}: the feature {key}"
        if key in found:
            raise SamTuneError(f"{entry} is there twice: ids must differ.")
        properties = row.get("properties")
        ours = properties if isinstance(properties, dict) and "record" in properties else {}
        record = ours.get("record") if isinstance(ours.get("record"), str) else None
        found[key] = Polygons(
            f"{file.name}/{key}",
            # our own export says where the class is
            _label(properties, class_column or ("class" if ours else None), entry),
            _polygons(row.get("geometry"), entry),
            ours.get("score") if isinstance(ours.get("score"), float) else None,
            record,
            lasting=isinstance(row.get("id"), str),
        )
    return tuple(found.values())


def _label(properties: Any, class_column: str | None, entry: str) -> str:
    if class_column is None:
        return DEFAULT_LABEL
    if not isinstance(properties, dict) or properties.get(class_column) in (None, ""):
        raise SamTuneError(f"{entry} has no property {class_column!r}, which holds the class.")
    return str(properties[class_column])


def _polygons(geometry: Any, entry: str) -> BaseGeometry:
    kind = geometry.get("type") if isinstance(geometry, dict) else geometry
    if kind not in ("Polygon", "MultiPolygon"):
        raise SamTuneError(f"{entry} is no Polygon or MultiPolygon (but {kind!r:.60}).")
    try:
        polygons = geometry_of(geometry)
    except (ShapelyError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise SamTuneError(f"{entry} has malformed coordinates: {error}.") from error
    if polygons.is_empty or not np.isfinite(polygons.bounds).all():
        raise SamTuneError(f"{entry} has no coordinates, or some that are no numbers.")
    return polygons
