"""Files with several planes in the dock: planes are listed, axes and channels are chosen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtCore import Qt

from napari_sam_tune.core.images.planes import ImageInFile
from napari_sam_tune.core.project.stacks import IN_A_RUN
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.queued_image import queued_file
from napari_sam_tune.ui.views.fields import ComboBox

if TYPE_CHECKING:
    from pathlib import Path

SHIFT = Qt.KeyboardModifier.ShiftModifier
SIDE, PLANES = 192, 5
RED = 2
"""Which choice of the section is that of the first channel: after those of the two axes."""


def truth(plane: int) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (rows - 80 - 4 * plane) ** 2 + (columns - 90 + 3 * plane) ** 2 <= (24 - plane) ** 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack of two channels, a disc in the second, beside a photograph."""
    data = np.random.default_rng(1).normal(900, 60, (PLANES, 2, SIDE, SIDE))
    for plane in range(PLANES):
        data[plane, 1][truth(plane)] += 900
    folder = tmp_path / "images"
    folder.mkdir()
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(
        folder / "cells.ome.tif",
        data.clip(0).astype(np.uint16),
        metadata={"axes": "ZCYX", **sizes},
        photometric="minisblack",
    )
    Image.fromarray(data[0, 1].clip(0, 255).astype(np.uint8)).save(folder / "zz.png")
    return folder


def choose(desk, number: int, value: str) -> None:
    box = desk.panel.stack.findChildren(ComboBox)[number]
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def sentence(desk) -> str:
    return desk.panel.stack._sentence.text()


def go_to(desk, plane: int, name: str) -> None:
    desk.viewer.dims.set_current_step(0, plane)
    desk.wait(lambda: desk.session.state.image_id == name)
    desk.wait_ready()


def test_planes_of_a_file_are_labelled_and_their_channels_mixed(desk, folder):
    desk.open(folder)
    names = [f"cells.ome.tif [z {z}]" for z in range(PLANES)]
    queue = desk.work.place.queue
    assert [image.id for image in queue.images] == [*names, "zz.png"]
    assert desk.session.state.image_id == names[0]
    project, view = desk.session.project, desk.panel.stack
    assert project.stack_of(names[3]).mix.channels == (0, 1)
    assert "Channels 0, 1 of the file make the picture" in desk.said
    image = desk.layers.image
    assert image.data.shape == (PLANES, SIDE, SIDE, 3)
    assert list(image.scale) == [4, 1, 1]
    desk.shot("file stack, opened")

    choose(desk, RED, "1")
    desk.wait(lambda: not desk.is_busy(Kind.MIX, Kind.READ))
    choose(desk, RED + 1, "")
    desk.work.opening.open_current()  # as a slider has it that moves: the choice is not lost
    desk.wait(lambda: project.stack_of(names[0]).mix.channels == (1,))
    desk.wait(lambda: not desk.is_busy(Kind.MIX, Kind.READ))
    desk.wait_ready()
    assert project.stack_of(names[0]).mix.channels == (1,)
    assert desk.layers.image.data.shape == (PLANES, SIDE, SIDE)
    go_to(desk, 2, names[2])
    record = project.image(names[2])
    assert record.path is not None
    assert record.plane.parts == (2, "channels", "rows", "columns")
    desk.hand.click((84, 88))
    desk.wait(lambda: desk.session.open_object.mask is not None)
    desk.hand.press(Qt.Key.Key_Q)
    (start,) = project.annotations()
    desk.hand.press(Qt.Key.Key_K, SHIFT)
    desk.wait(lambda: not desk.is_busy(Kind.CARRY))
    assert desk.session.waiting(start.id).keys() == {*names} - {names[2]}, desk.said
    desk.shot("file stack, carried")
    desk.hand.press(Qt.Key.Key_J, SHIFT)
    masks = project.annotations()
    assert sum(mask.suggested_by == IN_A_RUN for mask in masks) == PLANES - 1
    view.in_3d.click()
    desk.shot("file stack, in 3-D")
    view.in_3d.click()

    choose(desk, RED, "0")  # masks belong to planes, whatever the channel
    desk.wait(lambda: not desk.is_busy(Kind.MIX, Kind.READ))
    desk.wait_ready()
    assert project.image(names[2]).content_hash != record.content_hash
    assert len(project.annotations()) == PLANES
    assert not (project.path / "images").exists()
    assert desk.work.opening.open_by_id("zz.png")
    desk.wait(lambda: desk.session.state.image_id == "zz.png")
    desk.wait_ready()
    assert desk.layers.image.ndim == 2
    assert not desk.panel.stack.isVisible()


def test_each_channel_may_be_an_image_and_masks_of_pictures_stay_in_reach(desk, folder):
    desk.open(folder)
    queue, project = desk.work.place.queue, desk.session.project
    desk.propose((90, 80))
    desk.hand.press(Qt.Key.Key_Q)
    assert len(project.annotations("cells.ome.tif [z 0]")) == 1
    boxes = desk.panel.stack.findChildren(ComboBox)
    assert [box.currentData() for box in boxes[:2]] == ["slices", "channels"]
    choose(desk, 1, "other")
    desk.wait(lambda: desk.session.state.image_id == "cells.ome.tif [z 0, c 0]")
    desk.wait_ready()
    assert [image.id for image in queue.images][-2:] == ["cells.ome.tif [z 0]", "zz.png"]
    assert len(queue.images) == 2 * PLANES + 2
    assert desk.layers.image.data.shape == (PLANES, 2, SIDE, SIDE)
    assert desk.work.opening.open_by_id("cells.ome.tif [z 0]")
    desk.wait(lambda: desk.session.state.image_id == "cells.ome.tif [z 0]")
    desk.wait_ready()
    assert len(project.annotations("cells.ome.tif [z 0]")) == 1


def test_what_a_file_does_not_say_is_asked_and_remembered(desk, folder):
    for file in folder.iterdir():
        file.unlink()
    data = np.random.default_rng(0).integers(0, 255, (24, 64, 64)).astype(np.uint8)
    tifffile.imwrite(folder / "pages.tif", data, photometric="minisblack")
    desk.open(folder)
    assert desk.session.state.image_id == "pages.tif [0]"
    assert "does not say what its 24 planes are" in sentence(desk)
    assert "does not say" in desk.said
    assert not desk.panel.stack.carry.isEnabled()
    desk.shot("file stack, asked")
    choose(desk, 0, "time")
    assert desk.session.project.stacks()[0].depth_role == "time"
    desk.controller.leave()
    desk.open(folder)
    assert desk.session.state.image_id == "pages.tif [0]"
    assert "does not say" not in sentence(desk)


def test_a_plane_is_read_while_another_thread_reads_one(folder, monkeypatch):
    stack = queued_file(folder / "cells.ome.tif")[0].stack
    stack.read((0,))
    begun, go_on, opened = Event(), Event(), ImageInFile.open

    def open_slowly(image):
        if image.said == "z 1":
            begun.set()
            go_on.wait(30)
        return opened(image)

    monkeypatch.setattr(ImageInFile, "open", open_slowly)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stack.read, (1,))
        assert begun.wait(30)
        assert stack.read((2,)).shape == (SIDE, SIDE, 3)
        assert not reading.done()
        go_on.set()
        assert (reading.result(30) == stack.read((1,))).all()
