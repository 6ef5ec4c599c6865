"""Exported folders as other tools read them, what formats refuse, and folders that were spoilt."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from itertools import chain
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
import yaml
import zarr
from PIL import Image
from scipy import ndimage

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.outgoing import ImageOut, labels_out
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (24, 31)
CLASSES = {"pore": "#e5554f", "裂纹": "#f4b942"}


def numbers() -> np.ndarray:
    """Three objects: 7 with a hole, 40 in two parts, 300 of one pixel."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:9, 3:12], labels[4:6, 5:8] = 7, 0
    labels[12:20, 4:6], labels[12:15, 20:28] = 40, 40
    labels[22, 30] = 300
    return labels


@pytest.fixture
def images(tmp_path: Path) -> list[ImageOut]:
    """One image with three objects and one without."""
    pixels = np.random.default_rng(0).integers(0, 255, (2, *SHAPE), np.uint8)
    paths = [tmp_path / "images" / name for name in ("a b.png", "none.png")]
    paths[0].parent.mkdir()
    for path, picture in zip(paths, pixels, strict=True):
        Image.fromarray(picture).save(path)
    kinds = {7: "裂纹", 40: "pore", 300: "pore"}
    found = labels_out("a b.png", numbers(), classes=kinds, path=paths[0])
    return [found, labels_out("none.png", np.zeros(SHAPE, int), path=paths[1])]


def write(form: str, images: list[ImageOut], out: Path) -> Counter[str]:
    return export(format_named(form), images, CLASSES, out).losses


def read(form: str, folder: Path, *, images: bool = False) -> dict[str, list[Any]]:
    where = Location(folder / "out", folder / "images" if images else None)
    dataset = format_named(form).read(where)
    found = {i.name: list(i.objects(SHAPE)) for i in checked_images(dataset, ImportOptions())}
    if reasons := list(chain.from_iterable(dataset.left_out.reasons.values())):
        raise SamTuneError(" ".join(reasons))
    return found


# ---- as the tools they are meant for read them ----


def test_yolo_is_drawn_by_opencv_as_it_was(tmp_path: Path, images: list[ImageOut]) -> None:
    losses = write("yolo", images, tmp_path / "out")
    assert losses == {
        "object whose parts are joined by a line of one pixel": 1,
        "object whose holes are filled": 1,
    }
    said = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))
    assert said == {
        "train": "images/train",
        "val": "images/train",
        "names": dict(enumerate(CLASSES)),
    }
    assert (tmp_path / "out/images/train/none.png").is_file()
    assert (tmp_path / "out/labels/train/none.txt").read_text() == ""
    lines = (tmp_path / "out/labels/train/a b.txt").read_text().splitlines()
    labels = numbers()
    for line, number in zip(lines, (7, 40, 300), strict=True):
        kind, *values = line.split()
        assert list(CLASSES)[int(kind)] == ("裂纹" if number == 7 else "pore")
        # as ultralytics.data.utils.polygons2mask does it
        corners = np.array(values, np.float64).reshape(-1, 2) * SHAPE[::-1]
        drawn = np.zeros(SHAPE, np.uint8)
        cv2.fillPoly(drawn, [corners.astype(np.int32)], 1)
        truth = ndimage.binary_fill_holes(labels == number)
        assert not (truth & (drawn == 0)).any()
        if number != 40:
            np.testing.assert_array_equal(drawn, truth)
    found = read("yolo", tmp_path)
    assert [o.label for o in found["a b.png"]] == ["裂纹", "pore", "pore"]
    assert found["none.png"] == []


def test_yolo_fills_what_lies_in_a_hole_with_the_hole(
    tmp_path: Path, images: list[ImageOut]
) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:17, 3:20], labels[4:15, 5:18], labels[7:12, 8:14] = 7, 0, 7
    ring = labels_out("a b.png", labels, classes={7: "pore"}, path=images[0].path)
    write("yolo", [ring], tmp_path / "out")
    (found,) = read("yolo", tmp_path)["a b.png"]
    np.testing.assert_array_equal(found.mask, ndimage.binary_fill_holes(labels))


