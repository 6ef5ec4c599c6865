"""One round of fine-tuning, top to bottom.

Images were encoded once, by the clicks that made the masks; a round runs only the prompt encoder
and the mask decoder on those embeddings. It starts from the weights in use, replays all accepted
masks, and is pulled a little towards the base model, so that many rounds do not drift away from
what the base can do (L2-SP, Li et al. 2018).
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sam_tune.core.checkpoints import LoadedModel, load_base, resolve_device
from napari_sam_tune.core.embeddings import EmbeddingCache
from napari_sam_tune.core.errors import OutOfMemory, TrainingError
from napari_sam_tune.core.predictor import BASE, Predictor
from napari_sam_tune.core.project import Project
from napari_sam_tune.core.training.decoder import answer
from napari_sam_tune.core.training.examples import (
    EmbeddedImages,
    Example,
    draw_schedule,
    weigh,
)
from napari_sam_tune.core.training.job import Candidate, DivergedError, Progress, TrainingJob
from napari_sam_tune.core.training.judge import Judge, Scores, choose_judges, paired
from napari_sam_tune.core.training.loss import prompt_loss
from napari_sam_tune.core.training.parts import borrowed, names_of_parts
from napari_sam_tune.core.training.prompting import draw_prompts, with_corrections
from napari_sam_tune.core.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.project import Annotation
    from napari_sam_tune.core.training.config import TrainConfig
    from napari_sam_tune.core.training.job import ObjectScore


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
        checkpoint: called between forward, backward and optimiser steps and between judged
            objects; it may block (to pause) or raise (to cancel), and then nothing is saved.

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
    rng = np.random.default_rng(config.seed)
    yield Progress(0, config.steps, None, None, None, "loading")

    project = Project.open(job.project, create=False)
    device = resolve_device(job.device)
    # the encoder, most of a model, is only moved to the device if something must be encoded
    model = model or load_base(job.base, "cpu")
    sam = model.sam
    _check_base(model, job)
    images = EmbeddedImages(
        project, EmbeddingCache(project.path / "embeddings.zarr"), Predictor(model), config.memory
    )

    # what was deleted since the job was made is left out
    living = {annotation.id: annotation for annotation in project.annotations()}
    learn_from = [living[i] for i in job.train_ids if i in living]
    if not learn_from:
        raise TrainingError("All masks to learn from have been deleted meanwhile.")
    judges = choose_judges([living[i] for i in job.judge_ids if i in living], config)
    examples = _examples(learn_from, images, weigh(learn_from, config))
    judging = _examples(judges, images, [1.0] * len(judges))
    schedule = draw_schedule(examples, config, rng)

    drawn = [call[0].annotation.image_id for calls in schedule for call in calls]
    missing = images.missing([*drawn, *(annotation.image_id for annotation in judges)])
    with _on_device(sam, device, encoder=bool(missing)), _threads(job.threads):
        for done, image_id in enumerate(missing, start=1):
            checkpoint()
            images.fetch(image_id)
            yield Progress(done, len(missing), None, None, None, "encoding")

    names = names_of_parts(sam, config.parts)
    current = {} if job.parent == BASE else read_weights(project.weights_path(job.parent))[0]
    with (
        _on_device(sam, device, encoder=False),
        _threads(job.threads),
        borrowed(sam, names, current) as (lent, base),
    ):
        judge = Judge(sam, images, device, config)
        judging_began = monotonic()
        before: dict[str, Scores] = {}
        for done, example in enumerate(judging):
            yield Progress(done, len(judging), None, None, None, "judging")
            checkpoint()
            before[example.annotation.id] = judge.judge(example, draws=config.draws)
        judging_seconds = monotonic() - judging_began

        learning = {name: lent[name] for name in names}
        optimizer = torch.optim.AdamW(
            learning.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        # a share of the way back to the base every step makes `pull` of it in a round
        pull = 1 - (1 - config.pull) ** (1 / config.steps)
        positions = sam.prompt_encoder.get_dense_pe()
        at_once = config.prompts_per_image
        losses: list[float] = []
        real = 0
        training_began = monotonic()
        held_out = _held_out(judge, judging, config)
        yield Progress(0, config.steps, None, held_out, None, "training")
        for step, calls in enumerate(schedule):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(step, config)
            while True:
                # drawn anew from the same seed if memory runs out half-way
                step_rng = np.random.default_rng([config.seed, step])
                optimizer.zero_grad()
                loss, real_in_step = 0.0, 0
                try:
                    for call in calls:
                        features = images.features(call[0].annotation.image_id, device)
                        for part in _learn_call(
                            sam, features, positions, call, config, step_rng, at_once
                        ):
                            checkpoint()
                            part.loss.backward()  # type: ignore[no-untyped-call]
                            checkpoint()
                            loss += part.loss.item()
                            real_in_step += part.real
                    break
                except RuntimeError as error:
                    at_once = _fewer_at_once(at_once, error)
            norm = torch.nn.utils.clip_grad_norm_(learning.values(), config.clip)
            if not (math.isfinite(loss) and math.isfinite(norm.item())):
                raise DivergedError(
                    f"The loss was not a finite number at step {step + 1} of {config.steps}. The "
                    "weights in use stay. Try a smaller learning rate, and look for masks or "
                    "images that are damaged."
                )
            optimizer.step()
            with torch.no_grad():
                for name, parameter in learning.items():
                    parameter.lerp_(base[name], pull)
            losses.append(loss)
            real += real_in_step
            looks = (step + 1) % config.look_every == 0 or step + 1 == config.steps
            held_out = _held_out(judge, judging, config) if looks else None
            seconds_a_step = (monotonic() - training_began) / (step + 1)
            left = seconds_a_step * (config.steps - step - 1) + judging_seconds
            yield Progress(step + 1, config.steps, loss, held_out, left, "training")

        after: dict[str, Scores] = {}
        for done, example in enumerate(judging):
            left = judging_seconds * (1 - done / len(judging))
            yield Progress(done, len(judging), None, None, left, "judging")
            checkpoint()
            after[example.annotation.id] = judge.judge(example, draws=config.draws)
        scores = paired(judging, before, after)
        info = _info(job, model, losses, scores, len(learn_from), real)
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


class _Part:
    """Some prompts of a call: their share of the step's loss, and how many of them are real."""

    def __init__(self, loss: Tensor, real: int) -> None:
        self.loss, self.real = loss, real


