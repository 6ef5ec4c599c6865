"""`napari-sam-tune share` and `join`: copies of a project on several disks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import say, strong, warn, working
from napari_sam_tune.core.errors import ShareUnreachable

if TYPE_CHECKING:
    from napari_sam_tune.core.sharing.exchange import Exchange

_PAUSE = 2.0
"""Seconds between two looks of `--watch`."""
_IMAGES = 20.0
"""Seconds for image files before masks have their turn again."""

Endpoint = Annotated[
    str | None, typer.Option(help="Address of a store that is like S3, such as MinIO's.")
]
Region = Annotated[str | None, typer.Option(help="Region of the store.")]
Images = Annotated[bool, typer.Option(help="Image files are sent and fetched, too.")]

Embeddings = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="GB",
        help="What the model sees in images is exchanged, too, as long as that is no more than so "
        "many gigabytes; 0 ends it.",
    ),
]


def share(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    url: Annotated[
        str | None,
        typer.Argument(help="s3://bucket/key, or a folder that everybody has mounted; first time."),
    ] = None,
    endpoint: Endpoint = None,
    region: Region = None,
    images: Images = True,
    embeddings: Embeddings = None,
    watch: Annotated[bool, typer.Option(help="Go on until Ctrl+C.")] = False,
    here: Annotated[
        bool, typer.Option(help="This computer exchanges the copy from now on, another one did.")
    ] = False,
) -> None:
    """Share a project, or exchange what is new in a shared one. The dock does so by itself."""
    from napari_sam_tune.core.sharing.joining import exchange_here
    from napari_sam_tune.core.sharing.joining import share as share_project

    if url is not None:
        share_project(project, url, endpoint=endpoint, region=region, images=images)
    if here:
        exchange_here(project)
    _allow(project, embeddings)
    exchange = _opened(project)
    _exchange(exchange)
    while watch:
        time.sleep(_PAUSE)
        try:
            _exchange(exchange, only_news=True)
        except ShareUnreachable as error:
            warn("Note:", f"{error} It is tried again.")


def join(
    url: Annotated[str, typer.Argument(help="s3://bucket/key, or the shared folder.")],
    folder: Annotated[Path, typer.Argument(help="New folder for your copy of the project.")],
    endpoint: Endpoint = None,
    region: Region = None,
    images: Images = True,
    embeddings: Embeddings = None,
) -> None:
    """Make a copy of a shared project to work in; run it again where it was stopped."""
    from napari_sam_tune.core.sharing.joining import join as join_project

    join_project(url, folder, endpoint=endpoint, region=region, images=images)
    _allow(folder, embeddings)
    _exchange(_opened(folder))


def _allow(project: Path, embeddings: float | None) -> None:
    """Keep how many gigabytes of embeddings there may be, where that is said."""
    from napari_sam_tune.core.sharing.joining import allow_embeddings

    if embeddings is not None:
        allow_embeddings(project, round(embeddings * 1e9))


def _opened(path: Path) -> Exchange:
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.sharing.exchange import Exchange

    return Exchange(Project.open(path, create=False))


def _exchange(exchange: Exchange, *, only_news: bool = False) -> None:
    """Exchange until nothing is left to do, and say what was done."""
    from napari_sam_tune.core.sharing.exchange import Exchanged

    total = Exchanged()
    with working(f"Exchanging with {exchange.link.url}"):
        while True:
            done = exchange.run(seconds=_IMAGES)
            total = total.with_more(done)
            if done.is_all:
                break
    counts = {
        "mask taken in": total.masks_in,
        "mask put there": total.masks_out,
        "image fetched": total.images_in,
        "image sent": total.images_out,
        "embedding fetched": total.embeddings_in,
        "embedding sent": total.embeddings_out,
    }
    said = ", ".join(f"{count} × {what}" for what, count in counts.items() if count)
    if said or not only_news:
        say(strong(exchange.link.url), f": {said or 'nothing is new, here or there'}.")
