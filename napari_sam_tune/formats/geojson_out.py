"""Writing GeoJSON: one file of polygons for each image, along the edges of its pixels.

Coordinates are those of the raster, in its own coordinate system, which the file names in a `crs`
member (GDAL and QGIS read it; RFC 7946 knows only longitude and latitude). An image without a
coordinate system has pixels, x to the right and y downwards from the outer corner of the first, and
`"crs": null`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from rasterio.errors import RasterioError
from rasterio.features import shapes
from rasterio.transform import Affine

from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.core.exchange.remarks import REVIEW, flat, packed
from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.rasters import georeference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rasterio.crs import CRS

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.formats.writer import ExportOptions


def write_geojson(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write a FeatureCollection for each image; holes, parts and overlap are kept."""
    losses: Counter[str] = Counter()
    with ExportedFolder(path) as folder:
        for image in images:
            transform, crs = _georeference(image, losses)
            document = {
                "type": "FeatureCollection",
                "crs": None if crs is None else _member(crs),
                "features": [_feature(o, n, transform) for n, o in enumerate(image.objects)],
            }
            file = folder.file(f"{folder.add(image)}.geojson")
            file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return losses


def write_qupath(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, _: ExportOptions
) -> Counter[str]:
    """Write a FeatureCollection of QuPath's annotations for each image, in pixels.

    QuPath keeps names, classes, measurements and metadata; so the record's id stands there.
    """
    losses: Counter[str] = Counter()
    with ExportedFolder(path) as folder:
        for image in images:
            features = [
                _annotation(found, f"{image.name}/{number}", classes)
                for number, found in enumerate(image.objects)
            ]
            file = folder.file(f"{folder.add(image)}.geojson")
            document = {"type": "FeatureCollection", "features": features}
            file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
            losses[mark("object without its history (weights, prompts, time)")] += sum(
                found.provenance is not None for found in image.objects
            )
    return +losses


def _annotation(found: ObjectOut, name: str, classes: Mapping[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "objectType": "annotation",
        "classification": {"name": found.label, "color": list(rgb(classes[found.label]))},
    }
    if found.id is not None:
        review = packed(found.review)
        properties["metadata"] = {"record": found.id, **({REVIEW: review} if review else {})}
    if found.score is not None:
        properties["measurements"] = {"score": found.score}
    return {
        "type": "Feature",
        "id": str(uuid5(NAMESPACE_OID, found.id or name)),  # QuPath knows no others
        "geometry": _geometry(found, Affine.identity()),
        "properties": properties,
    }


def _georeference(image: ImageOut, losses: Counter[str]) -> tuple[Affine, CRS | None]:
    if image.path is None:
        return Affine.identity(), None
    if not image.path.is_file():
        losses[mark("image whose file was not found: its polygons are in pixels")] += 1
        return Affine.identity(), None
    if image.read is not None:
        image.read()  # another picture than was labelled may lie elsewhere on the earth
    try:
        return georeference(image.path)
    except RasterioError:
        losses[
            mark("image whose place on the earth could not be read: its polygons are in pixels")
        ] += 1
        return Affine.identity(), None


def _member(crs: CRS) -> dict[str, Any]:
    code = crs.to_authority()
    name = crs.to_wkt() if code is None else f"urn:ogc:def:crs:{code[0]}::{code[1]}"
    return {"type": "name", "properties": {"name": name}}


def _feature(found: ObjectOut, number: int, transform: Affine) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": found.id or number,
        "properties": {
            "class": found.label,
            "record": found.id,
            "score": found.score,
            **flat(found.review),
            **({} if found.provenance is None else asdict(found.provenance)),
        },
        "geometry": _geometry(found, transform),
    }


def _geometry(found: ObjectOut, transform: Affine) -> dict[str, Any]:
    y0, x0, _, _ = found.bbox
    moved = transform @ Affine.translation(x0, y0)
    polygons = shapes(found.mask.astype(np.uint8), found.mask, transform=moved)
    return {
        "type": "MultiPolygon",
        "coordinates": [polygon["coordinates"] for polygon, _ in polygons],
    }
