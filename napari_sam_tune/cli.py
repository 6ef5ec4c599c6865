"""The command line: every verb is a module of `commands`, and a thin call into the core."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from napari_sam_tune.commands.check import check
from napari_sam_tune.commands.demo import demo
from napari_sam_tune.commands.embed import embed
from napari_sam_tune.commands.evaluate import evaluate
from napari_sam_tune.commands.export import export_app
from napari_sam_tune.commands.import_data import import_data
from napari_sam_tune.commands.merge import merge
from napari_sam_tune.commands.predict import predict
from napari_sam_tune.commands.simulate import simulate
from napari_sam_tune.commands.starter import starter_app
from napari_sam_tune.commands.sweep import sweep
from napari_sam_tune.commands.train import print_config, train
from napari_sam_tune.core.errors import SamTuneError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Label defects by clicking; SAM learns from every accepted mask while you go on.",
)
# in the order in which `--help` lists them
app.command("import")(import_data)
app.command()(check)
app.command()(merge)
app.command()(train)
app.command("config")(print_config)
app.command()(evaluate)
app.command()(sweep)
app.command()(predict)
app.command()(demo)
app.command()(embed)
app.command()(simulate)
app.add_typer(starter_app, name="starter")
app.add_typer(export_app, name="export")


def main() -> None:
    """Run the command line; our own errors become one plain line and exit code 1."""
    try:
        app()
    except (SamTuneError, FileExistsError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {error}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
