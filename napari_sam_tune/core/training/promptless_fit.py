"""Train a promptless head on the accepted masks of a project, top to bottom."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_sam_tune.core.embeddings import EmbeddingCache
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.promptless import (
    PromptlessModel,
    Trunk,
    build_head,
    copy_of_neck,
    head_tensors,
)
from napari_sam_tune.core.training.job import DivergedError, Progress
from napari_sam_tune.core.training.promptless_lesson import (
    LabelledView,
    LabelledViews,
    PromptlessLesson,
    label_map,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from torch import Tensor

    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import ImageRecord, Project

_FLIPS = ((False, False), (True, False), (False, True), (True, True))


def _go_on() -> None:
    """Do nothing between micro-steps: neither pause nor cancel."""


class PromptlessConfig(BaseModel):
    """How a promptless head is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=500, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(default=4, ge=1)
    """Images in a step."""
    learning_rate: float = Field(default=1e-2, gt=0)
    """AdamW's learning rate at its peak; it falls along half a cosine."""
    neck_rate: float = Field(default=0.3, ge=0)
    """The neck's learning rate, in shares of the head's: it begins with weights worth keeping."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """AdamW's decay towards zero."""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    flips: bool = True
    """Each image is also seen upside down and mirrored, which is encoded and kept as well."""
    single_class: bool = False
    """All classes are one: "defect"."""
    look_every: int = Field(default=50, ge=1)
    """Steps between two looks at held-out images, of which the best is kept."""
    look_images: int = Field(default=24, ge=1)
    """At most so many held-out images in a look."""
    seed: int = Field(default=0, ge=0)
    """The same seed and data give the same head on a CPU with the same number of threads."""


