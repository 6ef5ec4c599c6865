"""The mirrors of all clients, on disk, the least recently used going first."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from napari_sam_tune.core.storage.durable import saving
from napari_sam_tune.service.mirror import Mirror

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.models.base import BaseRef


class Mirrors:
    """Mirrors by the key that their client made; any thread may call.

    Args:
        folder: they lie in; they outlive the server, which need not be sent them again.
        base: the model that rounds train.
        most: how many are kept.

    """

    def __init__(self, folder: Path, base: BaseRef, most: int) -> None:
        self._folder, self._base, self._most = folder, base, most
        self._open: OrderedDict[str, Mirror] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: str) -> Mirror:
        """Return a client's mirror, making it where there is none.

        Args:
            key: 32 hex digits that nobody else can guess.

        Raises:
            StorageError: the disk refused.
            ProjectError: what is in its place cannot be opened.

        """
        # whoever can list the folder must not learn the keys; another base is another mirror
        name = hashlib.sha256(f"{key} {self._base.sha256}".encode()).hexdigest()[:32]
        with self._lock:
            if name not in self._open:
                with saving("What clients send", self._folder):
                    self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._open[name] = Mirror(self._folder / name, self._base)
                self._drop_oldest()
            self._open.move_to_end(name)
            (self._folder / name).touch()
            return self._open[name]

    def _drop_oldest(self) -> None:
        """Remove the mirrors nobody used for longest, but those of this server's own clients."""
        folders = [path for path in self._folder.iterdir() if path.is_dir()]
        folders.sort(key=lambda path: path.stat().st_mtime)
        for path in folders[: max(0, len(folders) - self._most)]:
            if path.name not in self._open:
                shutil.rmtree(path, ignore_errors=True)
