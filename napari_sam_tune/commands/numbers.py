"""`napari-sam-tune numbers`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import print_table, say, strong

if TYPE_CHECKING:
    from collections.abc import Mapping


def numbers(
    project: Annotated[Path, typer.Argument(help="Project to count.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture and tables; none prints alone.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there already.")
    ] = False,
) -> None:
    """Tell what a project holds: masks by class and size, images, people, effort."""
    from napari_sam_tune.core.evaluation.number_charts import draw_numbers
    from napari_sam_tune.core.evaluation.numbers import class_rows, numbers_of, write_tables
    from napari_sam_tune.core.project.project import Project

    picture = None if out is None else out / "numbers.png"
    if picture is not None and picture.exists() and not overwrite:
        raise FileExistsError(f"{out} holds numbers already: choose another --out or --overwrite.")
    counted = numbers_of(Project.open(project, create=False))
    columns = ("class", "masks", "images", "smallest", "5 %", "25 %", "median", "75 %", "95 %")
    print_table((*columns, "largest px"), class_rows(counted))
    print_table(("image is", "images"), _rows(counted.image_states))
    print_table(("mask is", "masks"), _rows(counted.states))
    noted = [(one.values.text, str(one.masks)) for one in counted.noted]
    if noted:
        print_table(("noted", "masks"), noted)
    print_table(("accepted by", "masks"), _rows(counted.by_person))
    without = len(counted.without_masks)
    say(f"{without} image(s) have no mask and are not marked “no defect”.")
    if counted.costs:
        seconds = sum(one.seconds for one in counted.costs) / len(counted.costs)
        actions = sum(one.actions for one in counted.costs) / len(counted.costs)
        say(f"A mask took {seconds:.1f} s and {actions:.1f} clicks, boxes and strokes on average.")
    if out is not None and picture is not None:
        write_tables(counted, out)
        draw_numbers(counted, picture)
        say("Written: ", strong(out), wrap=False)


def _rows(counted: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, str(count)) for name, count in sorted(counted.items())]