@dataclass(frozen=True)
class HeadScores:
    """How well a head draws on images it has not learnt from.

    Attributes:
        iou: of each class, from 0 to 1: pixels of all images together; None of a class that was
            neither there nor drawn.
        image_iou: mean over the images that have a defect, of all classes as one.
        clean: share of the images without a defect on which nothing was drawn; None without such.
        images: how many were looked at.

    """

    iou: dict[str, float | None]
    image_iou: float | None
    clean: float | None
    images: int

    @property
    def mean(self) -> float:
        """Mean IoU over the classes; 0 where none was there."""
        known = [value for value in self.iou.values() if value is not None]
        return float(np.mean(known)) if known else 0.0


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head as it came out of training; `project_heads.keep_head` puts it into a project.

    Attributes:
        tensors: head and neck, by name, on the CPU.
        info: what its weights file is to say about itself.
        step: optimiser steps it has behind it: of the best look, or all.
        losses: of every step.

    """

    tensors: dict[str, Tensor]
    info: dict[str, Any]
    step: int
    losses: tuple[float, ...] = field(repr=False)


class HeadDiverged(DivergedError):
    """A head's training broke off.

    Attributes:
        kept: the last good weights; None where there were none yet.

    """

    def __init__(self, message: str, kept: TrainedHead | None) -> None:
        super().__init__(message)
        self.kept = kept


def train_promptless(
    project: Project,
    predictor: Predictor,
    config: PromptlessConfig,
    *,
    train_ids: Sequence[str] | None = None,
    judge_ids: Sequence[str] | None = None,
    checkpoint: Callable[[], None] = _go_on,
) -> Generator[Progress, None, TrainedHead]:
    """Train a head on images with accepted masks and on those marked as having no defect.

    An image counts as a whole: what no mask covers is background. Nothing is saved and the model
    of `predictor` is not changed; features before the neck go to the project's cache.

    Args:
        project: images and masks.
        predictor: of the project's base model.
        config: how to train.
        train_ids: images to learn from; None takes the labelled ones that are not held out.
        judge_ids: images to choose the best by; None takes the labelled ones that are held out.
            With none at all the last weights are kept.
        checkpoint: called between forward, backward and step; may block or raise.

    Yields:
        Progress; `held_out` is the mean IoU over classes.

    Returns:
        The head with the best mean IoU.

    Raises:
        TrainingError: no labelled image to learn from, or one both trains and judges.
        HeadDiverged: loss or gradient was not a finite number.
        ProjectError, ImageError: an image or a mask cannot be read.

    """
    labelled = labelled_images(project)
    learn_from = _chosen(labelled, train_ids, "train")
    judges = _chosen(labelled, judge_ids, "held_out")
    _check(project, learn_from, judges)
    classes = _classes(project, learn_from, config)
    cache = EmbeddingCache(project.path / "embeddings.zarr")
    cache.pin(record.content_hash for record in [*learn_from, *judges])
    trunk = Trunk(predictor, cache)
    views = LabelledViews(project, predictor, trunk, classes)

    schedule = _schedule(learn_from, config)
    drawn = dict.fromkeys((v.record.content_hash, v.flips) for step in schedule for v in step)
    by_hash = {record.content_hash: record for record in learn_from}
    missing = [seen for seen in drawn if not trunk.holds(*seen)]
    for done, (image_hash, flips) in enumerate(missing, start=1):
        checkpoint()
        views.features(LabelledView(by_hash[image_hash], flips))
        yield Progress(done, len(missing), None, None, None, "encoding")

    head = build_head(predictor.sam, len(classes), config.seed)
    neck = copy_of_neck(predictor)
    model = PromptlessModel(predictor, head, neck, classes, cache=cache)
    lesson = PromptlessLesson(neck, head, views, predictor.device, checkpoint)
    parameters = [*head.parameters(), *neck.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": list(head.parameters()), "share": 1.0},
            {"params": list(neck.parameters()), "share": config.neck_rate},
        ],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    looked_at = judges[:: max(1, math.ceil(len(judges) / config.look_images))]
    losses: list[float] = []
    best: tuple[float, TrainedHead] | None = None
    last: TrainedHead | None = None

    def trained(scores: HeadScores | None) -> TrainedHead:
        info = _info(predictor, config, classes, learn_from, losses, scores)
        return TrainedHead(head_tensors(head, neck), info, len(losses), tuple(losses))

    began = monotonic()
    for step, batch in enumerate(schedule):
        loss = lesson.gradients(batch)
        norm = torch.nn.utils.clip_grad_norm_(parameters, config.clip).item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _diverged(step, config, last if best is None else best[1])
        last = trained(None)  # these weights gave a finite loss; those to come have yet to
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * _learning_rate(step, config)
        optimizer.step()
        losses.append(loss)
        held_out = None
        if looked_at and ((step + 1) % config.look_every == 0 or step + 1 == config.steps):
            checkpoint()
            scores = measure(model, project, looked_at)
            held_out = scores.mean
            if best is None or held_out > best[0]:
                best = held_out, trained(scores)
        left = (monotonic() - began) / (step + 1) * (config.steps - step - 1)
        yield Progress(step + 1, config.steps, loss, held_out, left, "training")
    return trained(None) if best is None else best[1]


def measure(model: PromptlessModel, project: Project, records: Iterable[ImageRecord]) -> HeadScores:
    """Compare what a head draws with the accepted masks of labelled images, at their own size.

    Raises:
        ProjectError, ImageError: an image or a mask cannot be read.

    """
    count = len(model.classes)
    overlaps, unions = np.zeros(count, np.int64), np.zeros(count, np.int64)
    ious, clean = [], []
    for record in records:
        image = project.read_image(record.id)
        found = drawn_labels(model.predict(image, record.content_hash))
        wanted = label_map(project.annotations(record.id), record.shape, model.classes)
        for value in range(count):
            a, b = found == value + 1, wanted == value + 1
            overlaps[value] += np.count_nonzero(a & b)
            unions[value] += np.count_nonzero(a | b)
        if wanted.any():
            drawn, there = found > 0, wanted > 0
            ious.append(np.count_nonzero(drawn & there) / np.count_nonzero(drawn | there))
        else:
            clean.append(not found.any())
    iou = {
        name: float(overlaps[n] / unions[n]) if unions[n] else None
        for n, name in enumerate(model.classes)
    }
    return HeadScores(iou, _mean(ious), _mean(clean), len(ious) + len(clean))


def drawn_labels(probabilities: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    """Return the label map (H, W) that probabilities (K, H, W) draw; 0 is the background."""
    likeliest = probabilities.argmax(axis=0).astype(np.uint8) + np.uint8(1)
    background = 1 - probabilities.sum(axis=0)
    return np.where(probabilities.max(axis=0) > background, likeliest, np.uint8(0))


def labelled_images(project: Project) -> list[ImageRecord]:
    """Return the images with accepted masks or marked as having no defect, in their order."""
    annotated = {annotation.image_id for annotation in project.annotations()}
    return [r for r in project.images() if r.id in annotated or project.is_empty(r.id)]


def _chosen(
    labelled: Sequence[ImageRecord], ids: Sequence[str] | None, split: str
) -> list[ImageRecord]:
    if ids is None:
        return [record for record in labelled if record.split == split]
    wanted = set(ids)
    return [record for record in labelled if record.id in wanted]


def _check(project: Project, train: Sequence[ImageRecord], judges: Sequence[ImageRecord]) -> None:
    if not any(project.annotations(record.id) for record in train):
        raise TrainingError(
            "There is no image with accepted masks to learn from; label a few images first."
        )
    both = {record.id for record in train} & {record.id for record in judges}
    if both:
        raise TrainingError(
            f"{len(both)} images are meant both to train and to judge, so the judgement would be "
            f"worthless: {', '.join(sorted(both)[:3])}."
        )


def _classes(
    project: Project, records: Sequence[ImageRecord], config: PromptlessConfig
) -> tuple[str, ...]:
    if config.single_class:
        return ("defect",)
    ids = {record.id for record in records}
    return tuple(sorted({a.label for a in project.annotations() if a.image_id in ids}))


def _schedule(records: Sequence[ImageRecord], config: PromptlessConfig) -> list[list[LabelledView]]:
    """Draw what every step sees: all images once before any comes again, flipped at random."""
    rng = np.random.default_rng(config.seed)
    wanted = config.steps * config.batch_size
    order: list[int] = []
    while len(order) < wanted:
        order += rng.permutation(len(records)).tolist()
    flips = rng.integers(len(_FLIPS) if config.flips else 1, size=wanted)
    views = [LabelledView(records[i], _FLIPS[f]) for i, f in zip(order, flips, strict=False)]
    return [views[i : i + config.batch_size] for i in range(0, wanted, config.batch_size)]


def _learning_rate(step: int, config: PromptlessConfig) -> float:
    """Rise in a line, then fall along half a cosine."""
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _diverged(step: int, config: PromptlessConfig, kept: TrainedHead | None) -> HeadDiverged:
    left = "nothing was learnt yet" if kept is None else f"the head of step {kept.step} is kept"
    return HeadDiverged(
        f"The loss was not a finite number at step {step + 1} of {config.steps}; {left}. Try a "
        "smaller learning rate, and look for masks or images that are damaged.",
        kept,
    )


def _info(
    predictor: Predictor,
    config: PromptlessConfig,
    classes: Sequence[str],
    learnt_from: Sequence[ImageRecord],
    losses: Sequence[float],
    scores: HeadScores | None,
) -> dict[str, Any]:
    """Say in a weights file what it is, so that it can be used without the project."""
    return {
        "base": asdict(predictor.ref),
        "parts": ["promptless_head", "image_encoder.neck"],
        "classes": list(classes),
        "pixel_mean": predictor.sam.pixel_mean.flatten().tolist(),
        "pixel_std": predictor.sam.pixel_std.flatten().tolist(),
        "input_size": predictor.input_side,
        "config": config.model_dump(mode="json"),
        "images": len(learnt_from),
        "step": len(losses),
        "losses": [round(loss, 5) for loss in losses],
        "scores": None if scores is None else asdict(scores),
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
