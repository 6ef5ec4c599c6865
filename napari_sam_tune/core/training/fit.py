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
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ImageError, ProjectError, StorageError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.weights_file import content_version, read_weights
from napari_sam_tune.core.training.about import about
from napari_sam_tune.core.training.exam import Exam
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob
from napari_sam_tune.core.training.judge import Judge
from napari_sam_tune.core.training.lesson import Lesson
from napari_sam_tune.core.training.loop import Loop
from napari_sam_tune.core.training.parts import borrowed
from napari_sam_tune.core.training.placement import on_device, side_by_side, threads
from napari_sam_tune.core.training.run_folder import RunFolder
from napari_sam_tune.core.training.setup import set_up
from napari_sam_tune.core.training.syllabus import draw_up
from napari_sam_tune.core.training.world import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.training.course import Course
    from napari_sam_tune.core.training.embedded_images import Seen
    from napari_sam_tune.core.training.job import ObjectScore
    from napari_sam_tune.core.training.loop import Contents
    from napari_sam_tune.core.training.parts import LentModel
    from napari_sam_tune.core.training.placement import Mapped
    from napari_sam_tune.core.training.setup import Setup
    from napari_sam_tune.core.training.syllabus import Syllabus
    from napari_sam_tune.core.training.world import World


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
    yield Progress(0, job.config.steps, None, None, None, "loading")
    setup = set_up(job, model, checkpoint)
    syllabus = yield from draw_up(setup)
    missing, missing_of_base = syllabus.missing(setup)
    encodes = setup.trains_encoder or bool(missing or missing_of_base)
    with (
        joined(setup.device) as world,
        on_device(setup.network, setup.device, encoder=encodes),
        threads(job.threads),
    ):
        exam = _exam(setup, syllabus, world)
        if syllabus.of_others:
            # the base answers there, and is still in the model
            with side_by_side(setup.device) as mapped:
                yield from setup.images_of_base.fetch_all(missing_of_base, mapped, checkpoint)
                yield from exam.judge_before(setup.images_of_base, syllabus.of_others, mapped)
        course, scores, version = yield from _train(setup, exam, missing)
    return Candidate(
        version=version,
        parent=job.parent,
        scores=scores,
        losses=tuple(course.losses),
        seconds=monotonic() - began,
        steps=course.steps,
        masks=syllabus.masks,
    )


def _train(
    setup: Setup, exam: Exam, missing: Sequence[Seen]
) -> Generator[Progress, None, tuple[Course, tuple[ObjectScore, ...], str]]:
    """Put the weights in use into the model, judge, train, judge again, and save.

    However it ends, the model has its own weights back.
    """
    job, config = setup.job, exam.syllabus.config
    with (
        borrowed(setup.predictor, config, setup.in_use, job.parent) as lent,
        side_by_side(setup.device) as mapped,
    ):
        yield from setup.images.fetch_all(missing, mapped, setup.checkpoint)
        # before anything is learnt the weights in use are judged
        yield from exam.judge_before(setup.images, exam.syllabus.of_familiar, mapped)
        _go_on_from_earlier(setup, lent)
        run = RunFolder(Path(job.run), tensorboard=job.tensorboard) if job.run else None
        loop = _loop(setup, exam, lent, mapped, run)
        course = yield from loop.learn(exam.look_before(), exam.seconds)
        lent.average_with_base(config.base_share)
        scores, held_out = yield from exam.judge_after(mapped)
        # the last point of the curve
        yield Progress(course.steps, config.steps, None, held_out, 0.0, "judging")
        contents = _contents(setup, exam.syllabus, lent, course, scores)
        version = _save(setup, contents, run, exam.world)
    return course, scores, version


def _exam(setup: Setup, syllabus: Syllabus, world: World) -> Exam:
    judge = Judge(
        network=setup.network,
        images=setup.images,
        device=setup.device,
        config=syllabus.config,
        positions=setup.network.positions(),
        checkpoint=setup.checkpoint,
        encodes=setup.trains_encoder,
    )
    return Exam(syllabus=syllabus, judge=judge, world=world)


def _go_on_from_earlier(setup: Setup, lent: LentModel) -> None:
    """Put the parameters to where the training before this one was."""
    earlier = setup.job.go_on_from or setup.job.parent
    if earlier != BASE_VERSION:
        averaged, said = read_weights(setup.project.weights_path(earlier))
        lent.go_on_from(averaged, said.get("config", {}).get("base_share", 0.0))


def _loop(setup: Setup, exam: Exam, lent: LentModel, mapped: Mapped, run: RunFolder | None) -> Loop:
    syllabus = exam.syllabus
    lesson = Lesson(
        network=setup.network,
        images=setup.images,
        device=setup.device,
        config=syllabus.config,
        positions=exam.judge.positions,
        checkpoint=setup.checkpoint,
        encodes=setup.trains_encoder,
        at_once=syllabus.config.prompts_per_image,
        flips=setup.network.is_light,
        world=exam.world,
        mapped=mapped,
    )
    return Loop(
        config=syllabus.config,
        learning=lent.learning,
        groups=lent.groups(setup.model.sam),
        gradients=lambda step: lesson.gradients(syllabus.schedule[step], step),
        look=lambda: exam.look(mapped),
        weights=lambda course: _contents(setup, syllabus, lent, course, ()),
        device=setup.device,
        world=exam.world,
        run=run,
        resume=setup.job.resume,
    )


def _contents(
    setup: Setup,
    syllabus: Syllabus,
    lent: LentModel,
    course: Course,
    scores: Sequence[ObjectScore],
) -> Contents:
    """Return what a weights file holds now: tensors, what they are, and the surfaces they know."""
    info = about(setup.job, course, setup.model, setup.names, scores, syllabus.masks)
    return lent.tensors(), info, syllabus.surfaces


def _save(setup: Setup, contents: Contents, run: RunFolder | None, world: World) -> str:
    """Save the weights and, encoded with them, the open image; return their version."""
    tensors, job = contents[0], setup.job
    if setup.trains_encoder and job.open_image_id is not None:
        # so that after a promotion the image the person is on need not be encoded first
        key = setup.predictor.weights.encoder_key_with(tensors)
        try:
            setup.images.keep(job.open_image_id, key, setup.device)
        except (ImageError, ProjectError, StorageError) as error:
            _log.warning("The open image could not be encoded for the swap: %s", error)
    if world.rank == 0:
        if run is not None:
            run.write_weights(*contents)
            run.close()
        else:
            setup.project.save_weights(*contents)
    return content_version(tensors)
