"""GeoJSON polygons over rasters: georeferenced ones, or plain images whose pixels are the units.

Coordinates are brought into the raster's pixels: x to the right and y downwards from the outer
corner of the first pixel. A pixel is inside where its centre is (GDAL's rule).

Which coordinates a file is in: those of its `crs` member; without one longitude and latitude (RFC
7946) where the raster has a coordinate system, and the raster's own where it has none. `"crs":
null` says that they are the raster's own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import rasterio.features
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom
from shapely.affinity import affine_transform
from shapely.errors import ShapelyError
from shapely.geometry import box, mapping
from shapely.geometry import shape as geometry_of

from napari_sam_tune.core.documents import read_json_value
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL, Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, OBJECT, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, from_flat, unpacked
from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask
from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.images.files import list_files
from napari_sam_tune.core.images.names import composed, only, own_name
from napari_sam_tune.formats.exported_folder import by_stem, read_notes
from napari_sam_tune.formats.rasters import georeference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.review import Review

_LONGITUDE_LATITUDE: Final = "OGC:CRS84"
_SUFFIXES: Final = frozenset({".geojson", ".json"})


@dataclass(frozen=True)
class Polygons:
    """A feature: its id, its class, and its polygon or polygons in the file's coordinates.

    `score`, `record` and `review` are those of our own export, or None. An id that is a text is
    lasting.
    """

    id: str
    label: str
    geometry: BaseGeometry
    score: float | None
    record: str | None
    lasting: bool
    review: Review | None


@dataclass(frozen=True, kw_only=True)
class RasterImage(SourceImage):
    """A raster and the polygons over it.

    Attributes:
        file: the GeoJSON file.
        crs: what its `crs` member says; None for `null`.
        in_pixels: the coordinates are the raster's pixels, wherever it lies: so QuPath has it.
        rows: its features as they stand in the file.
        class_column: the property that holds the class, or None.
        features: those that can be taken, see `with_sound_objects`.

    """

    turns_itself: ClassVar[bool] = True

    file: Path
    crs: str | None
    in_pixels: bool
    rows: tuple[Any, ...]
    class_column: str | None
    features: tuple[Polygons, ...] = ()

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `with_sound_objects`: what lies over the raster, its features say."""

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> RasterImage:
        """Keep the features that are polygons, and see that some of them lies over the raster."""
        ids = Counter(str(row.get("id")) for row in self.rows if isinstance(row, dict))

        def read(row: tuple[int, Any]) -> Polygons:
            return _feature(*row, ids, self)

        features = tuple(left_out.take(OBJECT, enumerate(self.rows), read))
        labels = frozenset(feature.label for feature in features)
        sound = replace(self, features=features, labels=labels)
        sound._check_over(shape)
        return sound

    def _check_over(self, shape: tuple[int, int]) -> None:
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
            said = feature.score, feature.record, feature.lasting, feature.review
            yield SourceObject(feature.id, mask, feature.label, *said)

    @cached_property
    def _in_pixels(self) -> list[BaseGeometry]:
        """The features in the raster's pixels."""
        if self.in_pixels:
            return [feature.geometry for feature in self.features]
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


def _rasterized(polygons: BaseGeometry, shape: tuple[int, int]) -> PlacedMask:
    """Return the mask of polygons in pixels, of an image of `shape` (H, W)."""
    height, width = shape
    x0, y0, x1, y1 = polygons.bounds
    left, top = max(floor(x0), 0), max(floor(y0), 0)
    right, bottom = min(ceil(x1), width), min(ceil(y1), height)
    if left >= right or top >= bottom:
        return PlacedMask.empty(shape)
    window = top, left, bottom, right
    require_one_mask(window)
    moved = affine_transform(polygons, (1, 0, 0, 1, -left, -top))
    size = shape_of(window)
    drawn = rasterio.features.rasterize([(moved, 1)], out_shape=size, dtype=np.uint8)
    return PlacedMask.in_window(drawn != 0, window, shape)


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
    folder = path if path.is_dir() else path.parent
    notes, left_out = read_notes(folder), LeftOut()
    files = list_files(path, _SUFFIXES) if path.is_dir() else [path]
    place = location.images or folder
    is_one = not path.is_dir() and place.is_file()
    names = [_stem(file, folder) for file in files]
    rasters = dict.fromkeys(names, (place,)) if is_one else notes.paired(names, by_stem(place))

    def read(file: Path) -> RasterImage:
        stem = _stem(file, folder)
        if stem not in rasters:
            raise SamTuneError(f"No image in {place} has the name of {file} (without its suffix).")
        return notes.named(_raster_image(file, only(rasters[stem]), location.class_column), stem)

    images = left_out.take(FILE, files, read)
    return notes.dataset(f"geojson/{own_name(folder)}", images, left_out)


