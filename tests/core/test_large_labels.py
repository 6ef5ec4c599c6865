"""Label images of large images are looked through tile by tile, and say what small ones say."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from scipy import ndimage

from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.images import large_image
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIDE, TILE = 8_200, 512
"""More than `LARGE_PIXELS`; labels are deflated to less than a 200th, as no photograph is."""
MOST = 55e6
"""Bytes: less than the image has, and little more than its objects' boxes and a tile take."""


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """Numbers of objects, of which two lie across tiles, and two have one number between them."""
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[1500:2600, 2000:2100] = 3
    values[2550:2600, 1000:7000] = 3
    values[4090:4100, 4090:4100] = 1
    for n in range(60):  # a line that goes from tile to tile by its corners alone
        values[4100 + n, 4100 + n] = 1
    values[8190:, 8190:] = 7
    values[6000, 6000] = 7
    return values


def tiff(file: Path, values: np.ndarray) -> None:
    file.parent.mkdir(parents=True)
    tifffile.imwrite(file, values, tile=(TILE, TILE), compression="zlib")


def labels(folder: Path, values: np.ndarray) -> Location:
    tiff(folder / "labels" / "scan.tif", values)
    return Location(path=folder / "labels", images=folder / "images")


def cellpose(folder: Path, values: np.ndarray) -> Location:
    tiff(folder / "masks" / "scan_cp_masks.tif", values)
    return Location(path=folder / "masks", images=folder / "images")


def masks(folder: Path, values: np.ndarray) -> Location:
    tiff(folder / "masks" / "scan.tif", values)
    return Location(masks=folder / "masks", images=folder / "images")


def zarr_masks(folder: Path, values: np.ndarray) -> Location:
    store = folder / "masks" / "scan.zarr"
    zarr.create_array(store, data=values, chunks=(TILE, TILE))
    return Location(masks=folder / "masks", images=folder / "images")


def ome_zarr(folder: Path, values: np.ndarray) -> Location:
    level = {"multiscales": [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}]}
    root = zarr.open_group(folder / "zarr" / "scan.zarr", mode="w")
    listed = root.create_group("labels", attributes={"ome": {"labels": ["found"]}})
    found = listed.create_group("found", attributes={"ome": level})
    found.create_array("0", data=values, chunks=(TILE, TILE))
    return Location(path=folder / "zarr", images=folder / "images")


FORMATS = {
    "labels": labels,
    "cellpose": cellpose,
    "folder": masks,
    "folder ": zarr_masks,
    "ome-zarr": ome_zarr,
}


@pytest.mark.parametrize(("name", "write"), FORMATS.items())
def test_labels_of_a_large_image_cost_their_objects(
    tmp_path: Path, drawn: np.ndarray, name: str, write: Callable[[Path, np.ndarray], Location]
) -> None:
    assert drawn.size > large_image.LARGE_PIXELS
    (tmp_path / "images").mkdir()
    image = tmp_path / "images" / "scan.tif"
    tifffile.memmap(image, shape=drawn.shape, dtype=np.uint8).flush()
    location = write(tmp_path, drawn)
    tracemalloc.start()
    dataset = format_named(name.strip()).read(location)
    (taken,) = checked_images(dataset, ImportOptions())
    found = {o.id: o.placed for o in taken.upright_objects(drawn.shape)}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    wanted = [PlacedMask.of(drawn == number) for number in (1, 3, 7)]
    assert sorted(found.values(), key=lambda placed: placed.first) == sorted(
        wanted, key=lambda placed: placed.first
    )
    assert peak < MOST


def test_a_large_mask_of_one_value_has_an_object_for_each_part(
    tmp_path: Path, drawn: np.ndarray
) -> None:
    drawn = np.where(drawn > 0, np.uint8(255), np.uint8(0))
    (tmp_path / "images").mkdir()
    tifffile.memmap(tmp_path / "images" / "scan.tif", shape=drawn.shape, dtype=np.uint8).flush()
    location = masks(tmp_path, drawn)
    tracemalloc.start()
    (taken,) = checked_images(format_named("folder").read(location), ImportOptions())
    found = [o.placed for o in taken.upright_objects(drawn.shape)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    parts, count = ndimage.label(drawn, np.ones((3, 3), int))
    assert [placed.area for placed in found] == [
        int(np.count_nonzero(parts == part + 1)) for part in range(count)
    ]
    assert count == 4
    assert peak < MOST