def _learn_call(
    sam: Sam,
    features: Tensor,
    positions: Tensor,
    call: Sequence[Example],
    config: TrainConfig,
    rng: np.random.Generator,
    at_once: int,
) -> Iterator[_Part]:
    """Prompt the objects of one image and yield the loss, in parts of `at_once` prompts."""
    drawn, corrections = draw_prompts(call, config, rng)
    rows, columns = call[0].frame.valid
    for first in range(0, len(call), at_once):
        examples, prompts = call[first : first + at_once], drawn[first : first + at_once]
        tokens = [prompt.tokens for prompt in prompts]
        mask_inputs = has_mask = None
        with _autocast(features.device):
            if corrections:
                with torch.no_grad():
                    starts = [prompt.tokens.start for prompt in prompts]
                    mask_inputs = answer(sam, features, positions, starts).chosen()[:, None].float()
                wrong = (mask_inputs[:, 0, :rows, :columns] > 0).cpu().numpy()
                tokens = [
                    p.tokens if p.real else with_corrections(p.tokens, w, e, corrections, rng)
                    for p, w, e in zip(prompts, wrong, examples, strict=True)
                ]
                given = rng.random(len(prompts)) < config.mask_input_share
                has_mask = torch.from_numpy(given).to(features.device)
            answered = answer(sam, features, positions, tokens, mask_inputs, has_mask)
        targets = torch.from_numpy(np.stack([e.target for e in examples])).to(features.device)
        loss = prompt_loss(
            answered.logits[..., :rows, :columns],
            answered.ious,
            targets.float(),
            answered.ambiguous,
        )
        yield _Part(loss.sum() / config.batch_size, sum(prompt.real for prompt in prompts))


def _held_out(judge: Judge, judging: Sequence[Example], config: TrainConfig) -> float | None:
    """Look at a few held-out objects, one point and one box each; None where there are none."""
    scores = [
        score
        for example in judging[: config.look_objects]
        for score in judge.judge(example, draws=1, robot=False).values()
    ]
    return float(np.mean(scores)) if scores else None


def _schedule(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step as a share of its peak: warm-up, then half a cosine."""
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def _examples(
    annotations: Sequence[Annotation], images: EmbeddedImages, weights: Sequence[float]
) -> list[Example]:
    return [
        Example(annotation, images.frame(annotation.image_id), weight)
        for annotation, weight in zip(annotations, weights, strict=True)
    ]


def _check_base(model: LoadedModel, job: TrainingJob) -> None:
    if model.ref.sha256 != job.base.sha256:
        raise TrainingError(
            f"The round is for the model {job.base.name} ({job.base.sha256[:12]}), but "
            f"{model.ref.name} ({model.ref.sha256[:12]}) was loaded: the file has changed. Put the "
            "old one back, or start a new project."
        )


def _fewer_at_once(at_once: int, error: RuntimeError) -> int:
    """Return half as many prompts at once, if the error says that memory ran out."""
    said = str(error).lower()
    # CUDA has a type of its own; MPS and the CPU allocator only say so
    if not (
        isinstance(error, torch.cuda.OutOfMemoryError)
        or "out of memory" in said
        or "can't allocate memory" in said
        or "not enough memory" in said
    ):
        raise error
    if at_once == 1:
        raise OutOfMemory(
            "The device has too little memory to train on even one prompt at a time. Close other "
            "programs that use it, or train on the CPU (device “cpu”)."
        ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return at_once // 2


def _autocast(device: torch.device) -> torch.autocast:
    """bf16 on CUDA, where it halves memory; elsewhere it is slower than float32 or missing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


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
    moved = [sam] if encoder else [sam.prompt_encoder, sam.mask_decoder]
    if home == device:
        moved = []
    try:
        for module in moved:
            module.to(device)
        yield
    finally:
        for module in moved:
            module.to(home)


def _info(
    job: TrainingJob,
    model: LoadedModel,
    losses: Sequence[float],
    scores: Sequence[ObjectScore],
    masks: int,
    real: int,
) -> dict[str, Any]:
    """Say in a weights file what it is, so that it can be used without the project."""
    config = job.config
    return {
        "base": asdict(job.base),
        "architecture": model.architecture,
        "parts": list(config.parts),
        "parent": job.parent,
        "pixel_mean": model.sam.pixel_mean.flatten().tolist(),
        "pixel_std": model.sam.pixel_std.flatten().tolist(),
        "input_size": int(model.sam.image_encoder.img_size),
        "config": config.model_dump(mode="json"),
        "losses": [round(loss, 5) for loss in losses],
        "masks": masks,
        "prompts": {"real": real, "simulated": config.steps * config.batch_size - real},
        "scores": {
            "objects": len({score.annotation_id for score in scores}),
            "current": _mean([score.current for score in scores]),
            "candidate": _mean([score.candidate for score in scores]),
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
