"""Files that others made: what they may not reach, fill or hold up, and what survives a kill."""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from typer.testing import CliRunner
from zarr.codecs import BloscCodec

import napari_sam_tune
from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import (
    CheckpointError,
    ImageError,
    MaskError,
    ProjectError,
    SamTuneError,
    StorageError,
    TrainingError,
)
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.images.files import content_hash, list_images, read_image
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.weights_file import read_weights
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.log_lines import salvage
from napari_sam_tune.core.training.run_folder import RunFolder
from napari_sam_tune.core.training.settings import read_config, with_settings
from napari_sam_tune.formats import publishing
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = (24, 31)
PIXELS = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
SECRET = b"-----BEGIN PRIVATE KEY----- hunter2"
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n%%EndComments\n/x 1 def\nshowpage\n%%EOF\n"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="a pipe, /proc, or an exchange of names")


def make_project(folder: Path) -> Project:
    """One image with one mask."""
    path = folder / "images" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(PIXELS).save(path)
    project = Project.open(folder / "p")
    project.add_image("a.png", shape=SHAPE, content_hash=content_hash(PIXELS), path=path)
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 4:12] = True
    project.add(NewAnnotation("a.png", mask, "pore"))
    return project


def write(project: Project, form: str, out: Path, **options: Any) -> None:
    classes = selection(project).classes
    export(format_named(form), images_out(project), classes, out, **options)


def saved_as(kind: str, pixels: np.ndarray = PIXELS) -> bytes:
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG of black pixels, one bit each, whatever its size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 1)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# ---- only the picture that was labelled leaves ----


def things_at_an_images_place(folder: Path) -> Iterator[tuple[Path, str]]:
    """What a log may name as an image, and what is said of it."""
    key = folder / "id_rsa"
    key.write_bytes(SECRET)
    yield key, "id_rsa cannot be read as an image: it is no PNG"
    changed = folder / "images" / "b.png"
    Image.fromarray(255 - PIXELS).save(changed)
    yield changed, "was changed since its masks were made"
    postscript = folder / "images" / "c.png"
    postscript.write_bytes(POSTSCRIPT)
    yield postscript, "c.png cannot be read as an image: it is no PNG"
    if sys.platform == "linux":
        os.mkfifo(folder / "pipe.png")
        yield folder / "pipe.png", "pipe.png any more"
        yield Path("/dev/zero"), "/dev/zero any more"
        yield Path("/proc/self/environ"), "environ cannot be read as an image: it is no PNG"


def test_only_the_picture_that_was_labelled_leaves(tmp_path: Path) -> None:
    log = make_project(tmp_path).path / "log.jsonl"
    written = log.read_bytes()
    entries, _ = salvage(log)
    for place, message in things_at_an_images_place(tmp_path):
        said = [{**e, "path": str(place)} if e["kind"] == "image" else e for e in entries]
        ChainedLog(log).rewrite(said, saving_as=tmp_path / "before.jsonl")
        for form in ("yolo", "voc", "labelme", "ome-zarr", "geojson"):
            if form == "geojson" and "any more" in message:
                continue  # holds no image, and says of those that are lost that they are
            command = ["export", "masks", str(tmp_path / "p"), "--format", form, "--out"]
            done = CliRunner().invoke(app, [*command, str(tmp_path / "out")])
            assert done.exit_code == 1, (place, form)
            assert message in str(done.exception), (place, form)
            assert not list(tmp_path.glob("*out*"))
        with pytest.raises((ProjectError, ImageError)):  # training, evaluating, opening
            Project.open(tmp_path / "p").read_image("a.png")
    log.write_bytes(written)
    log.with_name(".log.jsonl.end").unlink()
    write(Project.open(tmp_path / "p"), "yolo", tmp_path / "out")
    assert np.array_equal(read_image(tmp_path / "out/images/train/a.png"), PIXELS)


# ---- one door for pictures ----


