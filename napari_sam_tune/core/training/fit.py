"""One round of fine-tuning, top to bottom.

A model with a light encoder learns whole. With a heavy one images were encoded once, by the clicks
that made the masks, and a round runs only the prompt encoder and the mask decoder on those
embeddings. A round replays all accepted masks and ends in an average with the base model, so that
what it learnt holds elsewhere too and many rounds do not drift away from what the base can do
(WiSE-FT, Wortsman et al. 2022). The next round goes on from where this one was before averaging:
rounds are short, and what they learn adds up.
"""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import asdict, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sam_tune.core.checkpoints import LoadedModel, load_base, resolve_device
from napari_sam_tune.core.embeddings import EmbeddingCache
from napari_sam_tune.core.errors import ImageError, ProjectError, StorageError, TrainingError
from napari_sam_tune.core.predictor import BASE, Predictor
from napari_sam_tune.core.project import Project
from napari_sam_tune.core.training.embedded_images import EmbeddedImages
from napari_sam_tune.core.training.examples import Example, draw_schedule, weigh
from napari_sam_tune.core.training.job import Candidate, DivergedError, Progress, TrainingJob
from napari_sam_tune.core.training.judge import Judge, Scores, choose_judges, paired
from napari_sam_tune.core.training.lesson import Lesson
from napari_sam_tune.core.training.parts import (
    borrowed,
    names_of_parts,
    parts_to_train,
    trains_encoder,
)
from napari_sam_tune.core.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.project import Annotation
    from napari_sam_tune.core.training.config import TrainConfig
    from napari_sam_tune.core.training.job import ObjectScore


_log = logging.getLogger(__name__)


def go_on() -> None:
    """Do nothing between micro-steps: neither pause nor cancel."""