def _stem(file: Path, folder: Path) -> str:
    return composed(file.relative_to(folder).with_suffix("").as_posix())


def _raster_image(file: Path, raster: Path, class_column: str | None) -> RasterImage:
    document = read_json_value(file)
    rows = _rows(document)
    if rows is None:
        raise SamTuneError(
            f"{file} is no GeoJSON: neither features, nor a list of them, nor geometries."
        )
    return RasterImage(
        path=raster,
        name=raster.name,
        file=file,
        crs=_crs_name(document if isinstance(document, dict) else {}, file),
        in_pixels=any(_property(row, "objectType") is not None for row in rows),
        rows=tuple(rows),
        class_column=class_column,
    )


def _rows(document: Any) -> list[Any] | None:
    """Return the features of a document; QuPath writes bare lists of them too."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    match document.get("type"):
        case "Feature":
            return [document]
        case "GeometryCollection":
            geometries = document.get("geometries")
        case "Polygon" | "MultiPolygon":
            geometries = [document]
        case _:
            features = document.get("features")
            return features if isinstance(features, list) else None
    if not isinstance(geometries, list):
        return None
    return [{"geometry": geometry} for geometry in geometries]


def _crs_name(document: dict[str, Any], file: Path) -> str | None:
    member = document.get("crs", {"properties": {"name": _LONGITUDE_LATITUDE}})
    if member is None:
        return None
    try:
        return str(member["properties"]["name"])
    except (TypeError, KeyError) as error:
        raise SamTuneError(f"{file} has a “crs” member without a name: {member}.") from error


def _feature(number: int, row: Any, ids: Counter[str], image: RasterImage) -> Polygons:
    name = image.file.name
    if not isinstance(row, dict):
        raise SamTuneError(f"{name}: entry {number} (from 0) is not a feature.")
    key = str(row.get("id", number))
    entry = f"{name}: the feature {key}"
    is_shared = "id" in row and ids[key] > 1  # QuPath 0.2 gave one id to all
    if is_shared:
        key = f"{key}#{number}"
    # our own exports say which record it is, and where the class is
    record = _property(row, "record")
    if record is None:
        record = _property(row, "metadata", "record")
    score = _property(row, "score")
    if score is None:
        score = _property(row, "measurements", "score")
    return Polygons(
        f"{name}/{key}",
        _label(row, image.class_column, entry),
        _polygons(row.get("geometry"), entry),
        score if isinstance(score, float) and isinstance(record, str) else None,
        record if isinstance(record, str) else None,
        lasting=isinstance(row.get("id"), str) and not is_shared,
        review=_review(row, entry),
    )


def _review(row: Any, entry: str) -> Review | None:
    """Return what our own export said of an object; properties of other programs are theirs."""
    if _property(row, "metadata", "record"):
        return unpacked(_property(row, "metadata", REVIEW), entry)
    return from_flat(row.get("properties"), entry) if _property(row, "record") else None


def _property(row: Any, *way: str) -> Any:
    """Return what lies under the properties of a feature, or None."""
    found = row.get("properties") if isinstance(row, dict) else None
    for key in way:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _label(row: Any, class_column: str | None, entry: str) -> str:
    if class_column is not None:
        label = _named(_property(row, class_column))
        if label is None:
            raise SamTuneError(f"{entry} has no property {class_column!r}, which holds the class.")
        return label
    properties = row.get("properties")
    is_ours = isinstance(properties, dict) and "record" in properties
    return _named(_property(row, "class" if is_ours else "classification")) or DEFAULT_LABEL


def _named(value: Any) -> str | None:
    """Return the name of a class; QuPath has an object in its place, with a name or the parts."""
    if isinstance(value, dict):
        names = value.get("names")
        joined = ": ".join(map(str, names)) if isinstance(names, list) else None
        return _named(value.get("name", joined))
    return None if value in (None, "") else str(value)


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
