"""`napari-sam-tune embed`: images encoded ahead."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.left_out import Strict, say_left_out
from napari_sam_tune.commands.stacks import Channels, StackAxes, reading_of
from napari_sam_tune.commands.terminal import Cluster, Device, progress_bar, say
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.exchange.left_out import IMAGE, LeftOut
from napari_sam_tune.core.models.catalogue import MODEL_NAMES, STARTER

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam_tune.core.batch.embed import EmbedStep
    from napari_sam_tune.core.images.planes import Reading
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project


def embed(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    project: Annotated[Path, typer.Option(help="Project folder; made if it is absent.")],
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Base model: {', '.join(MODEL_NAMES)} or a file; else the project's, or starter."
        ),
    ] = None,
    device: Device = "auto",
    cluster: Cluster = None,
    axes: StackAxes = None,
    channels: Channels = None,
    strict: Strict = False,
) -> None:
    """Encode a whole folder ahead, so that every first click is quick. Resumes where it stopped."""
    from napari_sam_tune.core.project.project import Project

    opened = Project.open(project)
    left_out, images = LeftOut(), 0
    reading = reading_of(axes, channels)
    steps_of = _embed(opened, folder, model, device, cluster, reading)
    with closing(steps_of) as steps, progress_bar() as bar:
        task = bar.add_task("Encoding", total=None)
        for step in steps:
            images = step.total
            bar.update(task, completed=step.done, total=step.total)
            if step.error is not None:
                left_out.add(IMAGE, step.error)
    if not images:
        raise ImageError(f"There is no image in {folder}.")
    say_left_out(left_out, strict=strict)
    if left_out.counts[IMAGE] == images:
        raise ImageError(f"None of the {images} images in {folder} can be read.")


def _embed(
    project: Project,
    folder: Path,
    model: str | None,
    device: str,
    cluster: str | None,
    reading: Reading,
) -> Generator[EmbedStep]:
    """Encode here, or on a cluster."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.batch.embed import embed_folder, embed_folder_on
    from napari_sam_tune.core.cluster.cluster import open_cluster
    from napari_sam_tune.core.models.checkpoints import (
        base_ref,
        load_base,
        placed,
        resolve_device,
    )

    def set_base(ref: BaseRef) -> None:
        changed = project.set_base(ref)  # another model's embeddings would be of no use
        if changed is not None:
            say(changed)

    own = project.base if model is None else None
    if own is not None and own.name == STARTER:
        own = None  # its editions follow each other
    if cluster is None:
        if own is None:
            predictor = Predictor.from_checkpoint(model or STARTER, device=device)
        else:
            predictor = Predictor(load_base(own, resolve_device(device)))
        set_base(predictor.ref)
        yield from embed_folder(project, predictor, folder, reading=reading)
        return
    base = own or base_ref(placed(model or STARTER))
    set_base(base)
    with open_cluster(cluster) as joined:
        yield from embed_folder_on(joined, project, base, folder, device=device, reading=reading)
