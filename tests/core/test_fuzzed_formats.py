"""Labelled data of every format, mangled: masks come in, or a sentence says why they do not."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mangling import as_bytes, bounded, mangled, mangled_bytes, mangled_value, mangled_words
from PIL import Image

from napari_sam_tune import Project
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images, import_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.project import NewAnnotation
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 31)
TEXTS = (".json", ".geojson", ".xml", ".csv", ".txt", ".yaml")
WITH_IMAGES = {
    *("cellpose", "cvat-xml", "labelme", "ome-zarr", "ome-zarr-0.4", "roboflow", "voc", "yolo")
}
"""Formats that come with their images."""

Files = dict[str, bytes]


PICTURES = [np.random.default_rng(n).integers(0, 255, SHAPE, np.uint8) for n in range(2)]


def make_images(folder: Path) -> list[Path]:
    paths = [folder / "images" / f"{number}.png" for number in range(len(PICTURES))]
    for path, pixels in zip(paths, PICTURES, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return paths


def make_project(folder: Path) -> Project:
    project = Project.open(folder / "p")
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 4:12] = mask[12:15, 20:] = True
    for path, pixels in zip(make_images(folder), PICTURES, strict=True):
        hashed = content_hash(pixels)
        project.add_image(path.name, shape=SHAPE, content_hash=hashed, path=path)
    for label, image, shift in (("pore", "0.png", 0), ("dirt", "0.png", 9), ("pore", "1.png", 5)):
        kept = project.add(NewAnnotation(image, np.roll(mask, shift, 1), label))
    project.set_attributes("pore", [Attribute("depth", "number")])
    project.set_review(kept.id, state="second_look", note="seen", values={"depth": 3})
    return project


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """One project in every format that comes in, by the names of the files."""
    folder = tmp_path_factory.mktemp("whole")
    project = make_project(folder)
    found: dict[str, Files] = {}
    for known in FORMATS.values():
        if known.reader is None or known.writer is None:
            continue
        out = folder / known.name / f"out{known.suffix}"
        export(known, images_out(project), selection(project).classes, out)
        paths = sorted(path for path in out.parent.rglob("*") if path.is_file())
        files = {path.relative_to(out.parent).as_posix(): path.read_bytes() for path in paths}
        found[known.name] = files
    masks = {name: found["binary"][name] for name in found["binary"] if name.endswith(".png")}
    rows = [f"{i}.png,{name},pore,g{i},train" for i, name in enumerate([*masks][:2])]
    lines = ["image,mask,class,group,split", *rows]
    found["csv"] = {**masks, "out.csv": "\n".join(lines).encode()}
    by_stem = {f"masks/{i}.png": masks[name] for i, name in enumerate([*masks][:2])}
    manifest = "stem,class,tile\n0,pore,t\n1,dirt,u\n"
    found["folder"] = {**by_stem, "manifest.csv": manifest.encode()}
    return found


@st.composite
def mangled_files(draw: st.DrawFn, whole: Files) -> Files:
    files = dict(whole)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(list(files)))
        content = files[name]
        if name.endswith("json") and content == whole[name] and draw(st.booleans()):
            files[name] = as_bytes(draw(mangled_value(json.loads(content))))
        elif name.endswith(TEXTS) and draw(st.booleans()):
            files[name] = draw(mangled_words(content))
        elif draw(st.integers(0, 9)):
            files[name] = draw(mangled_bytes(content))
        elif len(files) > 1:
            del files[name]
    return files


def place_of(name: str, folder: Path) -> Location:
    if name == "folder":
        columns = {"class_column": "class", "group_column": "tile"}
        masks, manifest = folder / "masks", folder / "manifest.csv"
        return Location(images=folder.parent / "images", masks=masks, manifest=manifest, **columns)
    known = FORMATS[name]
    suffix = known.suffix or (".csv" if name == "csv" else "")
    images = None if name in WITH_IMAGES else folder.parent / "images"
    return Location(folder / f"out{suffix}", images=images)


def import_into(folder: Path, name: str, files: Files) -> None:
    """Put a data set into a fresh folder, and import it into a project there."""
    shutil.rmtree(folder, ignore_errors=True)
    make_images(folder)
    for file, content in files.items():
        (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / file).write_bytes(content)
    project = Project.open(folder / "into")
    dataset = FORMATS[name].read(place_of(name, folder / name))
    images = checked_images(dataset, ImportOptions())
    for _ in import_images(project, dataset.name, images, ImportOptions()):
        pass


def test_what_is_fuzzed_comes_in_whole(exported: dict[str, Files], tmp_path: Path) -> None:
    readable = {known.name for known in FORMATS.values() if known.reader is not None}
    assert exported.keys() == readable
    for name, files in exported.items():
        import_into(tmp_path / "sound", name, files)
        assert len(Project.open(tmp_path / "sound" / "into").annotations()) >= 3, name


@mangled
@given(data=st.data())
def test_fuzzed_data_sets(
    exported: dict[str, Files],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    data: st.DataObject,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    name = data.draw(st.sampled_from(list(exported)))
    files = data.draw(mangled_files(exported[name]))
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    with bounded():
        import_into(folder, name, files)
    with bounded():
        again = Project.open(folder / "into")
        assert all(kept.mask.any() for kept in again.annotations())
