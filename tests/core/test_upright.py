"""Photographs of turned cameras, and TIFFs whose numbers are no brightness: seen as others do."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from pycocotools import mask as coco_mask

from napari_sam_tune import Project, Prompt
from napari_sam_tune.core.errors import ImageError, ProjectError, SamTuneError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images, import_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.labelled_images import read_pairs, true_objects
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.exchange.merging import Merge
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.exchange.true_pairs import upright_pairs
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.project import image_files
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATIONS = st.integers(1, 8)
SHAPE = (60, 80)
BOX = (10, 12, 20, 30)
"""(y0, x0, y1, x1) of the bright part of `scene`, upright."""
KINDS = ("jpg", "png", "webp", "tif", "tif-zlib", "tif-lzw", "tif-deep")


def scene() -> np.ndarray:
    """A dark picture with a bright rectangle, upright."""
    pixels = np.random.default_rng(0).integers(60, 90, (*SHAPE, 3), dtype=np.uint8)
    y0, x0, y1, x1 = BOX
    pixels[y0:y1, x0:x1] = (220, 200, 60)
    return pixels


def bright() -> np.ndarray:
    """The mask of it."""
    return scene()[..., 0] > 150


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What the sensor of a camera sees that notes this orientation."""
    for way in (None, *Image.Transpose):
        image = Image.fromarray(upright)
        image = image if way is None else image.transpose(way)
        exif = image.getexif()
        exif[0x0112] = orientation
        back = ImageOps.exif_transpose(image)
        if np.array_equal(np.asarray(back), upright):
            return np.asarray(image)
    raise AssertionError(orientation)


def save(file: Path, stored: np.ndarray, orientation: int, kind: str | None = None) -> None:
    """Save pixels as they are, with a tag of how they are to be shown."""
    kind = kind or file.suffix[1:]
    if kind.startswith("tif"):
        compression = {"tif-zlib": "zlib"}.get(kind)
        tags = [(274, "H", 1, orientation, True)]
        if kind == "tif-lzw":
            Image.fromarray(stored).save(file, compression="tiff_lzw", tiffinfo={274: orientation})
            return
        stored = stored.astype(np.uint16) * 200 if kind == "tif-deep" else stored
        photometric = "rgb" if stored.ndim == 3 else "minisblack"
        tifffile.imwrite(
            file, stored, photometric=photometric, compression=compression, extratags=tags
        )
        return
    exif = Image.Exif()
    exif[0x0112] = orientation
    how: dict[str, Any] = {"lossless": True, "exact": True} if kind == "webp" else {}
    Image.fromarray(stored).save(file, exif=exif.tobytes(), **how)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    colour=st.booleans(),
    orientation=ORIENTATIONS,
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 99),
)
def test_every_picture_comes_in_upright(
    tmp_path: Path,
    height: int,
    width: int,
    colour: bool,
    orientation: int,
    kind: str,
    seed: int,
) -> None:
    """Whatever the kind, what is read is what Pillow makes of the tag."""
    shape = (height, width, 3) if colour or kind == "webp" else (height, width)
    stored = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file = tmp_path / f"a.{kind.partition('-')[0]}"
    save(file, stored, orientation, kind)
    if kind == "jpg":
        stored = np.asarray(Image.open(file))
    shown = Image.fromarray(stored)
    shown.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(shown))
    if kind == "tif-deep":
        expected = expected.astype(np.uint16) * 200
    read = read_image(file)
    assert np.array_equal(read, expected)
    assert image_shape(file) == read.shape[:2]
    with open_picture(file) as picture:
        assert picture.orientation == orientation
        assert picture.is_plain == (orientation == 1)


@pytest.mark.parametrize("tag", [0, 9, 600])
def test_a_tag_of_nonsense_turns_nothing(tmp_path: Path, tag: int) -> None:
    save(tmp_path / "a.png", scene(), tag)
    assert np.array_equal(read_image(tmp_path / "a.png"), scene())


def take_in(project: Project, form: str, **where: Path) -> None:
    dataset = format_named(form).read(Location(**where))
    options = ImportOptions(val=0, test=0)
    for _ in import_images(project, dataset.name, checked_images(dataset, options), options):
        pass