def test_five_kinds_of_pictures_come_in_whatever_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\necho 10.0\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    file = tmp_path / "x.png"
    for kind in ("PNG", "BMP", "WEBP", "TIFF"):
        file.write_bytes(saved_as(kind))
        assert np.array_equal(read_image(file), PIXELS), kind
        with open_picture(saved_as(kind)) as picture:
            assert picture.shape[:2] == SHAPE
            assert np.array_equal(picture.read(), PIXELS)
    file.write_bytes(saved_as("JPEG"))
    assert read_image(file).shape == (*SHAPE, 3)
    others = {kind: saved_as(kind) for kind in ("GIF", "ICNS", "JPEG2000", "PPM", "TGA")}
    others |= {kind: saved_as(kind) for kind in ("PCX", "DDS", "SGI", "ICO")}
    for kind, content in {**others, "EPS": POSTSCRIPT}.items():
        file.write_bytes(content)
        for read in (read_image, image_shape):
            with pytest.raises(ImageError, match=r"x\.png cannot be .* it is no PNG"):
                read(file)
        with pytest.raises(ImageError, match="it is no PNG"), open_picture(content, "It"):
            pass
        assert not ran.exists(), kind


def test_a_header_may_not_claim_more_than_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(png_of(12_500, 12_500))
    assert read_image(file).shape == (12_500, 12_500)
    file.write_bytes(png_of(20_000, 20_000))
    for read in (read_image, image_shape):
        with pytest.raises(ImageError, match=r"x\.png has too many pixels: 400 million.* as TIFF"):
            read(file)
    tiff = tmp_path / "x.tif"
    tifffile.imwrite(tiff, np.zeros(SHAPE, np.uint8), compression="zlib")
    with tifffile.TiffFile(tiff, mode="r+") as opened:
        for tag in ("ImageWidth", "ImageLength"):
            opened.pages[0].tags[tag].overwrite(60_000)
    with pytest.raises(ImageError, match=r"x\.tif claims 3\.6 GB of pixels in a file of 0\.0 MB"):
        read_image(tiff)
    # a few pixels, and in their place what unpacks to 300 MB
    strip = zlib.compress(bytes(300 << 20), 1)
    offset = tiff.stat().st_size
    tifffile.imwrite(tiff, np.zeros(SHAPE, np.uint8), compression="zlib", rowsperstrip=SHAPE[0])
    with tiff.open("ab") as appended:
        offset = appended.tell()
        appended.write(strip)
    with tifffile.TiffFile(tiff, mode="r+") as opened:
        opened.pages[0].tags["StripOffsets"].overwrite(offset)
        opened.pages[0].tags["StripByteCounts"].overwrite(len(strip))
    with pytest.raises(ImageError, match=r"x\.tif hides far more in its compression"):
        read_image(tiff)


def test_a_tiff_opens_no_other_file(tmp_path: Path) -> None:
    private = tmp_path / "private" / "other.tif"
    private.parent.mkdir()
    tifffile.imwrite(private, np.full(SHAPE, 99, np.uint8))
    height, width = SHAPE
    pixels = (
        f'<Pixels DimensionOrder="XYCZT" ID="P:0" SizeC="2" SizeT="1" SizeX="{width}" '
        f'SizeY="{height}" SizeZ="1" Type="uint8"><Channel ID="C:0"/><Channel ID="C:1"/>'
        '<TiffData FirstC="0" IFD="0"><UUID FileName="mine.ome.tif">urn:uuid:1</UUID></TiffData>'
        f'<TiffData FirstC="1" IFD="0"><UUID FileName="{private}">urn:uuid:2</UUID></TiffData>'
    )
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="urn:uuid:1"><Image ID="I:0">{pixels}</Pixels></Image></OME>'
    )
    mine = tmp_path / "mine.ome.tif"
    tifffile.imwrite(mine, PIXELS[..., 0], description=text, metadata=None)
    assert 99 in tifffile.imread(mine)[1:]  # what is kept from happening
    assert np.array_equal(read_image(mine), PIXELS[..., 0])


DOORS = {
    "Image.open": None,
    "tifffile.TiffFile": "core/images/tiff_picture.py",
    "tifffile.imread": None,
    "rasterio.open": "formats/rasters.py",
    "yaml.safe_load": None,
    "yaml.load": "core/documents.py",
}


def test_there_is_one_door_for_each_kind_of_file() -> None:
    package = Path(napari_sam_tune.__file__).parent
    for file in package.rglob("*.py"):
        name = file.relative_to(package).as_posix()
        called = {
            f"{node.func.value.id}.{node.func.attr}"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        }
        for call, door in DOORS.items():
            assert call not in called or name == door, f"{name} calls {call}"
        assert "json.loads" not in called or not name.startswith("formats/"), name


