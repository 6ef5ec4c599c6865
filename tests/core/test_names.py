"""Names of files as other systems write them, links, and colours that stand for numbers."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from napari_sam_tune import Project
from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.left_out import IMAGE
from napari_sam_tune.core.images.files import list_images
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage

SHAPE = (24, 31)
SQUARE = [4, 5, 12, 5, 12, 11, 4, 11]


def save(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(SHAPE, 90, np.uint8) if pixels is None else pixels
    with path.open("wb") as file:
        Image.fromarray(pixels).save(file, "PNG")
    return path


def run(*options: object) -> str:
    result = CliRunner().invoke(app, [*map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def write_coco(file: Path, name: str) -> None:
    rows = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [SQUARE]}]
    images = [{"id": 1, "file_name": name}]
    document = {"images": images, "categories": [{"id": 1, "name": "dent"}], "annotations": rows}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def write_labelme(file: Path, name: str) -> None:
    points = np.reshape(SQUARE, (-1, 2)).tolist()
    shapes = [{"label": "dent", "points": points, "shape_type": "polygon"}]
    file.write_text(json.dumps({"imagePath": name, "shapes": shapes}), encoding="utf-8")


def write_csv(file: Path, name: str) -> None:
    save(file.parent / "mask of it.png", np.full(SHAPE, 255, np.uint8))
    file.write_text(f'image,mask\n"{name}",mask of it.png\n', encoding="utf-8")


WRITERS = {"coco": write_coco, "labelme": write_labelme, "csv": write_csv}
WORD = st.text("aeouöéßxñ裂한 0.", min_size=1, max_size=6).map(lambda word: f"n{word}z")


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(
    folder=WORD,
    word=WORD,
    separator=st.sampled_from("/\\"),
    before=st.sampled_from(("", "../", "C:/data/", "./")),
    on_disk=st.sampled_from(("NFC", "NFD")),
    said=st.sampled_from(("NFC", "NFD")),
)
@pytest.mark.parametrize("form", WRITERS)
def test_a_file_is_found_however_its_name_is_written(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    folder: str,
    word: str,
    separator: str,
    before: str,
    on_disk: str,
    said: str,
) -> None:
    root = tmp_path_factory.mktemp("set")
    path = save(root / normalize(on_disk, folder) / f"{normalize(on_disk, word)}.png")
    save(root / "other" / f"{normalize(on_disk, word)}.png")  # the folder tells them apart
    assume(folder != "other")
    file = root / ("list.csv" if form == "csv" else "a.json")
    name = normalize(said, f"{before}{folder}/{word}.png").replace("/", separator)
    WRITERS[form](file, name)
    source = root if form == "labelme" else file
    (image,) = checked(format_named(form).read(Location(path=source)))
    assert image.path == path
    assert (image.said is None) == (before in ("", "./"))


def checked(dataset: Dataset) -> list[SourceImage]:
    return checked_images(dataset, ImportOptions())


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(
    words=st.lists(WORD, min_size=1, max_size=3, unique_by=lambda w: normalize("NFC", w).casefold())
)
@pytest.mark.parametrize("form", ["folder", "labels", "ome-zarr"])
def test_files_are_paired_in_either_form_of_unicode(
    tmp_path_factory: pytest.TempPathFactory, form: str, words: list[str]
) -> None:
    root = tmp_path_factory.mktemp("set")
    expected = []
    for word in words:
        expected.append(save(root / "images" / f"{normalize('NFC', word)}.png"))
        other = root / "masks" / normalize("NFD", word)
        if form == "ome-zarr":
            other = Path(f"{other}.ome.zarr")
            write_zarr(other)
        else:
            save(Path(f"{other}.png"), np.eye(*SHAPE, dtype=np.uint8) * 255)
    where = {"masks": root / "masks"} if form == "folder" else {"path": root / "masks"}
    images = checked(format_named(form).read(Location(images=root / "images", **where)))
    assert sorted(image.path for image in images) == sorted(expected)
    assert all(next(image.objects(SHAPE)).mask.any() for image in images)


def write_zarr(path: Path) -> None:
    import zarr

    group = zarr.open_group(path, mode="w").create_group("labels")
    group.attrs["ome"] = {"version": "0.5", "labels": ["cells"]}
    cells = group.create_group("cells")
    cells.create_array("0", data=np.eye(*SHAPE, dtype=np.int32))
    cells.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}]}], "image-label": {}}


def test_labelmes_image_of_another_machine_is_taken_from_its_file(tmp_path: Path) -> None:
    inside = base64.b64encode(save(tmp_path / "elsewhere" / "a.png").read_bytes()).decode()
    folder = tmp_path / "json"
    for name in ("C:\\data\\a.png", "../elsewhere/a.png"):
        folder.mkdir(exist_ok=True)
        write_labelme(folder / "b.json", name)
        document = json.loads((folder / "b.json").read_text(encoding="utf-8"))
        with pytest.raises(SamTuneError, match="no file there has that name"):
            format_named("labelme").read(Location(path=folder))
        (folder / "b.json").write_text(json.dumps(document | {"imageData": inside}))
        (image,) = checked(format_named("labelme").read(Location(path=folder)))
        assert (image.name, image.shape()) == ("a.png", SHAPE)
    save(folder / "deep" / "a.png")  # a file of that name comes first
    (image,) = checked(format_named("labelme").read(Location(path=folder)))
    assert (image.path, image.content) == (folder / "deep" / "a.png", None)


def test_a_list_of_yolo_names_files_of_another_machine(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "images" / "train" / f"{name}.png")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0 0 .5 0 .5 .5")
    (tmp_path / "data.yaml").write_text("train: train.txt\nnames: [dent]")
    listed = ["/home/u/set/images/train/a.png", "images\\train\\b.png", "/home/u/gone.png"]
    (tmp_path / "train.txt").write_text("\n".join(listed))
    dataset = format_named("yolo").read(Location(path=tmp_path))
    a, b = checked(dataset)
    assert (a.name, a.said, b.name, b.said) == ("a.png", listed[0], "b.png", None)
    assert [len(list(image.objects(SHAPE))) for image in (a, b)] == [1, 0]
    assert dataset.left_out.counts == {IMAGE: 1}


def test_an_image_found_elsewhere_is_not_done_where_a_line_of_it_is_left_out(
    tmp_path: Path,
) -> None:
    save(tmp_path / "deep" / "a.png")
    write_csv(tmp_path / "list.csv", "C:\\x\\a.png")
    with (tmp_path / "list.csv").open("a", encoding="utf-8") as file:
        file.write("deep/a.png,gone.png\n,mask of it.png\n")
    dataset = format_named("csv").read(Location(path=tmp_path / "list.csv"))
    (image,) = checked(dataset)
    assert not image.is_whole
    assert sum(dataset.left_out.counts.values()) == 2


def test_of_two_files_of_one_name_none_is_guessed(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        save(tmp_path / "images" / folder / "a.png")
    write_coco(tmp_path / "a.json", "..\\upload\\a.png")
    location = Location(path=tmp_path / "a.json", images=tmp_path / "images")
    with pytest.raises(SamTuneError, match=r"has 2 of that name: one/a\.png, two/a\.png"):
        format_named("coco").read(location)
    write_coco(tmp_path / "a.json", "/mnt/two/a.png")
    said = run("import", tmp_path / "p", "--format", "coco", "--from", location.path, "--images",
               location.images)  # fmt: skip
    assert "1 × image or mask found by its name alone, the first: /mnt/two/a.png for" in said


@pytest.mark.parametrize(
    ("form", "twice"),
    [
        *((form, "images") for form in ("folder", "labels", "cellpose", "voc", "yolo")),
        *((form, "masks") for form in ("folder", "labels", "voc")),
    ],
)
def test_of_two_files_of_one_stem_none_is_guessed_and_the_rest_is_taken(
    tmp_path: Path, form: str, twice: str
) -> None:
    """A photograph beside a picture of its name; two label files of one image."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    where = Location(path=masks, images=images)
    for name in ("a", "b"):
        save(images / f"{name}.png")
        if form == "cellpose":
            save(masks / f"{name}_cp_masks.png", np.eye(*SHAPE, dtype=np.uint8))
        elif form == "yolo":
            (tmp_path / "labels").mkdir(exist_ok=True)
            (tmp_path / "labels" / f"{name}.txt").write_text("0 0 0 .5 0 .5 .5\n")
            (tmp_path / "data.yaml").write_text("train: images\nnames: [dent]\n")
            where = Location(path=tmp_path)
        elif form == "voc":
            save(masks / "SegmentationClass" / f"{name}.png", np.eye(*SHAPE, dtype=np.uint8))
            (masks / "labelmap.txt").write_text("background:0,0,0::\ndent:128,0,0::\n")
        else:
            save(masks / f"{name}.png", np.eye(*SHAPE, dtype=np.uint8))
            where = Location(masks=masks, images=images) if form == "folder" else where
    if twice == "images":
        save(images / "b.bmp")
    else:
        save(masks / ("SegmentationClass" if form == "voc" else "") / "b.tif")
    dataset = format_named(form).read(where)
    assert [image.path.name for image in checked(dataset)] == ["a.png"]
    assert dataset.left_out.total == 1
    (reason,) = (reason for listed in dataset.left_out.reasons.values() for reason in listed)
    assert "share a name without suffix" in reason