def test_index_pictures_are_in_the_colours_of_the_classes(
    tmp_path: Path, images: list[ImageOut]
) -> None:
    write("voc", images, tmp_path / "out")
    with Image.open(tmp_path / "out/SegmentationClass/a b.png") as picture:
        assert picture.mode == "P"
        assert picture.convert("RGB").getpixel((3, 2)) == (0xF4, 0xB9, 0x42)
        assert (np.asarray(picture) > 0).sum() == (numbers() > 0).sum()
    assert (tmp_path / "out/ImageSets/Segmentation/train.txt").read_text() == "a b\nnone\n"
    write("semantic", images, tmp_path / "semantic")
    with Image.open(tmp_path / "semantic" / "a b.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture) == 2, numbers() == 7)


def test_vocs_pictures_alone_tell_objects_and_classes(tmp_path: Path) -> None:
    """As CVAT reads them, by the colours of `labelmap.txt`; of two of one colour one is changed."""
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(path)
    classes = {"pore": "#e5554f", "like it": "#e5554f", "black": "#000000", "#odd:": "#800000"}
    labels = np.zeros(SHAPE, np.uint16)
    for number in range(1, 5):
        labels[number * 4 : number * 4 + 2, 3:20] = number
    kinds = dict(enumerate(classes, start=1))
    image = labels_out("a.png", labels, classes=kinds, path=path)
    export(format_named("voc"), [image], classes, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "Annotations")
    for picture in tmp_path.glob("out/Segmentation*/a.png"):
        Image.open(picture).convert("RGB").save(picture)  # as they are painted elsewhere
    found = read("voc", tmp_path)["a.png"]
    assert [o.label for o in found] == ["pore", "like it", "black", "_odd_"]
    for number, one in enumerate(found, start=1):
        np.testing.assert_array_equal(one.mask, labels == number)


def test_vocs_images_are_found_by_the_name_of_the_xml_file_where_it_says_an_old_one(
    tmp_path: Path, images: list[ImageOut]
) -> None:
    write("voc", images, tmp_path / "out")
    file, pictures = tmp_path / "out/Annotations/a b.xml", tmp_path / "out/JPEGImages"
    said = file.read_text()
    file.write_text(said.replace("<filename>a b.png", "<filename>IMG_7.jpg"))
    assert len(read("voc", tmp_path)["a b.png"]) == 3
    shutil.copy(pictures / "a b.png", pictures / "IMG_7.jpg")
    with pytest.raises(SamTuneError, match=r"IMG_7\.jpg, and a b\.png is there too"):
        read("voc", tmp_path)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_has_colours_and_properties(
    tmp_path: Path, images: list[ImageOut], version: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (*SHAPE, 3), np.uint16)
    image = labels_out("a b.png", numbers(), read=lambda: pixels)
    form = "ome-zarr" if version == "0.5" else "ome-zarr-0.4"
    export(format_named(form), [image], {"defect": "#e5554f"}, tmp_path / "out")
    root = zarr.open_group(tmp_path / "out" / "a b.zarr", mode="r")
    said = root.attrs.asdict() if version == "0.4" else root.attrs["ome"]
    assert [axis["name"] for axis in said["multiscales"][0]["axes"]] == ["c", "y", "x"]
    np.testing.assert_array_equal(np.moveaxis(root["0"][...], 0, -1), pixels)
    group = root["labels/objects"]
    said = group.attrs.asdict() if version == "0.4" else group.attrs["ome"]
    assert {row["label-value"]: row["rgba"] for row in said["image-label"]["colors"]} == {
        number: [0xE5, 0x55, 0x4F, 255] for number in (7, 40, 300)
    }
    assert {row["class"] for row in said["image-label"]["properties"]} == {"defect"}
    np.testing.assert_array_equal(group["0"][...], numbers())
    assert group["0"].metadata.zarr_format == (2 if version == "0.4" else 3)


# ---- what a format cannot hold ----


@pytest.mark.parametrize("form", ["labels", "labels-tiff", "ome-zarr", "coco", "geojson", "binary"])
def test_a_label_array_keeps_its_numbers_or_its_objects(
    tmp_path: Path, images: list[ImageOut], form: str
) -> None:
    losses = write(form, images, tmp_path / "out")
    assert not losses
    found = read(form, tmp_path, images=True)["a b.png"]
    assert [o.label for o in found] == ["裂纹", "pore", "pore"]
    assert {o.record for o in found} == {None}
    for source, number in zip(found, (7, 40, 300), strict=True):
        np.testing.assert_array_equal(source.mask, numbers() == number)
    if form == "labels":
        with Image.open(tmp_path / "out" / "a b.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), numbers())


def test_more_objects_than_bits_are_refused_or_get_more_bits(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.uint32)
    labels[3:5, 3:5], labels[9, 9] = 65_536, 2
    image = labels_out("many.png", labels, classes={2: "pore", 65_536: "pore"})
    with pytest.raises(SamTuneError, match=r"numbers up to 65536, and 16 bits .* labels-tiff"):
        write("labels", [image], tmp_path / "png")
    objects = labels_out(
        "v.png", np.arange(300).reshape(15, 20), classes=dict.fromkeys(range(300), "pore")
    )
    with pytest.raises(SamTuneError, match=r"v\.png has 299 objects, and an index PNG holds 254"):
        export(
            format_named("voc"), [objects], CLASSES, tmp_path / "voc", options=ExportOptions(False)
        )
    assert list(tmp_path.iterdir()) == []
    assert not write("labels-tiff", [image], tmp_path / "tif")
    written = tifffile.imread(tmp_path / "tif" / "many.tif")
    assert written.dtype == np.uint32
    np.testing.assert_array_equal(written, labels)
    write("labels-tiff", [objects], tmp_path / "small")
    assert tifffile.imread(tmp_path / "small" / "v.tif").dtype == np.uint16


def test_names_stay_inside_the_folder_and_do_not_clash(tmp_path: Path) -> None:
    one = np.ones((2, 2), np.uint8)
    images = [labels_out(name, one) for name in ("../../up.png", "/etc/x", 'a:b?"c', "part/up.png")]
    write("labels", images, tmp_path / "out")
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")}
    assert found == {"out/up.png", "out/etc/x.png", "out/a_b__c.png", "out/part/up.png"}
    with pytest.raises(SamTuneError, match=r"a\.png and A\.tif would both become A"):
        write("labels", [labels_out(name, one) for name in ("a.png", "A.tif")], tmp_path / "two")
    assert not (tmp_path / "two").exists()
    names = ("con.png", "sub. /nul.a", "a .png", "contact", ".hidden.png")
    write("labels", [labels_out(name, one) for name in names], tmp_path / "three")
    found = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "three").rglob("*.png")}
    assert found == {f"three/{n}.png" for n in ("_con", "sub/_nul.a", "a", "contact", "_.hidden")}


