"""`napari-sam-tune export`: what leaves a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam_tune.commands.terminal import console

export_app = typer.Typer(no_args_is_help=True, help="Take weights out of a project.")


@export_app.command("weights")
def weights(
    project: Annotated[Path, typer.Argument(help="Project the weights belong to.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    form: Annotated[
        str, typer.Option("--format", help="sam (.pth), safetensors, or lora.")
    ] = "sam",
    version: Annotated[
        str, typer.Option(help="current, base, or a version's 12 digits.")
    ] = "current",
    file: Annotated[
        Path | None, typer.Option("--weights", help="A run's weights instead of a version.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file.")] = False,
) -> None:
    """Write weights as an ordinary SAM checkpoint, adapters merged, or as our own small file."""
    from napari_sam_tune.core.errors import ProjectError
    from napari_sam_tune.core.predictor import BASE
    from napari_sam_tune.core.project import Project
    from napari_sam_tune.core.tuned import TunedWeights
    from napari_sam_tune.formats.weights import export_weights

    opened = Project.open(project, create=False)
    if opened.base is None:
        raise ProjectError(f"{project} has no base model yet, so there are no weights in it.")
    chosen = opened.current_version if version == "current" else version
    if file is None and chosen != BASE:
        file = opened.weights_path(chosen)
    tuned = TunedWeights({}, {}, BASE) if file is None else TunedWeights.read(file)
    export_weights(opened.base, tuned, out, form, overwrite=overwrite)
    console.print(f"Written: [bold]{out}[/]", highlight=False, soft_wrap=True)
