"""What all verbs share: how they print, bars, tables, and options that mean the same everywhere.

Names of files and classes may come from anybody. So verbs print through this module alone: whatever
they hand over is text, never markup, and its control characters are shown instead of obeyed.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from napari_sam_tune.core.models.catalogue import MODEL_NAMES
from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = [
    "Cluster",
    "Device",
    "Model",
    "Progress",
    "Verbs",
    "print_json",
    "print_table",
    "progress_bar",
    "say",
    "say_error",
    "strong",
    "warn",
    "working",
]

_console = Console(highlight=False)
_errors = Console(highlight=False, stderr=True)

Model = Annotated[
    str, typer.Option(help=f"{', '.join(MODEL_NAMES)}, or the path of a weights file.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Share the work out: local:4 for four processes here, or tcp://… of a dask scheduler."
    ),
]


class Verbs(TyperGroup):
    """The verbs, whose usage errors show what somebody typed as the text that it is."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """See `click.Command.make_context`."""
        with _usage_errors_as_text():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """See `click.Group.invoke`."""
        with _usage_errors_as_text():
            return super().invoke(ctx)


@contextmanager
def _usage_errors_as_text() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # click's errors, of which newer releases of typer hold copies of their own
        said = getattr(error, "message", None)
        if hasattr(error, "format_message") and isinstance(said, str):
            vars(error)["message"] = "\n".join(map(visible, said.split("\n")))
        raise


def _text(value: object, style: str = "") -> Text:
    return value if isinstance(value, Text) else Text(visible(value), style)


def strong(value: object) -> Text:
    """Return what `say` prints in bold."""
    return _text(value, "bold")


def say(*parts: object, wrap: bool = True) -> None:
    """Print a line of these parts, also above a bar that is shown.

    Args:
        parts: texts, or what has one; `strong` makes some of them bold.
        wrap: at the terminal's edge; not where somebody will copy a path.

    """
    _console.print(Text.assemble(*map(_text, parts)), soft_wrap=not wrap)


def warn(head: str, text: str, *, wrap: bool = True) -> None:
    """Print a line that begins with a yellow word."""
    say(_text(head, "yellow"), " ", text, wrap=wrap)


def say_error(text: str) -> None:
    """Print what went wrong, to the stream of errors."""
    _errors.print(Text.assemble(_text("Error:", "bold red"), " ", _text(text)))


def print_json(data: Any, *, indent: int | None = 2) -> None:
    """Print figures for a person, or for a program that reads lines."""
    _console.print_json(json.dumps(data), indent=indent, ensure_ascii=True)


def working(what: str) -> AbstractContextManager[object]:
    """Show a turning sign and what is being done, for work that cannot be counted."""
    return _console.status(_text(what))


class _Description(ProgressColumn):
    """What a bar is about."""

    def render(self, task: Task) -> Text:
        return _text(task.description)


def progress_bar() -> Progress:
    """Return a bar for counted work, not yet started."""
    return Progress(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_console,
    )


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None
) -> None:
    """Print rows under columns; all but the first are numbers and stand on the right."""
    table = Table(title=None if title is None else _text(title, "italic"))
    for number, column in enumerate(columns):
        table.add_column(_text(column), justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(_text, row))
    _console.print(table)