# ---- an export that is killed ----

KILLED = """
import os, sys
from pathlib import Path
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.formats import publishing
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named
_, way, project, out = sys.argv
if way == "in two steps":
    publishing._exchange = lambda *_: False
    publishing.publish_folder = lambda *_, **__: os.kill(os.getpid(), 9)
else:
    real = publishing._exchange
    publishing._exchange = lambda *paths: (real(*paths), os.kill(os.getpid(), 9))
project = Project.open(project)
classes = selection(project).classes
export(format_named("yolo"), images_out(project), classes, Path(out), overwrite=True)
"""


@linux
@pytest.mark.parametrize("way", ["in two steps", "in one"])
def test_an_export_that_is_killed_loses_nothing_and_the_next_one_clears_up(
    tmp_path: Path, way: str
) -> None:
    project, out = make_project(tmp_path), tmp_path / "yolo"
    write(project, "yolo", out)
    before = sorted(tmp_path.iterdir())
    (out / "mine.txt").write_text("added by hand", encoding="utf-8")
    command = [sys.executable, "-c", KILLED, way, str(project.path), str(out)]
    assert subprocess.run(command, check=False).returncode == -9
    assert len(list(tmp_path.glob(".export-*"))) == 1
    with pytest.raises(StorageError, match="exists already"):
        write(project, "yolo", out)
    assert (out / "mine.txt").exists() == (way == "in two steps")  # the old one, or the new
    assert (out / "data.yaml").is_file()
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_that_is_interrupted_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, out = make_project(tmp_path), tmp_path / "yolo"
    write(project, "yolo", out)
    (out / "mine.txt").write_text("added by hand", encoding="utf-8")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "_exchange", lambda *_: False)
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish_folder", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(project, "yolo", out, overwrite=True)
    assert (out / "mine.txt").is_file()
    write(project, "yolo", out, overwrite=True)
    assert not (out / "mine.txt").exists()
    assert not list(tmp_path.glob(".export-*"))


@linux
def test_an_export_is_replaced_in_one_step_by_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, out = make_project(tmp_path), tmp_path / "yolo"
    write(project, "yolo", out)
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish_folder", None)  # the second of two steps
        write(project, "yolo", out, overwrite=True)
    with publishing.building(out) as build:
        place = build.parent
        with pytest.raises(StorageError, match="Another export is being written to"):
            write(project, "yolo", out, overwrite=True)
    assert not place.exists()
    # a foreign folder may hold a link where exports are built: nothing behind it is touched
    place.symlink_to(tmp_path / "images")
    write(project, "yolo", out, overwrite=True)
    assert (tmp_path / "images" / "a.png").is_file()
    assert not list(tmp_path.glob(".export-*"))


# ---- what would hold up, or fill the memory ----

LAUGHS = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = {
    "aliases": (LAUGHS + "names: *i\n", r"alias \*[ai], which is not read"),
    "itself": ("names: &n [*n]\n", r"alias \*n, which is not read"),
    "deep": ("names: " + "[" * 200 + "]" * 200, "deeper values than are read"),
    "many": ("names: [" + "a," * 200_000 + "]", "has more, longer or deeper"),
    "long": ("names: 1" + ":1" * 300_000, "has more, longer or deeper"),
    "large": ("names: [" + "a, " * 400_000 + "]", "longer than a megabyte"),
    "digits": ("names: 1" + "0" * 5000, "is not valid YAML"),
    "code": ("names: !!python/object/apply:os.getcwd []", "is not valid YAML"),
}


@pytest.mark.parametrize("fault", YAMLS)
def test_yaml_is_bounded_before_anything_is_made_of_it(tmp_path: Path, fault: str) -> None:
    text, message = YAMLS[fault]
    file = tmp_path / "data.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SamTuneError, match=rf"data\.yaml .*{message}"):
        format_named("yolo").read(Location(path=tmp_path))
    with pytest.raises(TrainingError, match=rf"The config .*data\.yaml .*{message}"):
        read_config(file)
    if fault != "large":
        with pytest.raises(TrainingError, match=message):
            with_settings(read_config(_empty(tmp_path)), [f"steps={text.partition('names: ')[2]}"])


def _empty(folder: Path) -> Path:
    (folder / "empty.yaml").touch()
    return folder / "empty.yaml"


