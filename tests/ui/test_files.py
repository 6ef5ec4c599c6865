"""Files in and out of the viewer: projects and COCO dropped on it, layers saved, the dialog."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import npe2
import numpy as np
import pytest
import yaml
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton, QTabWidget

from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import file_sha256, starter_path
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.formats.registry import FORMATS
from napari_sam_tune.ui.export.export_request import MASKS, WEIGHTS
from napari_sam_tune.ui.export.exporting import Exporting
from napari_sam_tune.ui.files.writing import writer_name
from napari_sam_tune.ui.preferences import Preferences

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

PLUGIN = "napari-sam-tune"
SHAPES = ((60, 80), (50, 90), (60, 80))


@pytest.fixture
def plugin() -> None:
    """The plugin as it is installed."""
    npe2.PluginManager.instance().discover()


@pytest.fixture
def viewer(make_napari_viewer: Callable[[], napari.Viewer]) -> napari.Viewer:
    return make_napari_viewer()


def disc(shape: tuple[int, int], row: int, column: int, radius: int = 7) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three images of two sizes, the second in colour: two masks, one, and "no defect here"."""
    project = Project.open(tmp_path / "parts.project")
    project.set_base(BaseRef("starter", file_sha256(starter_path())))
    project.set_class("pore", "#f4b942")
    for number, shape in enumerate(SHAPES):
        pixels = np.full((*shape, 3) if number == 1 else shape, 40 + 30 * number, np.uint8)
        file = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(file)
        project.add_image(file.name, shape=shape, content_hash=content_hash(pixels), path=file)
    box = Prompt(points=[(30.0, 20.0), (5.0, 6.0)], labels=[1, 0], box=(20, 12, 40, 28))
    project.add(NewAnnotation("0.png", disc(SHAPES[0], 20, 30), "pore", prompts=(box,)))
    project.add(NewAnnotation("0.png", disc(SHAPES[0], 40, 60), "crack"))
    click = Prompt(points=[(70.0, 30.0)], labels=[1])
    project.add(NewAnnotation("1.png", disc(SHAPES[1], 30, 70), "crack", prompts=(click,)))
    project.mark_done("2.png", empty=True)
    return project


# ---- reading ----


def test_a_dropped_project_opens_as_layers(viewer, project, monkeypatch):
    # napari's own reader takes any folder, so napari asks which one to use: this is the answer.
    from napari._qt.dialogs import qt_reader_dialog

    monkeypatch.setattr(
        qt_reader_dialog.QtReaderDialog, "get_user_choices", lambda _: ("SAM Tune", False)
    )
    viewer.window._qt_viewer._qt_open([str(project.path)], stack=False)
    images, masks, clicks, boxes = viewer.layers
    assert [layer.name for layer in viewer.layers] == [
        f"parts{what}" for what in ("", " masks", " clicks", " boxes")
    ]
    assert images.data.shape == masks.data.shape == (3, 60, 90)
    assert [int(np.asarray(images.data[n]).max()) for n in range(3)] == [40, 70, 100]
    painted = np.zeros((3, 60, 90), int)
    painted[0, :60, :80][disc(SHAPES[0], 20, 30)] = 1
    painted[0, :60, :80][disc(SHAPES[0], 40, 60)] = 2
    painted[1, :50, :90][disc(SHAPES[1], 30, 70)] = 3
    assert np.array_equal(np.asarray(masks.data), painted)
    assert list(masks.features["class"]) == ["pore", "crack", "crack"]
    assert list(masks.features["record"]) == [a.id for a in project.annotations()]
    red, green, blue, _ = masks.get_color(1)
    assert (red, green, blue) == pytest.approx((0xF4 / 255, 0xB9 / 255, 0x42 / 255), abs=0.01)
    assert clicks.data.tolist() == [[0, 20, 30], [0, 6, 5], [1, 30, 70]]
    assert list(clicks.features["inside"]) == [True, False, True]
    assert len(boxes.data) == 1
    assert boxes.data[0].min(axis=0).tolist() == [0, 12, 20]
    assert boxes.data[0].max(axis=0).tolist() == [0, 28, 40]
    viewer.dims.set_current_step(0, 0)
    _shot(viewer.window._qt_window, "opened")
    viewer.dims.set_current_step(0, 1)
    assert viewer.layers[1].get_value((1, 30, 70)) == 3


