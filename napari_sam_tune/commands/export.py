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
    out: Annotated[Path, typer.Option(help="File to write; a folder for onnx and pt2.")],
    form: Annotated[
        str, typer.Option("--format", help="sam (.pth), safetensors, lora, onnx, or pt2.")
    ] = "sam",
    version: Annotated[
        str, typer.Option(help="current, base, or a version's 12 digits.")
    ] = "current",
    file: Annotated[
        Path | None,
        typer.Option("--weights", help="A run's weights, or any SAM, instead of a version."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Write weights for other programs, or as our own small file, and a model card beside them."""
    from napari_sam_tune.core.errors import ProjectError
    from napari_sam_tune.core.predictor import BASE
    from napari_sam_tune.core.project import Project
    from napari_sam_tune.core.tuned import TunedWeights, read_tuned
    from napari_sam_tune.formats.weights import export_weights

    opened = Project.open(project, create=False)
    if opened.base is None:
        raise ProjectError(f"{project} has no base model yet, so there are no weights in it.")
    chosen = opened.current_version if version == "current" else version
    if file is None and chosen != BASE:
        file = opened.weights_path(chosen)
    tuned = TunedWeights({}, {}, BASE) if file is None else read_tuned(file, opened.base)
    for written in export_weights(opened, tuned, out, form, overwrite=overwrite):
        console.print(f"Written: [bold]{written}[/]", highlight=False, soft_wrap=True)