def deep(levels: int) -> str:
    return "[" * levels + "1" + "]" * levels


@pytest.mark.parametrize("inside", [deep(100), deep(900), deep(100_000), "1" + "0" * 400])
def test_json_of_any_format_is_bounded(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "out"
    project = make_project(tmp_path)
    message = "deep in each other|recursion|no zarr group|more than 64 bits"
    for form, name in (
        ("coco", ""),
        ("labelme", "a.json"),
        ("geojson", "a.geojson"),
        ("ome-zarr", "a.zarr/labels/objects/zarr.json"),
    ):
        write(project, form, folder)
        file = folder / name
        document = json.loads(file.read_text(encoding="utf-8"))
        said = document["attributes"]["ome"] if form == "ome-zarr" else document
        said["more"] = "HERE"
        text = json.dumps(document).replace('"HERE"', inside)
        file.write_text(text, encoding="utf-8")
        images = None if form == "labelme" else tmp_path / "images"
        with pytest.raises(SamTuneError, match=message):
            format_named(form).read(Location(path=folder, images=images))
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def test_coco_run_lengths_and_outlines_take_no_longer_than_their_image(tmp_path: Path) -> None:
    zigzag = [xy for k in range(20_000) for xy in (31 * (k % 2), 24 * (k % 2))]
    image = {"id": 1, "file_name": "a.png"}
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for segmentation, message in (
        ({"size": list(SHAPE), "counts": "o" * 5_000_000 + "0"}, "do not add up"),
        ([zigzag], "outline is longer"),
    ):
        row = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": segmentation}
        category = {"id": 1, "name": "pore"}
        document = {"images": [image], "annotations": [row], "categories": [category]}
        (tmp_path / "c.json").write_text(json.dumps(document), encoding="utf-8")
        dataset = format_named("coco").read(Location(path=tmp_path / "c.json"))
        with pytest.raises(SamTuneError, match=f"annotation 5 of a.png .*{message}"):
            checked_images(dataset, ImportOptions())


def test_a_mask_inside_labelme_is_a_picture_or_nothing(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for content, message in (
        (POSTSCRIPT, "it is no PNG, JPEG"),
        (png_of(20_000, 20_000), "too many pixels"),
    ):
        packed = base64.b64encode(content).decode()
        shape = {"label": "x", "shape_type": "mask", "points": [[1, 1], [5, 5]], "mask": packed}
        document = {"imagePath": "a.png", "shapes": [shape]}
        (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
        dataset = format_named("labelme").read(Location(path=tmp_path))
        with pytest.raises(SamTuneError, match=f"shape 0, has a mask that is no PNG: .*{message}"):
            checked_images(dataset, ImportOptions())


def test_a_zarr_array_may_not_unpack_to_more_than_is_read(tmp_path: Path) -> None:
    write(make_project(tmp_path), "ome-zarr", tmp_path / "out")
    where = tmp_path / "out" / "a.zarr" / "labels" / "objects" / "0"
    assert zarr.open_array(where, mode="r").shape == SHAPE
    text = json.loads((where / "zarr.json").read_text(encoding="utf-8"))
    text["chunk_grid"]["configuration"]["chunk_shape"] = [100_000, 100_000]
    (where / "zarr.json").write_text(json.dumps(text), encoding="utf-8")
    location = Location(path=tmp_path / "out", images=tmp_path / "images")
    with pytest.raises(SamTuneError, match=r"chunks of 20\.0 GB: write it in smaller ones"):
        checked_images(format_named("ome-zarr").read(location), ImportOptions())


@pytest.mark.parametrize("chunk", [500, 20_000])
def test_an_image_of_zarr_may_not_claim_more_than_it_holds(tmp_path: Path, chunk: int) -> None:
    """Chunks that are not there are all one value, of any size: what cannot be read in parts."""
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("0", shape=(40_000, 40_000), chunks=(chunk, chunk), dtype="u1")
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}]}]}
    group.create_group("labels").attrs["ome"] = {"labels": []}
    dataset = format_named("ome-zarr").read(Location(path=tmp_path / "a.zarr"))
    if chunk > 500:
        with pytest.raises(SamTuneError, match=r"claims 1\.6 GB of pixels"):
            checked_images(dataset, ImportOptions())
        return
    (image,) = checked_images(dataset, ImportOptions())
    assert isinstance(image.read(), LargeImage)


