"""`napari-sam-tune embed`: images encoded ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam_tune.commands.terminal import Device, Model, console, progress_bar
from napari_sam_tune.core.models.catalogue import STARTER


def embed(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    project: Annotated[Path, typer.Option(help="Project folder; made if it is absent.")],
    model: Model = STARTER,
    device: Device = "auto",
) -> None:
    """Encode a whole folder ahead, so that every first click is quick. Resumes where it stopped."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.batch.embed import embed_folder
    from napari_sam_tune.core.project.project import Project

    opened = Project.open(project)
    predictor = Predictor.from_checkpoint(model, device=device)
    changed = opened.set_base(predictor.ref)  # another model's embeddings would be of no use
    if changed is not None:
        console.print(changed, highlight=False)
    unreadable = []
    with progress_bar() as bar:
        task = bar.add_task("Encoding", total=None)
        for step in embed_folder(opened, predictor, folder):
            bar.update(task, completed=step.done, total=step.total)
            if step.error is not None:
                unreadable.append(step.error)
    for message in unreadable:
        console.print(f"[yellow]Skipped:[/] {message}", highlight=False)
