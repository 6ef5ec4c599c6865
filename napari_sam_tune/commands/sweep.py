"""`napari-sam-tune sweep`: which value of a setting is worth most."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import (
    Cluster,
    Device,
    print_table,
    progress_bar,
    say,
    strong,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.evaluation.sweep import Run, RunScore
    from napari_sam_tune.core.training.job import Progress

COLUMNS = ("setting", "seeds", "score", "lowest … highest", "gain")


def sweep(
    project: Annotated[Path, typer.Argument(help="Project with accepted masks.")],
    param: Annotated[
        list[str], typer.Option(help="Such as lora.rank=2,4,8; several are swept one by one.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the sweep; goes on where it stopped.")],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each value.")] = 3,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of all runs, such as parts=lora or steps=200."),
    ] = None,
    device: Device = "auto",
    cluster: Cluster = None,
) -> None:
    """Train with each value of a setting and several seeds; a chart and a table of the scores."""
    from napari_sam_tune.core.cluster.cluster import open_cluster
    from napari_sam_tune.core.evaluation.charts import draw_sweep
    from napari_sam_tune.core.evaluation.sweep import RunScore, plan, value_rows, write_csv
    from napari_sam_tune.core.evaluation.sweep import sweep as run_all
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.run import train

    runs = plan(param, seeds, set_ or [])
    opened = Project.open(project, create=False)
    with ExitStack() as stack, progress_bar() as bar:
        joined = None if cluster is None else stack.enter_context(open_cluster(cluster))
        whole = bar.add_task("Runs", total=len(runs))
        steps = bar.add_task("", total=None, visible=joined is None)

        def report(run: Run, event: Progress | RunScore) -> None:
            if isinstance(event, RunScore):
                bar.update(whole, advance=1)
                say(f"{_name(run)}: {event.score:.3f}")
            else:
                said = f"{_name(run)}, {event.phase}"
                bar.update(steps, description=said, completed=event.step, total=event.steps)

        found = run_all(
            opened,
            out,
            runs,
            train=train,
            configure=_configured,
            device=device,
            cluster=joined,
            report=report,
        )
        bar.remove_task(steps)
    write_csv(found, out / "sweep.csv")
    draw_sweep(found.scores(), found.baseline, out / "sweep.png")
    print_table(COLUMNS, value_rows(found))
    say(
        f"The base model has {found.baseline:.3f} on the same {found.objects} held-out objects. "
        "Chart and table: ",
        strong(out / "sweep.png"),
        ", ",
        strong(out / "sweep.csv"),
        ".",
    )


def _name(run: Run) -> str:
    return f"{run.param}={run.value}, seed {run.seed}"


def _configured(settings: Sequence[str]) -> TrainConfig:
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.training.settings import with_settings

    return with_settings(TrainConfig.for_a_run(), settings)
