"""Stacks go out as label volumes with axes and sizes, and tables of their things."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.images.axes import axes_of_labels
from napari_sam_tune.core.images.axes_of_file import axes_of_file, axes_of_zarr
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.stacks import Stack
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (20, 30)
STEPS, UNITS = (2.0, 3.0, 500.0, 0.5), ("s", "um", "nm", "um")


def square(at: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[at : at + 4, at : at + 5] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two moments of three slices; a thing in three planes, another in one, all out of order."""
    project = Project.open(tmp_path / "p")
    planes = {f"s [t {t}, z {z}]": (t, z) for t in range(2) for z in range(3)}
    for number, name in enumerate(reversed(planes)):
        project.register(np.full(SHAPE, number, np.uint8), name)
    axes = axes_of_labels(("t", "z", "y", "x"), (2, 3, *SHAPE), STEPS, UNITS)
    project.set_stack(Stack("s", axes, planes))
    other = project.add(NewAnnotation("s [t 0, z 1]", square(12), "crack")).id
    first = project.add(NewAnnotation("s [t 1, z 2]", square(3), "pore")).id
    for z in (1, 0):
        project.add(NewAnnotation(f"s [t 1, z {z}]", square(2 + z), "pore"), thing=first)
    assert other != first
    return project


def written(project: Project, form: str, out: Path) -> Path:
    chosen = selection(project)
    report = export(format_named(form), images_out(project), chosen.classes, out)
    assert not report.losses
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check(volume: np.ndarray) -> None:
    assert volume.shape == (2, 3, *SHAPE)
    number = int(volume[1, 2, 4, 4])
    assert number > 0
    for z in range(3):
        assert np.array_equal(volume[1, z] == number, square(3 if z == 2 else 2 + z))
    assert set(np.unique(volume[0, 1])) == {0, 3 - number}
    assert not volume[0, 0].any()


def test_a_tiff_volume_has_one_number_a_thing_and_its_sizes(
    project: Project, tmp_path: Path
) -> None:
    out = written(project, "volumes", tmp_path / "out")
    check(tifffile.imread(out / "s.ome.tif"))
    axes = axes_of_file(out / "s.ome.tif")
    assert [axis.role for axis in axes] == ["time", "slices", "rows", "columns"]
    assert [axis.step for axis in axes] == pytest.approx([2.0, 3.0, 0.5, 0.5])  # rows in nm before
    assert [axis.unit for axis in axes] == ["second", *["micrometer"] * 3]


def test_an_ome_zarr_volume_says_what_its_numbers_are(project: Project, tmp_path: Path) -> None:
    out = written(project, "volumes-zarr", tmp_path / "out")
    labels = out / "s.zarr" / "labels" / "objects"
    group = zarr.open_group(labels, mode="r")
    check(np.asarray(group["0"]))
    assert [axis.step for axis in axes_of_zarr(labels)] == pytest.approx([2.0, 3.0, 0.5, 0.5])
    properties = group.attrs["ome"]["image-label"]["properties"]
    assert sorted(said["class"] for said in properties) == ["crack", "pore"]


def test_tables_have_areas_lengths_and_volumes(project: Project, tmp_path: Path) -> None:
    out = written(project, "volumes", tmp_path / "out")
    tracks, things = rows(out / "tracks.csv"), rows(out / "things.csv")
    assert len(tracks) == 4
    assert {row["area_pixels"] for row in tracks} == {"20"}
    assert {float(row["area"]) for row in tracks} == {5.0}
    pore = next(row for row in things if row["class"] == "pore")
    assert (pore["planes"], pore["first_plane"], pore["last_plane"]) == ("3", "0", "2")
    assert float(pore["length"]) == 9.0
    assert float(pore["volume"]) == 45.0
    assert pore["unit"] == "micrometer"
    assert {row["thing"] for row in tracks if row["number"] == pore["number"]} == {pore["thing"]}


def test_images_by_themselves_are_counted_and_no_stack_is_refused(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    project.register(np.zeros(SHAPE, np.uint8), "a.png")
    project.add(NewAnnotation("a.png", square(2), "pore"))
    with pytest.raises(SamTuneError, match="no volume"):
        written(project, "volumes", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_stacks_do_not_go_into_one_file(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    axes = axes_of_labels(("z", "y", "x"), (1, *SHAPE), (1.0, 1.0, 1.0), ("um", "um", "um"))
    for number, name in enumerate(("s.tif", "S.tiff")):
        project.register(np.full(SHAPE, number, np.uint8), f"{name} [z 0]")
        project.set_stack(Stack(name, axes, {f"{name} [z 0]": (0,)}))
        project.add(NewAnnotation(f"{name} [z 0]", square(3), "pore"))
    with pytest.raises(SamTuneError, match=r"s\.tif and S\.tiff would both become"):
        written(project, "volumes", tmp_path / "out")
