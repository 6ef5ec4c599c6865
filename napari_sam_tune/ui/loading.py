"""Project, images and model, loaded on the thread beside the viewer's before anybody can work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_tune.ui.model_code import import_model_code
from napari_sam_tune.ui.queue import project_queue
from napari_sam_tune.ui.servers import address_of, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.service.connection import Connection
    from napari_sam_tune.ui.queue import ImageQueue
    from napari_sam_tune.ui.views.start import Choices

    FindImages = Callable[[Project], ImageQueue]


@dataclass(frozen=True, eq=False)
class Opened:
    """What is there to work with.

    Attributes:
        project: with its masks.
        queue: its images.
        predictor: the model.
        connection: to the server that does its work; None where this computer does.

    """

    project: Project
    queue: ImageQueue
    predictor: Predictor
    connection: Connection | None = None


def open_all(home: Path, find: FindImages, choices: Choices, download: bool) -> Opened:
    """Open or make a project, find its images, load the model, and reach the server if any.

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
    queue.follow(project)
    import_model_code()
    from napari_sam_tune.core.answers.predictor import Predictor

    here = "auto" if address_of(choices.device) else choices.device
    model = Predictor.from_checkpoint(choices.model, here, download=download)
    return Opened(project, queue, model, connect(choices.device, model))


def find_images(
    project: Project, *, folder: Path | None, look_in: Path | None = None
) -> ImageQueue:
    """Queue a project's images, and those of a folder; looked for in another if they were moved."""
    if look_in is not None:
        project.relink(look_in)
    return project_queue(project, folder)
