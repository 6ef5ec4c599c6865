"""OME-Zarr as others write it: the image inside it, and labels of another size or elsewhere."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from napari_sam_tune import Project
from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from pathlib import Path


def run(*options: object) -> str:
    result = CliRunner().invoke(app, [*map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def write_zarr(
    file: Path, image: np.ndarray, labels: np.ndarray, axes: str = "yx", **moves: list[float]
) -> Path:
    """Write an image with labels as ome-zarr does; `moves` is where the labels lie."""

    def level(axes: str, **moves: list[float]) -> dict[str, Any]:
        moved = [{"type": kind, kind: numbers} for kind, numbers in moves.items()]
        datasets = [{"path": "0", "coordinateTransformations": moved}]
        return {"multiscales": [{"axes": [{"name": a} for a in axes], "datasets": datasets}]}

    root = zarr.open_group(file, mode="w", attributes={"ome": level(axes)})
    root.create_array("0", data=image)
    listed = root.create_group("labels", attributes={"ome": {"labels": ["cells"]}})
    cells = listed.create_group("cells", attributes={"ome": level("yx", **moves)})
    cells.create_array("0", data=labels)
    return file


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((9, 12), "yx"), ((1, 1, 1, 9, 12), "tczyx"), ((3, 9, 12), "cyx")],
)
def test_the_image_inside_a_zarr_is_kept_by_the_project(
    tmp_path: Path, shape: tuple[int, ...], axes: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 9000, shape, np.uint16)
    labels = np.eye(9, 12, dtype=np.int32)
    file = write_zarr(tmp_path / "a.ome.zarr", pixels, labels, axes)
    run("import", tmp_path / "p", "--format", "ome-zarr", "--from", file)
    shutil.rmtree(file)
    project = Project.open(tmp_path / "p")
    (record,), (found,) = project.images(), project.annotations()
    expected = np.moveaxis(pixels, 0, -1) if axes == "cyx" else pixels.reshape(9, 12)
    np.testing.assert_array_equal(project.read_image(record.id), expected)
    np.testing.assert_array_equal(found.mask, labels > 0)
    assert record.id == "a.ome.zarr"


def test_a_large_image_inside_a_zarr_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 100)
    pixels = np.random.default_rng(0).integers(0, 9000, (9, 12), np.uint16)
    file = write_zarr(tmp_path / "a.zarr", pixels, np.eye(9, 12, dtype=np.int32))
    run("import", tmp_path / "p", "--format", "ome-zarr", "--from", file)
    project = Project.open(tmp_path / "p")
    (record,), (found,) = project.images(), project.annotations()
    assert (project.path / record.path).resolve() == file.resolve()
    np.testing.assert_array_equal(found.mask, np.eye(9, 12) > 0)


def test_the_oldest_ome_zarr_has_channels_before_slices(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 3, 1, 9, 12), np.uint8)
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.create_array("0", data=pixels)
    root.attrs["multiscales"] = [{"version": "0.1", "datasets": [{"path": "0"}]}]
    np.testing.assert_array_equal(
        open_image(tmp_path / "a.zarr"), np.moveaxis(pixels[0, :, 0], 0, -1)
    )


@pytest.mark.parametrize(
    ("shape", "axes"), [((3, 9, 12), "zyx"), ((2, 9, 12), "cyx"), ((4, 9, 12), "cyx")]
)
def test_a_stack_or_channels_inside_a_zarr_are_no_image(
    tmp_path: Path, shape: tuple[int, ...], axes: str
) -> None:
    file = write_zarr(
        tmp_path / "a.zarr", np.zeros(shape, np.uint8), np.eye(9, 12, dtype=int), axes
    )
    with pytest.raises(SamTuneError, match=r"None of the 1 images"):
        run("import", tmp_path / "p", "--format", "ome-zarr", "--from", file)


def test_our_own_zarr_comes_back_without_its_images(tmp_path: Path) -> None:
    """In colours and opacity, which are four channels, and as pixels without a file."""
    project = Project.open(tmp_path / "p")
    for channels in (2, 4):
        pixels = np.random.default_rng(0).integers(0, 255, (9, 12, channels), np.uint8)
        project.register(pixels, f"of {channels}")
        project.add(NewAnnotation(f"of {channels}", np.eye(9, 12, dtype=bool), "dent"))
    run("export", "masks", tmp_path / "p", "--format", "ome-zarr", "--out", tmp_path / "out")
    said = run("import", tmp_path / "p", "--format", "ome-zarr", "--from", tmp_path / "out")
    assert "2 × object there already" in said
    assert len(Project.open(tmp_path / "p").annotations()) == 2


@pytest.mark.parametrize("moves", [{}, {"scale": [1.0, 1.0]}, {"scale": [3.0, 3.0]}])
@pytest.mark.parametrize("side", [9, 10])
def test_smaller_labels_are_enlarged(
    tmp_path: Path, side: int, moves: dict[str, list[float]]
) -> None:
    """Written for a coarser level of the image, whether or not its scale says so."""
    labels = np.arange(1, 1 + -(-side // 3) * 4, dtype=np.int32).reshape(-1, 4)
    file = write_zarr(tmp_path / "a.zarr", np.zeros((side, 12), np.uint8), labels, **moves)
    dataset = format_named("ome-zarr").read(Location(path=file))
    (image,) = checked_images(dataset, ImportOptions())
    found = {o.id.rpartition("#")[2]: o.mask for o in image.objects((side, 12))}
    whole = np.repeat(np.repeat(labels, 3, 0), 3, 1)[:side, :12]
    assert all(np.array_equal(mask, whole == int(n)) for n, mask in found.items())
    assert len(found) == labels.size
    assert sum(dataset.remarks.values()) == 1


@pytest.mark.parametrize(
    ("rows", "moves"),
    [
        (9, {"translation": [20.0, 0.0]}),
        (9, {"scale": [2.0, 2.0]}),
        (3, {"scale": [2.0, 2.0]}),
        (4, {}),
    ],
)
def test_labels_that_lie_elsewhere_are_refused(
    tmp_path: Path, rows: int, moves: dict[str, list[float]]
) -> None:
    labels = np.ones((rows, rows * 4 // 3), np.int32)
    file = write_zarr(tmp_path / "a.zarr", np.zeros((9, 12), np.uint8), labels, **moves)
    with pytest.raises(SamTuneError, match=r"does not lie over|has the shape"):
        checked_images(format_named("ome-zarr").read(Location(path=file)), ImportOptions())
