"""Random data sets as each tool writes them: read, exported in the same format, and read again.

What is expected of a polygon is what the tool itself draws of it: Pillow for labelme, pycocotools
for COCO and CVAT, OpenCV for YOLO, GDAL for QuPath.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from rasterio.features import rasterize
from scipy import ndimage
from shapely import Polygon

from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named
from napari_sam_tune.formats.voc_painted import VOID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Found = dict[str, list[tuple[str, Mask]]]

CLASSES = {"pore": "#e5554f", "裂纹 ü": "#f4b942", "long crack": "#5b8def"}


@dataclass(frozen=True)
class Thing:
    """An object: its class, corners (x, y) around a middle, and what it is drawn as."""

    label: str
    corners: NDArray[np.float64]
    kind: str

    def box(self) -> tuple[float, float, float, float]:
        (x0, y0), (x1, y1) = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def flat(self) -> list[float]:
        return [float(value) for value in self.corners.ravel()]


@dataclass(frozen=True)
class Scene:
    """An image: its name without suffix, its (H, W), and what is on it."""

    stem: str
    shape: tuple[int, int]
    things: tuple[Thing, ...]

    def save(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(self.shape, 90, np.uint8)).save(path)
        return path


@st.composite
def things(draw: st.DrawFn, shape: tuple[int, int]) -> Thing:
    """A polygon whose corners go once around: it never crosses itself."""
    height, width = shape
    x, y = draw(st.floats(4, width - 5)), draw(st.floats(4, height - 5))
    angles = np.linspace(0, 2 * np.pi, draw(st.integers(5, 9)), endpoint=False)
    radii = np.array(draw(st.lists(st.floats(2, 9), min_size=len(angles), max_size=len(angles))))
    corners = np.stack((x + radii * np.cos(angles), y + radii * np.sin(angles)), axis=1)
    corners = np.round(np.clip(corners, 0, (width - 1, height - 1)), 2)
    kinds = ("polygon", "box", "circle", "mask")
    return Thing(draw(st.sampled_from([*CLASSES])), corners, draw(st.sampled_from(kinds)))


@st.composite
def scenes(draw: st.DrawFn) -> list[Scene]:
    found = []
    for stem in draw(st.sampled_from((["a"], ["a b", "ü1"], ["sub", "z.1", "8"]))):
        shape = draw(st.integers(12, 40)), draw(st.integers(12, 40))
        found.append(Scene(stem, shape, tuple(draw(st.lists(things(shape), max_size=4)))))
    # a data set without any object is no data set for most tools
    first = found[0]
    return [Scene(first.stem, first.shape, (draw(things(first.shape)), *first.things)), *found[1:]]


def by_pillow(scene: Scene, thing: Thing) -> Mask:
    """As labelme's `shape_to_mask` does."""
    picture = Image.new("L", scene.shape[::-1])
    draw, (x0, y0, x1, y1) = ImageDraw.Draw(picture), thing.box()
    if thing.kind == "box":
        draw.rectangle((x0, y0, x1, y1), outline=1, fill=1)
    elif thing.kind == "circle":
        (x, y), (px, py) = thing.corners[0], thing.corners[1]
        radius = float(np.hypot(px - x, py - y))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    else:
        draw.polygon([(x, y) for x, y in thing.corners.tolist()], outline=1, fill=1)
    return np.asarray(picture, bool)


def by_pycocotools(scene: Scene, thing: Thing) -> Mask:
    x0, y0, x1, y1 = thing.box()
    flat = [x0, y0, x1, y0, x1, y1, x0, y1] if thing.kind == "box" else thing.flat
    return np.asarray(coco_mask.decode(coco_mask.frPyObjects([flat], *scene.shape))[..., 0], bool)


def by_opencv(scene: Scene, thing: Thing) -> Mask:
    """As Ultralytics' `polygon2mask` does, of what is left of the corners in six digits."""
    size = np.array(scene.shape[::-1])
    corners = np.round(thing.corners / size, 6) * size
    drawn = np.zeros(scene.shape, np.uint8)
    cv2.fillPoly(drawn, [corners.astype(np.int32)], 1)
    return drawn > 0


def by_gdal(scene: Scene, thing: Thing) -> Mask:
    outline = Polygon(thing.corners)
    drawn, less, more = (
        np.asarray(rasterize([(one, 1)], out_shape=scene.shape), bool)
        for one in (outline, outline.buffer(-1e-6) or outline, outline.buffer(1e-6))
    )
    # where the middle of a pixel lies on a slanted outline, rounding decides whose it is
    assume(thing.kind == "box" or np.array_equal(less, more))
    return drawn