def test_a_part_of_yolo_in_another_form_of_unicode(tmp_path: Path) -> None:
    """The yaml was written where "é" is one letter, the folders came from a zip of macOS."""
    part = normalize("NFD", "équipe")
    save(tmp_path / "images" / part / "a.png")
    (tmp_path / "labels" / part).mkdir(parents=True)
    (tmp_path / "labels" / part / "a.txt").write_text("0 0 0 .5 0 .5 .5\n")
    text = f"train: images/{normalize('NFC', part)}\nnames: [dent]\n"
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    (image,) = checked(format_named("yolo").read(Location(path=tmp_path)))
    assert image.labels == {"dent"}


def test_cocos_own_layout_and_the_unicode_of_a_known_image(tmp_path: Path) -> None:
    save(tmp_path / "images" / "val" / normalize("NFD", "Riß é.png"))
    write_coco(tmp_path / "annotations" / "instances_val.json", normalize("NFC", "Riß é.png"))
    project = Project.open(tmp_path / "p")
    pixels = np.full(SHAPE, 90, np.uint8)
    project.register(pixels, normalize("NFC", "Riß é.png"))
    source = tmp_path / "annotations" / "instances_val.json"
    run("import", tmp_path / "p", "--format", "coco", "--from", source)
    (record,) = Project.open(tmp_path / "p").images()
    assert len(Project.open(tmp_path / "p").annotations(record.id)) == 1


