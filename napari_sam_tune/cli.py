"""The command line: every verb is a module of `commands`, and a thin call into the core."""

from __future__ import annotations

import io
import logging
import platform
import sys
import tempfile
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from napari_sam_tune import __version__
from napari_sam_tune.commands.check import check
from napari_sam_tune.commands.demo import demo
from napari_sam_tune.commands.embed import embed
from napari_sam_tune.commands.evaluate import evaluate
from napari_sam_tune.commands.export import export_app
from napari_sam_tune.commands.import_data import import_data
from napari_sam_tune.commands.merge import merge
from napari_sam_tune.commands.numbers import numbers
from napari_sam_tune.commands.predict import predict
from napari_sam_tune.commands.serve import serve
from napari_sam_tune.commands.share import join, share
from napari_sam_tune.commands.simulate import simulate
from napari_sam_tune.commands.starter import starter_app
from napari_sam_tune.commands.stopping import Stopped, stoppable
from napari_sam_tune.commands.sweep import sweep
from napari_sam_tune.commands.terminal import Verbs, say_error
from napari_sam_tune.commands.train import print_config, train
from napari_sam_tune.core.errors import SamTuneError, is_out_of_memory
from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAULT: Final = 70
"""EX_SOFTWARE of sysexits.h."""

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Label defects by clicking; SAM learns from every accepted mask while you go on.",
)
# in the order in which `--help` lists them
app.command("import")(import_data)
app.command()(check)
app.command()(numbers)
app.command()(merge)
app.command()(share)
app.command()(join)
app.command()(train)
app.command("config")(print_config)
app.command()(evaluate)
app.command()(sweep)
app.command()(predict)
app.command()(demo)
app.command()(embed)
app.command()(simulate)
app.command()(serve)
app.add_typer(starter_app, name="starter")
app.add_typer(export_app, name="export")


def main() -> None:
    """Run the command line; exit codes: 1 what we refuse, 70 a fault of ours, 128 + a signal.

    Errors of this package become one plain line. Any other exception is one that nobody thought of
    and must never be seen: tests call `app`, which lets it through.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters
    try:
        with stoppable(), _log_as_text():
            app()
    except Stopped as stopped:
        say_error(f"Stopped. {stopped.advice}")
        raise
    except (SamTuneError, FileExistsError) as error:
        say_error(str(error))
        sys.exit(1)
    except PermissionError as error:
        say_error(f"{error.filename} may not be read or written. Check its permissions.")
        sys.exit(1)
    except Exception as error:
        if is_out_of_memory(error):
            say_error("There is too little memory for this. Close other programs and try again.")
            sys.exit(1)
        say_error(_say_fault(error))
        sys.exit(_FAULT)


class _Visible(logging.Formatter):
    """Shows what is logged as text, whatever names of files are in it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return visible(super().formatMessage(record))


@contextmanager
def _log_as_text() -> Iterator[None]:
    """Show our warnings; what tifffile stumbles over on the way to an error of ours is not."""
    ours, silent = logging.StreamHandler(), logging.NullHandler()
    ours.setFormatter(_Visible())
    handlers = {"napari_sam_tune": ours, "tifffile": silent}
    for name, handler in handlers.items():
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name, handler in handlers.items():
            logging.getLogger(name).removeHandler(handler)


def _say_fault(error: Exception) -> str:
    """Write down where an error came from, and say how to report it."""
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="napari-sam-tune-",
        suffix=".txt",
        delete=False,
        encoding="utf-8",
        errors="backslashreplace",
    ) as file:
        file.write(f"napari-sam-tune {__version__}, {platform.platform()}\n\n")
        file.writelines(traceback.format_exception(error))
    return (
        f"This is a fault of napari-sam-tune, not yours ({type(error).__name__}). Please report it "
        f"to its developers with the file {file.name}, which says where it happened."
    )


if __name__ == "__main__":
    main()
