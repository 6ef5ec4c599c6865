"""A head trained in the background: from a job to a file in the project."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.promptless.fit import fit_head
from napari_sam_tune.core.promptless.job import KeptHead
from napari_sam_tune.core.promptless.store import keep_head
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.core.training.placement import on_device

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.promptless.job import HeadJob


def train_head(
    job: HeadJob,
    *,
    model: LoadedModel | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Generator[Progress, None, KeptHead]:
    """Train a head on a project's masks and keep it there; from then on it proposes.

    Args:
        job: on what and how.
        model: the base model `job.base`, to save loading it; it is not changed.
        checkpoint: called between images; it may raise (to cancel: nothing is kept).

    Yields:
        Progress, as `fit_head` does.

    Raises:
        TrainingError: another base model, or what `fit_head` raises.
        StorageError: the disk refused; nothing is half-written.

    """
    began = time.time()
    yield Progress(0, job.config.steps, None, None, None, "loading")
    project = Project.open(job.project, create=False)
    model = model or load_base(job.base, "cpu")
    if model.ref.sha256 != job.base.sha256:
        raise TrainingError(
            tr(
                "The file of the model {model} has changed. Put the old one back, or start a new "
                "project.",
                model=job.base.name,
            )
        )
    predictor = Predictor(model)
    with on_device(predictor.network, resolve_device(job.device), encoder=True):
        head = yield from fit_head(project, predictor, job.config, checkpoint=checkpoint)
    checkpoint()
    # masks accepted and classes renamed while it was trained are newer than what it knows
    file = keep_head(project, head.tensors, head.info, known_at=began)
    return KeptHead(str(file), head.info["images"], head.held_out, time.time() - began)
