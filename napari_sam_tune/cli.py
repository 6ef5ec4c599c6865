"""The command line: every verb a thin call into the core."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from napari_sam_tune.commands.check import check
from napari_sam_tune.commands.evaluate import evaluate
from napari_sam_tune.commands.export import export_app
from napari_sam_tune.commands.import_data import import_data
from napari_sam_tune.commands.merge import merge
from napari_sam_tune.commands.predict import predict
from napari_sam_tune.commands.sweep import sweep
from napari_sam_tune.commands.terminal import Device, Model, console, progress_bar
from napari_sam_tune.commands.train import print_config, train
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS

if TYPE_CHECKING:
    from napari_sam_tune.core.evaluation.simulate import ObjectResult
    from napari_sam_tune.core.rounds.report import Round

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Label defects by clicking; SAM learns from every accepted mask while you go on.",
)
starter_app = typer.Typer(no_args_is_help=True, help="Train and measure the embedded model.")
app.add_typer(starter_app, name="starter")
app.command("import")(import_data)
app.command()(check)
app.command()(merge)
app.command()(train)
app.command("config")(print_config)
app.command()(evaluate)
app.command()(sweep)
app.command()(predict)
app.add_typer(export_app, name="export")


def main() -> None:
    """Run the command line; our own errors become one plain line and exit code 1."""
    try:
        app()
    except (SamTuneError, FileExistsError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {error}", highlight=False)
        sys.exit(1)


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Let a robot click; needs no display.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the demo's project and results.")] = Path(
        "napari-sam-tune-demo"
    ),
    model: Model = "starter",
    parts: Annotated[
        int | None,
        typer.Option(
            help="How many of the 13 parts on the line the robot labels, all if not given: fewer "
            "take less time, with shorter rounds of training, and show less. For --headless."
        ),
    ] = None,
) -> None:
    """Open sample defect images ready to click, or run the whole loop without a display."""
    reason = None if headless else _why_headless()
    if reason is not None:
        console.print(f"{reason} Running the demo headless: a robot does the clicking.")
    if headless or reason is not None:
        _demo_headless(out, model, parts)
        return
    from napari_sam_tune.ui.demo import run_demo

    run_demo(out, model)


def _why_headless() -> str | None:
    """Say why napari cannot open a window here, or None if it can."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "There is no display."
    if not any(importlib.util.find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5")):
        return 'No Qt is installed (pip install "napari-sam-tune[all]" brings it).'
    return None


def _demo_headless(out: Path, model: str, parts: int | None) -> None:
    from napari_sam_tune.demo import run_headless

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    run_headless(out, model=model, parts=parts, say=say)
    console.print(
        f"Everything is in [bold]{out}[/]: project, images, masks, coco.json, weights.pth, "
        "report.json, clicks.png.",
        highlight=False,
    )


def _round_line(finished: Round) -> str:
    outcome = "new weights in use" if finished.promoted else "weights kept"
    return f"[bold]   round[/]  {outcome}: {finished.report} ({finished.seconds:.0f} s)"


@app.command()
def embed(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    project: Annotated[Path, typer.Option(help="Project folder; made if it is absent.")],
    model: Model = "starter",
    device: Device = "auto",
) -> None:
    """Encode a whole folder ahead, so that every first click is quick. Resumes where it stopped."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.batch.embed import embed_folder
    from napari_sam_tune.core.project.project import Project

    opened = Project.open(project)
    predictor = Predictor.from_checkpoint(model, device=device)
    changed = opened.set_base(predictor.ref)  # another model's embeddings would be of no use
    if changed is not None:
        console.print(changed, highlight=False)
    unreadable = []
    with progress_bar() as bar:
        task = bar.add_task("Encoding", total=None)
        for step in embed_folder(opened, predictor, folder):
            bar.update(task, completed=step.done, total=step.total)
            if step.error is not None:
                unreadable.append(step.error)
    for message in unreadable:
        console.print(f"[yellow]Skipped:[/] {message}", highlight=False)


@app.command()
def simulate(
    images: Annotated[Path, typer.Option(help="Folder of images.")],
    masks: Annotated[Path, typer.Option(help="Folder of true masks, paired by stem.")],
    out: Annotated[Path, typer.Option(help="JSON file for the report.")],
    learn: Annotated[
        bool, typer.Option("--learn/--frozen", help="Fine-tune between images, or never.")
    ] = True,
    model: Model = "starter",
    project: Annotated[
        Path | None, typer.Option(help="Keep the project here; else it is thrown away.")
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Accepted masks between rounds.")
    ] = MASKS_BETWEEN_ROUNDS,
    max_clicks: Annotated[int, typer.Option(min=1, help="The robot gives up after so many.")] = 20,
    target: Annotated[float, typer.Option(min=0, max=1, help="Score it is content with.")] = 0.85,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="0 clicks the centre of the error, 1 anywhere.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the order of groups and the noise.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N groups.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV with a row per stem.")] = None,
    class_column: Annotated[str | None, typer.Option(help="Its column of classes.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Its column of groups.")] = None,
    zoom: Annotated[
        bool | None,
        typer.Option(
            "--zoom/--no-zoom",
            help="Answer small objects from a crop around them; by itself where that is fast.",
        ),
    ] = None,
    recall: Annotated[
        bool | None,
        typer.Option(
            "--recall/--no-recall",
            help="Bring in masks of other photographs of the same part; by itself with --learn.",
        ),
    ] = None,
    instant: Annotated[
        bool,
        typer.Option(
            "--instant/--no-instant", help="Learn at every accept, with or without rounds."
        ),
    ] = True,
    similar: Annotated[
        bool,
        typer.Option("--similar", help="Ask for all like what was accepted before clicking."),
    ] = False,
    objects: Annotated[int | None, typer.Option(min=1, help="Stop after so many objects.")] = None,
    device: Device = "auto",
) -> None:
    """Find out how many clicks learning would save on images you have labelled already."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.evaluation.simulate import Robot, order_groups, run_sequence
    from napari_sam_tune.core.exchange.labelled_images import read_pairs
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.session.session import Session

    pairs = read_pairs(
        images, masks, manifest=manifest, class_column=class_column, group_column=group_column
    )
    groups = order_groups(pairs, seed, limit)
    robot = Robot(
        max_clicks=max_clicks, target=target, noise=noise, seed=seed, finds_similar=similar
    )
    with TemporaryDirectory() as scratch, progress_bar() as bar:
        task = bar.add_task("Labelling", total=sum(len(group) for group in groups))
        stems: set[str] = set()

        def report(event: ObjectResult | Round) -> None:
            if isinstance(event, Round):
                bar.console.print(_round_line(event), highlight=False)
            else:
                stems.add(event.stem)
                bar.update(task, completed=len(stems))

        session = Session(
            Project.open(project or Path(scratch) / "project"),
            Predictor.from_checkpoint(model, device=device),
            source="robot",
            zoom=zoom,
            recall=learn if recall is None else recall,
            instant=instant,
        )
        with session:
            result = run_sequence(
                session,
                groups,
                robot,
                every=every if learn else None,
                objects=objects,
                report=report,
            )
        bar.update(task, completed=sum(len(group) for group in groups))
    document = result.to_json()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    summary = document["summary"]
    console.print(
        f"{summary['objects']} objects, {summary['cumulative_clicks']} clicks, "
        f"{summary['actions']} actions; report in {out}",
        highlight=False,
    )


@starter_app.command("train")
def starter_train(
    run: Annotated[Path, typer.Option(help="Folder of the run; goes on where it stopped.")],
    hours: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop at this step of the run.")] = None,
    anneal: Annotated[
        float,
        typer.Option(min=0, max=1, help="Let the learning rate fall over the last such share."),
    ] = 0.0,
    size: Annotated[
        list[int] | None, typer.Option(help="Picture size in px; repeat to mix several.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the pictures and the prompts.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Torch threads.")] = 1,
    images: Annotated[int, typer.Option(min=1, help="Pictures of 256 px in a step.")] = 6,
    objects: Annotated[int, typer.Option(min=1, help="Targets in each picture.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Processes that make pictures.")] = 1,
    start: Annotated[
        Path | None, typer.Option(help="Weights that a new run goes on from; else from nothing.")
    ] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of photographs (images/, masks/) to mix in; may be repeated."),
    ] = None,
    surfaces: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of photographs of sound surfaces to draw defects on; repeatable."
        ),
    ] = None,
    trunk_rate: Annotated[
        float, typer.Option(min=0, help="Learning rate of the ImageNet trunk, of that of the rest.")
    ] = 0.0,
    examine_every: Annotated[
        float, typer.Option(min=1, help="Seconds between two examinations of the weights.")
    ] = 1200.0,
) -> None:
    """Train the embedded model on made and real pictures; may be stopped at any moment."""
    from napari_sam_tune.starter.training import train

    best = train(
        run,
        hours=hours,
        steps=steps,
        anneal=anneal,
        seed=seed,
        sizes=size or (128, 256, 512),
        device=device,
        threads=threads,
        images=images,
        objects=objects,
        processes=processes,
        start=start,
        real=real or (),
        surfaces=surfaces or (),
        trunk_rate=trunk_rate,
        examine_every=examine_every,
        progress=lambda line: console.print_json(data=line, indent=None),
    )
    console.print(f"Best weights so far: {best}", highlight=False)


