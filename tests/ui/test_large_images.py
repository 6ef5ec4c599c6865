"""A large image in the dock: seen in windows, clicked at native resolution, painted, accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.suggestions.suggestion import Suggestion
from napari_sam_tune.ui.inference import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Desk

_SIDE, _TILE = 9000, 500
_DISC = 4321, 5678, 9
"""(x, y, radius)."""


@pytest.fixture
def line_scan(tmp_path: Path) -> Path:
    """One 9,000 × 9,000 tiled TIFF: a surface, and on it a disc of 19 px."""
    rng = np.random.default_rng(0)
    surface = [rng.normal(90, 6, (_TILE, _TILE)).astype(np.uint8) for _ in range(3)]
    x, y, radius = _DISC
    column, row = x // _TILE, y // _TILE
    rows, columns = np.mgrid[row * _TILE : (row + 1) * _TILE, column * _TILE : (column + 1) * _TILE]
    defect = surface[0].copy()
    defect[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2] += 100
    count = _SIDE // _TILE
    rows_of_tiles = [
        np.concatenate(
            [
                defect if (row, column) == (r, c) else surface[(r * count + c) % 3]
                for c in range(count)
            ],
            axis=1,
        )
        for r in range(count)
    ]
    folder = tmp_path / "scans"
    folder.mkdir()
    whole = np.concatenate(rows_of_tiles)
    tifffile.imwrite(folder / "scan.tif", whole, tile=(512, 512), photometric="minisblack")
    return folder


def test_a_defect_of_a_large_scan_is_labelled_where_it_is_seen(desk: Desk, line_scan: Path) -> None:
    desk.open(line_scan)
    layers, camera = desk.layers, desk.viewer.scene.camera
    image = desk.work.place.layers.image
    assert isinstance(desk.work.opening._read.pixels, LargeImage)
    assert image.multiscale
    assert layers.pane.step > 1  # all of it is in view: nothing holds it pixel by pixel
    assert max(layer.data.nbytes for layer in (layers.proposal, layers.accepted)) < 16e6
    desk.shot("large 1 all of it")

    # from afar nobody paints
    desk.work.annotating.set_tool("brush")
    assert "Zoom in to paint" in desk.said
    assert str(layers.proposal.mode) == "pan_zoom"

    x, y, radius = _DISC
    camera.center, camera.zoom = (y, x), 4
    desk.wait(lambda: layers.pane.step == 1)
    y0, x0, y1, x1 = layers.seen_window()
    assert y0 < y < y1
    assert x0 < x < x1
    assert y1 - y0 < 600
    desk.shot("large 2 close")
    desk.propose((x, y))
    desk.wait(lambda: not desk.is_busy(Kind.CLOSER))
    found = desk.session.open_object.placed
    rows, columns = np.mgrid[y - 40 : y + 41, x - 40 : x + 41]
    truth = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    seen = found.crop((y - 40, x - 40, y + 41, x + 41))
    assert (truth & seen).sum() / (truth | seen).sum() > 0.7
    # what is shown is that mask, pixel by pixel
    top, left = layers.pane.window[:2]
    shown = np.argwhere(layers.proposal.data) + np.array([top, left])
    assert np.array_equal(shown, np.argwhere(found.cropped) + found.bbox[:2])
    desk.shot("large 3 proposed")

    # a stroke of the brush is kept, and what was there too
    desk.work.annotating.set_tool("brush")
    layers.proposal.brush_size = 3
    desk.hand.drag((x + 20, y), (x + 26, y))
    desk.wait(lambda: desk.session.open_object.placed.covers(y, x + 23))
    assert desk.session.open_object.placed.covers(y, x)
    desk.session.undo()

    desk.work.annotating.set_tool("click")
    desk.work.annotating.actions["accept"]()
    desk.wait(lambda: len(desk.session.project.annotations()) == 1)
    (accepted,) = desk.session.project.annotations()
    assert accepted.bbox == found.bbox
    world = image.data_to_world((y, x))
    assert layers.id_at(world) == accepted.id
    desk.shot("large 4 accepted")

    # from afar it is still there to be seen, and elsewhere it is not in the way
    camera.center, camera.zoom = (4500, 4500), 0.08
    desk.wait(lambda: layers.pane.step > 1)
    assert layers.accepted.data.any()
    assert layers.id_at(world) == accepted.id
    desk.shot("large 5 from afar")
    camera.center, camera.zoom = (1000, 1000), 2
    desk.wait(lambda: layers.pane.step == 1)
    assert not layers.accepted.data.any()
    assert layers.id_at(world) == accepted.id

    # what is found elsewhere is brought into view, close enough to be seen
    places = [(7000, 3000), (7500, 600), (7510, 620)]
    found = [_found(y, x, n) for n, (y, x) in enumerate(places)]
    desk.session.suggested.receive("everything", "scan.tif", found)
    for n, (y, x) in enumerate(places):
        if n < 2:
            assert np.allclose(camera.center[-2:], (y + 20, x + 20), atol=1)
        desk.wait(lambda y=y, x=x: layers.proposal.data.any() and layers.pane.step == 1)
        assert camera.zoom == 2
        desk.session.reject()
    assert np.allclose(camera.center[-2:], (7520, 620), atol=1)  # the last was in view already
    camera.zoom = 0.08
    desk.session.undo()
    assert camera.zoom > 2
    desk.shot("large 6 a find")


def _found(y: int, x: int, place: int) -> Suggestion:
    """A find of 40 px, shown in the order of its place."""
    mask, box = np.ones((40, 40), bool), (y, x, y + 40, x + 40)
    return Suggestion(mask, box, (_SIDE, _SIDE), None, 0.9, 0.5 - place / 10, "everything", "base")


def test_large_layers_of_the_viewer_are_read_where_they_are_seen(
    desk: Desk, line_scan: Path
) -> None:
    """Of an array that no file holds that is said; a layer of a file is read from the file."""
    import dask.array

    sides = (_SIDE, _SIDE // 8)
    levels = [dask.array.zeros((side, side), "uint8", chunks=(500, 500)) for side in sides]
    desk.viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255), name="computed")
    desk.panel.start.viewer_chosen.emit()
    desk.wait(lambda: "Save it as TIFF or OME-Zarr" in desk.said)
    desk.panel.image.leave.emit()
    desk.viewer.layers.clear()

    (layer,) = desk.viewer.open(line_scan / "scan.tif", plugin="napari")
    desk.panel.start.viewer_chosen.emit()
    desk.wait_ready()
    read = desk.work.opening._read
    assert isinstance(read.pixels, LargeImage)
    assert read.pixels.held is None
    assert read.queued.layer is layer
    assert read.record.path is not None
    x, y, _ = _DISC
    desk.viewer.scene.camera.center, desk.viewer.scene.camera.zoom = (y, x), 4
    desk.wait(lambda: desk.layers.pane.step == 1)
    assert desk.propose((x, y)).placed.covers(y, x)
