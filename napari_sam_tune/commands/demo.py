"""`napari-sam-tune demo`: sample images, in napari or for a robot."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_sam_tune.commands.terminal import Model, console
from napari_sam_tune.core.models.catalogue import STARTER


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Let a robot click; needs no display.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the demo's project and results.")] = Path(
        "napari-sam-tune-demo"
    ),
    model: Model = STARTER,
    parts: Annotated[
        int | None,
        typer.Option(
            help="How many of the 13 parts on the line the robot labels, all if not given: fewer "
            "take less time, with shorter rounds of training, and show less. For --headless."
        ),
    ] = None,
) -> None:
    """Open sample defect images ready to click, or run the whole loop without a display."""
    reason = None if headless else _why_headless()
    if reason is not None:
        console.print(f"{reason} Running the demo headless: a robot does the clicking.")
    if headless or reason is not None:
        _run_headless(out, model, parts)
        return
    from napari_sam_tune.ui.demo import run_demo

    run_demo(out, model)


def _why_headless() -> str | None:
    """Say why napari cannot open a window here, or None if it can."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "There is no display."
    if not any(importlib.util.find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5")):
        return 'No Qt is installed (pip install "napari-sam-tune[all]" brings it).'
    return None


def _run_headless(out: Path, model: str, parts: int | None) -> None:
    from napari_sam_tune.demo import run_headless

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    run_headless(out, model=model, parts=parts, say=say)
    console.print(
        f"Everything is in [bold]{out}[/]: project, images, masks, coco.json, weights.pth, "
        "report.json, clicks.png.",
        highlight=False,
    )
