"""Sharing a project for the first time, and joining one that somebody shared."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import ShareError
from napari_sam_tune.core.project.folder import FORMAT_VERSION, ProjectFolder, is_project
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.project.share_link import ShareLink, write_link
from napari_sam_tune.core.sharing.exchange import MARKER, share_id
from napari_sam_tune.core.sharing.known import Known
from napari_sam_tune.core.sharing.place import SharedPlace, checked_url
from napari_sam_tune.core.storage.holding import machine
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path


def share(
    path: Path,
    url: str,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    images: bool = True,
) -> None:
    """Say that a project is shared, and where; what it holds is put there by the exchange.

    Args:
        path: the project's folder.
        url: `s3://bucket/key`, or a folder that everybody has mounted.
        endpoint: address of a store that is like S3; None for Amazon's.
        region: of the store, or None.
        images: send image files, too.

    Raises:
        ShareError: it is shared somewhere else, something else is in that place, or the place
            cannot be reached.
        ProjectError: there is no project.
        StorageError: the disk refused.

    """
    folder = ProjectFolder(path)
    folder.prepare(create=False)
    known = folder.share_link()
    if known is not None and known.url == checked_url(url):
        return
    if known is not None and (known.copy or Known(folder.known).last):
        raise ShareError(tr("{path} is shared in {url} already.", path=path, url=known.url))
    place = SharedPlace(url, endpoint=endpoint, region=region, make=True)
    if place.get(MARKER) is not None:
        raise ShareError(
            tr(
                "There is a shared project in {url} already. To work in it: napari-sam-tune join "
                "{url} FOLDER. What {path} holds can then be merged into it.",
                url=place.url,
                path=path,
            )
        )
    if not place.is_empty():
        raise ShareError(
            tr("{url} is not empty, so it was left alone. Choose another key.", url=place.url)
        )
    link = ShareLink(
        url=place.url,
        share=secrets.token_hex(16),
        copy="",
        machine=machine(),
        endpoint=endpoint,
        region=region,
        images=images,
    )
    folder.raise_format(FORMAT_VERSION)
    write_link(folder.path, folder.pending, link)


def join(
    url: str,
    path: Path,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    images: bool = True,
) -> None:
    """Make a folder a copy of a shared project; what that holds is fetched by the exchange.

    Args:
        url: where it is shared.
        path: the folder, absent or empty, or one where joining was stopped.
        endpoint: address of a store that is like S3; None for Amazon's.
        region: of the store, or None.
        images: fetch image files, and send own ones.

    Raises:
        ShareError: nothing is shared there, the folder is something else, or the place cannot be
            reached.
        ProjectError: the folder is not empty.
        StorageError: the disk refused.

    """
    place = SharedPlace(url, endpoint=endpoint, region=region)
    marker = place.get(MARKER)
    if marker is None:
        raise ShareError(
            tr(
                "No project is shared in {url}. Check the address, or share one: napari-sam-tune "
                "share PROJECT {url}",
                url=place.url,
            )
        )
    share = share_id(place, marker)
    if is_project(path):
        known = ProjectFolder(path).share_link()
        if known is not None and known.share == share and known.copy:
            return  # it goes on where it was stopped
        if known is not None or not _is_new(Project.open(path, create=False)):
            raise ShareError(
                tr(
                    "{path} is a project of its own. Join in a new folder, and merge this one "
                    "into it.",
                    path=path,
                )
            )
    folder = ProjectFolder(path)
    folder.prepare(create=True)
    folder.raise_format(FORMAT_VERSION)
    link = ShareLink(
        url=place.url,
        share=share,
        copy=secrets.token_hex(4),
        machine=machine(),
        endpoint=endpoint,
        region=region,
        images=images,
    )
    write_link(folder.path, folder.pending, link)


def exchange_here(path: Path) -> None:
    """Say that from now on this computer exchanges a copy, as after a move to it.

    Raises:
        ShareError: the project is not shared.
        StorageError: the disk refused.

    """
    _change_link(path, machine=machine())


def allow_embeddings(path: Path, most: int) -> None:
    """Say how many bytes of embeddings a copy may have in the shared place; 0: it has none there.

    Args:
        path: the copy.
        most: of all copies' together; beyond it this one adds none.

    Raises:
        ShareError: the project is not shared.
        StorageError: the disk refused.

    """
    _change_link(path, embeddings=most)


def _change_link(path: Path, **changes: Any) -> None:
    folder = ProjectFolder(path)
    link = folder.share_link()
    if link is None:
        raise ShareError(tr("{path} is not shared.", path=path))
    write_link(folder.path, folder.pending, replace(link, **changes))


def _is_new(project: Project) -> bool:
    """Whether nothing was ever done in a project, as where joining was stopped at once."""
    return not project.said() and not project.annotations()
