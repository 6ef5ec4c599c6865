"""`napari-sam-tune import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.left_out import Strict, say_left_out
from napari_sam_tune.commands.stacks import Channels, StackAxes, reading_of
from napari_sam_tune.commands.terminal import print_table, progress_bar, say, warn, working
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.models.catalogue import STARTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam_tune.core.exchange.import_report import ImportReport
    from napari_sam_tune.core.exchange.importing import ImportOptions
    from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.split import Split


DrawnOn = Annotated[
    str | None,
    typer.Option(
        help="What masks of turned photographs lie on: shown or stored; found out if not given."
    ),
]
Update = Annotated[
    bool,
    typer.Option("--update", help="Take the new form of objects changed in the source."),
]


def import_data(
    project: Annotated[Path, typer.Argument(help="Project folder; made if it is absent.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="folder (images and masks), coco, yolo, voc …; “Formats of masks” in the book.",
        ),
    ] = "folder",
    source: Annotated[
        Path | None, typer.Option("--from", help="The file or folder of the format.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images, or one raster.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of masks, paired by stem.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Base model: its name or a weights file; a new project takes starter."),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV with a row per stem.")] = None,
    class_column: Annotated[
        str | None, typer.Option(help="Its column (GeoJSON: the property) of classes.")
    ] = None,
    group_column: Annotated[str | None, typer.Option(help="Its column of groups.")] = None,
    smallest: Annotated[
        int | None,
        typer.Option(min=1, help="Leave out smaller objects, in px; masks: 10, others: 1."),
    ] = None,
    largest: Annotated[
        int | None, typer.Option(min=1, help="Leave out larger objects, in px.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only N images, by the seed.")] = None,
    val: Annotated[
        float, typer.Option(min=0, max=1, help="Share held out to judge rounds.")
    ] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share kept for evaluation.")] = 0.15,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of --limit.")] = 0,
    update: Update = False,
    drawn_on: DrawnOn = None,
    axes: StackAxes = None,
    channels: Channels = None,
    strict: Strict = False,
) -> None:
    """Make a project of images that are labelled already; run it again to go on or add to it."""
    from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images
    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.models.checkpoints import base_ref
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.formats.registry import format_named

    known = format_named(format_name)
    least = smallest or known.smallest
    options = ImportOptions(least, largest, limit, val, test, seed, update, drawn_on)
    base = None if model is None else base_ref(model)
    reading = reading_of(axes, channels)
    location = Location(source, images, masks, manifest, class_column, group_column, reading)
    with working("Checking"):
        dataset = known.read(location)
        chosen = checked_images(dataset, options)
    opened = Project.open(project)
    if base is not None or opened.base is None:
        opened.set_base(base or base_ref(STARTER))
    _say(_import(opened, dataset, chosen, options), opened.path, len(chosen), strict=strict)


def _say(report: ImportReport, project: Path, asked: int, *, strict: bool) -> None:
    """Print what came of an import.

    Raises:
        SamTuneError: nothing did.
        Exit: with 1, see `say_left_out`.

    """
    _print(report, project)
    say_left_out(report.left_out, strict=strict)
    if not report.images:
        raise SamTuneError(f"None of the {asked} images can be taken.")


def _say_found(images: Sequence[SourceImage]) -> None:
    """Say which images are not where the source says: they were found by their names alone."""
    found = [image for image in images if image.said is not None]
    if found:
        say(
            f"{len(found)} × image or mask found by its name alone, the first: {found[0].said} "
            f"for {found[0].path}"
        )


def say_remarks(remarks: Mapping[str, int]) -> None:
    """Say what was understood that the source does not say, of how many images."""
    for remark, count in remarks.items():
        if count:
            say(f"{count} × {remark}")


def _import(
    project: Project, dataset: Dataset, chosen: Sequence[SourceImage], options: ImportOptions
) -> ImportReport:
    """Import the images chosen under a bar, and say what came of it."""
    from napari_sam_tune.core.exchange.import_report import ImportReport
    from napari_sam_tune.core.exchange.importing import import_images

    _say_found(chosen)
    say_remarks(dataset.remarks)
    report = ImportReport(left_out=dataset.left_out)
    with progress_bar() as bar:
        task = bar.add_task("Importing", total=len(chosen))
        try:
            for step in import_images(project, dataset.name, chosen, options):
                report.take(step)
                bar.advance(task)
        except SamTuneError:
            if done := report.images.total():
                after = f"{done} of {len(chosen)} images are imported. Mend what is said below and "
                warn("Stopped:", after + "run the same command again: it goes on from there.")
            raise
    return report


def _print(report: ImportReport, project: Path) -> None:
    names: dict[Split, str] = {"train": "train", "held_out": "validation", "test": "test"}
    counted = {"images": report.images, "new objects": report.objects_of()}
    for label in sorted({label for label, _ in report.objects}):
        counted[f"  {label}"] = report.objects_of(label)
    rows = [
        (name, *(str(counts.get(split, 0)) for split in names), str(sum(counts.values())))
        for name, counts in counted.items()
    ]
    print_table(("", *names.values(), "in all"), rows, title=f"Imported into {project}")
    said = {"image without objects, marked “no defect here”": report.empty}
    said["object there already"] = report.there
    said["object deleted here that came back"] = report.restored
    said["object changed in the source, taken as it is there now"] = report.updated
    said["object imported before that the source has no more; it stays"] = report.gone
    for what, count in said.items():
        if count:
            say(f"{count} × {what}")