# ---- links ----


def test_a_link_counts_by_its_own_name_and_place(tmp_path: Path) -> None:
    store = tmp_path / "store"
    save(store / "3f" / "9c0de4")
    (tmp_path / "images").mkdir()
    link = tmp_path / "images" / "part 7.png"
    link.symlink_to(store / "3f" / "9c0de4")
    save(tmp_path / "masks" / "part 7.png", np.full(SHAPE, 255, np.uint8))
    where = ("--images", tmp_path / "images", "--masks", tmp_path / "masks")
    run("import", tmp_path / "p", *where)
    for form in ("yolo", "voc", "labelme"):
        out = tmp_path / form
        run("export", "masks", tmp_path / "p", "--format", form, "--out", out)
        assert [path.name for path in out.rglob("part 7.*") if path.suffix == ".png"]
        run("import", tmp_path / f"back from {form}", "--format", form, "--from", out)
        assert len(Project.open(tmp_path / f"back from {form}").annotations()) == 1
    store.rename(tmp_path / "moved")
    link.unlink()
    link.symlink_to(tmp_path / "moved" / "3f" / "9c0de4")
    assert Project.open(tmp_path / "p").read_image("part 7.png").shape == SHAPE


def test_what_links_were_recorded_as_before_is_exported_and_found_again(tmp_path: Path) -> None:
    stored = save(tmp_path / "store" / "9c0de4")
    project = Project.open(tmp_path / "p")
    pixels = np.full(SHAPE, 90, np.uint8)
    project.register(pixels, "a.png", path=stored)  # as projects recorded links until now
    project.mark_done("a.png", empty=True)
    run("export", "masks", tmp_path / "p", "--format", "labelme", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "a.png").is_file()
    stored.rename(tmp_path / "moved")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").symlink_to(tmp_path / "moved")
    project.register(pixels, "a.png", path=tmp_path / "images" / "a.png")
    assert Project.open(tmp_path / "p").image("a.png").path == "../images/a.png"


