"""One setting after the other, each value with several seeds, against the base model.

A sweep is a folder: DIR/<setting>=<value>/seed-<n> is a run, with `score.json` once it was
evaluated. Whatever has that file is not run again, so that an interrupted sweep goes on.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.tuned import TunedWeights
from napari_sam_tune.core.cluster.worker import kept
from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ProjectError, SamTuneError, TrainingError
from napari_sam_tune.core.evaluation.evaluation import choose_objects
from napari_sam_tune.core.evaluation.measuring import measure
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.storage.durable import make_folder, replacing_file
from napari_sam_tune.core.texts.plain_text import in_spreadsheet

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from napari_sam_tune.core.cluster.cluster import Cluster
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.training.job import Progress

SCORE_FILE: Final = "score.json"


class Trained(Protocol):
    """What a training returns."""

    @property
    def weights(self) -> Path:
        """Its weights file."""


class Train(Protocol):
    """How a run is trained; `training.run.train` is."""

    def __call__(
        self, project: Project, out: Path, config: TrainConfig, *, resume: bool, device: str
    ) -> Generator[Progress, None, Trained]:
        """Train into a folder."""


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes:
        param, value: the setting swept, "lora.rank", and what it was set to, "8".
        seed: of the training.
        settings: everything that was set, "key=value".

    """

    param: str
    value: str
    seed: int
    settings: tuple[str, ...]

    def folder(self, out: Path) -> Path:
        """Return where it is."""
        return out / f"{self.param}={self.value}" / f"seed-{self.seed}"


@dataclass(frozen=True)
class RunScore:
    """What a run came to.

    Attributes:
        run: it.
        score: mean over held-out objects of click and box: IoU, or tolerant F1 where thin.
        seconds: of training since it was last started.

    """

    run: Run
    score: float
    seconds: float


@dataclass(frozen=True)
class Sweep:
    """All runs, and the base model's score on the same objects."""

    baseline: float
    runs: tuple[RunScore, ...]
    objects: int

    def scores(self) -> dict[str, dict[str, list[float]]]:
        """Return setting to value to the score of each seed."""
        scores: dict[str, dict[str, list[float]]] = {}
        for row in self.runs:
            values = scores.setdefault(row.run.param, {})
            values.setdefault(row.run.value, []).append(row.score)
        return scores


def plan(params: Sequence[str], seeds: int, settings: Sequence[str] = ()) -> list[Run]:
    """Read what to run.

    Args:
        params: "key=value,value,…" each; one is swept at a time, the others stay as they are.
        seeds: trainings of each value.
        settings: "key=value" that hold for all.

    Raises:
        TrainingError: a parameter has no values, one twice, or is no name for a folder.

    """
    runs = []
    for param in params:
        key, _, listed = param.partition("=")
        values = [value.strip() for value in listed.split(",")]
        if not key or "" in values or len(set(values)) != len(values):
            raise TrainingError(
                f"--param {param!r} is not a setting with different values, such as "
                "lora.rank=2,4,8."
            )
        if any(mark in param for mark in "/\\:"):
            raise TrainingError(f"--param {param!r} cannot be the name of a folder.")
        runs += [
            Run(key, value, seed, (*settings, f"{key}={value}", f"seed={seed}"))
            for value in values
            for seed in range(seeds)
        ]
    return runs


def sweep(
    project: Project,
    out: Path,
    runs: Sequence[Run],
    *,
    train: Train,
    configure: Callable[[Sequence[str]], TrainConfig],
    device: str = "auto",
    cluster: Cluster | None = None,
    report: Callable[[Run, Progress | RunScore], None] = lambda *_: None,
) -> Sweep:
    """Train and evaluate every run that is not there yet.

    Args:
        project: with a base model, masks to train on and held-out ones.
        out: the sweep's folder.
        runs: from `plan`.
        train: trains a run into its folder.
        configure: turns settings into a config.
        device: see `resolve_device`.
        cluster: on which runs are trained side by side, each on one worker.
        report: called with a run and each of its steps, and with its score in the end; of runs on a
            cluster with the score alone.

    Raises:
        ClusterError: see `Cluster.each`.
        ProjectError: the project has no base model or no held-out objects.
        TrainingError: settings are wrong (before anything is run), a run was made with other
            settings, or what training raises.

    """
    if project.base is None:
        raise ProjectError(f"The project {project.path} has no base model yet.")
    configs = [configure(run.settings) for run in runs]
    known = [_known(run, out, config) for run, config in zip(runs, configs, strict=True)]
    objects, _, _ = choose_objects(project, "held_out")
    place = _Place(project.path, absolute(out), tuple(o.id for o in objects), train, device)
    planned = list(zip(runs, configs, known, strict=True))
    found: Iterator[RunScore]
    if cluster is None:
        bench = _Bench(place)
        baseline = bench.score(None)
        found = (score or bench.run(run, config, report) for run, config, score in planned)
    else:
        make_folder(out, "The sweep")
        missing = [_RunToScore(place, run, config) for run, config, score in planned if not score]
        results = cluster.each([_RunToScore(place), *missing], into=out)
        baseline = next(results).score
        found = (score or next(results) for score in known)
    scores = []
    for run, score in zip(runs, found, strict=True):
        report(run, score)
        scores.append(score)
    return Sweep(baseline, tuple(scores), len(objects))


