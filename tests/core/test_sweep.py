"""A sweep that is interrupted and goes on; trainings are written by hand."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from tuned_files import project_of_discs, write_blind, write_shifted

from napari_sam_tune import TrainConfig
from napari_sam_tune.core.errors import ProjectError, TrainingError
from napari_sam_tune.core.evaluation.charts import draw_sweep
from napari_sam_tune.core.evaluation.sweep import RunScore, plan, sweep, value_rows, write_csv
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_sam_tune import Project


pytestmark = pytest.mark.usefixtures("at_128_px")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Result:
    weights: Path


class Trainer:
    """Trains blindness into odd numbers of steps, and nothing into even ones."""

    def __init__(self, dies_in_run: int | None = None) -> None:
        self.runs: list[tuple[str, bool]] = []
        self.dies_in_run = dies_in_run

    def __call__(
        self, project: Project, out: Path, config: TrainConfig, *, resume: bool, device: str
    ) -> Generator[Progress, None, Result]:
        self.runs.append((f"{config.steps}/{config.seed}", resume))
        out.mkdir(parents=True, exist_ok=True)
        (out / "state").write_text("begun", encoding="utf-8")
        yield Progress(0, config.steps, None, None, None, "training")
        if len(self.runs) == self.dies_in_run:
            raise KeyboardInterrupt
        write = write_blind if config.steps % 2 else write_shifted
        return Result(write(out / "weights.safetensors"))


def configure(settings: Sequence[str]) -> TrainConfig:
    return TrainConfig(**dict(setting.split("=") for setting in settings))


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    project, out = project_of_discs(tmp_path), tmp_path / "sweep"
    runs = plan(["steps=1,2"], seeds=2, settings=["batch_size=3"])
    dying = Trainer(dies_in_run=3)
    with pytest.raises(KeyboardInterrupt):
        sweep(project, out, runs, train=dying, configure=configure, device="cpu")
    assert dying.runs == [("1/0", False), ("1/1", False), ("2/0", False)]

    trainer, told = Trainer(), []
    found = sweep(
        project,
        out,
        runs,
        train=trainer,
        configure=configure,
        device="cpu",
        report=lambda run, event: told.append((run, type(event))),
    )
    assert trainer.runs == [("2/0", True), ("2/1", False)]
    assert [kind for _, kind in told].count(RunScore) == 4
    assert found.objects == 3
    assert found.baseline > 0.5
    assert found.scores() == {"steps": {"1": [0, 0], "2": [found.baseline] * 2}}
    assert (out / "steps=2" / "seed-1" / "score.json").is_file()

    other = plan(["steps=1,2"], seeds=2, settings=["batch_size=5"])
    with pytest.raises(TrainingError, match="other settings"):
        sweep(project, out, other, train=trainer, configure=configure, device="cpu")

    score = out / "steps=1" / "seed-0" / "score.json"
    whole = score.read_text(encoding="utf-8")
    for damaged in ("", "[1]", "{}", whole.replace(str(found.runs[0].score), '"high"')):
        score.write_text(damaged, encoding="utf-8")
        with pytest.raises(TrainingError, match="Delete it to measure it anew"):
            sweep(project, out, runs, train=trainer, configure=configure, device="cpu")

    write_csv(found, out / "sweep.csv")
    with (out / "sweep.csv").open(newline="", encoding="utf-8") as file:
        base, *rows = csv.DictReader(file)
    assert [(r["param"], r["value"], r["seed"]) for r in rows] == [
        ("steps", value, seed) for value in "12" for seed in "01"
    ]
    assert float(rows[0]["gain"]) == -float(base["score"])
    assert [cells[0] for cells in value_rows(found)] == ["steps=1", "steps=2"]
    draw_sweep(found.scores(), found.baseline, out / "sweep.png")
    with Image.open(out / "sweep.png") as chart:
        assert len(np.unique(np.asarray(chart.convert("L")))) > 20


@pytest.mark.parametrize("wrong", ["lora.rank", "lora.rank=", "steps=2,,4", "=3", "steps=2,2"])
def test_a_param_without_different_values_is_refused(wrong: str) -> None:
    with pytest.raises(TrainingError, match="not a setting with different values"):
        plan([wrong], seeds=1)


def test_nothing_is_trained_that_cannot_be_evaluated(tmp_path: Path) -> None:
    trainer = Trainer()
    with pytest.raises(ProjectError, match="nothing to evaluate on"):
        sweep(
            project_of_discs(tmp_path, images=2),
            tmp_path / "sweep",
            plan(["steps=1"], seeds=1),
            train=trainer,
            configure=configure,
            device="cpu",
        )
    with pytest.raises(TrainingError, match="name of a folder"):
        plan(["start=a/b,c"], seeds=1)
    assert trainer.runs == []