def test_linked_folders_are_searched_once(tmp_path: Path) -> None:
    save(tmp_path / "far" / "lot" / "a.png")
    images = tmp_path / "images"
    images.mkdir()
    (images / "one").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "back").symlink_to(images)
    (images / "self").symlink_to(images / "self")
    (images / "gone.png").symlink_to(tmp_path / "nowhere")
    assert list_images(images, recursive=True) == [images / "one" / "lot" / "a.png"]
    save(tmp_path / "labels" / "one" / "lot" / "a.png", np.eye(*SHAPE, dtype=np.uint8))
    read = format_named("labels").read(Location(path=tmp_path / "labels", images=images))
    assert [image.path for image in checked(read)] == [images / "one" / "lot" / "a.png"]


def test_a_project_that_moves_with_its_images_finds_them_whatever_links_led_to_it(
    tmp_path: Path,
) -> None:
    save(tmp_path / "real" / "images" / "a.png")
    (tmp_path / "short").symlink_to(tmp_path / "real")
    project = Project.open(tmp_path / "short" / "p")
    pixels = np.full(SHAPE, 90, np.uint8)
    project.register(pixels, "a.png", path=tmp_path / "short" / "images" / "a.png")
    (tmp_path / "real").rename(tmp_path / "elsewhere")
    assert Project.open(tmp_path / "elsewhere" / "p").read_image("a.png").shape == SHAPE


# ---- colours that stand for numbers ----

VOC_COLOURS = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
"""The first of VOC's palette, as its development kit prints them."""


def numbers(count: int = 4) -> np.ndarray:
    painted = np.zeros(SHAPE, np.uint8)
    for number in range(1, count + 1):
        painted[5 * number - 4 : 5 * number, number : 8 + number] = number
    return painted


