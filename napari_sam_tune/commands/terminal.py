"""What all verbs share: the console, bars, tables, and options that mean the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from napari_sam_tune.core.models.catalogue import MODEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

console = Console()

Model = Annotated[
    str, typer.Option(help=f"{', '.join(MODEL_NAMES)}, or the path of a weights file.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]


def progress_bar() -> Progress:
    """Return a bar for counted work, not yet started."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under columns; all but the first are numbers and stand on the right."""
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
