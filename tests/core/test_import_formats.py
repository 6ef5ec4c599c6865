"""Readers of labelled data: what was written comes back pixel by pixel; bad entries are named."""

from __future__ import annotations

import base64
import csv
import json
import os
import pickle
import warnings
import zipfile
import zlib
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from rasterio.features import shapes
from rasterio.transform import from_origin
from scipy import ndimage
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Dataset, Location
from napari_sam_tune.core.exchange.labelled_images import manifest_rows
from napari_sam_tune.core.exchange.left_out import OBJECT
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.scoring import iou
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 31)
CATEGORIES = [{"id": 3, "name": "pore"}, {"id": 9, "name": "裂纹"}]


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def image(folder: Path, name: str = "a.png", shape: tuple[int, int] = SHAPE) -> Path:
    return save(folder / name, np.full(shape, 90, np.uint8))


def write_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def read(name: str, **where: Any) -> list[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Every image of a data set of which nothing is left out: its name, its labels and masks."""
    dataset = format_named(name).read(Location(**where))
    assert isinstance(dataset, Dataset)
    found = [
        (found.name, [(o.label, o.mask) for o in found.objects(SHAPE)])
        for found in checked_images(dataset, ImportOptions())
    ]
    if reasons := list(chain.from_iterable(dataset.left_out.reasons.values())):
        raise SamTuneError(" ".join(reasons))
    return found


# ---- what was written comes back ----


@st.composite
def mask_stacks(draw: st.DrawFn) -> list[np.ndarray]:
    """A few masks with holes and parts, which may overlap."""
    masks = []
    for _ in range(draw(st.integers(1, 3))):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        smooth = ndimage.gaussian_filter(rng.normal(size=SHAPE), draw(st.floats(0.3, 4)))
        mask = smooth > np.quantile(smooth, draw(st.floats(0.05, 0.99)))
        mask[draw(st.integers(0, 23)), draw(st.integers(0, 30))] = True
        masks.append(mask)
    return masks


def as_polygons(mask: np.ndarray, transform: rasterio.Affine | None = None) -> dict[str, Any]:
    options = {} if transform is None else {"transform": transform}
    found = shapes(mask.astype(np.uint8), mask, **options)
    parts = [shapely.geometry.shape(geometry) for geometry, _ in found]
    return shapely.geometry.mapping(shapely.geometry.MultiPolygon(parts))


def uncompressed(mask: np.ndarray) -> list[int]:
    runs = np.flatnonzero(np.diff(mask.ravel(order="F").astype(int), prepend=0, append=2))
    return np.diff(runs, prepend=0).tolist()


@settings(max_examples=40)
@given(masks=mask_stacks(), crs=st.sampled_from([None, "EPSG:32632"]))
def test_masks_come_back_pixel_by_pixel(
    tmp_path_factory: pytest.TempPathFactory, masks: list[np.ndarray], crs: str | None
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    size = list(SHAPE)
    rows: list[dict[str, Any]] = []
    for mask in masks:
        packed = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
        for counts in (packed, uncompressed(mask)):
            segmentation = {"size": size, "counts": counts}
            rows.append({"id": len(rows), "image_id": 1, "category_id": 9})
            rows[-1] |= {"segmentation": segmentation, "score": 0.5}
    image(folder)
    images = [{"id": 1, "file_name": "a.png", "height": 24, "width": 31}]
    document = {"images": images, "annotations": rows, "categories": CATEGORIES}
    ((_, found),) = read("coco", path=write_json(folder / "instances.json", document))
    for (label, mask), truth in zip(found, np.repeat(masks, 2, axis=0), strict=True):
        assert label == "裂纹"
        np.testing.assert_array_equal(mask, truth)

    transform = None if crs is None else from_origin(500_000.3, 5_200_000.7, 0.21, 0.37)
    options = {} if crs is None else {"crs": crs, "transform": transform}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            folder / "b.tif", "w", "GTiff", 31, 24, 1, dtype="uint8", **options
        ) as raster:
            raster.write(np.full((1, *SHAPE), 90, np.uint8))
    features = [
        {
            "type": "Feature",
            "properties": {"kind": "pore"},
            "geometry": as_polygons(mask, transform),
        }
        for mask in masks
    ]
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        collection["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    path = write_json(folder / "b.geojson", collection)
    ((name, found),) = read("geojson", path=path, class_column="kind")
    assert name == "b.tif"
    for (label, mask), truth in zip(found, masks, strict=True):
        assert label == "pore"
        np.testing.assert_array_equal(mask, truth)


def test_coco_polygons_are_parts_of_one_object_as_pycocotools_draws_them(tmp_path: Path) -> None:
    polygons = [[2, 2, 9, 2, 9, 9, 2, 9], [15.5, 3, 28.2, 12, 14, 20]]
    rows = [{"id": 1, "image_id": "x", "category_id": 3, "segmentation": polygons}]
    images = [{"id": "x", "file_name": "deep/a.png"}, {"id": "y", "file_name": "a.png"}]
    document = {"images": images, "annotations": rows, "categories": CATEGORIES}
    image(tmp_path / "images" / "deep")
    image(tmp_path / "images", "a.png")
    path = write_json(tmp_path / "c.json", document)
    found = dict(read("coco", path=path, images=tmp_path / "images"))
    truth = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *SHAPE)))
    assert found["a.png"] == []
    ((label, mask),) = found["deep/a.png"]
    assert label == "pore"
    np.testing.assert_array_equal(mask, truth.astype(bool))
    assert mask[5, 5]
    assert mask[10, 18]


def test_longitude_and_latitude_are_brought_into_the_rasters_system(tmp_path: Path) -> None:
    crs, transform = "EPSG:32632", from_origin(500_000, 5_200_000, 0.5, 0.5)
    with rasterio.open(
        tmp_path / "field.tif",
        "w",
        "GTiff",
        31,
        24,
        3,
        dtype="uint16",
        crs=crs,
        transform=transform,
    ) as raster:
        raster.write(np.full((3, *SHAPE), 900, np.uint16))
    truth = np.zeros(SHAPE, bool)
    truth[4:20, 6:25] = True
    truth[8:12, 10:15] = False
    moved = rasterio.warp.transform_geom(crs, "OGC:CRS84", as_polygons(truth, transform))
    feature = {"type": "Feature", "id": "parcel 7", "properties": None, "geometry": moved}
    path = write_json(tmp_path / "field.geojson", feature)
    ((_, ((label, mask),)),) = read("geojson", path=path, images=tmp_path / "field.tif")
    assert label == "defect"
    assert iou(mask, truth) > 0.95

    document = {**feature, "crs": None}  # these would be metres, and lie in the Atlantic
    write_json(tmp_path / "field.geojson", document)
    with pytest.raises(SamTuneError, match=r"No polygon of field\.geojson lies over field\.tif"):
        read("geojson", path=tmp_path)


@pytest.mark.parametrize("kind", ["binary", "one bit", "rgba", "indexed", "palette", "painted"])
def test_a_mask_file_may_be_of_any_kind(tmp_path: Path, kind: str) -> None:
    numbers = np.zeros(SHAPE, np.uint8)
    numbers[2:8, 2:9], numbers[12:20, 15:28] = 1, 2
    colours = np.array([[0, 0, 0], [250, 20, 20], [20, 250, 20]], np.uint8)
    path = tmp_path / "masks" / "a.png"
    path.parent.mkdir()
    if kind == "palette":
        picture = Image.new("P", SHAPE[::-1])
        picture.putdata(numbers.ravel().tolist())
        picture.putpalette(colours.ravel().tolist())
        picture.save(path)
    elif kind == "rgba":  # white paint on nothing, where "nothing" is white as well
        pixels = np.full((*SHAPE, 4), 255, np.uint8)
        pixels[numbers == 0, 3] = 0
        save(path, pixels)
    elif kind == "indexed":  # 32 bits, numbers far beyond what a table could be as long as
        path = path.with_suffix(".tif")
        tifffile.imwrite(path, numbers.astype(np.uint32) * 2_000_000_000)
    else:
        binary = np.where(numbers > 0, 255, 0).astype(np.uint8)
        save(path, {"binary": binary, "one bit": numbers > 0, "painted": colours[numbers]}[kind])
    image(tmp_path / "images", "a.jpg")
    ((name, found),) = read("folder", images=tmp_path / "images", masks=tmp_path / "masks")
    assert name == "a.jpg"
    # a painted mask is numbered from its darkest colour, here green
    truths = sorted((numbers == n for n in (1, 2)), key=lambda m: m.sum())
    for truth, mask in zip(truths, sorted((m for _, m in found), key=np.sum), strict=True):
        np.testing.assert_array_equal(mask, truth)


def test_a_zarr_beside_a_mask_is_an_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, SHAPE, np.uint8)
    (tmp_path / "images").mkdir()
    made = zarr.create_array(
        tmp_path / "images/a.zarr", shape=SHAPE, chunks=(16, 16), dtype=np.uint8, zarr_format=2
    )
    made[...] = pixels
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:15, 6:20] = 255
    save(tmp_path / "masks/a.png", mask)
    places = {name: str(tmp_path / name) for name in ("p", "images", "masks")}
    arguments = [places["p"], "--images", places["images"], "--masks", places["masks"]]
    done = CliRunner().invoke(app, ["import", *arguments])
    assert done.exit_code == 0, done.output
    project = Project.open(tmp_path / "p")
    [annotation] = project.annotations("a.zarr")
    assert (annotation.mask == (mask > 0)).all()
    assert (project.read_image("a.zarr") == pixels).all()


def test_a_csv_list_keeps_overlap_class_group_and_split(tmp_path: Path) -> None:
    image(tmp_path, "im/a.png")
    image(tmp_path, "im/b.png")
    image(tmp_path, "im/c.png")
    left, right = np.zeros((2, *SHAPE), np.uint8)
    left[3:20, 2:18], right[5:15, 9:30] = 255, 255
    save(tmp_path / "ma" / "l.png", left)
    save(tmp_path / "ma" / "r.png", right)
    rows = [
        ["image", "mask", "class", "group", "split"],
        ["im/a.png", "ma/l.png", "pore", "part 1", "val"],
        ["im/a.png", "ma/r.png", "crack", "part 1", "val"],
        ["im/b.png", "", "", "part 2", "test"],
        ["im/c.png", "ma/l.png", "", "", ""],
    ]
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    dataset = format_named("csv").read(Location(path=tmp_path / "list.csv"))
    assert [(i.name, i.group, i.split) for i in dataset.images] == [
        ("a.png", "part 1", "held_out"),
        ("b.png", "part 2", "test"),
        ("c.png", None, None),
    ]
    found = dict(read("csv", path=tmp_path / "list.csv"))
    assert [label for label, _ in found["a.png"]] == ["pore", "crack"]
    np.testing.assert_array_equal(found["a.png"][0][1], left > 0)
    np.testing.assert_array_equal(found["a.png"][1][1], right > 0)
    assert found["b.png"] == []
    assert found["c.png"][0][0] == "defect"


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_are_read_as_spreadsheets_of_any_language_save_them(
    tmp_path: Path, between: str
) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (24, 31), np.uint8)).save(tmp_path / "a.png")
    mask = np.zeros((24, 31), np.uint8)
    mask[2:9, 3:12] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    encoding = "utf-16" if between == "\t" else "utf-8-sig"  # "Unicode text", "CSV UTF-8"
    lines = ("image,mask,split,class", "a.png,m.png,valid,'=ä")
    (tmp_path / "list.csv").write_text("\r\n".join(lines).replace(",", between), encoding)
    (image,) = format_named("csv").read(Location(tmp_path / "list.csv")).images
    assert (image.split, image.labels) == ("held_out", {"=ä"})
    lines = ("class,stem", "pore,a", "pore")  # the last one is cut short
    (tmp_path / "manifest.csv").write_text("\r\n".join(lines).replace(",", between), encoding)
    assert manifest_rows(tmp_path / "manifest.csv", "class", None)["a"] == ("pore", None)


def test_a_volume_of_probabilities_is_no_volume_of_numbers(tmp_path: Path) -> None:
    volume = np.zeros((2, *SHAPE), np.float32)
    volume[:, 3:10, 4:12] = np.random.default_rng(0).uniform(0.7, 1, (2, 7, 8))
    for name, stack in (("images", volume * 0), ("masks", volume)):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "s.tif", stack, metadata={"axes": "ZYX"})
    planes = read("folder", images=tmp_path / "images", masks=tmp_path / "masks")
    assert [len(objects) for _, objects in planes] == [1, 1]
    assert all(np.array_equal(mask, volume[0] > 0) for _, [(_, mask)] in planes)


# ---- bad entries ----


def coco_document() -> dict[str, Any]:
    packed = {"size": [24, 31], "counts": [700, 44]}
    return {
        "images": [{"id": 1, "file_name": "a.png", "height": 24, "width": 31}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "segmentation": packed}],
        "categories": CATEGORIES,
    }


def _set(*keys: Any) -> Any:
    """Return a fault: the last key is the value, the others lead to its place."""

    def spoil(document: Any) -> None:
        *way, last, value = keys
        for key in way:
            document = document[key]
        document[last] = value

    return spoil


def _drop(key: str) -> Any:
    return lambda document: document.pop(key)


def _repeat(key: str) -> Any:
    return lambda document: document[key].append(document[key][0])


def _segmentation(value: object) -> Any:
    return _set("annotations", 0, "segmentation", value)


COCO_FAULTS = {
    "no categories": (_drop("categories"), "no list “categories”"),
    "no annotations": (_drop("annotations"), "no list “annotations”"),
    "unknown category": (_set("annotations", 0, "category_id", 4), "annotation 5 .* category_id 4"),
    "unknown image": (_set("annotations", 0, "image_id", 8), "annotation 5 .* image_id 8"),
    "image twice": (_repeat("images"), "two of “images” have the id 1"),
    "no id": (_set("annotations", 0, {}), "the annotation 'at place 0' has the image_id None"),
    "category": (_set("categories", [{"id": 3}]), "the category 3 has no name"),
    "climbs": (_set("images", 0, "file_name", "../b.png"), "image 1 names the file"),
    "climbs on Windows": (_set("images", 0, "file_name", "x\\..\\..\\b.png"), "names the file"),
    "absolute": (_set("images", 0, "file_name", "/etc/b.png"), "image 1 names the file"),
    "drive": (_set("images", 0, "file_name", "C:\\b.png"), "image 1 names the file"),
    "no name": (_set("images", 0, "file_name", None), "image 1 has no file name"),
    "absent": (_set("images", 0, "file_name", "b.png"), r"no image file .*b\.png"),
    "other size": (_set("images", 0, "height", 25), r"a\.png is 24 × 31 .* says 25 × 31"),
    "box only": (_segmentation(None), "annotation 5 of a.png has no segmentation"),
    "size of runs": (_segmentation({"size": [31, 24], "counts": [744]}), "size .31, 24."),
    "short runs": (_segmentation({"size": [24, 31], "counts": [700]}), "do not add up"),
    "long runs": (_segmentation({"size": [24, 31], "counts": [700, 45]}), "do not add up"),
    "negative runs": (_segmentation({"size": [24, 31], "counts": [-1, 745]}), "do not add up"),
    "letters": (_segmentation({"size": [24, 31], "counts": "é?"}), "do not add up"),
    "cut short": (_segmentation({"size": [24, 31], "counts": "hf"}), "do not add up"),
    "odd polygon": (_segmentation([[1, 2, 3, 4, 5, 6, 7]]), "polygon that is not a list"),
    "line": (_segmentation([[1, 2, 3, 4]]), "polygon that is not a list"),
    "not a number": (_segmentation([[1, 2, float("nan"), 4, 5, 6]]), "polygon that is not"),
    "far away": (_segmentation([[0, 0, 1e9, 0, 1e9, 1e9]]), "polygon far outside"),
    "score": (
        _set("annotations", 0, "score", "high"),
        "annotation 5 of a.png has the score 'high'",
    ),
}


@pytest.mark.parametrize("fault", COCO_FAULTS)
def test_a_bad_coco_entry_is_named(tmp_path: Path, fault: str) -> None:
    image(tmp_path)
    document = coco_document()
    assert len(read("coco", path=write_json(tmp_path / "c.json", document))[0][1]) == 1
    spoil, message = COCO_FAULTS[fault]
    spoil(document)
    with pytest.raises(SamTuneError, match=message):
        read("coco", path=write_json(tmp_path / "c.json", document))


def test_what_can_be_taken_is_taken_and_the_rest_is_said(tmp_path: Path) -> None:
    """One foreign entry of each kind beside a good one, through the command."""
    for name in ("a.png", "b.png", "c.png"):
        image(tmp_path, name)
    ring = [[2, 2], [9, 2], [9, 9], [2, 9]]
    polygon = {"label": "pore", "points": ring, "imagePath": "a.png"}
    circle = polygon | {"shape_type": "circle", "points": [[20, 12], [24, 12]]}
    as_labelme = Image.new("L", SHAPE[::-1])
    ImageDraw.Draw(as_labelme).ellipse((16, 8, 24, 16), fill=1, outline=1)
    box = polygon | {"shape_type": "rectangle", "points": [[20, 20], [12, 14]]}
    point = polygon | {"shape_type": "point", "points": [[3, 3]]}
    document = {"shapes": [polygon, circle, box, point], "imagePath": "a.png"}
    write_json(tmp_path / "labelme" / "a.json", document | {"imageHeight": -1})
    write_json(tmp_path / "labelme" / "b.json", {"shapes": [point], "imagePath": "b.png"})
    inside = base64.b64encode((tmp_path / "c.png").read_bytes()).decode()
    embedded = {"shapes": [polygon], "imagePath": "gone.png", "imageData": inside}
    write_json(tmp_path / "labelme" / "c.json", embedded)
    write_json(tmp_path / "labelme" / "classes.json", ["pore"])
    where = ("--format", "labelme", "--from", tmp_path / "labelme", "--images", tmp_path)
    for number, strict in enumerate(([], ["--strict"])):
        arguments = ["import", str(tmp_path / f"p{number}"), *map(str, where), *strict]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        said = "".join(done.output.split())
        assert done.exit_code == bool(strict)
        for kind, named in (("file", "classes.json"), ("image", "b.json"), ("object", "a.json")):
            assert f"Leftout:1×{kind}thatcannotbetaken" in said
            assert named in said
        project = Project.open(tmp_path / f"p{number}", create=False)
        areas = {r.id: [a.area for a in project.annotations(r.id)] for r in project.images()}
        assert areas == {"a.png": [64, int(np.sum(as_labelme)), 63], "gone.png": [64]}
        # a point of a.png was left out, so it is not done; the pixels of gone.png are kept
        assert project.done_images() == {"gone.png"}
        assert project.read_image("gone.png").shape == SHAPE
    write_json(tmp_path / "labelme" / "a.json", {"shapes": [point], "imagePath": "a.png"})
    (tmp_path / "labelme" / "c.json").unlink()
    with pytest.raises(SamTuneError, match=r"a\.json, shape 0, is a point.*b\.json, shape 0"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


YOLO_LINE = "0 " + " ".join(f"{(x + 0.5) / 31:.7f} {(y + 0.5) / 24:.7f}" for x, y in
                            ((2, 2), (8, 2), (8, 8), (2, 8)))  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_yolo_as_its_tools_leave_it(tmp_path: Path, encoding: str) -> None:
    image(tmp_path / "train" / "images")
    labels = tmp_path / "train" / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text(f"{YOLO_LINE} 0.5\n0 .5 .5 .1 .1\n", encoding=encoding)
    names = "names: {'0': pore}\n"
    for said in (
        "train: ../train/images\nval: ../valid/images\n",
        f"path: {tmp_path}\ntrain: train/images\nval: train/images\n",
        "path: /content/gone\ntrain: train/images\n",
        "path: C:\\gone\ntrain: train\\images\n",
        "train: ..\\train\\images\n",
        "train: train.txt\n",
    ):
        (tmp_path / "dataset.yaml").write_text(said + names, encoding=encoding)
        (tmp_path / "train.txt").write_text("./train/images/a.png\n", encoding=encoding)
        dataset = format_named("yolo").read(Location(path=tmp_path))
        (found,) = checked_images(dataset, ImportOptions())
        ((mask, score),) = [(o.mask, o.score) for o in found.objects(SHAPE)]
        assert (mask.sum(), score) == (49, 0.5)
        assert "is a box" in dataset.left_out.reasons[OBJECT][0]
        assert not found.is_whole


def test_qupaths_classes_lists_and_pixels(tmp_path: Path) -> None:
    image(tmp_path)
    kinds = [{"name": "Crack", "color": [1, 2, 3]}, {"names": ["Tumor", "Positive"]}, None]
    features = [
        {
            "type": "Feature",
            "id": "PathAnnotationObject",
            "geometry": SQUARE,
            "properties": {"objectType": "annotation", "classification": kind},
        }
        for kind in kinds
    ]
    path = write_json(tmp_path / "a.geojson", features)
    ((_, found),) = read("geojson", path=path)
    assert [label for label, _ in found] == ["Crack", "Tumor: Positive", "defect"]
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}
    write_json(path, {"type": "FeatureCollection", "features": [*features, line]})
    dataset = format_named("geojson").read(Location(path=path))
    (taken,) = checked_images(dataset, ImportOptions())
    assert len(list(taken.objects(SHAPE))) == 3
    assert dataset.left_out.counts == {OBJECT: 1}
    write_json(path, {"type": "GeometryCollection", "geometries": [SQUARE]})
    ((_, ((_, mask),)),) = read("geojson", path=path)
    assert mask.sum() == 49


def test_cvats_shapes_are_drawn_and_its_xml_holds_no_entities(tmp_path: Path) -> None:
    image(tmp_path / "images")
    shapes_of = """<polygon label="pore" points="2.00,2.00;9.00,2.00;9.00,9.00;2.00,9.00"/>
      <box label="pore" xtl="10" ytl="4" xbr="20" ybr="8" rotation="90.00"/>
      <ellipse label="pore" cx="15" cy="12" rx="6" ry="3"/>
      <mask label="pore" rle="1, 2, 3" left="2" top="3" width="3" height="2"/>
      <polyline label="pore" points="1,1;5,5"/>"""
    text = f'<annotations><image id="0" name="a.png" width="31" height="24">{shapes_of}</image>'
    path = tmp_path / "annotations.xml"
    path.write_text(f"{text}</annotations>", encoding="utf-8-sig")
    dataset = format_named("cvat-xml").read(Location(path=tmp_path))
    (found,) = checked_images(dataset, ImportOptions())
    polygon, box, ellipse, mask = (o.mask for o in found.objects(SHAPE))
    assert "is no mask" in dataset.left_out.reasons[OBJECT][0]
    assert (polygon.sum(), polygon[2:9, 2:9].all()) == (49, True)
    assert (box.sum(), box[1:11, 13:17].all()) == (40, True)  # stood on end
    rows, columns = np.mgrid[:24, :31] + 0.5
    truth = ((columns - 15) / 6) ** 2 + ((rows - 12) / 3) ** 2 <= 1
    np.testing.assert_array_equal(ellipse, truth)
    assert np.argwhere(mask).tolist() == [[3, 3], [3, 4]]
    path.write_text(f'<!DOCTYPE a [<!ENTITY b "c">]>{text}</annotations>', encoding="utf-8")
    with pytest.raises(SamTuneError, match="declares entities"):
        read("cvat-xml", path=path)


class Runs:
    """A pickle that would run a program."""

    def __reduce__(self) -> Any:
        return os.system, ("touch RAN",)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_cellposes_files_are_read_and_never_run(
    tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "b_seg.png"):
        image(tmp_path, name)
    truth = np.zeros(SHAPE, np.uint16)
    truth[2:9, 3:9], truth[12:14, 20:30] = 1, 3

    def save_seg(name: str, masks: object, **more: object) -> None:
        flows = [np.zeros((2, 3), np.float32), [np.float64(3.5)]]
        document = {"masks": masks, "flows": flows, "filename": "x.png", "diameter": 3.0, **more}
        with (tmp_path / name).open("wb") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": ()}
            np.lib.format.write_array_header_1_0(file, header)
            pickle.dump(np.array(document, dtype=object), file, protocol=protocol)

    save_seg("a_seg.npy", truth, ismanual=np.zeros(2, bool))
    assert np.load(tmp_path / "a_seg.npy", allow_pickle=True).item()["diameter"] == 3.0
    save(tmp_path / "a_cp_masks.png", np.zeros(SHAPE, np.uint16))  # the corrected file counts
    save(tmp_path / "b_cp_masks.png", truth)
    save_seg("b_seg_seg.npy", truth)
    names = ["a.png", "b.png", "b_seg.png"]
    assert sorted(name for name, _ in read("cellpose", path=tmp_path)) == names
    for _, found in read("cellpose", path=tmp_path):
        for (_, mask), number in zip(found, (1, 3), strict=True):
            np.testing.assert_array_equal(mask, truth == number)
    assert read("cellpose", path=tmp_path / "a_cp_masks.png") == [("a.png", [])]
    with pytest.raises(SamTuneError, match="There is no file …_seg"):
        read("cellpose", path=tmp_path / "a.png")
    save_seg("a_seg.npy", truth.astype(np.int32) - 1)  # as Cellpose of before counted
    found = dict(read("cellpose", path=tmp_path))["a.png"]
    assert [mask.sum() for _, mask in found] == [42, 20]
    for bad, message in ((Runs(), "posix.system, which is not run"), ([1], "has no “masks”")):
        save_seg("a_seg.npy", bad)
        with pytest.raises(SamTuneError, match=rf"a_seg\.npy .*{message}"):
            read("cellpose", path=tmp_path)
    save_seg("a_seg.npy", np.array([Runs()], dtype=object))
    with pytest.raises(SamTuneError, match="which is not run"):
        read("cellpose", path=tmp_path)
    assert not (tmp_path / "RAN").exists()


def test_coco_as_converters_nest_and_number_it(tmp_path: Path) -> None:
    image(tmp_path)
    ring = [2, 2, 9, 2, 9, 9, 2, 9]
    for nested in ([ring], ring, [[ring]], [ring, [4, 4, 4, 4]]):
        rows = [{"id": 0, "image_id": 1.0, "category_id": "3", "segmentation": nested}] * 2
        document = coco_document() | {"annotations": rows}
        document["images"] = [{"id": "1", "file_name": "a.png", "height": 0, "width": None}]
        ((_, found),) = read("coco", path=write_json(tmp_path / "c.json", document))
        assert [(label, mask.sum()) for label, mask in found] == [("pore", 49)] * 2


SQUARE = {"type": "Polygon", "coordinates": [[[2, 2], [9, 2], [9, 9], [2, 9], [2, 2]]]}
GEOJSON_FAULTS = {
    "point": ({"geometry": {"type": "Point", "coordinates": [1, 2]}}, "feature 0 is no Polygon"),
    "no geometry": ({"geometry": None}, "feature 0 is no Polygon"),
    "two corners": ({"geometry": {**SQUARE, "coordinates": [[[0, 0], [1, 1]]]}}, "malformed"),
    "nonsense": ({"geometry": {**SQUARE, "coordinates": 7}}, "malformed"),
    "no class": ({"properties": {}}, "feature 0 has no property 'kind'"),
}


@pytest.mark.parametrize("fault", GEOJSON_FAULTS)
def test_a_bad_feature_is_named(tmp_path: Path, fault: str) -> None:
    image(tmp_path)
    change, message = GEOJSON_FAULTS[fault]
    good = {"type": "Feature", "properties": {"kind": "pore"}, "geometry": SQUARE}
    path = tmp_path / "a.geojson"
    write_json(path, {"type": "FeatureCollection", "features": [good]})
    ((_, ((_, mask),)),) = read("geojson", path=path, class_column="kind")
    assert mask.sum() == 49
    write_json(path, {"type": "FeatureCollection", "features": [{**good, **change}]})
    with pytest.raises(SamTuneError, match=message):
        read("geojson", path=path, class_column="kind")
    twice = [{**good, "id": 4}, {**good, "id": 4}]
    write_json(path, {"type": "FeatureCollection", "features": twice})
    ((_, found),) = read("geojson", path=path)  # QuPath 0.2 gave one id to all
    assert [mask.sum() for _, mask in found] == [49, 49]


def test_malformed_files_and_wrong_options_say_what_to_do(tmp_path: Path) -> None:
    image(tmp_path)
    path = tmp_path / "a.json"
    path.write_text('{"images": [', encoding="utf-8")
    for name in ("coco", "geojson"):
        with pytest.raises(SamTuneError, match=r"a\.json is not valid JSON: .*line 1"):
            read(name, path=path)
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(SamTuneError, match="is not valid JSON"):
        read("coco", path=path)
    for text, message in (
        ("image,masks\na.png,b.png", "no column mask"),
        ("image,mask\n../c.png,b.png", "line 2, names the file"),
        ("image,mask\na.png,/b.png", "line 2, names the file"),
        ("image,mask\na.png,b.png", r"no image file .*b\.png"),
        ("image,mask,split\na.png,a.png,often", "line 2, has the split 'often'"),
        ("image,mask\na.png,a.png\na.png,a.png", "line 3, lists a.png with the same mask"),
    ):
        (tmp_path / "l.csv").write_text(text, encoding="utf-8")
        with pytest.raises(SamTuneError, match=message):
            read("csv", path=tmp_path / "l.csv")
    for name, place in (("folder", "masks"), ("labels", "path")):
        with pytest.raises(SamTuneError, match="each image would be its own mask"):
            read(name, images=tmp_path, **{place: tmp_path / "."})
    with pytest.raises(SamTuneError, match="coco needs --from"):
        read("coco", images=tmp_path)
    with pytest.raises(SamTuneError, match="coco takes no --masks"):
        read("coco", path=path, masks=tmp_path)
    with pytest.raises(SamTuneError, match="'parquet' is not a format; known are folder, coco"):
        read("parquet", path=path)


def test_what_claims_too_many_pixels_is_refused_unread(tmp_path: Path) -> None:
    image(tmp_path / "images")
    mask = save(tmp_path / "masks" / "a.png", np.zeros(SHAPE, np.uint8))
    content = bytearray(mask.read_bytes())
    content[16:24] = (30_000).to_bytes(4) * 2  # width and height, then the checksum of the header
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    mask.write_bytes(content)
    where = {"images": tmp_path / "images", "masks": tmp_path / "masks"}
    with pytest.raises(SamTuneError, match=r"a\.png has too many pixels"):
        read("folder", **where)
    mask.unlink()
    tifffile.imwrite(mask.with_suffix(".tif"), np.zeros(SHAPE, np.uint8), compression="zlib")
    with tifffile.TiffFile(mask.with_suffix(".tif"), mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(60_000)
    with pytest.raises(SamTuneError, match=r"a\.tif claims 3\.6 GB"):
        read("folder", **where)


@pytest.mark.parametrize("form", ["coco", "cvat-xml", "yolo", "cellpose", "ome-zarr"])
def test_an_archive_is_to_be_unpacked(tmp_path: Path, form: str) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    with pytest.raises(SamTuneError, match=r"export\.zip is a zip archive\. Unpack it"):
        format_named(form).read(Location(path=tmp_path / "export.zip"))


@pytest.mark.parametrize("form", ["folder", "labels"])
def test_white_paper_is_background_and_cellposes_names_are_known(tmp_path: Path, form: str) -> None:
    """Red on white, as a paint program begins; where there is black, white is a colour."""
    for name in "ab":
        image(tmp_path / "images", f"{name}.png")
    drawn = np.full((*SHAPE, 3), 255, np.uint8)
    drawn[2:9, 3:12] = (255, 0, 0)
    save(tmp_path / "masks" / "a_cp_masks.png", drawn)
    on_black = np.where(drawn == 255, drawn, np.uint8(0))
    on_black[0] = 0
    save(tmp_path / "masks" / "b.png", on_black)
    masks = tmp_path / "masks"
    where = {"masks": masks} if form == "folder" else {"path": masks}
    of_a, of_b = (masks for _, masks in read(form, images=tmp_path / "images", **where))
    ((_, mask),) = of_a
    np.testing.assert_array_equal(mask, (drawn == (255, 0, 0)).all(axis=-1))
    assert len(of_b) == 2