@starter_app.command("evaluate")
def starter_evaluate(
    images: Annotated[Path, typer.Option(help="Folder of photographs.")],
    masks: Annotated[Path, typer.Option(help="Folder of true masks, paired by stem.")],
    weights: Annotated[
        Path | None, typer.Option(help="Weights to measure; else those of the package.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV with columns stem and class.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many images.")] = None,
    seed: Annotated[int, typer.Option(help="Which images, with --limit.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads.")] = 1,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also click with methods that need no model.")
    ] = False,
) -> None:
    """Measure the embedded model on labelled photographs, clicked by the robot."""
    from napari_sam_tune.starter.evaluate import evaluate

    figures = evaluate(
        images,
        masks,
        weights=weights,
        manifest=manifest,
        limit=limit,
        seed=seed,
        threads=threads,
        compare=compare,
    )
    console.print_json(data=figures)


@starter_app.command("samples")
def starter_samples(
    out: Annotated[Path, typer.Option(help="Folder that gets images/, masks/, manifest.csv.")],
    seed: Annotated[int, typer.Option(help="Those of the package come from seed 1.")] = 1,
) -> None:
    """Make the sample images: parts of one production line, with true masks."""
    from napari_sam_tune.starter.samples import write_samples

    written = write_samples(out, seed)
    console.print(f"{len(written)} images in {out}", highlight=False)


if __name__ == "__main__":
    main()