def painted(scene: Scene, found: list[tuple[str, Mask]]) -> NDArray[np.uint16]:
    """Number masks, later over earlier, as a picture of numbers has them."""
    numbers = np.zeros(scene.shape, np.uint16)
    for number, (_, mask) in enumerate(found, start=1):
        numbers[mask] = number
    return numbers


# ---- how each tool writes ----


def labelme_5(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    return _labelme(folder, scene, {"version": "5.5.0"})


def labelme_3(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """Nothing but polygons, whose kind it does not name, and the image in the file."""
    flat = tuple(Thing(thing.label, thing.corners, "polygon") for thing in scene.things)
    file = io.BytesIO()
    Image.fromarray(np.full(scene.shape, 90, np.uint8)).save(file, "PNG")
    old = {"version": "3.16.7", "imageData": base64.b64encode(file.getvalue()).decode()}
    old |= {"lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128]}
    return _labelme(folder, Scene(scene.stem, scene.shape, flat), old)


def _labelme(folder: Path, scene: Scene, more: dict[str, Any]) -> list[tuple[str, Mask]]:
    shapes, expected = [], []
    is_old = "imageData" in more
    for thing in scene.things:
        mask = by_pillow(scene, thing)
        shape = {"label": thing.label, "group_id": None, "flags": {}}
        shape |= {"shape_type": {"box": "rectangle"}.get(thing.kind, thing.kind)}
        points = thing.corners.tolist()
        if thing.kind == "box":
            points = [list(thing.box()[:2]), list(thing.box()[2:])]
        elif thing.kind == "circle":
            points = points[:2]
        elif thing.kind == "mask":
            y0, x0, y1, x1 = bounding_box(mask)
            file = io.BytesIO()
            Image.fromarray(mask[y0:y1, x0:x1]).save(file, "PNG")
            points = [[x0, y0], [x1 - 1, y1 - 1]]
            shape["mask"] = base64.b64encode(file.getvalue()).decode()
        shape["points"] = points
        if is_old:
            for key in ("shape_type", "group_id"):
                del shape[key]
        shapes.append(shape)
        expected.append((thing.label, mask))
    height, width = scene.shape
    document = {"imagePath": f"{scene.stem}.png", "imageData": None, "flags": {}}
    document |= {"shapes": shapes} | more
    if is_old:
        folder.mkdir(parents=True, exist_ok=True)
    else:
        scene.save(folder / f"{scene.stem}.png")
        document |= {"imageHeight": height, "imageWidth": width}
    (folder / f"{scene.stem}.json").write_text(json.dumps(document), encoding="utf-8")
    return expected


def cvat(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    scene.save(folder / "images" / f"{scene.stem}.png")
    file = folder / "annotations.xml"
    root = ElementTree.Element("annotations")
    if file.is_file():
        root = ElementTree.parse(file).getroot()
    else:
        ElementTree.SubElement(root, "version").text = "1.1"
        ElementTree.SubElement(root, "meta")
    height, width = map(str, scene.shape)
    said = {"id": str(len(root)), "name": f"{scene.stem}.png", "width": width, "height": height}
    image, expected = ElementTree.SubElement(root, "image", said), []
    for thing in scene.things:
        mask = by_pycocotools(scene, thing)
        common = {"label": thing.label, "source": "manual", "occluded": "0", "z_order": "0"}
        if thing.kind == "box":
            ends = zip(("xtl", "ytl", "xbr", "ybr"), thing.box(), strict=True)
            ElementTree.SubElement(image, "box", common | {k: f"{v:.2f}" for k, v in ends})
        elif thing.kind == "mask" and mask.any():
            y0, x0, y1, x1 = bounding_box(mask)
            bits = mask[y0:y1, x0:x1].ravel()
            borders = np.flatnonzero(np.diff(bits.astype(np.int8), prepend=0))
            runs = np.diff(borders, prepend=0, append=bits.size)
            place = {"left": str(x0), "top": str(y0)}
            place |= {"width": str(x1 - x0), "height": str(y1 - y0)}
            rle = {"rle": ", ".join(map(str, runs))}
            ElementTree.SubElement(image, "mask", common | rle | place)
        else:
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in thing.corners)
            ElementTree.SubElement(image, "polygon", common | {"points": points})
        expected.append((thing.label, mask))
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    return expected


def roboflow(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """Polygons alone, a category that nothing has, and names of its own."""
    name = f"{scene.stem}_png.rf.0a1b2c.png"
    scene.save(folder / "train" / name)
    return _coco(folder / "train" / "_annotations.coco.json", scene, name, runs=False)


def cocos_own(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """Crowds in run lengths, and images in a folder beside that of the annotations."""
    scene.save(folder / "images" / f"{scene.stem}.png")
    file = folder / "annotations" / "instances_train2017.json"
    return _coco(file, scene, f"{scene.stem}.png", runs=True)


def _coco(file: Path, scene: Scene, name: str, *, runs: bool) -> list[tuple[str, Mask]]:
    file.parent.mkdir(exist_ok=True)
    document: dict[str, Any] = {"images": [], "annotations": []}
    names = ["none", *CLASSES]
    document["categories"] = [{"id": n, "name": label} for n, label in enumerate(names)]
    if file.is_file():
        document = json.loads(file.read_text(encoding="utf-8"))
    height, width = scene.shape
    key = 100 + len(document["images"])
    document["images"].append({"id": key, "file_name": name, "height": height, "width": width})
    expected = []
    for thing in scene.things:
        flat = Thing(thing.label, thing.corners, "polygon")
        mask = by_pycocotools(scene, flat)
        row = {"id": len(document["annotations"]), "image_id": key, "iscrowd": 0}
        row |= {"category_id": names.index(thing.label), "segmentation": [flat.flat]}
        if runs and thing.kind == "mask":
            bits = mask.ravel(order="F").astype(np.int8)
            borders = np.flatnonzero(np.diff(bits, prepend=0))
            counts = np.diff(borders, prepend=0, append=bits.size).tolist()
            row |= {"iscrowd": 1, "segmentation": {"size": [height, width], "counts": counts}}
        document["annotations"].append(row)
        expected.append((thing.label, mask))
    file.write_text(json.dumps(document), encoding="utf-8")
    return expected


def yolo(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """Roboflow's yaml, which climbs out of the folder, and box lines among the polygons."""
    scene.save(folder / "train" / "images" / f"{scene.stem}.png")
    file = folder / "train" / "labels" / f"{scene.stem}.txt"
    file.parent.mkdir(exist_ok=True)
    document = {"train": "../train/images", "val": "../valid/images", "nc": 3}
    said = yaml.safe_dump(document | {"names": [*CLASSES]}, allow_unicode=True)
    (folder / "data.yaml").write_text(said, encoding="utf-8")
    lines, expected = [], []
    for thing in scene.things:
        number = [*CLASSES].index(thing.label)
        corners = thing.corners / scene.shape[::-1]
        lines.append(f"{number} " + " ".join(f"{value:.6f}" for value in corners.ravel()))
        expected.append((thing.label, by_opencv(scene, thing)))
        if thing.kind == "box":
            lines.append(f"{number} 0.5 0.5 0.2 0.2")
    file.write_text("\n".join(lines), encoding="utf-8")
    return expected


def voc(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """VOC's own pictures, with a border that is not looked at."""
    scene.save(folder / "JPEGImages" / f"{scene.stem}.png")
    drawn = [(thing.label, by_pycocotools(scene, thing)) for thing in scene.things]
    numbers = painted(scene, drawn).astype(np.uint8)
    numbers[numbers.shape[0] - 1] = VOID
    picture = Image.fromarray(numbers)
    picture.putpalette([channel for n in range(256) for channel in (n, 255 - n, n)])
    for name in ("SegmentationObject", "Annotations"):
        (folder / name).mkdir(exist_ok=True)
    picture.save(folder / "SegmentationObject" / f"{scene.stem}.png")
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{scene.stem}.png"
    for thing in scene.things:
        ElementTree.SubElement(ElementTree.SubElement(root, "object"), "name").text = thing.label
    file = folder / "Annotations" / f"{scene.stem}.xml"
    ElementTree.ElementTree(root).write(file, encoding="utf-8")
    return [(label, numbers == n) for n, (label, _) in enumerate(drawn, start=1)]


def qupath(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    scene.save(folder / f"{scene.stem}.png")
    features = []
    for thing in scene.things:
        ring = [*thing.corners.tolist(), thing.corners[0].tolist()]
        of_class = {"name": thing.label, "color": [9, 9, 9]}
        said = {"objectType": "annotation", "classification": of_class}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        key = "PathAnnotationObject" if thing.kind == "box" else f"0-{len(features)}"
        features.append({"type": "Feature", "id": key, "geometry": geometry, "properties": said})
    listed: object = {"type": "FeatureCollection", "features": features}
    if scene.things and scene.things[0].kind == "mask":
        listed = features
    (folder / f"{scene.stem}.geojson").write_text(json.dumps(listed), encoding="utf-8")
    return [(thing.label, by_gdal(scene, thing)) for thing in scene.things]


def cellpose(folder: Path, scene: Scene) -> list[tuple[str, Mask]]:
    """Numbers without classes: those are our table's."""
    scene.save(folder / f"{scene.stem}.png")
    drawn = [("defect", by_pycocotools(scene, thing)) for thing in scene.things]
    numbers = painted(scene, drawn)
    file = folder / f"{scene.stem}_seg.npy"
    document = {"masks": numbers, "outlines": numbers, "filename": f"{scene.stem}.png"}
    document |= {"colors": np.zeros((len(drawn), 3), np.uint8), "chan_choose": [0, 0]}
    np.save(file, document | {"ismanual": np.zeros(len(drawn), bool), "flows": [[], []]})
    return [(label, numbers == n) for n, (label, _) in enumerate(drawn, start=1)]


MANNERS: dict[str, tuple[str, Callable[[Path, Scene], list[tuple[str, Mask]]]]] = {
    "labelme 5": ("labelme", labelme_5),
    "labelme 3": ("labelme", labelme_3),
    "cvat": ("cvat-xml", cvat),
    "roboflow": ("roboflow", roboflow),
    "coco": ("coco", cocos_own),
    "yolo": ("yolo", yolo),
    "voc": ("voc", voc),
    "qupath": ("qupath", qupath),
    "cellpose": ("cellpose", cellpose),
}


def read(form: str, path: Path, images: Path | None = None) -> tuple[Found, list[ImageOut]]:
    """Return what an import would take of a data set, and the same to write."""
    dataset = format_named(form).read(Location(path=path, images=images))
    found: Found = {}
    out = []
    for image in checked_images(dataset, ImportOptions()):
        shape = image.shape()
        masks = [(o.label, o.mask) for o in image.upright_objects(shape) if o.mask.any()]
        found[image.name] = masks
        objects = [_out(label, mask, n) for n, (label, mask) in enumerate(masks, start=1)]
        path = image.path if image.has_file else None
        of_image: dict[str, Any] = {"name": image.name, "shape": shape, "objects": objects}
        out.append(ImageOut(**of_image, path=path, read=image.read))
    return found, out


def _out(label: str, mask: Mask, number: int) -> ObjectOut:
    y0, x0, y1, x1 = box = bounding_box(mask)
    return ObjectOut(None, label, box, mask[y0:y1, x0:x1], number=number)


def assert_same(
    found: list[tuple[str, Mask]], expected: list[tuple[str, Mask]], *, edges: bool = False
) -> None:
    """Compare classes and masks; where `edges`, slanted ones may differ by a pixel."""
    expected = [(label, mask) for label, mask in expected if mask.any()]
    assert [label for label, _ in found] == [label for label, _ in expected]
    for (_, mask), (_, truth) in zip(found, expected, strict=True):
        if edges:
            around = np.ones((3, 3), bool)
            inner = ndimage.binary_erosion(truth, around)
            assert not (inner & ~mask).any()
            assert not (mask & ~ndimage.binary_dilation(truth, around)).any()
        else:
            np.testing.assert_array_equal(mask, truth)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(drawn=scenes())
@pytest.mark.parametrize("manner", MANNERS)
def test_what_a_tool_wrote_comes_in_goes_out_and_comes_in_the_same(
    tmp_path_factory: pytest.TempPathFactory, manner: str, drawn: list[Scene]
) -> None:
    form, write = MANNERS[manner]
    folder = tmp_path_factory.mktemp("set")
    expected = {scene.stem: write(folder, scene) for scene in drawn}
    found, images = read(form, folder)
    assert len(found) == len(drawn)
    for name, masks in found.items():
        stem = name.removesuffix(".png").removesuffix("_png.rf.0a1b2c")
        assert_same(masks, expected[stem], edges=manner == "yolo")
    known = format_named(form)
    out = folder / f"out{known.suffix}"
    export(known, images, CLASSES | {"defect": "#b07cff"}, out)
    elsewhere = {"coco": folder / "images", "qupath": folder}
    again, _ = read(form, out, elsewhere.get(form))
    assert again.keys() == found.keys()
    for name, masks in again.items():
        before = found[name]
        if form == "yolo":  # whose lines have no holes, and join parts by a line of one pixel
            before = [(label, ndimage.binary_fill_holes(mask)) for label, mask in before]
            parts = [ndimage.label(mask, np.ones((3, 3)))[1] for _, mask in before]
            for (_, mask), (_, was), count in zip(masks, before, parts, strict=True):
                assert count == 1 or not (was & ~mask).any()
            masks = [one for one, count in zip(masks, parts, strict=True) if count == 1]
            before = [one for one, count in zip(before, parts, strict=True) if count == 1]
        assert_same(masks, before)
