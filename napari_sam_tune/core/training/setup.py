"""What a training starts from: the project, the model, and the weights in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.embedded_images import EmbeddedImages
from napari_sam_tune.core.training.parts import learning_names, trains_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from torch import Tensor

    from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.models.network import Network
    from napari_sam_tune.core.models.trunk import Halves
    from napari_sam_tune.core.training.job import TrainingJob


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """What a training starts from.

    Attributes:
        job: what to train on, from where, and how.
        project: the images and masks.
        device: where the model is trained.
        model: the base model, its own weights in it.
        predictor: of that model.
        names: of all that learns, adapters included.
        in_use: tensors of the weights in use, none where the base model itself is in use.
        familiar: surfaces the weights in use are for; None for all.
        halves: the encoder where it learns, cut behind what stays frozen; None where all of it runs
            every time.
        images: embeddings, those not kept made with the weights in use.
        images_of_base: embeddings, those not kept made with the base model.
        checkpoint: called between a few operations of the model; it may block or raise.

    """

    job: TrainingJob
    project: Project
    device: torch.device
    model: LoadedModel
    predictor: Predictor
    names: Sequence[str]
    in_use: Mapping[str, Tensor]
    familiar: FamiliarSurfaces | None
    halves: Halves | None
    images: EmbeddedImages
    images_of_base: EmbeddedImages
    checkpoint: Callable[[], None]

    @property
    def network(self) -> Network:
        """The model."""
        return self.predictor.network

    @property
    def trains_encoder(self) -> bool:
        """Whether embeddings change, so that images are encoded anew."""
        return trains_encoder(self.names)


def set_up(job: TrainingJob, model: LoadedModel | None, checkpoint: Callable[[], None]) -> Setup:
    """Open and load what a job names; the model is not touched yet.

    Raises:
        TrainingError: another base model, or one that has not the parts to be trained.
        ProjectError: the project or the weights in use cannot be read.
        CheckpointError: the base model or the weights in use cannot be read.

    """
    project = Project.open(job.project, create=False)
    device = resolve_device(job.device)
    # on the CPU: its encoder, most of a model, only moves if something must be encoded
    model = model or load_base(job.base, "cpu")
    _check_base(model, job)
    names = learning_names(model.network, job.config)
    in_use: dict[str, Tensor] = {}
    familiar: FamiliarSurfaces | None = None
    if job.parent != BASE_VERSION:
        in_use, _ = project.load_weights(job.parent)
        familiar = project.surfaces_of(job.parent)
    predictor = Predictor(model)
    cache = open_cache(project)
    cache.pin(record.content_hash for record in project.annotated_images())
    halves = predictor.network.in_halves(names) if trains_encoder(names) else None
    key, key_of_base = (predictor.weights.encoder_key_with(tensors) for tensors in (in_use, {}))
    memory = job.config.memory
    return Setup(
        job=job,
        project=project,
        device=device,
        model=model,
        predictor=predictor,
        names=names,
        in_use=in_use,
        familiar=familiar,
        halves=halves,
        images=EmbeddedImages(project, cache, predictor, key, memory, halves),
        images_of_base=EmbeddedImages(project, cache, predictor, key_of_base, memory),
        checkpoint=checkpoint,
    )


def _check_base(model: LoadedModel, job: TrainingJob) -> None:
    if model.ref.sha256 != job.base.sha256:
        raise TrainingError(
            tr(
                "The round is for the model {wanted} ({content}), but {there} ({other}) was "
                "loaded: the file has changed. Put the old one back, or start a new project.",
                wanted=job.base.name,
                content=job.base.sha256[:12],
                there=model.ref.name,
                other=model.ref.sha256[:12],
            )
        )
