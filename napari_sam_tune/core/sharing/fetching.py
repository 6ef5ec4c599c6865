"""Files that come from the shared place, checked before anybody sees them."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam_tune.core.storage.durable import pending_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.sharing.place import SharedPlace


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file in 64 hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def fetched(place: SharedPlace, name: str, checksum: str, folder: ProjectFolder) -> Iterator[Path]:
    """Give an object as a file on the project's disk, to be moved to its place.

    Args:
        place: where it is.
        name: the object's name.
        checksum: the SHA-256 it must have.
        folder: the project's.

    Raises:
        ShareError: it is not there, or another than was put there.
        OSError: the disk refused.

    """
    with pending_folder(folder.pending) as build:
        file = build / "fetched"
        if not place.fetch(name, file) or sha256_of(file) != checksum:
            raise place.strange(name)
        yield file
