"""`napari-sam-tune demo`: napari with the sample images, ready to click."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import napari

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.plugin import LabelAndLearn
from napari_sam_tune.ui.queue import SAMPLE_IMAGES
from napari_sam_tune.ui.views.start import Choices

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.ui.controller import Controller


def run_demo(out: Path, model: str) -> None:
    """Open the samples in napari and wait until it is closed.

    Args:
        out: folder that gets copies of the images (once) and the project; a second start goes on
            where the first one stopped.
        model: base model.

    """
    out = out.resolve()
    images = out / "images"
    if not images.exists():
        shutil.copytree(SAMPLE_IMAGES, images)
    viewer = napari.Viewer(title="napari-sam-tune demo")
    dock = LabelAndLearn(viewer)
    viewer.window.add_dock_widget(dock, name=tr("Label and learn"), area="right")

    def begin(controller: Controller) -> None:
        controller.panel.start.show_choices(Choices(project=out / "project", model=model))
        controller.open_folder(images)

    dock.opened.connect(begin)
    napari.run()
