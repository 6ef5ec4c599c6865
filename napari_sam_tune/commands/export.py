"""`napari-sam-tune export`: what leaves a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import progress_bar, say, strong, warn

if TYPE_CHECKING:
    from napari_sam_tune.formats.exporting import ExportReport

export_app = typer.Typer(no_args_is_help=True, help="Take masks or weights out of a project.")


@export_app.command("weights")
def weights(
    project: Annotated[Path, typer.Argument(help="Project the weights belong to.")],
    out: Annotated[Path, typer.Option(help="File to write; a folder for onnx and pt2.")],
    form: Annotated[
        str,
        typer.Option("--format", help="sam (.pth), safetensors, lora, promptless, onnx, pt2."),
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
    from napari_sam_tune.core.answers.tuned import read_tuned
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.formats.weights.export import export_weights, weights_of

    opened = Project.open(project, create=False)
    if file is not None and opened.base is not None:
        tuned = read_tuned(file, opened.base)
    else:
        tuned = weights_of(opened, form, version)
    for written in export_weights(opened, tuned, out, form, overwrite=overwrite):
        say("Written: ", strong(written), wrap=False)


@export_app.command("masks")
def masks(
    project: Annotated[Path, typer.Argument(help="Project whose masks are written.")],
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
    form: Annotated[
        str, typer.Option("--format", help="coco, yolo, labels …; “Formats of masks” in the book.")
    ] = "coco",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file, or an earlier export's folder.")
    ] = False,
    copy_images: Annotated[
        bool,
        typer.Option("--copy-images/--no-images", help="Put the images in, into folders of tools."),
    ] = True,
    only_approved: Annotated[
        bool, typer.Option("--only-approved", help="Only masks that are approved.")
    ] = False,
    pixel_size: Annotated[float, typer.Option(help="Length of a pixel's side.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Its unit, such as micrometer.")] = "pixel",
) -> None:
    """Write masks for other programs, all or nothing, and say what the format could not hold."""
    from napari_sam_tune.core.exchange.outgoing import images_out, selection
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.formats.exporting import export
    from napari_sam_tune.formats.registry import format_named
    from napari_sam_tune.formats.writer import ExportOptions

    known = format_named(form)
    options = ExportOptions(copy_images, pixel_size, unit)
    opened = Project.open(project, create=False)
    chosen = selection(opened, only_approved=only_approved)
    with progress_bar() as bar:
        task = bar.add_task("Exporting", total=chosen.images)
        report = export(
            known,
            images_out(opened, only_approved=only_approved),
            chosen.classes,
            out,
            overwrite=overwrite,
            options=options,
            progress=lambda _: bar.advance(task),
        )
    _print_export(report)
    for what, count in chosen.left_out.items():
        warn("Left out:", f"{count} × {what}")


def _print_export(report: ExportReport) -> None:
    counted = f", {report.images} images with {report.objects} objects"
    say("Written: ", strong(report.path), counted, wrap=False)
    for what, count in sorted(report.losses.items()):
        warn("Not kept:", f"{count} × {what}", wrap=False)
