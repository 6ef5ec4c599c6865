"""`napari-sam-tune check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from napari_sam_tune.commands.terminal import console


def check(
    project: Annotated[Path, typer.Argument(help="Project to look through.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Save what can be saved; close the project first.")
    ] = False,
) -> None:
    """Tell whether a project is whole, and what can be saved of it; changes nothing by itself."""
    from napari_sam_tune.core.project.checking import ProjectCheck

    checking = ProjectCheck(project)
    findings = list(checking.run())
    for finding in findings:
        console.print(f"[yellow]•[/] {escape(finding.what)}", highlight=False)
        if finding.remedy is not None:
            verb = "Done" if repair else "Repair"
            console.print(f"  {verb}: {escape(finding.remedy)}", highlight=False)
    mendable = [finding for finding in findings if finding.remedy is not None]
    if repair and mendable:
        checking.repair()
        console.print("Repaired. What was damaged was moved to the project’s folder damaged/.")
    elif not findings:
        console.print("The project is whole.")
    elif mendable:
        console.print("Close the project everywhere and run this again with --repair.")
    if mendable and not repair:
        raise typer.Exit(1)
