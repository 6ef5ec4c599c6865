"""Planes of a file are images of the project: known by file, plane and their own pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from test_project import reopened

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.exchange.merging import Merge
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.large_image import LargeImage, name_of_image
from napari_sam_tune.core.images.planes import Reading, images_of, open_plane, stack_of_file
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.stacks import Stack

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.images.planes import ImageInFile, StackFile

SHAPE = (64, 80)


def pixels(planes: int = 4, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (planes, channels, *SHAPE)).astype(np.uint16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "images" / "cells.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, pixels(), metadata={"axes": "ZCYX"}, photometric="minisblack")
    return path


def add(project: Project, image: ImageInFile) -> str:
    read = image.read()
    project.add_image(
        image.name,
        shape=read.shape[:2],
        content_hash=name_of_image(read),
        path=image.path,
        plane=image.plane,
    )
    return image.name


def stack_in(project: Project, file: StackFile) -> Stack:
    planes = {image.name: at for image, at in zip(file.images(), file.axes.planes, strict=True)}
    stack = Stack(file.path.name, file.axes, planes, file.mix)
    project.set_stack(stack)
    return stack


def mask(project: Project, name: str) -> str:
    drawn = np.zeros(SHAPE, bool)
    drawn[10:20, 10:20] = True
    return project.add(NewAnnotation(name, drawn, "pore")).id


def test_a_plane_is_read_from_its_file_and_nothing_is_copied(tmp_path: Path, file: Path) -> None:
    project = Project.open(tmp_path / "p")
    images = images_of(file, Reading(channels=(1,)))
    name = add(project, images[2])
    assert name == "cells.tif [z 2]"
    known = reopened(project).image(name)
    assert (known.plane, known.path) == (images[2].plane, "../images/cells.tif")
    assert np.array_equal(reopened(project).read_image(name), images[2].read())
    assert not (project.path / "images").exists()

    changed = pixels()
    changed[2, 1] += 7
    tifffile.imwrite(file, changed, metadata={"axes": "ZCYX"}, photometric="minisblack")
    with pytest.raises(ProjectError, match="was changed"):
        reopened(project).read_image(name)
    tifffile.imwrite(file, pixels(2), metadata={"axes": "ZCYX"}, photometric="minisblack")
    with pytest.raises(ImageError, match="no such plane"):
        reopened(project).read_image(name)


def test_planes_are_found_again_with_their_file_by_what_is_on_them(
    tmp_path: Path, file: Path
) -> None:
    project = Project.open(tmp_path / "p")
    names = [add(project, image) for image in images_of(file, Reading(channels=(0, 1)))[:3]]
    away = tmp_path / "elsewhere"
    away.mkdir()
    tifffile.imwrite(away / "cells.tif", pixels() + 1, metadata={"axes": "ZCYX"})
    file.rename(away / "renamed.tif")
    with pytest.raises(ProjectError, match="relink"):
        project.read_image(names[0])
    assert sorted(project.relink(away)) == names
    assert {reopened(project).image(n).path for n in names} == {"../elsewhere/renamed.tif"}
    (away / "renamed.tif").rename(file)
    add(project, images_of(file, Reading(channels=(0, 1)))[0])  # opened in its new place
    assert {project.image(n).path for n in names} == {"../images/cells.tif"}


def test_masks_stay_where_channels_are_mixed_otherwise(tmp_path: Path, file: Path) -> None:
    project = Project.open(tmp_path / "p")
    both = stack_of_file(file).mixed((0, 1))
    name = add(project, both.image((1,)))
    stack = stack_in(project, both)
    kept = mask(project, name)
    colour, before = project.read_image(name), project.image(name)
    assert colour.shape == (*SHAPE, 3)
    grey = stack_of_file(file).mixed((1,))
    project.set_stack(replace(stack, mix=grey.mix))
    after = reopened(project)
    assert np.array_equal(after.read_image(name), grey.image((1,)).read())
    assert after.image(name).content_hash != before.content_hash
    assert [a.id for a in after.annotations(name)] == [kept]
    assert after.stack_of(name).mix == grey.mix
    lines = (project.path / "log.jsonl").read_text()
    file.unlink()
    with pytest.raises(ProjectError, match="relink"):
        project.set_stack(stack)
    assert (project.path / "log.jsonl").read_text() == lines


def test_a_project_that_is_joined_brings_its_planes(tmp_path: Path, file: Path) -> None:
    there, here = Project.open(tmp_path / "there"), Project.open(tmp_path / "here")
    name = add(there, images_of(file, Reading(channels=(0,)))[3])
    mask(there, name)
    list(Merge(here, there).run())
    assert here.image(name).plane == there.image(name).plane
    assert np.array_equal(here.read_image(name), there.read_image(name))


@pytest.mark.parametrize("kind", ["tiff", "tiled", "zarr"])
def test_a_large_plane_is_read_in_parts_as_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data, path = pixels(3), tmp_path / "a.tif"
    if kind == "zarr":
        path = tmp_path / "a.zarr"
        axes = [{"name": name} for name in "zcyx"]
        said = {"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}
        group = zarr.open_group(path, mode="w", attributes={"multiscales": [said]})
        group.create_array("0", data=data, chunks=(1, 1, 16, 16))
    else:
        tile = {"tile": (16, 16), "compression": "zlib"} if kind == "tiled" else {}
        tifffile.imwrite(path, data, metadata={"axes": "ZCYX"}, photometric="minisblack", **tile)
    image = stack_of_file(path).mixed((1, 0)).image((2,))
    whole = image.read()
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 1000)
    large = open_plane(path, image.plane)
    assert isinstance(large, LargeImage)
    assert np.array_equal(large.read((3, 5, 40, 70)), whole[3:40, 5:70])
    assert np.array_equal(large.whole(), whole)


def test_white_is_zero_in_planes_too(tmp_path: Path) -> None:
    data = np.arange(2 * 64 * 80, dtype=np.uint16).reshape(2, 64, 80)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, metadata={"axes": "ZYX"}, photometric="miniswhite")
    assert np.array_equal(stack_of_file(path).image((1,)).read(), 65535 - data[1])