def test_a_chunk_that_sends_blosc_out_of_its_memory_is_refused(tmp_path: Path) -> None:
    write(make_project(tmp_path), "ome-zarr", tmp_path / "out")
    where = tmp_path / "out" / "a.zarr" / "labels" / "objects" / "0"
    values = np.asarray(zarr.open_array(where, mode="r")[...])
    zarr.create_array(where, data=values, overwrite=True, compressors=BloscCodec())
    location = Location(path=tmp_path / "out", images=tmp_path / "images")
    image = checked_images(format_named("ome-zarr").read(location), ImportOptions())[0]
    assert list(image.objects(SHAPE))
    chunk = next(file for file in where.rglob("c/**/*") if file.is_file())
    content = bytearray(chunk.read_bytes())
    content[15] = 0x3F  # "packed in a gigabyte": what unpacks it reads on behind the file's end
    chunk.write_bytes(content)
    with pytest.raises(MaskError, match="is a damaged chunk"):
        list(image.objects(SHAPE))
    zarr.create_array(
        where, data=values, overwrite=True, shards=values.shape, compressors=BloscCodec()
    )
    with pytest.raises(MaskError, match="without shards"):
        list(image.objects(SHAPE))


@linux
def test_pipes_links_that_go_round_and_files_in_a_folders_place_are_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="a pipe or a device"):
        read_weights(tmp_path / "w.safetensors")
    images = tmp_path / "images"
    images.mkdir()
    (images / "round.png").symlink_to(images / "round.png")
    Image.new("L", (9, 9)).save(images / "a.png")
    (images / "b.png").symlink_to(images / "a.png")
    assert list_images(images) == [images / "a.png", images / "b.png"]
    for place in (images / "a.png", images / "a.png" / "run"):
        with pytest.raises(StorageError, match="is no folder"):
            RunFolder(place)


@pytest.mark.parametrize(
    "verb",
    [
        "starter samples --out {}",
        "starter train --steps 1 --run {}",
        "demo --headless --out {}",
        "export masks p --out {}",
        "import {} --images images --masks masks",
        "predict images --auto --out {}",
        "simulate --images images --masks masks --out {}/report.json",
        "train p --out {}",
        "serve --folder {} --model no-such-model",
    ],
)
@pytest.mark.parametrize("place", ["a.png", "a.png/out"])
def test_a_file_where_a_folder_is_wanted_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_project(tmp_path).set_base(BaseRef("starter", "0" * 64))
    shutil.copytree("images", "masks")
    before = Path("images/a.png").read_bytes()
    run = CliRunner().invoke(app, verb.format(f"images/{place}").split())
    assert isinstance(run.exception, SamTuneError), run.output
    said = str(run.exception)
    assert re.search("is a file|is no folder|a file lies where|exists already", said), said
    assert Path("images/a.png").read_bytes() == before


def test_a_tiff_whose_pages_go_round_in_a_circle_is_read_to_an_end(tmp_path: Path) -> None:
    # the first page leads to an empty one, and that to itself
    picture = tmp_path / "a.tif"
    tifffile.imwrite(picture, np.zeros((40, 60), np.uint8), metadata=None)
    content = bytearray(picture.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    entries = struct.unpack_from("<H", content, first)[0]
    circle = len(content)
    struct.pack_into("<I", content, first + 2 + 12 * entries, circle)
    content += struct.pack("<HI", 0, circle)
    picture.write_bytes(content)
    with suppress(ImageError):
        assert read_image(picture).shape == (40, 60)


def test_pieces_of_exports_that_are_damaged_are_said(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    write(project, "ome-zarr", tmp_path / "zarr")
    for chunk in (tmp_path / "zarr").rglob("c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    known = format_named("ome-zarr")
    place = Location(tmp_path / "zarr", tmp_path / "images", None, None, None, None)
    image = checked_images(known.read(place), ImportOptions())[0]
    with pytest.raises(SamTuneError, match="cannot be read"):
        list(image.objects(image_shape(image.path)))
    write(project, "semantic", tmp_path / "classes")
    (tmp_path / "classes" / "classes.csv").write_text("value,class\n1\n", encoding="utf-8")
    with pytest.raises(SamTuneError, match="line 2, should have a value"):
        format_named("semantic").read(
            Location(tmp_path / "classes", tmp_path / "images", None, None, None, None)
        )
