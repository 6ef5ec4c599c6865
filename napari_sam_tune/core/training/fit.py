"""One round of fine-tuning, top to bottom.

A model with a light encoder learns whole. With a heavy one images were encoded once, by the clicks
that made the masks, and a round runs only the prompt encoder and the mask decoder on those
embeddings. A round replays all accepted masks and ends in an average with the base model, so that
many rounds do not drift away from what the base can do (WiSE-FT, Wortsman et al. 2022), and its
weights are used on surfaces it has learnt from alone (`images.surfaces`). The next round goes on
from where this one was before averaging: rounds are short, and what they learn adds up.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.errors import ImageError, ProjectError, StorageError, TrainingError
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces, describe
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import (
    LoadedModel,
    has_light_encoder,
    load_base,
    resolve_device,
)
from napari_sam_tune.core.models.trunk import depth_of_trunk
from napari_sam_tune.core.models.weights_file import content_version, read_weights
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.training.about import about
from napari_sam_tune.core.training.embedded_images import EmbeddedImages
from napari_sam_tune.core.training.examples import Example, draw_schedule, weigh
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob
from napari_sam_tune.core.training.judge import Judge, Scores, choose_judges, paired
from napari_sam_tune.core.training.lesson import Lesson
from napari_sam_tune.core.training.loop import Loop
from napari_sam_tune.core.training.parts import borrowed, learning_names, trains_encoder
from napari_sam_tune.core.training.placement import on_device, side_by_side, threads
from napari_sam_tune.core.training.run_folder import RunFolder
from napari_sam_tune.core.training.world import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from torch import Tensor

    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.training.embedded_images import Seen
    from napari_sam_tune.core.training.placement import Mapped


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
        The candidate, saved under its version, with its scores beside those of the weights in use,
        or of the base model where those did not answer, on surfaces they have not learnt.

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
    names = learning_names(sam, config)
    encodes = trains_encoder(names)
    in_use: dict[str, Tensor] = {}
    familiar: FamiliarSurfaces | None = None
    if job.parent != BASE_VERSION:
        in_use, _ = project.load_weights(job.parent)
        familiar = project.surfaces_of(job.parent)
    predictor = Predictor(model)
    cache = open_cache(project)
    cache.pin(record.content_hash for record in project.annotated_images())
    key = predictor.weights.encoder_key_with(in_use)
    trunk = depth_of_trunk(sam.image_encoder, names) if encodes else None
    images = EmbeddedImages(project, cache, predictor, key, config.memory, trunk)

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
    # where images are encoded in every step anyway, no window need come twice
    anew = encodes and trunk is None
    schedule = draw_schedule(examples, config, np.random.default_rng(config.seed), encodes=anew)

    described = {
        **project.labelled_surfaces().descriptions,
        **({} if familiar is None else familiar.descriptions),
    }
    shown = {a.image_id: project.image(a.image_id).content_hash for a in [*learn_from, *judges]}
    fresh = [image_id for image_id, content in shown.items() if content not in described]
    for done, image_id in enumerate(fresh, start=1):
        checkpoint()
        try:
            described[shown[image_id]] = describe(images.pixels(image_id))
        except (ImageError, ProjectError) as error:
            _log.warning("%s is no familiar surface from now on: %s", image_id, error)
        yield Progress(done, len(fresh), None, None, None, "encoding")
    surfaces = FamiliarSurfaces({c: described[c] for c in shown.values() if c in described})
    of_familiar: list[Example] = []
    of_others: list[Example] = []
    for example in judging:
        description = described.get(shown[example.annotation.image_id])
        is_familiar = (
            familiar is None
            # what they answered is theirs; what was painted or adopted nobody answered
            or (example.annotation.weights_version == job.parent and example.annotation.prompts)
            or (description is not None and familiar.include(description))
        )
        (of_familiar if is_familiar else of_others).append(example)

    # an encoder that learns looks at the images themselves
    embedded = [] if encodes else [call[0] for calls in schedule for call in calls]
    missing = images.missing([example.seen for example in [*embedded, *of_familiar]])
    of_base = EmbeddedImages(
        project, cache, predictor, predictor.weights.encoder_key_with({}), config.memory
    )
    missing_of_base = of_base.missing([example.seen for example in of_others])
    with (
        joined(device) as world,
        on_device(sam, device, encoder=encodes or bool(missing or missing_of_base)),
        threads(job.threads),
    ):
        positions = sam.prompt_encoder.get_dense_pe()

        def judged(
            judge: Judge, mapped: Mapped, examples: Sequence[Example], seconds: float | None
        ) -> Generator[Progress, None, dict[str, Scores]]:
            shares = world.share(examples)
            asked = mapped(lambda share: judge.judge(share[1], draws=config.draws), shares)
            scores = {}
            for done, example in shares:
                left = None if seconds is None else seconds * (1 - done / len(examples))
                yield Progress(done, len(examples), None, None, left, "judging")
                scores[example.annotation.id] = next(asked)
            return world.gathered(scores)

        before: dict[str, Scores] = {}
        judging_seconds = 0.0
        if of_others:
            # the base answers there, and is still in the model
            judge = Judge(sam, of_base, device, config, positions, checkpoint)
            with side_by_side(device) as mapped:
                yield from _fetched(of_base, missing_of_base, mapped, checkpoint)
                began_judging = monotonic()
                before |= yield from judged(judge, mapped, of_others, None)
                judging_seconds += monotonic() - began_judging

        with (
            borrowed(predictor, config, in_use, job.parent) as lent,
            side_by_side(device) as mapped,
        ):
            yield from _fetched(images, missing, mapped, checkpoint)
            flips = has_light_encoder(sam)
            at_once = config.prompts_per_image
            lesson = Lesson(
                sam,
                images,
                device,
                config,
                positions,
                checkpoint,
                encodes,
                at_once,
                flips,
                world,
                mapped,
            )
            judge = Judge(sam, images, device, config, positions, checkpoint)

            # before anything is learnt the weights in use are judged
            began_judging = monotonic()
            before |= yield from judged(judge, mapped, of_familiar, None)
            judging_seconds += monotonic() - began_judging
            judge = replace(judge, encodes=encodes)

            if (earlier := job.go_on_from or job.parent) != BASE_VERSION:
                averaged, said = read_weights(project.weights_path(earlier))
                lent.go_on_from(averaged, said.get("config", {}).get("base_share", 0.0))
            looked_at = judging[: config.look_objects]
            run = RunFolder(Path(job.run), tensorboard=job.tensorboard) if job.run else None

            def look() -> float | None:
                shared = world.share(looked_at)
                looks = mapped(lambda share: judge.judge(share[1], draws=1, robot=False), shared)
                by_id = {
                    e.annotation.id: scores for (_, e), scores in zip(shared, looks, strict=True)
                }
                return _held_out(world.gathered(by_id).values())

            loop = Loop(
                config,
                lent.learning,
                lent.groups(sam),
                lambda step: lesson.gradients(schedule[step], step),
                look,
                lambda course: (
                    lent.tensors(),
                    about(job, course, model, names, (), len(learn_from)),
                    surfaces,
                ),
                device,
                world,
                run,
                job.resume,
            )
            held_out = _held_out(before[e.annotation.id] for e in looked_at)
            course = yield from loop.learn(held_out, judging_seconds)
            lent.average_with_base(config.base_share)
            after = yield from judged(judge, mapped, judging, judging_seconds)
            held_out = _held_out(after[e.annotation.id] for e in looked_at)
            # the last point of the curve
            yield Progress(course.steps, config.steps, None, held_out, 0.0, "judging")

            tensors = lent.tensors()
            if encodes and job.open_image_id is not None:
                # so that after a promotion the image the person is on need not be encoded first
                try:
                    learnt = predictor.weights.encoder_key_with(tensors)
                    images.keep(job.open_image_id, learnt, device)
                except (ImageError, ProjectError, StorageError) as error:
                    _log.warning("The open image could not be encoded for the swap: %s", error)
            scores = paired(judging, before, after)
            info = about(job, course, model, names, scores, len(learn_from))
            version = content_version(tensors)
            if world.rank == 0:
                if run is not None:
                    run.write_weights(tensors, info, surfaces)
                    run.close()
                else:
                    project.save_weights(tensors, info, surfaces)
    return Candidate(
        version=version,
        parent=job.parent,
        scores=scores,
        losses=tuple(course.losses),
        seconds=monotonic() - began,
        steps=course.steps,
        masks=len(learn_from),
    )


def _fetched(
    images: EmbeddedImages,
    missing: Sequence[Seen],
    mapped: Mapped,
    checkpoint: Callable[[], None],
) -> Iterator[Progress]:
    """Encode what is not in the cache."""

    def fetch(seen: Seen) -> None:
        checkpoint()
        images.fetch(seen)

    for done, _ in enumerate(mapped(fetch, missing), start=1):
        yield Progress(done, len(missing), None, None, None, "encoding")


def _held_out(looks: Iterable[Scores]) -> float | None:
    """Return the mean of a few objects' first point and first box; None without objects."""
    scores = [look[prompt, 0] for look in looks for prompt in ("point", "box")]
    return float(np.mean(scores)) if scores else None


def _examples(
    annotations: Sequence[Annotation], images: EmbeddedImages, weights: Sequence[float]
) -> list[Example]:
    return [
        Example(annotation, images.frame(annotation.image_id), weight)
        for annotation, weight in zip(annotations, weights, strict=True)
    ]


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