@pytest.mark.skipif(os.name == "nt", reason="such files are not there")
@pytest.mark.parametrize("form", ["coco", "labels", "semantic", "binary", "qupath"])
def test_what_windows_would_not_call_so_comes_back(tmp_path: Path, form: str) -> None:
    (tmp_path / "images").mkdir()
    names = ["a:b.png", "10:15 ?.png"]
    for name in names:
        Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "images" / name)
    suffix = format_named(form).suffix
    images = [labels_out(n, numbers(), path=tmp_path / "images" / n) for n in names]
    out = export(format_named(form), images, {"defect": "#e5554f"}, tmp_path / f"out{suffix}").path
    dataset = format_named(form).read(Location(out, tmp_path / "images"))
    found = {image.name for image in checked_images(dataset, ImportOptions())}
    assert (found, dataset.left_out.total) == (set(names), 0)


def test_what_a_format_has_no_way_to_say_is_refused(tmp_path: Path) -> None:
    """Two classes of one name in a label map make Datumaro, and so CVAT, refuse the folder."""

    def out(form: str, *labels: str) -> Path:
        pixels = np.zeros(SHAPE, np.uint8)
        image = labels_out("a.png", numbers(), classes={7: labels[0]}, read=lambda: pixels)
        classes = dict.fromkeys((*labels, "defect"), "#e5554f")
        return export(format_named(form), [image], classes, tmp_path / form, overwrite=True).path

    for form in ("voc", "cvat-xml"):
        for label in ("a\x1bb", "a\rb"):
            with pytest.raises(SamTuneError, match="XML cannot hold the character"):
                out(form, label)
        assert not (tmp_path / form).exists()
    with pytest.raises(SamTuneError, match="There are 256 classes"):
        out("semantic", *(f"c{number}" for number in range(255)))
    lines = (out("voc", "a:b", "a_b", "Background") / "labelmap.txt").read_text().splitlines()
    names = [line.partition(":")[0] for line in lines[1:]]
    assert names == ["background", "a_b", "a_b_", "Background_", "defect"]


