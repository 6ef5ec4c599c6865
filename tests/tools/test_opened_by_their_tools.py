"""Exports opened by the tools they are for, or by those tools' own libraries: `tox -e tools`.

Some of these are under the GPL or AGPL, and one wants another Qt: nothing of them is part of the
package, nor of the environments of its other tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import geojson
import labelme
import numpy as np
import pytest
import shapely.geometry
import yaml
from cellpose import io as cellpose_io
from cellpose.utils import outlines_list
from datumaro import Dataset
from datumaro.components.annotation import AnnotationType
from datumaro.plugins.data_formats.cvat.base import CvatBase
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from PIL import Image
from pycocotools.coco import COCO
from rasterio.features import rasterize
from scipy import ndimage
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset, polygons2masks

from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

SHAPE = (48, 70)
CLASSES = {"pore": "#e5554f", "long crack": "#f4b942"}
NAMES = ("a.png", "turned.jpg", "grey.tif", "none.png")


def object_of(mask: Mask, number: int, score: float | None = 0.5) -> ObjectOut:
    y0, x0, y1, x1 = box = bounding_box(mask)
    label = [*CLASSES][number % 2]
    return ObjectOut(f"id{number}", label, box, mask[y0:y1, x0:x1], score, None, number)


def blobs(seed: int) -> list[Mask]:
    """Objects that do not touch: of one part each, of two parts, and with a hole."""
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    parts, count = ndimage.label(ndimage.gaussian_filter(noise, 3) > 0.06)
    masks = [ndimage.binary_fill_holes(parts == n) for n in range(1, count + 1)]
    masks = [mask for mask in masks if mask.sum() > 12]
    hole = ndimage.binary_erosion(masks[0], iterations=2)
    masks[0] = masks[0] & ~hole
    return [masks[0], masks[1] | masks[2], *masks[3:]]


@pytest.fixture
def images(tmp_path: Path) -> list[ImageOut]:
    """Photographs with objects, one of them turned by its tag, and one without any object."""
    folder = tmp_path / "images"
    folder.mkdir()
    found = []
    for seed, name in enumerate(NAMES):
        pixels = np.random.default_rng(seed).integers(0, 255, (*SHAPE, 3), np.uint8)
        tags: dict[str, Any] = {}
        if name.startswith("turned"):
            exif = Image.Exif()
            exif[0x0112] = 6
            pixels, tags = np.rot90(pixels), {"exif": exif.tobytes()}
        Image.fromarray(pixels[..., 0] if name == "grey.tif" else pixels).save(
            folder / name, **tags
        )
        masks = [] if name == "none.png" else blobs(seed)
        objects = [object_of(mask, number) for number, mask in enumerate(masks, start=1)]
        path = folder / name
        found.append(
            ImageOut(
                name=name,
                shape=SHAPE,
                objects=objects,
                path=path,
                split="held_out" if name == "grey.tif" else "train",
                no_defect=not objects,
                read=lambda path=path: read_image(path),
            )
        )
    return found


def written(form: str, images: list[ImageOut], folder: Path) -> Path:
    known = format_named(form)
    return export(known, images, CLASSES, folder / f"out{known.suffix}").path


def masks_of(image: ImageOut, *, filled: bool = False) -> list[tuple[str, Mask]]:
    full = [(found.label, found.full_mask(image.shape)) for found in image.objects]
    return [(label, ndimage.binary_fill_holes(m) if filled else m) for label, m in full]


def assert_same(found: list[tuple[str, Mask]], expected: list[tuple[str, Mask]]) -> None:
    assert [label for label, _ in found] == [label for label, _ in expected]
    for (_, mask), (_, truth) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mask, truth)


@pytest.mark.parametrize("form", ["coco", "coco-polygons", "cvat", "roboflow"])
def test_pycocotools(tmp_path: Path, images: list[ImageOut], form: str) -> None:
    out = written(form, images, tmp_path)
    files = [out] if out.is_file() else sorted(out.glob("*/*.json"))
    found: dict[str, list[tuple[str, Mask]]] = {}
    for file in files:
        opened = COCO(file)
        for row in opened.loadImgs(opened.getImgIds()):
            assert (row["height"], row["width"]) == SHAPE
            if form == "roboflow":
                assert cv2.imread(str(file.parent / row["file_name"])).shape[:2] == SHAPE
            annotations = opened.loadAnns(opened.getAnnIds(row["id"]))
            found[row["file_name"].partition(".")[0]] = [
                (opened.cats[a["category_id"]]["name"], opened.annToMask(a).astype(bool))
                for a in annotations
            ]
    for image in images:
        expected = masks_of(image, filled=form == "coco-polygons")
        assert_same(found[image.name.partition(".")[0]], expected)


def test_labelme(tmp_path: Path, images: list[ImageOut]) -> None:
    out = written("labelme", images, tmp_path)
    for image in images:
        opened = labelme.LabelFile(str(out / f"{image.name.partition('.')[0]}.json"))
        shown = labelme.utils.img_data_to_arr(opened.image_data)
        assert shown.shape[:2] == SHAPE
        found = []
        for shape in opened.shapes:
            _, drawn = labelme.utils.shapes_to_label(SHAPE, [shape], {shape["label"]: 1})
            found.append((shape["label"], drawn > 0))
        assert_same(found, masks_of(image))


def test_ultralytics(tmp_path: Path, images: list[ImageOut]) -> None:
    """Its dataset, as training builds it: every line is a segment, none is dropped as corrupt."""
    out = written("yolo", images, tmp_path)
    data = check_det_dataset(str(out / "data.yaml"), autodownload=False)
    found: dict[str, list[tuple[str, Mask]]] = {}
    for split in ("train", "val"):
        dataset = YOLODataset(img_path=data[split], data=data, task="segment", augment=False)
        for number, row in enumerate(dataset.get_labels()):
            pixels, _, _ = dataset.load_image(number)
            assert pixels.shape[:2] != SHAPE[::-1]
            assert row["shape"] == SHAPE
            corners = [segment * SHAPE[::-1] for segment in row["segments"]]
            masks = polygons2masks(SHAPE, corners, 1)
            labels = [data["names"][int(kind)] for kind in row["cls"].ravel()]
            stem = row["im_file"].rpartition("/")[2].partition(".")[0]
            found[stem] = [(label, mask > 0) for label, mask in zip(labels, masks, strict=True)]
    for image in images:
        expected = masks_of(image, filled=True)
        drawn = found[image.name.partition(".")[0]]
        assert [label for label, _ in drawn] == [label for label, _ in expected]
        for (_, mask), (_, truth) in zip(drawn, expected, strict=True):
            assert not (truth & ~mask).any()
            if ndimage.label(truth, np.ones((3, 3)))[1] == 1:  # parts are joined by a line
                np.testing.assert_array_equal(mask, truth)


def test_opencv_and_yaml_see_one_size(tmp_path: Path, images: list[ImageOut]) -> None:
    """What a label says of a turned photograph holds for programs that heed the tag, and others."""
    out = written("yolo", images, tmp_path)
    assert yaml.safe_load((out / "data.yaml").read_text())["names"] == dict(enumerate(CLASSES))
    for image in images:
        (file,) = out.glob(f"images/*/{image.name.partition('.')[0]}.*")
        for flags in (cv2.IMREAD_COLOR, cv2.IMREAD_UNCHANGED):
            assert cv2.imread(str(file), flags).shape[:2] == SHAPE
        np.testing.assert_array_equal(read_image(file), image.read())


@pytest.mark.parametrize("form", ["labels", "labels-tiff", "semantic-tiff", "binary"])
def test_opencv_reads_pictures_of_numbers(
    tmp_path: Path, images: list[ImageOut], form: str
) -> None:
    out = written(form, images, tmp_path)
    for image in images:
        stem, expected = image.name.partition(".")[0], masks_of(image)
        if form == "binary":
            files = [out / "masks" / stem / f"{n}.png" for n in range(1, len(expected) + 1)]
            found = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) > 0 for file in files]
        else:
            (file,) = out.glob(f"{stem}.*")
            numbers = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            if form.startswith("semantic"):
                assert_same(
                    [(name, numbers == n) for n, name in enumerate(CLASSES, start=1)],
                    [(name, united(image, name)) for name in CLASSES],
                )
                continue
            found = [numbers == number for number in range(1, len(expected) + 1)]
        assert_same([*zip([label for label, _ in expected], found, strict=True)], expected)


def united(image: ImageOut, name: str) -> Mask:
    masks = [mask for label, mask in masks_of(image) if label == name]
    return np.any([np.zeros(SHAPE, bool), *masks], axis=0)


def of_datumaro(opened: Dataset) -> dict[str, list[tuple[str, Mask]]]:
    """Return the masks of each image that Datumaro finds, in the order it numbers them."""
    names = [label.name for label in opened.categories()[AnnotationType.label]]
    return {
        item.id.rpartition("/")[2].partition(".")[0]: [
            (names[found.label], np.asarray(found.image) > 0)
            for found in sorted(item.annotations, key=lambda found: found.id)
            if found.type == AnnotationType.mask
        ]
        for item in opened
    }


def test_datumaro_voc(tmp_path: Path, images: list[ImageOut]) -> None:
    """The library CVAT reads "Segmentation mask 1.1" with."""
    out = written("voc", images, tmp_path)
    found = of_datumaro(Dataset.import_from(str(out), "voc_instance_segmentation"))
    for image in images:
        expected = masks_of(image)
        drawn = found[image.name.partition(".")[0]]
        assert sorted(label for label, _ in drawn) == sorted(label for label, _ in expected)
        for label, truth in expected:
            assert any(label == name and np.array_equal(mask, truth) for name, mask in drawn)


def test_datumaro_cvat(tmp_path: Path, images: list[ImageOut]) -> None:
    out = written("cvat-xml", images, tmp_path)
    found: dict[str, list[tuple[str, Mask]]] = {}
    for subset in ("train", "val"):
        base = CvatBase(str(out / "annotations.xml"), subset=subset)
        found |= of_datumaro(Dataset.from_extractors(base))
    for image in images:
        assert_same(found[image.name.partition(".")[0]], masks_of(image))


def test_cellpose(tmp_path: Path, images: list[ImageOut]) -> None:
    """As its window loads them: the images by its own reader, the masks out of `_seg.npy`."""
    out = written("cellpose", images, tmp_path)
    listed = cellpose_io.get_image_files(str(out), "_masks")
    assert len(listed) == len(images)
    for image in images:
        stem = image.name.partition(".")[0]
        (file,) = (file for file in listed if file.rpartition("/")[2].startswith(f"{stem}."))
        assert cellpose_io.imread(file).shape[:2] == SHAPE
        saved = np.load(out / f"{stem}_seg.npy", allow_pickle=True).item()
        assert {"masks", "outlines", "colors", "filename"} <= saved.keys()
        found = [saved["masks"] == n for n in range(1, len(image.objects) + 1)]
        for mask, (_, truth) in zip(found, masks_of(image), strict=True):
            np.testing.assert_array_equal(mask, truth)
        rois = outlines_list(saved["masks"], multiprocessing=False)
        assert len(rois) == len(image.objects)


@pytest.mark.parametrize("form", ["ome-zarr", "ome-zarr-0.4"])
def test_ome_zarr(tmp_path: Path, images: list[ImageOut], form: str) -> None:
    """The library behind napari-ome-zarr: the image, and its labels with classes and colours."""
    out = written(form, images, tmp_path)
    for image in images:
        file = out / f"{image.name.partition('.')[0]}.zarr"
        picture, *labels = Reader(parse_url(str(file)))()
        height, width = picture.data[0].shape[-2:]
        assert (height, width) == SHAPE
        (found,) = [node for node in labels if "properties" in node.metadata or node.data]
        values = np.asarray(found.data[0])
        properties = found.metadata.get("properties", {})
        drawn = [(properties[n]["class"], values == n) for n in sorted(properties)]
        assert_same(drawn, masks_of(image))


def test_qupath(tmp_path: Path, images: list[ImageOut]) -> None:
    """What QuPath's importer asks for: features with `objectType`, a classification, pixels."""
    out = written("qupath", images, tmp_path)
    for image in images:
        text = (out / f"{image.name.partition('.')[0]}.geojson").read_text(encoding="utf-8")
        collection = geojson.loads(text)
        assert isinstance(collection, geojson.FeatureCollection)
        assert collection.is_valid, collection.errors()
        found = []
        for feature in collection["features"]:
            said = feature["properties"]
            assert said["objectType"] == "annotation"
            assert all(0 <= part <= 255 for part in said["classification"]["color"])
            assert all(isinstance(value, float) for value in said["measurements"].values())
            outline = shapely.geometry.shape(feature["geometry"])
            assert outline.is_valid
            drawn = rasterize([(outline, 1)], out_shape=SHAPE)
            found.append((said["classification"]["name"], drawn > 0))
        assert_same(found, masks_of(image))


def test_geojson(tmp_path: Path, images: list[ImageOut]) -> None:
    out = written("geojson", images, tmp_path)
    for image in images:
        file = out / f"{image.name.partition('.')[0]}.geojson"
        collection = geojson.loads(file.read_text(encoding="utf-8"))
        assert collection.is_valid, collection.errors()
        assert len(collection["features"]) == len(image.objects)
        assert json.loads(file.read_text(encoding="utf-8"))["crs"] is None
