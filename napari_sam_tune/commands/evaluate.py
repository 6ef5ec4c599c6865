"""`napari-sam-tune evaluate`: tuned weights against the base model."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from functools import partial
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
    working,
)
from napari_sam_tune.core.errors import ClusterError, SamTuneError

if TYPE_CHECKING:
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.evaluation.evaluation import Evaluation
    from napari_sam_tune.core.project.project import Project


class Objects(StrEnum):
    """Which objects of a project are evaluated on."""

    test = "test"
    held_out = "held_out"


def evaluate(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    weights: Annotated[Path, typer.Option(help="Weights file of a run or a round.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many objects, spread over the classes.")
    ] = None,
    split: Annotated[
        Objects, typer.Option(help="Without a test set the held-out objects are used.")
    ] = Objects.test,
    device: Device = "auto",
    cluster: Cluster = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that is there already.")
    ] = False,
) -> None:
    """Compare tuned weights with the base model on objects that training never saw.

    A promptless head, which the base model has none of, is compared with the accepted masks.
    """
    from napari_sam_tune.core.answers.tuned import open_tuned
    from napari_sam_tune.core.cluster.cluster import open_cluster
    from napari_sam_tune.core.evaluation.evaluation import evaluate as compare
    from napari_sam_tune.core.evaluation.measuring import measure_on
    from napari_sam_tune.core.evaluation.report import METRICS_FILE, write_evaluation
    from napari_sam_tune.core.models.weights_file import is_head
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.storage.durable import make_folder

    if (out / METRICS_FILE).exists() and not overwrite:
        raise FileExistsError(f"{out} holds a report already: choose another --out or --overwrite.")
    opened = Project.open(project, create=False)
    here = device if cluster is None else "auto"  # workers may have devices that this machine lacks
    predictor, tuned = open_tuned(weights, device=here, base=opened.base)
    if cluster is not None and is_head(tuned.tensors):
        raise ClusterError("A promptless head is evaluated by one process: leave --cluster out.")
    if limit is not None and is_head(tuned.tensors):
        raise SamTuneError("A promptless head is evaluated on whole images: leave --limit out.")
    make_folder(out, "The report")  # said before the work, not after
    if is_head(tuned.tensors):
        _evaluate_head(opened, predictor, tuned, out, split)
        return
    with ExitStack() as stack, progress_bar() as bar:
        measured = None
        if cluster is not None:
            joined = stack.enter_context(open_cluster(cluster))
            measured = partial(measure_on, joined, opened, weights=weights, device=device)
        task = bar.add_task("Evaluating", total=None)
        evaluation = compare(
            opened,
            predictor,
            tuned,
            split=split.value,
            limit=limit,
            report=lambda done, total: bar.update(task, completed=done, total=total),
            measured=measured,
        )
    write_evaluation(out, evaluation, opened, predictor, tuned, weights)
    _print(evaluation)
    say("Report, charts and pictures are in ", strong(out), ".")


def _evaluate_head(
    project: Project, predictor: Predictor, head: TunedWeights, out: Path, split: Objects
) -> None:
    from napari_sam_tune.core.evaluation.heads import evaluate_head, score_rows

    with working("Evaluating"):
        scores = evaluate_head(project, predictor, head, out, split.value)
    print_table(("promptless head", ""), score_rows(scores))
    say("Report and pictures are in ", strong(out), ".")


def _print(evaluation: Evaluation) -> None:
    from napari_sam_tune.core.evaluation.comparison import by_class, summarise
    from napari_sam_tune.core.evaluation.report import (
        METRIC_COLUMNS,
        class_columns,
        class_rows,
        headline,
        metric_rows,
    )

    summary, classes = summarise(evaluation.objects), by_class(evaluation.objects)
    print_table(METRIC_COLUMNS, metric_rows(summary))
    if len(classes) > 1:
        print_table(class_columns(), class_rows(classes))
    if evaluation.remark:
        say(evaluation.remark)
    say(strong(headline(summary)))
