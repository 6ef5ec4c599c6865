"""Train a promptless head on the accepted masks of a project, top to bottom."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.trunk import NECK
from napari_sam_tune.core.models.weights_file import HEAD
from napari_sam_tune.core.promptless.head import (
    PromptlessModel,
    Trunk,
    build_head,
    build_neck,
    head_tensors,
)
from napari_sam_tune.core.promptless.labelled import labelled_images, parts_of
from napari_sam_tune.core.promptless.lesson import LabelledView, LabelledViews, PromptlessLesson
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.core.training.lesson import Marks
from napari_sam_tune.core.training.loop import Loop
from napari_sam_tune.core.training.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.config import HeadConfig, TrainConfig
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.promptless.labelled import Part
    from napari_sam_tune.core.training.course import Course
    from napari_sam_tune.core.training.loop import Contents
    from napari_sam_tune.core.training.run_folder import RunFolder

_FLIPS = ((False, False), (True, False), (False, True), (True, True))


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
    """A head as it came out of training; `store.keep_head` puts it into a project.

    Attributes:
        tensors: head and neck, by name, on the CPU.
        info: what its weights file is to say about itself.
        losses: of every step.
        held_out: mean IoU over classes on held-out images at the best look; None without a look.

    """

    tensors: Mapping[str, Tensor]
    info: Mapping[str, Any]
    losses: tuple[float, ...] = field(repr=False)
    held_out: float | None = None


def fit_head(
    project: Project,
    predictor: Predictor,
    config: TrainConfig,
    *,
    train_ids: Sequence[str] | None = None,
    judge_ids: Sequence[str] | None = None,
    run: RunFolder | None = None,
    resume: bool = False,
    checkpoint: Callable[[], None] = lambda: None,
) -> Generator[Progress, None, TrainedHead]:
    """Train a head on images with accepted masks and on those marked as having no defect.

    An image counts as a whole, of a large one a tile (`labelled.parts_of`): what no mask covers is
    background. Nothing is saved but in `run`,
    and the model of `predictor` is not changed; features before the neck go to the project's cache.

    Args:
        project: images and masks.
        predictor: of the project's base model.
        config: how to train.
        train_ids: images to learn from; None takes what is labelled of the "train" split.
        judge_ids: images to choose the best by; None takes what is labelled and held out.
            With none at all the last weights are kept.
        run: the folder of a run from the command line.
        resume: go on with the run in that folder.
        checkpoint: called between images; it may raise (to cancel).

    Yields:
        Progress; `held_out` is the mean IoU over classes.

    Raises:
        TrainingError: no labelled image to learn from, or one both trains and judges.
        DivergedError: loss or gradient was not a finite number.
        OutOfMemory: the device cannot train even one image at a time.
        ProjectError, ImageError: an image or a mask cannot be read.

    """
    learn_from, judges = _choose(project, predictor.input_side, train_ids, judge_ids)
    classes = _classes(project, learn_from, config.head)
    cache = open_cache(project)
    cache.pin(part.name for part in [*learn_from, *judges])
    views = LabelledViews(project, predictor, Trunk(predictor, cache), classes)
    schedule = _schedule(learn_from, config)
    yield from _encode(views, schedule)
    head = build_head(predictor.network, len(classes), config.seed)
    neck = build_neck(predictor, config.seed)
    model = PromptlessModel(predictor, head, neck, classes, cache=cache)
    lesson = PromptlessLesson(neck, head, views, predictor.device, checkpoint)
    loop = _loop(lesson, schedule, model, learn_from, judges, config=config, run=run, resume=resume)
    course = yield from loop.learn(None, 0.0)
    tensors, info, _ = loop.weights(course)
    if run is not None:
        run.write_weights(tensors, info)
        run.close()
    return TrainedHead(tensors, info, tuple(course.losses), course.best)


def measure(model: PromptlessModel, project: Project, parts: Iterable[Part]) -> HeadScores:
    """Compare what a head draws with the accepted masks of labelled images, at their own size.

    Of large images windows are images, see `labelled.parts_of`.

    Raises:
        ProjectError, ImageError: an image or a mask cannot be read.

    """
    count = len(model.classes)
    overlaps, unions = np.zeros(count, np.int64), np.zeros(count, np.int64)
    ious, clean = [], []
    for part in parts:
        found = drawn_labels(model.predict(part.pixels(project), part.name))
        wanted = part.label_map(project, model.classes)
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


def _choose(
    project: Project, side: int, train_ids: Sequence[str] | None, judge_ids: Sequence[str] | None
) -> tuple[list[Part], list[Part]]:
    """Return what to learn from and what to judge by."""
    labelled = labelled_images(project)
    train = _chosen(project, labelled, side, train_ids, "train")
    judges = _chosen(project, labelled, side, judge_ids, "held_out")
    _check(project, train, judges)
    return train, judges


def _chosen(
    project: Project,
    labelled: Sequence[ImageRecord],
    side: int,
    ids: Sequence[str] | None,
    split: str,
) -> list[Part]:
    if ids is None:
        return [part for part in parts_of(project, labelled, side) if part.split == split]
    wanted = set(ids)
    return parts_of(project, [record for record in labelled if record.id in wanted], side)


def _check(project: Project, train: Sequence[Part], judges: Sequence[Part]) -> None:
    if not any(project.annotations(part.record.id) for part in train):
        raise TrainingError(
            tr("There is no image with accepted masks to learn from; label a few images first.")
        )
    both = {part.called for part in train} & {part.called for part in judges}
    if both:
        raise TrainingError(
            f"{len(both)} images are meant both to train and to judge, so the judgement would be "
            f"worthless: {', '.join(sorted(both)[:3])}."
        )


def _classes(project: Project, parts: Sequence[Part], config: HeadConfig) -> tuple[str, ...]:
    if config.single_class:
        return ("defect",)
    ids = {part.record.id for part in parts}
    return tuple(sorted({a.label for a in project.annotations() if a.image_id in ids}))


def _schedule(parts: Sequence[Part], config: TrainConfig) -> list[list[LabelledView]]:
    """Draw what every step sees: all images once before any comes again, flipped at random."""
    rng = np.random.default_rng(config.seed)
    wanted = config.steps * config.batch_size
    order: list[int] = []
    while len(order) < wanted:
        order += rng.permutation(len(parts)).tolist()
    flips = rng.integers(len(_FLIPS) if config.head.flips else 1, size=wanted)
    views = [LabelledView(parts[i], _FLIPS[f]) for i, f in zip(order, flips, strict=False)]
    return [views[i : i + config.batch_size] for i in range(0, wanted, config.batch_size)]


def _encode(views: LabelledViews, schedule: Sequence[Sequence[LabelledView]]) -> Iterator[Progress]:
    """Put into the cache what the steps will see and is not there."""
    drawn = {(v.part.name, v.flips): v for step in schedule for v in step}
    missing = [view for seen, view in drawn.items() if not views.trunk.holds(*seen)]
    began = monotonic()
    for done, view in enumerate(missing, start=1):
        views.features(view)
        yield Progress.encoded(done, len(missing), began)


def _loop(
    lesson: PromptlessLesson,
    schedule: Sequence[Sequence[LabelledView]],
    model: PromptlessModel,
    learn_from: Sequence[Part],
    judges: Sequence[Part],
    *,
    config: TrainConfig,
    run: RunFolder | None,
    resume: bool,
) -> Loop:
    head, neck, views = model.head, model.neck, lesson.views
    predictor = views.predictor

    def contents(course: Course) -> Contents:
        return head_tensors(head, neck), _info(predictor, model.classes, learn_from, course), None

    looked_at = judges[:: max(1, math.ceil(len(judges) / max(1, config.look_objects)))]

    def look() -> float | None:
        one_by_one = _one_by_one(looked_at, lesson.checkpoint)
        return measure(model, views.project, one_by_one).mean if looked_at else None

    named = {f"{HEAD}{name}": p for name, p in head.named_parameters()}
    of_neck = {f"{NECK}{name}": p for name, p in neck.named_parameters()}
    rates = ((named, config.head.learning_rate), (of_neck, config.head.neck_rate))
    return Loop(
        config=config,
        learning=named | of_neck,
        groups=[
            {"params": list(part.values()), "peak": rate, "weight_decay": config.head.weight_decay}
            for part, rate in rates
        ],
        gradients=lambda step: Marks(lesson.gradients(schedule[step]), 0),
        look=look,
        weights=contents,
        device=predictor.device,
        world=World(),
        run=run,
        resume=resume,
    )


def _one_by_one(parts: Iterable[Part], checkpoint: Callable[[], None]) -> Iterator[Part]:
    for part in parts:
        checkpoint()
        yield part


def _info(
    predictor: Predictor,
    classes: Sequence[str],
    learnt_from: Sequence[Part],
    course: Course,
) -> dict[str, Any]:
    """Say in a weights file what it is, so that it can be used without the project."""
    return {
        "base": asdict(predictor.ref),
        "parts": ["promptless"],
        "classes": list(classes),
        **predictor.network.input_format,
        "config": course.config.model_dump(mode="json"),
        "images": len({part.record.id for part in learnt_from}),
        "losses": [round(loss, 5) for loss in course.losses],
        "held_out": course.best,
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
