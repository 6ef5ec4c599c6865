"""Axes are read from what a file says, and asked where it says nothing; planes come one by one."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam_tune.commands.stacks import reading_of
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.axes import Axes, as_said, axes_of_labels
from napari_sam_tune.core.images.axes_of_file import axes_of_file
from napari_sam_tune.core.images.mix import Mix
from napari_sam_tune.core.images.planes import (
    PlaneOfFile,
    Reading,
    images_of,
    open_plane,
    stack_of_file,
)

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"T": 2, "Z": 5, "C": 3, "Y": 16, "X": 20}
ROLES = {"T": "time", "Z": "slices", "C": "channels", "Y": "rows", "X": "columns"}
QUICK = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def numbered(order: str) -> np.ndarray:
    """Every value tells where it is, whatever the order of the axes."""
    where = np.meshgrid(*(np.arange(SIZES[axis]) for axis in "TZCYX"), indexing="ij")
    values = sum(n * w for n, w in zip((10000, 2000, 600, 21, 1), where, strict=True))
    return values.astype(np.uint16).transpose(["TZCYX".index(axis) for axis in order]).copy()


def check_whole(path: Path, order: str) -> None:
    """The file has the axes of `order`, and its planes are those of the array."""
    found = axes_of_file(path)
    assert [axis.role for axis in found] == [ROLES[axis] for axis in order]
    assert found.question is None
    file = stack_of_file(path)
    along = [axis for axis in order if axis in "TZ"]
    at = {"T": 1, "Z": 3}
    image = file.image([at[axis] for axis in along])
    assert PlaneOfFile.from_json(image.plane.to_json()) == image.plane
    assert np.array_equal(image.read(), numbered("TZYXC")[1, 3])
    assert len(file.images()) == len({one.name for one in file.images()}) == 10


@QUICK
@given(order=st.permutations("TZCYX"))
def test_an_array_in_any_order_of_its_axes_is_read_by_them(
    tmp_path: Path, order: list[str]
) -> None:
    axes = "".join(order)
    path = tmp_path / f"{axes}.tif"
    tifffile.imwrite(path, numbered(axes), metadata={"axes": axes}, photometric="minisblack")
    check_whole(path, axes)


@pytest.mark.parametrize("first", ["".join(p) for p in permutations("TZC")])
def test_ome_tiff_and_ome_zarr_name_their_axes_and_sizes(tmp_path: Path, first: str) -> None:
    order = first + "YX"
    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeZ": 2.0}
    metadata = {"axes": order, **sizes, "TimeIncrement": 30, "TimeIncrementUnit": "ms"}
    tifffile.imwrite(path, numbered(order), metadata=metadata, photometric="minisblack")
    check_whole(path, order)
    found = axes_of_file(path)
    assert (found.of("columns").step, found.of("columns").unit) == (0.5, "nanometer")
    assert (found.of("slices").step, found.of("slices").unit) == (2.0, "micrometer")
    assert (found.of("time").step, found.of("time").unit) == (30.0, "millisecond")
    assert found.of("rows").step is None
    named = [{"name": axis.lower(), "type": "space"} for axis in order]
    named[order.index("C")]["type"] = "channel"
    named[order.index("T")] |= {"type": "time", "unit": "second"}
    scale = [0.25 if axis == "T" else 1.0 for axis in order]
    said = {
        "version": "0.4",
        "axes": named,
        "datasets": [
            {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        ],
    }
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"multiscales": [said]})
    group.create_array("s0", data=numbered(order))
    check_whole(tmp_path / "a.zarr", order)
    assert axes_of_file(tmp_path / "a.zarr").of("time").step == 0.25


def test_imagej_tells_slices_moments_and_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"axes": "TZCYX", "spacing": 3.0, "unit": "um", "finterval": 0.5}
    tifffile.imwrite(path, numbered("TZCYX"), imagej=True, metadata=metadata, resolution=(4.0, 2.0))
    check_whole(path, "TZCYX")
    steps = {axis.role: axis.step for axis in axes_of_file(path)}
    assert steps == {
        "time": 0.5, "slices": 3.0, "channels": None, "rows": 0.5, "columns": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 24])
def test_what_a_file_does_not_say_is_asked_and_never_guessed(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.tif"
    stack = np.arange(count * 320, dtype=np.uint16).reshape(count, 16, 20)
    tifffile.imwrite(path, stack, photometric="minisblack")
    axes = axes_of_file(path)
    assert [axis.role for axis in axes] == [None, "rows", "columns"]
    assert str(count) in str(axes.question)
    assert ("colours" in str(axes.question)) == (count == 3)
    with pytest.raises(ImageError, match="--axes ZYX"):
        images_of(path, Reading())
    images = images_of(path, Reading("zyx"))
    assert [image.name for image in images] == [f"a.tif [z {n}]" for n in range(count)]
    assert np.array_equal(images[1].read(), stack[1])
    with pytest.raises(ImageError, match="rows"):
        axes.with_roles(["rows", "rows", "columns"])
    with pytest.raises(ImageError, match="names 2 axes"):
        as_said(axes, "YX")
    with pytest.raises(ImageError, match="names no axes"):
        as_said(axes, "WYX")
    for nonsense in ("QQ", "ZZYX", "YX?", ""):  # before anybody knows whether a file needs it
        with pytest.raises(ImageError, match="names no axes"):
            reading_of(nonsense, None)
    with pytest.raises(ImageError, match="no such plane"):
        open_plane(path, PlaneOfFile((count, "rows", "columns")))


def test_pages_without_a_word_are_a_question_and_one_page_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for page in range(2):
            file.write(np.full((16, 20), page, np.float32), metadata=None)
    assert axes_of_file(path).question is not None
    tifffile.imwrite(path, np.zeros((1, 16, 20), np.uint8), photometric="minisblack")
    assert axes_of_file(path).question is None
    assert stack_of_file(path) is None


def test_labels_of_a_layer_tell_or_ask() -> None:
    told = axes_of_labels(("t", "Z", "y", "x"), (2, 3, 8, 9), (1, 2.5, 1, 1), ("s", "um", "", ""))
    assert [axis.role for axis in told] == ["time", "slices", "rows", "columns"]
    assert told.of("slices").step == 2.5
    assert told.of("rows").step is None
    assert told.name_of([1, 2]) == "t 1, z 2"
    asked = axes_of_labels(("-3", "-2", "-1"), (24, 8, 9))
    assert "24" in str(asked.question)


def test_axes_survive_as_plain_values_and_nonsense_is_refused() -> None:
    axes = axes_of_labels(("t", "z", "y", "x"), (2, 3, 8, 9), (1, 2.5, 1, 1), ("s", "um", "", ""))
    assert Axes.from_json(axes.to_json()) == axes
    for nonsense in ("zyx", [3], [{**axes.to_json()[0], "role": "q"}], [axes.to_json()[0]] * 2):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Axes.from_json(nonsense)


def test_channels_of_any_kind_make_one_picture_alike_in_all_planes(tmp_path: Path) -> None:
    """One channel is float and one was of 8 bits; planes differ in contrast."""
    ramp = np.linspace(0, 1, 320).reshape(16, 20)
    stack = np.stack([[ramp * 1e-3 * (z + 1), np.rint(ramp * 255)] for z in range(4)]).astype(
        np.float32
    )
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "ZCYX"}, photometric="minisblack")
    file = stack_of_file(path)
    with pytest.raises(ImageError, match="2 channels"):
        file.image([0]).read()
    with pytest.raises(ImageError, match="--channels 0,1"):
        images_of(path, Reading())
    pictures = [image.read() for image in images_of(path, Reading(channels=(0, 1)))]
    mix = file.mixed([0, 1]).mix
    assert all(picture.shape == (16, 20, 3) for picture in pictures)
    brightest = [int(picture[..., 0].max()) for picture in pictures]
    assert brightest == sorted(brightest)
    assert brightest[0] < 70
    assert brightest[3] == 255
    assert all(int(picture[..., 1].max()) == 255 for picture in pictures)
    assert Mix.from_json(mix.to_json()) == mix
    assert file.mixed([1]).image([2]).read().shape == (16, 20)
    with pytest.raises(ImageError, match="no channel 2"):
        file.mixed([2])
    each = images_of(path, Reading("ZQYX"))
    assert len(each) == 8
    assert np.array_equal(each[-1].read(), stack[3, 1])
