"""`napari-sam-tune embed`: images encoded ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam_tune.commands.left_out import Strict, say_left_out
from napari_sam_tune.commands.terminal import Device, Model, progress_bar, say
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.exchange.left_out import IMAGE, LeftOut
from napari_sam_tune.core.models.catalogue import STARTER


def embed(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    project: Annotated[Path, typer.Option(help="Project folder; made if it is absent.")],
    model: Model = STARTER,
    device: Device = "auto",
    strict: Strict = False,
) -> None:
    """Encode a whole folder ahead, so that every first click is quick. Resumes where it stopped."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.batch.embed import embed_folder
    from napari_sam_tune.core.project.project import Project

    opened = Project.open(project)
    predictor = Predictor.from_checkpoint(model, device=device)
    changed = opened.set_base(predictor.ref)  # another model's embeddings would be of no use
    if changed is not None:
        say(changed)
    left_out, images = LeftOut(), 0
    with progress_bar() as bar:
        task = bar.add_task("Encoding", total=None)
        for step in embed_folder(opened, predictor, folder):
            images = step.total
            bar.update(task, completed=step.done, total=step.total)
            if step.error is not None:
                left_out.add(IMAGE, step.error)
    say_left_out(left_out, strict=strict)
    if images and left_out.counts[IMAGE] == images:
        raise ImageError(f"None of the {images} images in {folder} can be read.")