def write(project: Project, form: str, out: Path) -> Path:
    chosen = selection(project)
    export(format_named(form), images_out(project), chosen.classes, out)
    return out


def painted(folder: Path, form: str, name: str, mask: np.ndarray) -> dict[str, Path]:
    """Write a mask as a picture in a format, and say where."""
    masks, where = folder / "masks", {"images": folder / "images", "masks": folder / "masks"}
    masks.mkdir(exist_ok=True)
    if form == "cellpose":
        np.save(folder / "images" / f"{name}_seg.npy", {"masks": mask.astype(np.uint16)})
        return {"path": folder / "images"}
    if form == "voc":
        (folder / "SegmentationClass").mkdir(exist_ok=True)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "SegmentationClass" / f"{name}.png")
        (folder / "labelmap.txt").write_text("background:0,0,0::\ndefect:128,0,0::\n")
        return {"path": folder, "images": folder / "images"}
    Image.fromarray(mask.astype(np.uint8) * 255).save(masks / f"{name}.png")
    return where if form == "folder" else {"path": masks, "images": folder / "images"}


def boxes(project: Project) -> dict[str, tuple[int, ...]]:
    """Where the single object of each image lies."""
    return {a.image_id: a.bbox for a in project.annotations()}


@pytest.mark.parametrize(
    ("form", "orientation"),
    [
        *(("folder", orientation) for orientation in range(2, 9)),
        *((form, turn) for form in ("labels", "voc", "cellpose") for turn in (3, 6)),
    ],
)
@pytest.mark.parametrize("drawn_on", ["shown", "stored"])
def test_masks_as_pictures_lie_on_what_they_were_drawn_on(
    tmp_path: Path, form: str, drawn_on: str, orientation: int
) -> None:
    """By their size where only one fits, by the picture's edges where both do."""
    (tmp_path / "images").mkdir()
    save(tmp_path / "images" / "a.png", as_stored(scene(), orientation), orientation)
    mask = bright() if drawn_on == "shown" else as_stored(bright(), orientation)
    project = Project.open(tmp_path / "project")
    take_in(project, form, **painted(tmp_path, form, "a", mask))
    assert boxes(project) == {"a.png": BOX}


