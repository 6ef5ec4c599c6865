"""`napari-sam-tune merge`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import progress_bar, say, strong, warn

if TYPE_CHECKING:
    from napari_sam_tune.core.exchange.merge_report import MergeReport

_NAMED = 5


def merge(
    project: Annotated[Path, typer.Argument(help="Project that takes in.")],
    other: Annotated[Path, typer.Argument(help="Project that is taken in; it stays as it is.")],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder to look for images in that are not where OTHER had them."),
    ] = None,
) -> None:
    """Join two projects, as of a laptop and a workstation; run it again to go on or add to it."""
    from napari_sam_tune.core.exchange.merging import Merge
    from napari_sam_tune.core.project.project import Project

    opened = Project.open(project, create=False)
    joining = Merge(opened, Project.open(other, create=False))
    with progress_bar() as bar:
        task = bar.add_task("Joining", total=len(joining.pairs))
        for _ in joining.run():
            bar.advance(task)
    found = [] if images is None else opened.relink(images)
    _print(joining.report, project, other, missing=set(joining.report.missing) - set(found))


def _print(report: MergeReport, project: Path, other: Path, *, missing: set[str]) -> None:
    counts = {
        "image": report.images,
        "mask": report.masks,
        "earlier form of a mask": report.history,
        "class": report.classes,
        "mark of an image": report.marks,
        "deletion or restoration": report.deletions,
        "word on a mask or an image": report.reviews,
        "weights version": report.weights,
        "promptless head": report.heads,
    }
    lines = [f"{count} × {what}" for what, count in counts.items() if count]
    taken = ", ".join(lines) or "nothing, it was all there."
    say("Taken into ", strong(project), f": {taken}")
    clashes = defaultdict(list)
    for clash in report.clashes:
        clashes[clash.rule].append(clash.what)
    for rule, what in clashes.items():
        _warn(f"{len(what)} × {rule}", what)
    if missing:
        _warn(
            f"{len(missing)} × image whose file is not where {other} had it: run again with "
            "--images and its folder",
            sorted(missing),
        )
    if report.lost_weights:
        _warn("weights versions whose files are gone there", report.lost_weights)


def _warn(text: str, names: list[str]) -> None:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(dict.fromkeys(names[:_NAMED]))
    warn("Note:", f"{text} ({shown}{more})")
