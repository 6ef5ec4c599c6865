"""The mirrors of all clients, on disk, the least recently used going first."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from typing import TYPE_CHECKING

from napari_sam_tune.core.storage.durable import make_folder
from napari_sam_tune.service.faults import too_large
from napari_sam_tune.service.mirror import Mirror

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.service.limits import Limits


class Mirrors:
    """Mirrors by the key that their client made; any thread may call.

    Args:
        folder: they lie in; they outlive the server, which need not be sent them again.
        base: the model that rounds train.
        limits: how many are kept, and how much.

    """

    def __init__(self, folder: Path, base: BaseRef, limits: Limits) -> None:
        self._folder, self._base, self._limits = folder, base, limits
        self._open: dict[str, Mirror] = {}
        self._sizes: dict[str, int] = {}  # bytes of each, as far as it was looked at
        self._lock = threading.Lock()

    def of(self, key: str, coming: int = 0) -> Mirror:
        """Return a client's mirror, making it where there is none, and room where there is little.

        Args:
            key: 32 hex digits that nobody else can guess.
            coming: bytes that are to be put into it; 0 has all that is there measured anew.

        Raises:
            Fault: it would take more room than there is for all.
            StorageError: the disk refused.
            ProjectError: what is in its place cannot be opened.

        """
        # whoever can list the folder must not learn the keys; another base is another mirror
        name = hashlib.sha256(f"{key} {self._base.sha256}".encode()).hexdigest()[:32]
        place = self._folder / name
        measured = _size_of(place) if not coming or name not in self._sizes else None
        with self._lock:
            if name not in self._open:
                make_mirrors_folder(self._folder)
                self._open[name] = Mirror(place, self._base)
            self._sizes[name] = self._sizes[name] + coming if measured is None else measured
            place.touch()
            self._make_room(name)
            return self._open[name]

    def _make_room(self, wanted: str) -> None:
        """Remove mirrors, those nobody used for longest first, but none of a round that goes on."""
        folders = [path for path in self._folder.iterdir() if path.is_dir()]
        for path in folders:
            if path.name not in self._sizes:  # of an earlier server
                self._sizes[path.name] = _size_of(path)
        left, taken = len(folders), sum(self._sizes.values())
        for path in sorted(folders, key=lambda path: path.stat().st_mtime):
            if left <= self._limits.mirrors and taken <= self._limits.mirrors_bytes:
                return
            mirror = self._open.get(path.name)
            if path.name != wanted and (mirror is None or not mirror.rounds):
                shutil.rmtree(path, ignore_errors=True)
                self._open.pop(path.name, None)
                left -= 1
                taken -= self._sizes.pop(path.name)
        if taken > self._limits.mirrors_bytes:
            raise too_large(
                "This project's rounds need more bytes", f"{self._limits.mirrors_bytes:,}"
            )


def make_mirrors_folder(folder: Path) -> None:
    """Make the folder of all mirrors, if it is not there; nobody else may look into it.

    Raises:
        StorageError: something else is there, or the disk refused.

    """
    make_folder(folder, "What clients send", mode=0o700)


def _size_of(folder: Path) -> int:
    """Return how many bytes the files of a folder take up; some may come and go meanwhile."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.lstat().st_size
    return size