def test_masks_of_a_large_photograph_lie_where_its_edges_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of so many pixels one looks into the photograph instead of having them."""
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 1000)
    (tmp_path / "images").mkdir()
    save(tmp_path / "images" / "a.png", as_stored(scene(), 3), 3)
    project = Project.open(tmp_path / "project")
    take_in(project, "folder", **painted(tmp_path, "folder", "a", as_stored(bright(), 3)))
    assert boxes(project) == {"a.png": BOX}


def dull(folder: Path, mask_of: dict[str, np.ndarray], orientation: dict[str, int]) -> Location:
    """Photographs of nothing, so that outlines tell nothing."""
    (folder / "images").mkdir()
    for name, turn in orientation.items():
        stored = as_stored(np.full(SHAPE, 9, np.uint8), turn)
        save(folder / "images" / f"{name}.png", stored, turn)
        painted(folder, "folder", name, mask_of[name])
    return Location(images=folder / "images", masks=folder / "masks")


def test_true_masks_of_a_simulation_lie_on_what_they_were_drawn_on(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, turn in (("a", 3), ("b", 6), ("c", 1)):
        save(tmp_path / "images" / f"{name}.png", as_stored(scene(), turn), turn)
        painted(tmp_path, "folder", name, as_stored(bright(), turn))
    painted(tmp_path, "folder", "d", bright()[1:])
    save(tmp_path / "images" / "d.png", scene(), 1)
    left_out = LeftOut()
    found = read_pairs(tmp_path / "images", tmp_path / "masks")
    pairs, remarks = upright_pairs(found, left_out)
    assert [pair.stem for pair in pairs] == ["a", "b", "c"]
    for pair in pairs:
        (true,) = true_objects(pair, SHAPE)
        np.testing.assert_array_equal(true.mask, bright())
    assert max(remarks.values()) == 2
    assert "d.png" in left_out.reasons["image that cannot be taken"][0]


def test_what_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    """An image that may be either is left out until somebody says which."""
    masks = {"a": as_stored(bright(), 3), "b": bright()}
    location = dull(tmp_path, masks, {"a": 3, "b": 1})
    project = Project.open(tmp_path / "project")
    dataset = format_named("folder").read(location)
    (alone,) = checked_images(dataset, ImportOptions())
    assert alone.name == "b.png"
    (reason,) = dataset.left_out.reasons["image that cannot be taken"]
    assert "a.png" in reason
    assert "--drawn-on stored" in reason
    for told, box in (("stored", BOX), ("shown", (40, 50, 50, 68))):
        options = ImportOptions(val=0, test=0, drawn_on=told)
        project = Project.open(tmp_path / told)
        images = checked_images(format_named("folder").read(location), options)
        for _ in import_images(project, "folder", images, options):
            pass
        assert boxes(project) == {"a.png": box, "b.png": BOX}
    with pytest.raises(SamTuneError, match="neither"):
        ImportOptions(drawn_on="sideways")


def test_sizes_of_one_photograph_tell_of_the_others(tmp_path: Path) -> None:
    """One program drew all masks: where one fits the stored pixels alone, all lie on those."""
    masks = {"a": as_stored(bright(), 3), "b": as_stored(bright(), 6)}
    location = dull(tmp_path, masks, {"a": 3, "b": 6})
    project = Project.open(tmp_path / "project")
    take_in(project, "folder", images=location.images, masks=location.masks)
    assert boxes(project) == {"a.png": BOX, "b.png": BOX}


def test_a_coco_file_of_the_stored_size_means_the_stored_pixels(tmp_path: Path) -> None:
    """Scripts ask Pillow for sizes, which does not turn."""
    save(tmp_path / "a.png", as_stored(scene(), 6), 6)
    stored = as_stored(bright(), 6)
    runs = coco_mask.encode(np.asfortranarray(stored.astype(np.uint8)))
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 80, "width": 60}],
        "categories": [{"id": 1, "name": "dent"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": {"size": [80, 60], "counts": runs["counts"].decode()},
            }
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(document))
    project = Project.open(tmp_path / "project")
    take_in(project, "coco", path=tmp_path / "c.json")
    assert boxes(project) == {"a.png": BOX}


@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_labels_of_other_tools_lie_on_the_upright_image(tmp_path: Path, orientation: int) -> None:
    """labelme and YOLO describe the image as they showed it."""
    y0, x0, y1, x1 = BOX
    corners = [[x0, y0], [x1 - 1, y0], [x1 - 1, y1 - 1], [x0, y1 - 1]]
    labelme, yolo = tmp_path / "labelme", tmp_path / "yolo"
    for folder in (labelme, yolo / "images" / "train", yolo / "labels" / "train"):
        folder.mkdir(parents=True)
    save(labelme / "a.jpg", as_stored(scene(), orientation), orientation)
    shape = {"label": "dent", "points": corners, "shape_type": "polygon"}
    said = {"imagePath": "a.jpg", "imageData": None, "imageHeight": 60, "imageWidth": 80}
    (labelme / "a.json").write_text(json.dumps({"version": "5.5.0", "shapes": [shape], **said}))
    shutil.copy(labelme / "a.jpg", yolo / "images" / "train")
    numbers = " ".join(f"{(x + 0.5) / 80:.6f} {(y + 0.5) / 60:.6f}" for x, y in corners)
    (yolo / "labels" / "train" / "a.txt").write_text(f"0 {numbers}\n")
    (yolo / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [dent]\n")
    for form, folder in (("labelme", labelme), ("yolo", yolo)):
        project = Project.open(tmp_path / f"{form}.project")
        take_in(project, form, path=folder)
        ((found,), (record,)) = project.annotations(), project.images()
        assert (found.bbox, record.shape) == (BOX, SHAPE)
        assert project.read_image(record.id)[found.mask].mean(axis=0)[0] > 200


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_exports_are_upright_and_say_nothing_of_turning(
    tmp_path: Path, orientation: int, kind: str
) -> None:
    """Whoever heeds the tag and whoever does not see one picture, and polygons on it."""
    file = tmp_path / f"a.{kind}"
    save(file, as_stored(scene(), orientation), orientation)
    project = Project.open(tmp_path / "p")
    pixels = read_image(file)
    project.register(pixels, file.name, path=file)
    project.add(NewAnnotation(file.name, bright(), "dent"))
    out = write(project, "labelme", tmp_path / "labelme")
    (copy,) = (path for path in out.iterdir() if path.stem == "a" and path.suffix != ".json")
    said = json.loads((out / "a.json").read_text())
    assert (said["imageHeight"], said["imageWidth"], said["imagePath"]) == (*SHAPE, copy.name)
    with Image.open(copy) as image:
        assert image.getexif().get(0x0112, 1) == 1
        seen = np.asarray(image.convert("RGB")).astype(int)
    assert seen.shape[:2] == SHAPE
    assert np.abs(seen - pixels.astype(int)).mean() < 1e-9
    coco = json.loads(write(project, "coco", tmp_path / "c.json").read_text())
    assert (coco["images"][0]["height"], coco["images"][0]["width"]) == SHAPE
    again = Project.open(tmp_path / "again")
    take_in(again, "labelme", path=out)
    assert np.array_equal(again.annotations()[0].mask, bright())
    before = [record.id for record in project.annotations()]
    take_in(project, "labelme", path=out)  # known by its pixels: nothing is new
    assert [record.id for record in project.annotations()] == before


@pytest.mark.parametrize("form", ["labelme", "yolo", "voc", "roboflow", "cvat-xml", "cellpose"])
def test_what_is_written_anew_comes_back_as_the_same_image(tmp_path: Path, form: str) -> None:
    """Turned, inverted, of one bit, of inks: the project knows each by its pixels."""
    save(tmp_path / "turned.jpg", as_stored(scene(), 6), 6)
    save(tmp_path / "deep.tif", as_stored(scene()[..., 0], 3), 3, "tif-deep")
    tifffile.imwrite(tmp_path / "bit.tif", ~bright(), photometric="miniswhite")
    save(tmp_path / "turned-bit.png", as_stored(bright(), 6), 6)
    save(tmp_path / "deep-colour.tif", as_stored(scene(), 3), 3, "tif-deep")
    Image.fromarray(scene()).convert("CMYK").save(tmp_path / "inks.tif")
    Image.fromarray(scene()).quantize(8).save(tmp_path / "palette.tif")
    project = Project.open(tmp_path / "p")
    for file in [*tmp_path.glob("*.*")]:
        project.register(read_image(file), file.name, path=file)
        project.add(NewAnnotation(file.name, bright(), "dent"))
    before = [record.id for record in project.annotations()]
    take_in(project, form, path=write(project, form, tmp_path / "out"))
    assert len(project.images()) == len(before) == 7
    assert [record.id for record in project.annotations()] == before


@pytest.mark.parametrize("form", ["labels", "semantic", "binary", "cellpose", "voc", "ome-zarr"])
def test_our_own_masks_are_upright_whatever_the_picture_looks_like(
    tmp_path: Path, form: str
) -> None:
    """A mask of plain ground, beside an edge that it would lie on if it were turned."""
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / "a.png"
    save(file, as_stored(scene(), 3), 3)
    project = Project.open(tmp_path / "p")
    project.register(read_image(file), file.name, path=file)
    plain = as_stored(bright(), 3)
    project.add(NewAnnotation(file.name, plain, "dent"))
    options = ExportOptions(copy_images=False)
    classes = selection(project).classes
    export(format_named(form), images_out(project), classes, tmp_path / "out", options=options)
    again = Project.open(tmp_path / "again")
    take_in(again, form, path=tmp_path / "out", images=tmp_path / "images")
    (found,) = again.annotations()
    assert np.array_equal(found.mask, plain)


def test_masks_that_an_export_of_before_left_as_stored_are_turned(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / "a.png"
    save(file, as_stored(scene(), 6), 6)
    project = Project.open(tmp_path / "p")
    project.register(read_image(file), file.name, path=file)
    project.add(NewAnnotation(file.name, bright(), "dent"))
    out = write(project, "labels", tmp_path / "out")
    Image.fromarray(as_stored(bright(), 6).astype(np.uint16)).save(out / "a.png")
    again = Project.open(tmp_path / "again")
    take_in(again, "labels", path=out, images=tmp_path / "images")
    (found,) = again.annotations()
    assert np.array_equal(found.mask, bright())


def test_an_upright_photograph_is_copied_as_it_is(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", scene(), 1)
    project = Project.open(tmp_path / "p")
    project.register(read_image(tmp_path / "a.jpg"), "a.jpg", path=tmp_path / "a.jpg")
    project.add(NewAnnotation("a.jpg", bright(), "dent"))
    out = write(project, "labelme", tmp_path / "labelme")
    assert (out / "a.jpg").read_bytes() == (tmp_path / "a.jpg").read_bytes()


# ---- projects made before ----


def old_project(
    folder: Path, file: Path, stored: np.ndarray, mask: np.ndarray, named: str | None = None
) -> Project:
    """A project as the first releases made it of the pixels as they are stored."""
    project = Project.open(folder)
    project._journal.append(
        "image",
        id=file.name,
        shape=list(stored.shape[:2]),
        content_hash=named or content_hash(stored),
        group=file.name,
        split="train",
        path=project._relative(file),
        stratum=None,
    )
    y0, x0, y1, x1 = (int(n) for n in (*np.argwhere(mask).min(0), *np.argwhere(mask).max(0)))
    drawn = [((x0, y0), (x1, y1))]
    prompt = Prompt([(x0, y0)], [1], box=(x0, y0, x1, y1), strokes=drawn)
    project.add(NewAnnotation(file.name, mask, "dent", prompts=(prompt,), locked=mask))
    return project


@settings(max_examples=16, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orientation=st.integers(2, 8), seed=st.integers(0, 99))
def test_masks_of_old_projects_turn_with_their_image(
    tmp_path_factory: pytest.TempPathFactory, orientation: int, seed: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("old")
    rng = np.random.default_rng(seed)
    upright = rng.integers(0, 256, (11, 7, 3), dtype=np.uint8)
    mask = rng.random((11, 7)) > 0.6
    mask[3, 2] = True
    file = tmp_path / "a.png"
    stored = as_stored(upright, orientation)
    save(file, stored, orientation)
    laid = as_stored(mask.astype(np.uint8), orientation) > 0
    old_project(tmp_path / "p", file, stored, laid)
    log = (tmp_path / "p" / "log.jsonl").read_bytes()

    project = Project.open(tmp_path / "p")
    ((kept,), (record,)) = project.annotations(), project.images()
    assert (record.shape, record.content_hash) == ((11, 7), content_hash(upright))
    assert np.array_equal(project.read_image("a.png"), upright)
    assert np.array_equal(kept.mask, mask)
    y0, x0, y1, x1 = kept.bbox
    assert np.array_equal(kept.cropped_mask, mask[y0:y1, x0:x1])
    assert np.array_equal(kept.locked, mask)
    assert kept.prompts[0].box == (x0, y0, x1 - 1, y1 - 1)
    ((x, y),) = kept.prompts[0].points
    assert x in (x0, x1 - 1)
    assert y in (y0, y1 - 1)
    assert kept.prompts[0].strokes[0] == ((x, y), (x0 + x1 - 1 - x, y0 + y1 - 1 - y))
    assert (tmp_path / "p" / "log.jsonl").read_bytes() == log  # looking at it changes nothing

    new = np.zeros((11, 7), bool)
    new[0, 6] = True
    project.add(NewAnnotation("a.png", new, "dent"))
    file.unlink()  # even where the file cannot be asked any more
    first, second = Project.open(tmp_path / "p").annotations()
    assert np.array_equal(first.mask, mask)
    assert np.array_equal(second.mask, new)


def test_an_old_image_is_the_same_however_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    save(file, as_stored(scene(), 6), 6)
    stored = np.asarray(Image.open(file))
    old_project(tmp_path / "p", file, stored, as_stored(bright().astype(np.uint8), 6) > 0)
    project = Project.open(tmp_path / "p")
    upright = read_image(file)
    by_array = project.register(stored, "a.jpg", path=file)
    by_file = project.register(upright, "a.jpg", path=file)
    assert by_array == by_file == project.image("a.jpg")
    assert np.array_equal(project.upright(stored, by_array), upright)
    assert np.array_equal(project.upright(upright, by_array), upright)
    with pytest.raises(ProjectError, match="pixels differ"):
        project.register(255 - upright, "a.jpg", path=file)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_bit_images_are_known_by_the_names_that_the_first_releases_gave(
    tmp_path: Path, name: str
) -> None:
    """Those were of the bytes in memory, which Pillow and tifffile give true each in its way."""
    file, true = tmp_path / name, 255 if name == "a.png" else 1
    Image.fromarray(bright()).save(file)
    content = hashlib.sha256(f"{SHAPE} |b1".encode())
    content.update(struct.pack("<q", bright().size))
    content.update((bright() * np.uint8(true)).tobytes())
    named = content.hexdigest()[:32]
    project = old_project(tmp_path / "p", file, bright(), bright(), named)
    known = project.image(name)
    assert project.register(bright(), name) == known
    assert project.register(read_image(file), name, path=file) == known
    assert np.array_equal(project.read_image(name), bright())
    take_in(project, "labelme", path=write(project, "labelme", tmp_path / "out"))
    assert len(project.annotations()) == len(project.images()) == 1
    (tmp_path / "moved").mkdir()
    file.rename(tmp_path / "moved" / "b.png")
    assert project.relink(tmp_path / "moved") == [name]
    with pytest.raises(ProjectError, match="pixels differ"):
        project.register(~bright(), name)


def test_what_was_found_upright_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned, plain = tmp_path / "a.jpg", scene()
    save(turned, as_stored(scene(), 6), 6)
    original, stored = turned.read_bytes(), np.asarray(Image.open(turned))
    save(tmp_path / "b.png", plain, 1)
    path = tmp_path / "p"
    old_project(path, turned, stored, as_stored(bright().astype(np.uint8), 6) > 0)
    save(turned, 255 - plain, 1)  # another one, upright, in its place
    old_project(path, tmp_path / "b.png", plain, bright())
    log = (path / "log.jsonl").read_bytes()
    Project.open(path)
    assert (path / "log.jsonl").read_bytes() == log
    Project.open(path).set_class("dent", "#ffffff")

    with monkeypatch.context() as changed:
        changed.setattr(image_files, "open_picture", lambda _: pytest.fail("looked at again"))
        Project.open(path)
    turned.write_bytes(original)
    project = Project.open(path)
    assert np.array_equal(project.read_image("a.jpg"), stored)  # as its masks were made
    upright = read_image(turned)
    project.add_image(
        "a.jpg", shape=upright.shape[:2], content_hash=content_hash(upright), path=turned
    )
    assert np.array_equal(Project.open(path).read_image("a.jpg"), upright)
    assert np.array_equal(project.annotations("a.jpg")[0].mask, bright())


def test_a_lost_photograph_is_found_and_turned(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    save(file, as_stored(scene(), 8), 8)
    stored = np.asarray(Image.open(file))
    old_project(tmp_path / "p", file, stored, as_stored(bright().astype(np.uint8), 8) > 0)
    (tmp_path / "moved").mkdir()
    shutil.move(file, tmp_path / "moved" / "b.jpg")
    project = Project.open(tmp_path / "p")
    assert project.images()[0].shape == stored.shape[:2]
    assert project.relink(tmp_path / "moved") == ["a.jpg"]
    assert np.array_equal(project.annotations()[0].mask, bright())
    assert project.read_image("a.jpg").shape[:2] == SHAPE


@pytest.mark.parametrize("missing", ["here", "there", "neither"])
def test_merging_with_a_project_that_was_turned(tmp_path: Path, missing: str) -> None:
    """Each side may know the image as it was; both masks are one object."""
    laid = as_stored(bright().astype(np.uint8), 6) > 0
    for side in ("here", "there"):
        (tmp_path / side).mkdir()
        file = tmp_path / side / "a.jpg"
        save(file, as_stored(scene(), 6), 6)
        old_project(tmp_path / side / "p", file, np.asarray(Image.open(file)), laid)
        if side == missing:
            file.unlink()
    project, other = (Project.open(tmp_path / side / "p") for side in ("here", "there"))
    list(Merge(project, other).run())
    (record,) = project.images()
    assert record.shape == SHAPE
    assert all(np.array_equal(kept.mask, bright()) for kept in project.annotations())
    again = Project.open(tmp_path / "here" / "p")
    assert all(np.array_equal(kept.mask, bright()) for kept in again.every_record())
    assert len(again.every_record()) == 2


def test_what_was_read_otherwise_before_is_the_same_image(tmp_path: Path) -> None:
    """A white-is-zero TIFF was read inverted; three planes were taken for colour."""
    grey = scene()[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", 255 - grey, photometric="miniswhite")
    old_project(tmp_path / "p", tmp_path / "a.tif", 255 - grey, bright())
    project = Project.open(tmp_path / "p")
    assert np.array_equal(project.read_image("a.tif"), grey)
    assert project.image("a.tif").content_hash == content_hash(grey)
    assert np.array_equal(project.annotations()[0].mask, bright())

    planes = np.stack([grey, grey, grey[::-1]])
    tifffile.imwrite(tmp_path / "z.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    stack = Project.open(tmp_path / "stack")
    stack._journal.append(
        "image",
        id="z.tif",
        shape=list(SHAPE),
        content_hash=content_hash(planes),
        group="z",
        split="train",
        path=stack._relative(tmp_path / "z.tif"),
        stratum=None,
    )
    assert np.array_equal(Project.open(tmp_path / "stack").read_image("z.tif"), planes)
    with pytest.raises(ImageError, match=r"z\.tif is a stack of planes \(3 along Z\)"):
        read_image(tmp_path / "z.tif")


# ---- a path is kept only if it holds the pixels ----


def test_pixels_that_are_not_the_files_are_kept_in_the_project(tmp_path: Path) -> None:
    pixels = scene()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    project = Project.open(tmp_path / "p")
    for name, given_pixels in (("channel", pixels[..., 0]), ("filtered", 255 - pixels)):
        record = project.register(given_pixels, name, path=tmp_path / "a.png")
        assert record.path is None
        project.add(NewAnnotation(name, bright(), "dent"))
        assert np.array_equal(project.read_image(name), given_pixels)
    assert project.register(pixels, "whole", path=tmp_path / "a.png").path is not None
    out = write(project, "yolo", tmp_path / "yolo")
    (copy,) = (out / "images").rglob("filtered.*")
    assert np.array_equal(np.asarray(Image.open(copy)), 255 - pixels)


def test_a_project_that_trusted_a_path_is_mended_when_the_image_is_shown(tmp_path: Path) -> None:
    pixels = scene()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    other = 255 - pixels
    old_project(tmp_path / "p", tmp_path / "a.png", other, bright())
    project = Project.open(tmp_path / "p")
    with pytest.raises(ProjectError, match="pixels differ"):
        project.read_image("a.png")
    project.register(other, "a.png", path=tmp_path / "a.png")
    assert np.array_equal(Project.open(tmp_path / "p").read_image("a.png"), other)


# ---- kinds of TIFF ----


def tiffs() -> dict[str, tuple[np.ndarray, dict[str, Any], np.ndarray]]:
    """What is stored, how, and what a viewer shows."""
    rgb, grey = scene(), scene()[..., 0]
    deep = grey.astype(np.uint16) * 200
    table = np.zeros((3, 256), np.uint16)
    table[:, 7] = 220 << 8, 200 << 8, 60 << 8
    numbers = np.where(bright(), 7, 0).astype(np.uint8)
    painted = np.where(bright()[..., None], np.uint8([220, 200, 60]), 0).astype(np.uint8)
    black = np.zeros((*SHAPE, 1), np.uint8)
    return {
        "white is zero": (255 - grey, {"photometric": "miniswhite"}, grey),
        "white is zero, 16 bits": (65535 - deep, {"photometric": "miniswhite"}, deep),
        "white is zero, 1 bit": (~bright(), {"photometric": "miniswhite"}, bright()),
        "palette": (numbers, {"photometric": "palette", "colormap": table}, painted),
        "inks": (np.dstack([255 - rgb, black]), {"photometric": "separated"}, rgb),
        "planar": (
            np.moveaxis(rgb, -1, 0),
            {"photometric": "rgb", "planarconfig": "separate"},
            rgb,
        ),
        "one plane": (grey[None], {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}, grey),
        "three channels": (
            np.moveaxis(rgb, -1, 0),
            {"photometric": "minisblack", "imagej": True, "metadata": {"axes": "CYX"}},
            rgb,
        ),
    }


@pytest.mark.parametrize("name", tiffs())
def test_a_tiff_is_read_as_it_is_shown(tmp_path: Path, name: str) -> None:
    stored, how, shown = tiffs()[name]
    tifffile.imwrite(tmp_path / "a.tif", stored, **how)
    read = read_image(tmp_path / "a.tif")
    assert read.dtype == shown.dtype
    assert np.array_equal(read, shown)
    assert image_shape(tmp_path / "a.tif") == SHAPE


def test_a_thumbnail_before_the_image_is_not_the_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene()[::4, ::4], photometric="rgb")
    tifffile.imwrite(tmp_path / "a.tif", scene(), append=True, photometric="rgb")
    assert np.array_equal(read_image(tmp_path / "a.tif"), scene())
    assert image_shape(tmp_path / "a.tif") == SHAPE


@pytest.mark.parametrize(("axes", "count"), [("ZYX", 3), ("TYX", 4), ("CYX", 2), ("CYX", 4)])
def test_a_stack_is_no_colour(tmp_path: Path, axes: str, count: int) -> None:
    planes = np.stack([scene()[..., 0]] * count)
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, metadata={"axes": axes})
    for door in (read_image, image_shape):
        with pytest.raises(ImageError, match=rf"a\.tif is a stack of planes \({count} along"):
            door(tmp_path / "a.tif")


def test_masks_are_read_by_the_same_rules(tmp_path: Path) -> None:
    """White-is-zero, and a palette's numbers: 180 px, not all others."""
    (tmp_path / "images").mkdir()
    Image.fromarray(scene()).save(tmp_path / "images" / "a.png")
    for name in ("white is zero, 1 bit", "palette", "one plane"):
        stored, how, shown = tiffs()[name]
        if name == "one plane":
            stored = bright().astype(np.uint8)[None] * 255
        folder = tmp_path / name
        folder.mkdir()
        tifffile.imwrite(folder / "a.tif", stored, **how)
        project = Project.open(tmp_path / f"{name}.project")
        take_in(project, "folder", images=tmp_path / "images", masks=folder)
        (found,) = project.annotations()
        assert np.array_equal(found.mask, bright()), name
        assert shown.shape[:2] == SHAPE