@pytest.mark.parametrize("form", ["yolo", "labelme", "ome-zarr"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("is_first", [False, True])
def test_images_of_any_order_of_channels_are_written(
    tmp_path: Path, form: str, channels: int, is_first: bool
) -> None:
    shown = np.random.default_rng(0).integers(0, 255, (*SHAPE, channels), np.uint8)
    pixels = np.moveaxis(shown, -1, 0) if is_first else shown
    write(form, [labels_out("a", numbers() * 0, read=lambda: pixels)], tmp_path / "out")
    (image,) = format_named(form).read(Location(tmp_path / "out")).images
    np.testing.assert_array_equal(image.read(), shown.squeeze())


# ---- folders that were spoilt ----


def replace_in(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def rewrite(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8") and None


def picture(name: str, pixels: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: Image.fromarray(pixels).save(folder / name)


def shape(**changes: object) -> Callable[[Path], None]:
    """Change the first shape of labelme's file."""

    def spoil(folder: Path) -> None:
        document = json.loads((folder / "a b.json").read_text(encoding="utf-8"))
        document["shapes"][0] |= changes
        (folder / "a b.json").write_text(json.dumps(document), encoding="utf-8")

    return spoil


def png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def remove(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


LINES = "labels/train/a b.txt"
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><annotation/>'
FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "yolo: box": ("yolo", rewrite(LINES, "0 .5 .5 .1 .1"), r"a b\.txt, line 1, is a box"),
    "yolo: odd": (
        "yolo",
        rewrite(LINES, "0 .5 .5 .1 .1 .2 .2 .3\n0 0 0 1 0 1 1"),
        "line 1, is not a class and",
    ),
    "yolo: words": ("yolo", rewrite(LINES, "0 .5 x"), "line 1, is not a list of numbers"),
    "yolo: class": ("yolo", rewrite(LINES, "9 0 0 1 0 1 1"), "line 1, has the class 9"),
    "yolo: outside": ("yolo", rewrite(LINES, "0 0 0 9 0 1 1"), "line 1, has corners outside"),
    "yolo: nan": ("yolo", rewrite(LINES, "0 0 0 nan 0 1 1"), "line 1, has corners outside"),
    "yolo: absent image": ("yolo", remove("images/train/a b.png"), r"a b\.txt belongs to an image"),
    "yolo: climbs": (
        "yolo",
        replace_in("data.yaml", "images/train", "../../images/train"),
        "“train” names the file '../../images/train', which is not inside",
    ),
    "yolo: no names": ("yolo", replace_in("data.yaml", "names", "nmes"), "no “names”"),
    "yolo: yaml": ("yolo", rewrite("data.yaml", "a: [b"), "is not valid YAML"),
    "voc: entities": ("voc", rewrite("Annotations/a b.xml", BOMB), r"a b\.xml declares entities"),
    "voc: malformed": ("voc", rewrite("Annotations/a b.xml", "<a>"), "is not valid XML"),
    "voc: climbs": (
        "voc",
        replace_in("Annotations/a b.xml", "<filename>a ", "<filename>../"),
        r"a b\.xml names the file '\.\./b\.png'",
    ),
    "voc: no name": (
        "voc",
        replace_in("Annotations/a b.xml", "<name>pore</name>", ""),
        "object 2, has no name",
    ),
    "voc: boxes": ("voc", remove("SegmentationObject/a b.png"), "Boxes are none"),
    "voc: number": (
        "voc",
        picture("SegmentationObject/a b.png", np.full(SHAPE, 4, np.uint8)),
        "has the number 4, but a b.xml lists 3",
    ),
    "voc: size": (
        "voc",
        picture("SegmentationObject/a b.png", np.ones((9, 9), np.uint8)),
        r"a b\.png is 9 × 9",
    ),
    "labelme: climbs": (
        "labelme",
        replace_in("a b.json", '"a b.png"', '"../b.png"'),
        "names the file",
    ),
    "labelme: absent": ("labelme", remove("a b.png"), r"no image file .*a b\.png"),
    "labelme: size": ("labelme", replace_in("a b.json", "24", "25"), "says 25 × 31"),
    "labelme: line": ("labelme", shape(shape_type="line"), "shape 0, is a line"),
    "labelme: points": ("labelme", shape(points=[[1, "x"]]), "shape 0, has too few points"),
    "labelme: far": ("labelme", shape(points=[[0, 0], [1e9, 1]]), "shape 0, lies far outside"),
    "labelme: corners": ("labelme", shape(points=[[3, 3], [40, 9]]), "not inside its image"),
    "labelme: mask of another size": (
        "labelme",
        shape(mask=png(np.ones((3, 3), np.uint8))),
        "shape 0, has a mask of 3 × 3 pixels between corners 7 × 9 apart",
    ),
    "labelme: no PNG": ("labelme", shape(mask="c29tZQ=="), "shape 0, has a mask that is no PNG"),
    "labelme: no mask": ("labelme", shape(mask=None), "shape 0, has a mask that is no PNG"),
    "labelme: no label": ("labelme", shape(label=None), "shape 0, has no label"),
    "labelme: no shapes": ("labelme", replace_in("a b.json", "shapes", "s"), "no list “shapes”"),
    "labels: size": ("labels", picture("a b.png", np.ones((9, 9), np.uint8)), "is 9 × 9 pixels"),
    "labels: absent": ("labels", picture("c.png", np.ones(SHAPE, np.uint8)), "image “c”, which is"),
    "labels: table": ("labels", rewrite("records.csv", "entry,record"), "has no column class"),
    "labels: split": ("labels", rewrite("images.csv", "file,image,group,split\na,a,,no"), "line 2"),
    "semantic: classes": ("semantic", remove("classes.csv"), r"classes\.csv cannot be read"),
    "semantic: value": (
        "semantic",
        replace_in("classes.csv", "2,", "3,"),
        r"value 2, which classes\.csv does not list",
    ),
    "binary: climbs": (
        "binary",
        replace_in("masks.csv", "masks/a b/1.png", "../masks/a b/9.png"),
        "line 2, names the file '../masks/a b/9.png'",
    ),
    "binary: absent": ("binary", remove("masks/a b/2.png"), "no image file"),
    "zarr: no labels": ("ome-zarr", remove("a b.zarr/labels"), "is no zarr group"),
    "zarr: climbs": (
        "ome-zarr",
        replace_in("a b.zarr/labels/zarr.json", '"objects"', '"../x"'),
        "names the file '../x'",
    ),
    "zarr: properties": (
        "ome-zarr",
        replace_in("a b.zarr/labels/objects/zarr.json", '"properties": [', '"properties": [3, '),
        "is no label image of OME-Zarr",
    ),
    "zarr: no array": ("ome-zarr", remove("a b.zarr/labels/objects/0"), "is no zarr array"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_entry_is_named(tmp_path: Path, images: list[ImageOut], fault: str) -> None:
    form, spoil, message = FAULTS[fault]
    write(form, images, tmp_path / "out")
    elsewhere = form not in ("yolo", "voc", "labelme")
    assert len(read(form, tmp_path, images=elsewhere)["a b.png"]) in (3, 4)
    spoil(tmp_path / "out")
    with pytest.raises(SamTuneError, match=message):
        read(form, tmp_path, images=elsewhere)


def test_labelmes_polygons_of_one_group_are_one_object(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "out" / "a.png")
    squares = [[[2, 2], [5, 2], [5, 5], [2, 5]], [[10, 2], [12, 2], [12, 4], [10, 4]]]
    shapes = [
        {"label": "pore", "points": points, "group_id": group, "shape_type": kind}
        for points, group, kind in zip(
            [*squares, squares[0]],
            (1, 1, None),
            ("polygon", "oriented_rectangle", "polygon"),
            strict=True,
        )
    ]
    document = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 24, "imageWidth": 31}
    (tmp_path / "out" / "a.json").write_text(json.dumps(document))
    grouped, alone = read("labelme", tmp_path)["a.png"]
    truth = np.zeros(SHAPE, bool)
    truth[2:6, 2:6] = True
    np.testing.assert_array_equal(alone.mask, truth)
    truth[2:5, 10:13] = True
    np.testing.assert_array_equal(grouped.mask, truth)