def fit(
    job: TrainingJob,
    *,
    model: LoadedModel | None = None,
    checkpoint: Callable[[], None] = go_on,
) -> Generator[Progress, None, Candidate]:
    """Train a candidate on accepted masks, judge it, and save it in the project, not yet in use.

    Args:
        job: what to train on, from where, and how.
        model: the base model `job.base` with its own weights, to save loading it; it is trained
            in place and has its weights back when the generator ends, is closed or raises.
        checkpoint: called between the decoder's forward, its backward and the optimiser's step,
            while judging too; it may block (to pause) or raise (to cancel: nothing is saved).

    Yields:
        Progress, about once a step.

    Returns:
        The candidate, saved under its version, with its scores beside those of the weights in use.

    Raises:
        TrainingError: nothing to learn from, another base model, or a part that cannot be trained.
        DivergedError: the loss was not a finite number; nothing was saved.
        OutOfMemory: the device cannot train even one prompt at a time.
        ProjectError, ImageError: a mask, an image or the weights in use cannot be read.
        CheckpointError: the base model or the weights in use cannot be read or do not fit.
        StorageError: the disk has no room for embeddings or weights.

    """
    began = monotonic()
    config = job.config
    yield Progress(0, config.steps, None, None, None, "loading")

    project = Project.open(job.project, create=False)
    device = resolve_device(job.device)
    # on the CPU: its encoder, most of a model, only moves if something must be encoded
    model = model or load_base(job.base, "cpu")
    _check_base(model, job)
    sam = model.sam
    names = names_of_parts(sam, parts_to_train(sam, config.parts))
    encodes = trains_encoder(names)
    in_use = {} if job.parent == BASE else read_weights(project.weights_path(job.parent))[0]
    predictor = Predictor(model)
    cache = EmbeddingCache(project.path / "embeddings.zarr")
    cache.pin(record.content_hash for record in project.annotated_images())
    key = predictor.encoder_key_with(in_use)
    images = EmbeddedImages(project, cache, predictor, key, config.memory)

    # what was deleted since the job was made is left out
    living = {annotation.id: annotation for annotation in project.annotations()}
    learn_from = [living[i] for i in job.train_ids if i in living]
    if not learn_from:
        raise TrainingError("All masks to learn from have been deleted meanwhile.")
    config = config.shortened(len(learn_from))
    judges = choose_judges([living[i] for i in job.judge_ids if i in living], config)
    examples = _examples(learn_from, images, weigh(learn_from, config))
    judging = _examples(judges, images, [1.0] * len(judges))
    if config.zoom_share > 0:
        judging = [_as_a_person_sees(example) for example in judging]
    schedule = draw_schedule(examples, config, np.random.default_rng(config.seed), encodes=encodes)

    # an encoder that learns looks at the images themselves
    embedded = [] if encodes else [call[0] for calls in schedule for call in calls]
    missing = images.missing([example.seen for example in [*embedded, *judging]])
    with (
        _on_device(sam, device, encoder=encodes or bool(missing)),
        _threads(job.threads),
        borrowed(predictor, names, in_use, job.parent) as (lent, base),
    ):
        for done, seen in enumerate(missing, start=1):
            checkpoint()
            images.fetch(seen)
            yield Progress(done, len(missing), None, None, None, "encoding")

        positions = sam.prompt_encoder.get_dense_pe()
        lesson = Lesson(
            sam, images, device, config, positions, checkpoint, encodes, config.prompts_per_image
        )
        judge = Judge(sam, images, device, config, positions, checkpoint)

        # the weights in use are judged first, while they are still in the model
        before: dict[str, Scores] = {}
        judging_began = monotonic()
        for done, example in enumerate(judging):
            yield Progress(done, len(judging), None, None, None, "judging")
            before[example.annotation.id] = judge.judge(example, draws=config.draws)
        judging_seconds = monotonic() - judging_began
        judge = replace(judge, encodes=encodes)

        learning = {name: lent[name] for name in names}
        _go_on(project, job.go_on_from or job.parent, learning, base)
        optimizer = torch.optim.AdamW(
            learning.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        losses: list[float] = []
        real_prompts = 0
        held_out = _held_out(before[e.annotation.id] for e in judging[: config.look_objects])
        training_began = monotonic()
        yield Progress(0, config.steps, None, held_out, None, "training")
        for step, calls in enumerate(schedule):
            marks = lesson.gradients(calls, step)
            norm = torch.nn.utils.clip_grad_norm_(learning.values(), config.clip).item()
            if not (math.isfinite(marks.loss) and math.isfinite(norm)):
                raise DivergedError(
                    f"The loss was not a finite number at step {step + 1} of {config.steps}. The "
                    "weights in use stay. Try a smaller learning rate, and look for masks or "
                    "images that are damaged."
                )
            optimizer.param_groups[0]["lr"] = _learning_rate(step, config)
            optimizer.step()
            losses.append(marks.loss)
            real_prompts += marks.real

            held_out = None
            if (step + 1) % config.look_every == 0 and step + 1 < config.steps:
                looked_at = judging[: config.look_objects]
                held_out = _held_out(judge.judge(e, draws=1, robot=False) for e in looked_at)
            seconds_a_step = (monotonic() - training_began) / (step + 1)
            left = seconds_a_step * (config.steps - step - 1) + judging_seconds
            yield Progress(step + 1, config.steps, marks.loss, held_out, left, "training")

        with torch.no_grad():
            for name, parameter in learning.items():
                parameter.lerp_(base[name], config.base_share)

        after: dict[str, Scores] = {}
        for done, example in enumerate(judging):
            left = judging_seconds * (1 - done / len(judging))
            yield Progress(done, len(judging), None, None, left, "judging")
            after[example.annotation.id] = judge.judge(example, draws=config.draws)
        held_out = _held_out(after[e.annotation.id] for e in judging[: config.look_objects])
        # the last point of the curve
        yield Progress(config.steps, config.steps, None, held_out, 0.0, "judging")

        if encodes and job.open_image_id is not None:
            # so that a promotion need not stop the person's clicks to encode the image they are on
            try:
                images.keep(job.open_image_id, predictor.encoder_key_with(lent), device)
            except (ImageError, ProjectError, StorageError) as error:
                _log.warning("The open image could not be encoded for the swap: %s", error)
        scores = paired(judging, before, after)
        info = _info(job, config, model, names, losses, scores, len(learn_from), real_prompts)
        # all that differs from the base: what learnt now, and what earlier rounds taught
        version = project.save_weights(lent, info)
    return Candidate(
        version=version,
        parent=job.parent,
        scores=scores,
        losses=tuple(losses),
        seconds=monotonic() - began,
        steps=len(losses),
        masks=len(learn_from),
    )


def _held_out(looks: Iterable[Scores]) -> float | None:
    """Return the mean of a few objects' first point and first box; None without objects."""
    scores = [look[prompt, 0] for look in looks for prompt in ("point", "box")]
    return float(np.mean(scores)) if scores else None


def _learning_rate(step: int, config: TrainConfig) -> float:
    """Rise in a line, then fall along half a cosine; no step is wasted on a rate of zero."""
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _examples(
    annotations: Sequence[Annotation], images: EmbeddedImages, weights: Sequence[float]
) -> list[Example]:
    return [
        Example(annotation, images.frame(annotation.image_id), weight)
        for annotation, weight in zip(annotations, weights, strict=True)
    ]


@torch.no_grad()
def _go_on(
    project: Project,
    version: str,
    learning: Mapping[str, Tensor],
    base: Mapping[str, Tensor],
) -> None:
    """Put parameters back to where a version's training was before it was averaged."""
    if version == BASE:
        return
    averaged, info = read_weights(project.weights_path(version))
    learnt_share = 1 - float(info.get("config", {}).get("base_share", 0.0))
    for name, parameter in learning.items():
        if name in averaged:
            parameter.copy_(base[name]).lerp_(averaged[name].to(parameter), 1 / learnt_share)


def _as_a_person_sees(example: Example) -> Example:
    """Return a small object in the window around it."""
    window = example.from_close_by()
    return example if window is None else example.closer(window)


def _check_base(model: LoadedModel, job: TrainingJob) -> None:
    if model.ref.sha256 != job.base.sha256:
        raise TrainingError(
            f"The round is for the model {job.base.name} ({job.base.sha256[:12]}), but "
            f"{model.ref.name} ({model.ref.sha256[:12]}) was loaded: the file has changed. Put the "
            "old one back, or start a new project."
        )


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    """Give torch so many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _on_device(sam: Sam, device: torch.device, *, encoder: bool) -> Iterator[None]:
    """Have the decoder on a device for a while, and the encoder too only if it is needed."""
    home = torch.device(sam.device)
    parts = [sam] if encoder else [sam.prompt_encoder, sam.mask_decoder]
    moved = [] if home == device else parts
    try:
        for module in moved:
            module.to(device)
        yield
    finally:
        for module in moved:
            module.to(home)


def _info(
    job: TrainingJob,
    config: TrainConfig,
    model: LoadedModel,
    names: Sequence[str],
    losses: Sequence[float],
    scores: Sequence[ObjectScore],
    masks: int,
    real_prompts: int,
) -> dict[str, Any]:
    """Say in a weights file what it is, so that it can be used without the project."""
    return {
        "base": asdict(job.base),
        "architecture": model.architecture,
        "parts": list(config.parts or dict.fromkeys(name.partition(".")[0] for name in names)),
        "parent": job.parent,
        "went_on_from": job.go_on_from or job.parent,
        "pixel_mean": model.sam.pixel_mean.flatten().tolist(),
        "pixel_std": model.sam.pixel_std.flatten().tolist(),
        "input_size": int(model.sam.image_encoder.img_size),
        "config": config.model_dump(mode="json"),
        "losses": [round(loss, 5) for loss in losses],
        "masks": masks,
        "prompts": {
            "real": real_prompts,
            "simulated": config.steps * config.batch_size - real_prompts,
        },
        "scores": {
            "objects": len({score.annotation_id for score in scores}),
            "current": _mean([score.current for score in scores]),
            "candidate": _mean([score.candidate for score in scores]),
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