@pytest.mark.parametrize("form", ["labels", "folder"])
@pytest.mark.parametrize("kind", ["float", "signed", "one plane"])
def test_numbers_mean_the_same_in_every_format(tmp_path: Path, form: str, kind: str) -> None:
    """ImageJ has floats alone beyond 16 bits, others say -1 for "nothing here"."""
    labels = np.zeros(SHAPE, np.int16)
    labels[10:20, 12:30], labels[30:45, 40:60] = 1, 2
    stored = {
        "float": labels.astype(np.float32),
        "signed": np.where(labels == 0, -1, labels).astype(np.int16),
        "one plane": labels[None],
    }[kind]
    for folder in ("images", "numbers"):
        (tmp_path / folder).mkdir()
    Image.fromarray(scene()).save(tmp_path / "images" / "a.png")
    how = {"metadata": {"axes": "ZYX"}} if kind == "one plane" else {}
    tifffile.imwrite(tmp_path / "numbers" / "a.tif", stored, **how)
    numbers = {"masks" if form == "folder" else "path": tmp_path / "numbers"}
    project = Project.open(tmp_path / "p")
    take_in(project, form, images=tmp_path / "images", **numbers)
    first, second = project.annotations()
    assert np.array_equal(first.mask, labels == 1)
    assert np.array_equal(second.mask, labels == 2)