@dataclass(frozen=True)
class _Place:
    """Where runs are trained and scored, as plain values.

    Attributes:
        project, out: paths of the project and of the sweep's folder.
        object_ids: what they are scored on.
        train, device: see `sweep`.

    """

    project: Path
    out: Path
    object_ids: tuple[str, ...]
    train: Train
    device: str


class _Bench:
    """The same opened."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        self.project = Project.open(place.project, create=False)
        if self.project.base is None:
            raise ProjectError(f"The project {place.project} has no base model yet.")
        self.predictor = Predictor(load_base(self.project.base, resolve_device(place.device)))
        self.objects = [self.project.annotation(one) for one in place.object_ids]

    def score(self, weights: TunedWeights | None) -> float:
        """Ask weights, or the base model, about the objects."""
        asked = measure(self.project, self.predictor, self.objects, (weights,), max_clicks=1)
        return float(np.mean([found.score for _, (found,) in asked]))

    def run(
        self,
        run: Run,
        config: TrainConfig,
        report: Callable[[Run, Progress | RunScore], None] = lambda *_: None,
    ) -> RunScore:
        """Train a run, or train it to its end, score it, and write that down."""
        began = perf_counter()
        weights = self._trained(run, config, report)
        seconds = perf_counter() - began
        found = RunScore(run, self.score(TunedWeights.read(weights)), seconds)
        _write_score(found, self.place.out, config)
        return found

    def _trained(
        self, run: Run, config: TrainConfig, report: Callable[[Run, Progress | RunScore], None]
    ) -> Path:
        folder = run.folder(self.place.out)
        begun = folder.is_dir() and any(folder.iterdir())
        training = self.place.train(
            self.project, folder, config, resume=begun, device=self.place.device
        )
        while True:
            try:
                report(run, next(training))
            except StopIteration as ended:
                result: Trained = ended.value
                return result.weights


@dataclass(frozen=True)
class _RunToScore:
    """A run for a worker; without one, the base model's score."""

    place: _Place
    run: Run | None = None
    config: TrainConfig | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Piece`."""
        return (self.place.project,)

    def do(self) -> RunScore:
        """Train and score it."""
        bench = kept(_Bench, self.place)
        if self.run is None or self.config is None:
            return RunScore(Run("", "base", 0, ()), bench.score(None), 0.0)
        return bench.run(self.run, self.config)


def _known(run: Run, out: Path, config: TrainConfig) -> RunScore | None:
    """Return what a run came to earlier, None where it has not come to an end."""
    path = run.folder(out) / SCORE_FILE
    if not path.exists():
        return None
    try:
        stored = read_json(path)
        known = RunScore(run, float(stored["score"]), float(stored["seconds"]))
    except (SamTuneError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise TrainingError(
            f"{path} does not say what the run came to ({error}). Delete it to measure it anew."
        ) from error
    if stored.get("config") != config.model_dump(mode="json"):
        raise TrainingError(
            f"{path.parent} was run with other settings. Choose another --out, or delete it to run "
            "it anew."
        )
    return known


def _write_score(found: RunScore, out: Path, config: TrainConfig) -> None:
    document = {
        "score": found.score,
        "seconds": round(found.seconds, 2),
        "config": config.model_dump(mode="json"),
    }
    with replacing_file(found.run.folder(out) / SCORE_FILE) as file:
        file.write(json.dumps(document, indent=1).encode())


def write_csv(found: Sweep, path: Path) -> None:
    """Write a row for each run: param, value, seed, score, gain over the base model, seconds."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("param", "value", "seed", "score", "gain", "seconds"))
    rows.writerow(("", "base", "", f"{found.baseline:.4f}", "0.0000", ""))
    for row in found.runs:
        gain = f"{row.score - found.baseline:.4f}"
        said = (f"{row.score:.4f}", gain, f"{row.seconds:.1f}")
        rows.writerow((row.run.param, in_spreadsheet(str(row.run.value)), row.run.seed, *said))
    with replacing_file(path) as file:
        file.write(text.getvalue().encode())


def value_rows(found: Sweep) -> list[tuple[str, str, str, str, str]]:
    """Return setting, seeds, mean ± s.d., lowest … highest and gain over the base model."""
    rows = []
    for param, values in found.scores().items():
        for value, scores in values.items():
            mean, spread = np.mean(scores), np.std(scores, ddof=1) if len(scores) > 1 else 0.0
            rows.append(
                (
                    f"{param}={value}",
                    str(len(scores)),
                    f"{mean:.3f} ± {spread:.3f}",
                    f"{min(scores):.3f} … {max(scores):.3f}",
                    f"{mean - found.baseline:+.3f}".replace("-", "−"),
                )
            )
    return rows
