"""Project, images and model, loaded on the thread beside the viewer's before anybody can work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.ui.model_code import import_model_code
from napari_sam_tune.ui.queue import project_queue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.ui.queue import ImageQueue
    from napari_sam_tune.ui.views.start import Choices

    FindImages = Callable[[Project], ImageQueue]


def open_all(
    home: Path, find: FindImages, choices: Choices, download: bool
) -> tuple[Project, ImageQueue, Predictor]:
    """Open or make a project, find its images, load the model.

    Args:
        home: where the project is unless another place was chosen.
        find: returns the images of the project.
        choices: what the person chose.
        download: get the model from where it is published if it is not there.

    Raises:
        SamTuneError: one of them cannot be had.

    """
    from napari_sam_tune.core.project.project import Project

    project = Project.open(choices.project or home)
    queue = find(project)
    import_model_code()
    from napari_sam_tune.core.answers.predictor import Predictor

    model = Predictor.from_checkpoint(choices.model, choices.device, download=download)
    return project, queue, model


def find_images(
    project: Project, *, folder: Path | None, look_in: Path | None = None
) -> ImageQueue:
    """Queue a project's images, and those of a folder; looked for in another if they were moved."""
    if look_in is not None:
        project.relink(look_in)
    return project_queue(project, folder)
