"""The log of a project, together with what it adds up to."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.project.ledger import Ledger
from napari_sam_tune.core.storage.append_log import AppendLog

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """Reads and appends; may be used from several threads.

    Args:
        path: the log file; it must exist.

    """

    def __init__(self, path: Path) -> None:
        self._log = AppendLog(path)
        self._ledger = Ledger()
        self._unread: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def read(self) -> Ledger:
        """Return everything said so far, by this process or another; cheap if nothing is new.

        What is returned never changes: a reader may go through it while another thread appends.

        Raises:
            ProjectError: the log is gone, was replaced, or cannot be understood.

        """
        with self._lock:
            self._unread += self._log.read_new()
            if self._unread:
                self._ledger = self._ledger.with_entries(self._unread)
                self._unread = []
            return self._ledger

    def append(self, kind: str, **entry: Any) -> Ledger:
        """Say one thing, durably, and return everything said by then.

        Raises:
            StorageError: the disk refused.

        """
        self._log.append({"kind": kind, "time": time.time(), **entry})
        return self.read()