def painted_in(colours: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array(colours, np.uint8)[numbers()]


def write_voc(folder: Path, objects: np.ndarray) -> None:
    save(folder / "JPEGImages" / "a.png")
    save(folder / "SegmentationObject" / "a.png", objects)
    listed = "".join(f"<object><name>c{n}</name></object>" for n in (1, 2, 3, 4))
    (folder / "Annotations").mkdir(exist_ok=True)
    text = f"<annotation><filename>a.png</filename>{listed}</annotation>"
    (folder / "Annotations" / "a.xml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("objects", [numbers(), painted_in(VOC_COLOURS)], ids=["index", "rgb"])
def test_vocs_colours_are_vocs_numbers(tmp_path: Path, objects: np.ndarray) -> None:
    write_voc(tmp_path, objects)
    (image,) = checked(format_named("voc").read(Location(path=tmp_path)))
    for number, found in enumerate(image.objects(SHAPE), start=1):
        assert found.label == f"c{number}"
        np.testing.assert_array_equal(found.mask, numbers() == number)


def test_a_colour_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    write_voc(tmp_path, painted_in([*VOC_COLOURS[:4], (1, 200, 30)]))
    (image,) = checked(format_named("voc").read(Location(path=tmp_path)))
    with pytest.raises(MaskError, match=r"#01c81e stands for nothing\. Objects are numbered"):
        list(image.objects(SHAPE))
    colours = [(0, 0, 0), (250, 0, 0), (9, 0, 0), (0, 0, 77), (1, 2, 3)]
    save(tmp_path / "classes" / "a.png", painted_in(colours))
    rows = [f"{n},c{n}" for n in (1, 2, 3, 4)]
    table = tmp_path / "classes" / "classes.csv"
    table.write_text("\n".join(("value,class", *rows)), encoding="utf-8")
    location = Location(path=tmp_path / "classes", images=tmp_path / "JPEGImages")
    (image,) = checked(format_named("semantic").read(location))
    with pytest.raises(MaskError, match="give a column “colour”"):
        list(image.objects(SHAPE))
    hexes = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in colours[1:]]
    rows = [f"{row},{colour}" for row, colour in zip(rows, hexes, strict=True)]
    table.write_text("\n".join(("value,class,colour", *rows)), encoding="utf-8")
    (image,) = checked(format_named("semantic").read(location))
    for found in image.objects(SHAPE):
        np.testing.assert_array_equal(found.mask, numbers() == int(found.label[1:]))


@pytest.mark.parametrize("is_listed", [False, True])  # in an order that is not the numbers'
def test_segmentation_masks_of_cvat_have_the_classes_of_their_labelmap(
    tmp_path: Path, is_listed: bool
) -> None:
    write_voc(tmp_path, painted_in(VOC_COLOURS))
    if not is_listed:
        shutil.rmtree(tmp_path / "Annotations")
    colours = [(0, 0, 0), (250, 0, 0), (9, 0, 0), (250, 0, 0), (9, 0, 0)]
    save(tmp_path / "SegmentationClass" / "a.png", painted_in(colours))
    labelmap = "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"
    labelmap += "dent:9,0,0::\ncrack:250,0,0::\n"
    (tmp_path / "labelmap.txt").write_text(labelmap, encoding="utf-8")
    (image,) = checked(format_named("voc").read(Location(path=tmp_path)))
    found = list(image.objects(SHAPE))
    assert [one.label for one in found] == ["crack", "dent", "crack", "dent"]
    for number, one in enumerate(found, start=1):
        np.testing.assert_array_equal(one.mask, numbers() == number)
    if is_listed:
        return
    (tmp_path / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(MaskError, match="of which of the 2 classes"):
        checked(format_named("voc").read(Location(path=tmp_path)))


@pytest.mark.parametrize("field", ["image", "mask"])
def test_a_name_too_long_for_the_disk_is_said_and_one_of_windows_found(
    tmp_path: Path, field: str
) -> None:
    deep = [f"{letter * 90}" for letter in "abcd"]
    save(tmp_path / "images" / "short.png")
    save(tmp_path.joinpath("images", *deep, "x.png"))
    save(tmp_path / "mask.png", np.tile(np.uint8([0, 255]), (SHAPE[0], SHAPE[1]))[:, : SHAPE[1]])
    row = {"image": "short.png", "mask": "mask.png", "class": "pore"}
    long = row | {field: "a" * 5000}
    windows = row | {"image": "\\".join([*deep, "x.png"])}
    lines = [",".join(row), *(",".join(one.values()) for one in (long, windows))]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    dataset = format_named("csv").read(Location(tmp_path / "list.csv", tmp_path / "images"))
    images = [*checked_images(dataset, ImportOptions())]
    assert [image.path.name for image in images] == ["x.png"]
    assert "longer than the disk can hold" in str(dataset.left_out.reasons)


@pytest.mark.parametrize("said", ["path: {}\ntrain: x", "train: {}", "train: ../{}.txt"])
def test_a_part_of_yolo_too_long_for_the_disk_is_said(tmp_path: Path, said: str) -> None:
    (tmp_path / "data.yaml").write_text(said.format("a" * 5000) + "\nnames: [a]")
    with pytest.raises(SamTuneError, match="longer than the disk can hold"):
        format_named("yolo").read(Location(tmp_path / "data.yaml"))


def test_an_image_on_record_where_no_disk_can_hold_it_is_not_there(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    file = tmp_path / ("a" * 5000)
    project.add_image("a.png", shape=SHAPE, content_hash="0" * 64, path=file)
    with pytest.raises(SamTuneError):
        project.read_image("a.png")
    real = save(tmp_path / "a.png")
    project.add_image("a.png", shape=SHAPE, content_hash="0" * 64, path=real)
    assert project.image("a.png").path == "../a.png"