def test_a_project_of_one_image_has_no_slider_and_a_moved_image_is_said(viewer, tmp_path, project):
    single = Project.open(tmp_path / "single")
    record = project.image("1.png")
    single.add_image("1.png", shape=record.shape, content_hash=record.content_hash,
                     path=tmp_path / "1.png")  # fmt: skip
    single.add(NewAnnotation("1.png", disc(SHAPES[1], 30, 70), "crack"))
    viewer.open(str(single.path / "project.json"), plugin=PLUGIN)
    assert viewer.layers[0].rgb
    assert viewer.layers[1].data.shape == SHAPES[1]
    assert viewer.layers[1].data[30, 70] == 1
    viewer.layers.clear()
    (tmp_path / "1.png").rename(tmp_path / "moved.png")
    viewer.open(str(single.path), plugin=PLUGIN)
    assert "moved or renamed" in notification_manager.records[-1].message
    assert viewer.layers[1].data[30, 70] == 1


@pytest.mark.usefixtures("plugin")
def test_what_is_no_project_is_left_to_others(tmp_path, project):
    zarr_folder = project.path / "annotations.zarr"
    assert zarr_folder.is_dir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "project.json").write_text('{"format": "another program"}')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "empty.json").touch()
    paths = [zarr_folder, tmp_path, tmp_path / "other", tmp_path / "other" / "project.json",
             tmp_path / "list.json", tmp_path / "empty.json"]  # fmt: skip
    for path in paths:
        with pytest.raises(ValueError, match="refused"):
            npe2.read([str(path)], stack=False, plugin_name=PLUGIN)
    with pytest.raises(ValueError, match="refused"):
        npe2.read([str(project.path), str(project.path)], stack=True, plugin_name=PLUGIN)


# ---- writing ----

FOR_LAYERS = [form for form in FORMATS.values() if form.writer and not form.of_stacks]


def read_manifest():
    return yaml.safe_load((Path(__file__).parents[2] / "napari.yaml").read_text("utf-8"))


def test_the_manifest_has_the_preferences_defaults():
    pages = read_manifest()["contributions"]["configurations"]
    declared = {
        key: setting["default"] for key, setting in pages["labelling"]["properties"].items()
    }
    plain = asdict(Preferences())
    del plain["keys"]
    assert declared == plain


def test_the_manifest_names_every_writer():
    manifest = read_manifest()
    writers = manifest["contributions"]["writers"]
    named = {writer["command"].removeprefix(f"{PLUGIN}.write_"): writer for writer in writers}
    known = {writer_name(form.name): form for form in FOR_LAYERS}
    assert set(named) == set(known)
    for name, form in known.items():
        assert named[name]["filename_extensions"] == ([form.suffix] if form.suffix else [])
        assert named[name]["display_name"] == form.title
    npe2.PluginManifest(**manifest).validate_imports()


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("form", FOR_LAYERS, ids=lambda form: form.name)
def test_a_labels_layer_is_saved_in_every_format(form, tmp_path):
    data = np.zeros((40, 60), np.int32)
    data[5:15, 5:20], data[20:30, 30:50] = 3, 7
    features = {"index": [3, 7], "class": ["pore", "crack"]}
    layer = Labels(data, name="Prüfung", features=features, scale=(0.5, 0.5), units="um")
    command = f"{PLUGIN}.write_{writer_name(form.name)}"
    writer = next(
        w for w in npe2.PluginManager.instance().iter_compatible_writers(["labels"])
        if w.command == command
    )  # fmt: skip
    out = tmp_path / f"out{form.suffix}"
    assert writer.exec(args=(str(out), *layer.as_layer_data_tuple()[:2])) == [str(out)]
    assert out.is_file() == bool(form.suffix)
    if form.name == "table":
        assert "37.5" in out.read_text("utf-8")  # 150 pixels in square micrometres


def test_a_stack_of_labels_keeps_classes_and_image_names(viewer, project, tmp_path):
    viewer.open(str(project.path), plugin=PLUGIN)
    masks = viewer.layers[1]
    out = tmp_path / "saved.json"
    assert masks.save(str(out), plugin=PLUGIN) == [str(out)]
    coco = COCO(str(out))
    assert [image["file_name"] for image in coco.dataset["images"]] == ["0.png", "1.png", "2.png"]
    names = {category["id"]: category["name"] for category in coco.dataset["categories"]}
    found = [names[row["category_id"]] for row in coco.dataset["annotations"]]
    assert found == ["pore", "crack", "crack"]
    first = coco.dataset["annotations"][0]
    assert np.array_equal(coco.annToMask(first).astype(bool), np.asarray(masks.data[0]) == 1)


