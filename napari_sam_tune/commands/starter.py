"""`napari-sam-tune starter`: the workshop in which the embedded model is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam_tune.commands.terminal import console

starter_app = typer.Typer(no_args_is_help=True, help="Train and measure the embedded model.")


@starter_app.command("train")
def train(
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
    from napari_sam_tune.starter.training import train as run_training

    best = run_training(
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
def evaluate(
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
    from napari_sam_tune.starter.evaluate import evaluate as measure

    figures = measure(
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
def samples(
    out: Annotated[Path, typer.Option(help="Folder that gets images/, masks/, manifest.csv.")],
    seed: Annotated[int, typer.Option(help="Those of the package come from seed 1.")] = 1,
) -> None:
    """Make the sample images: parts of one production line, with true masks."""
    from napari_sam_tune.starter.samples import write_samples

    written = write_samples(out, seed)
    console.print(f"{len(written)} images in {out}", highlight=False)
