"""A training from the command line: long, in a folder of its own, interruptible."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

import yaml

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
from napari_sam_tune.core.models.weights_file import content_version, read_surfaces, read_weights
from napari_sam_tune.core.promptless.fit import fit_head
from napari_sam_tune.core.promptless.store import keep_head
from napari_sam_tune.core.rounds.gate import Verdict, decide
from napari_sam_tune.core.rounds.report import report_of
from napari_sam_tune.core.storage.durable import make_folder, replacing_file
from napari_sam_tune.core.training.fit import fit
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob, mean_scores
from napari_sam_tune.core.training.run_folder import CONFIG, WEIGHTS, RunFolder
from napari_sam_tune.core.training.world import is_alone, is_first, own_device

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.project.project import Project


PROMPTLESS: Final = "promptless"
"""The part that is no part of a SAM: a head of its own, with the neck."""


@dataclass(frozen=True)
class RunResult:
    """What a run has made.

    Attributes:
        weights: the weights file.
        candidate: the weights' version, its scores on held-out objects, losses and seconds.
        verdict: whether the gate would let it replace the weights it started from; None of a
            promptless head, which replaces none.
        held_out: mean score on held-out objects, from 0 to 1, or a head's mean IoU on held-out
            images; None without any.
        held_out_before: the same of the weights it started from, or of the base model on surfaces
            those have not learnt; None of a head.

    """

    weights: Path
    candidate: Candidate
    verdict: Verdict | None
    held_out: float | None
    held_out_before: float | None


def train(
    project: Project,
    out: Path,
    config: TrainConfig,
    *,
    start: str = BASE_VERSION,
    resume: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
) -> Generator[Progress, None, RunResult]:
    """Train on a project's masks into a folder.

    Masks of the "train" split teach, those held out say when to stop and what was best; those of
    the "test" split are not touched.

    Args:
        project: with a base model and accepted masks.
        out: gets weights.safetensors, config.yaml, log.jsonl and what is needed to go on.
        config: how.
        start: the version to start from.
        resume: go on with the run that is in `out`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        tensorboard: write TensorBoard's logs too.

    Yields:
        Progress, as `fit` does.

    Raises:
        TrainingError: no base model, nothing to learn from, `out` holds a run already, or what
            `fit` raises.
        ProjectError: the version to start from is gone.
        SamTuneError: the device is not there.
        StorageError: the disk refused.

    """
    if project.base is None:
        raise TrainingError(
            "The project has no base model yet. Label something in it, or name a model when it is "
            "made: napari-sam-tune import … --model starter."
        )
    resolve_device(own_device(device))  # what cannot begin leaves no folder behind
    if start != BASE_VERSION:
        project.weights_path(start)
    if is_first():
        _prepare(out, config, resume=resume)
    if PROMPTLESS in config.parts:
        if len(config.parts) > 1:
            raise TrainingError("The part promptless is trained by itself; name no other part.")
        folder = RunFolder(out, tensorboard=tensorboard)
        return (yield from _train_head(project, folder, config, resume=resume, device=device))
    annotations = project.counting()
    job = TrainingJob(
        project=str(project.path),
        base=project.base,
        parent=start,
        train_ids=tuple(a.id for a in annotations if a.split == "train"),
        judge_ids=tuple(a.id for a in annotations if a.split == "held_out"),
        config=config,
        device=own_device(device),
        run=str(out),
        resume=resume,
        tensorboard=tensorboard,
    )
    return (yield from _train_parts(job, out / WEIGHTS))


def _train_parts(job: TrainingJob, weights: Path) -> Generator[Progress, None, RunResult]:
    """Train parts of the model itself."""
    candidate = yield from fit(job)
    verdict = decide(candidate.scores, job.config)
    before, after = mean_scores(candidate.scores)
    return RunResult(weights, candidate, verdict, after, before)


def _train_head(
    project: Project, folder: RunFolder, config: TrainConfig, *, resume: bool, device: str
) -> Generator[Progress, None, RunResult]:
    """Train a promptless head instead of the model itself."""
    if project.base is None or not is_alone():
        raise TrainingError("A promptless head is trained by one process; leave --processes out.")
    began = monotonic()
    predictor = Predictor(load_base(project.base, resolve_device(device)))
    trained = yield from fit_head(project, predictor, config, run=folder, resume=resume)
    candidate = Candidate(
        version=content_version(trained.tensors),
        parent=BASE_VERSION,
        scores=(),
        losses=trained.losses,
        seconds=monotonic() - began,
        steps=len(trained.losses),
        masks=len(project.counting()),
    )
    return RunResult(folder.weights, candidate, None, trained.held_out, None)


def _prepare(out: Path, config: TrainConfig, *, resume: bool) -> None:
    """Make a run's folder, with its config in it."""
    make_folder(out, "The run")
    if not resume and any((out / name).exists() for name in (WEIGHTS, CONFIG)):
        raise TrainingError(
            f"{out} holds a run already. Go on with it by --resume, or choose another folder."
        )
    with replacing_file(out / CONFIG) as file:
        file.write(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False).encode())


def enter(project: Project, result: RunResult) -> bool:
    """Enter a run's weights into the project as a version; put it in use if the gate agrees.

    A promptless head is kept beside the versions; from then on it is what proposes in the dock.

    Returns:
        Whether it is in use now; an open dock of the project takes it over by itself.

    Raises:
        TrainingError: other weights have come into use since, which it was not judged against.
        StorageError: the disk refused.

    """
    if result.verdict is None:
        keep_head(project, *read_weights(result.weights))
        return True
    if project.current_version != result.candidate.parent:
        raise TrainingError(
            f"The run was judged against {result.candidate.parent}, but {project.current_version} "
            f"is in use. Train again with --start {project.current_version}."
        )
    tensors, info = read_weights(result.weights)
    version = project.save_weights(tensors, info, read_surfaces(result.weights))
    if result.verdict.promote:
        learnt = [a.label for a in project.counting() if a.split == "train"]
        report = report_of(result.candidate, result.verdict, learnt)
        project.promote(version, report=report.to_json())
    return result.verdict.promote