def test_napari_goes_on_saving_in_its_own_formats(viewer, tmp_path):
    layer = viewer.add_labels(np.eye(20, dtype=np.int32), name="eye")
    viewer.add_image(np.zeros((20, 20)), name="zeros")
    for name in ("eye.tif", "eye"):
        (saved,) = layer.save(str(tmp_path / name))
        assert Path(saved).suffix == (Path(name).suffix or ".tif")
    viewer.layers.save(str(tmp_path / "both"))
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"eye.tif", "zeros.tif"}


def test_coco_opens_with_its_images(viewer, tmp_path):
    (tmp_path / "images").mkdir()
    mask = disc((40, 50), 20, 25)
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / "images" / "a.png")
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 50}],
        "categories": [{"id": 1, "name": "pore"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
                         "segmentation": {"size": [40, 50], "counts": rle["counts"].decode()}}],
    }  # fmt: skip
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(document))
    viewer.open(str(file), plugin=None)
    image, masks = viewer.layers
    assert image.data[0, 0] == 90
    assert np.array_equal(masks.data == 1, mask)
    assert list(masks.features["class"]) == ["pore"]
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(Exception, match=r"a\.png"):
        viewer.open(str(file), plugin=None)


# ---- the dialog ----


def ended(exporting: Exporting, desk_wait) -> str:
    """Press Export, wait for its end, and return what the dialog says."""
    with desk_wait.waitSignal(exporting.ended, timeout=120_000):
        exporting.dialog.export.click()
    return exporting.dialog.notice.notice.text


def test_the_dialog_says_what_is_lost_and_can_be_cancelled(project, qtbot, tmp_path, monkeypatch):
    hole = disc(SHAPES[2], 30, 40, 12) & ~disc(SHAPES[2], 30, 40, 5)
    project.add(NewAnnotation("2.png", hole, "pore"))
    exporting = Exporting(project, MASKS)
    dialog = exporting.dialog
    dialog.formats.setCurrentIndex(dialog.formats.findData("yolo"))
    out = Path(dialog.place.text())
    assert out == project.path.parent / "parts-yolo"
    said = ended(exporting, qtbot)
    assert "3 images with 4 objects" in said
    assert "Not kept: 1 × object whose holes are filled." in said
    assert (out / "data.yaml").is_file()
    _shot(dialog, "export_losses")

    # A folder of somebody else's is never replaced.
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    dialog.place.setText(str(mine))
    dialog.export.click()
    with qtbot.waitSignal(exporting.ended, timeout=120_000):
        dialog.notice.findChild(QPushButton).click()
    assert "not made by an export" in dialog.notice.notice.text
    assert (mine / "thesis.txt").is_file()

    # Cancelled while the first image is read.
    going, reading = threading.Event(), threading.Event()

    def slow(image: object) -> np.ndarray:
        reading.set()
        going.wait()
        return mask(image)

    from napari_sam_tune.core.project.annotations import Annotation

    mask = Annotation.cropped_mask.fget
    monkeypatch.setattr(Annotation, "cropped_mask", property(slow))
    dialog.formats.setCurrentIndex(dialog.formats.findData("coco"))
    target = tmp_path / "cancelled.json"
    dialog.place.setText(str(target))
    dialog.export.click()
    qtbot.waitUntil(reading.is_set)
    _shot(dialog, "export_running")
    with qtbot.waitSignal(exporting.ended, timeout=120_000):
        dialog.close()  # while something is under way, this stops it
        going.set()
    assert dialog.isVisible()
    assert "cancelled" in dialog.notice.notice.text
    assert not target.exists()
    dialog.close()
    assert exporting.is_closed


def test_the_menu_asks_for_a_project_where_none_is_open(viewer, project, monkeypatch, qtbot):
    from napari._app_model import get_app_model

    titles = [
        item.command.id for item in get_app_model().menus.get_menu("napari/file/io_utilities")
    ]
    assert [f"{PLUGIN}.export_masks", f"{PLUGIN}.export_weights"] == [
        title for title in titles if title.startswith(PLUGIN)
    ]
    asked = []
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory",
        lambda *_: asked.append(True) or str(project.path),
    )  # fmt: skip
    get_app_model().commands.execute_command(f"{PLUGIN}.export_weights").result()
    assert asked == [True]
    exporting = viewer.window._qt_window.findChild(Exporting)
    assert exporting.dialog.findChild(QTabWidget).currentIndex() == WEIGHTS
    exporting.dialog.close()


def _shot(dialog, name: str) -> None:
    import os

    folder = os.environ.get("SAM_TUNE_SHOTS")
    if folder is not None:
        QApplication.processEvents()
        QApplication.processEvents()
        dialog.grab().save(str(Path(folder) / f"{name}.png"))
