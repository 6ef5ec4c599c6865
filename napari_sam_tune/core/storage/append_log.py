"""An append-only log that several processes may write at once: one JSON object a line.

The order of its lines is the order of events for every reader; that is how "first writer wins" is
decided. A line is one `write` to a file opened for appending. A writer that died half-way leaves a
torn line: every line therefore begins with a line break of its own, and readers skip what is not
JSON, because nobody was ever told that it was saved.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.durable import saving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class AppendLog:
    """One log file, and how far this reader has read it.

    Args:
        path: the file; it must exist.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line; on return it survives a power cut.

        Raises:
            StorageError: the disk refused. What a full disk took of the line is skipped by readers.

        """
        line = json.dumps(entry, ensure_ascii=False, default=_plain, separators=(",", ":"))
        with saving("The change", self.path):
            _append_line(self.path, f"\n{line}\n".encode())

    def read_new(self) -> list[dict[str, Any]]:
        """Return the entries appended since the last call, by whomever; cheap if there are none.

        Raises:
            ProjectError: the file is gone, or shorter than it was.

        """
        try:
            size = self.path.stat().st_size
            if size == self._read_to:
                return []
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                fresh = file.read()
        except OSError as error:
            raise ProjectError(
                f"{self.path} cannot be read ({error.strerror}); it holds the list of images and "
                "versions. Restore it from a backup."
            ) from error
        if size < self._read_to:
            raise ProjectError(
                f"{self.path} has become shorter: it was replaced while the project was open. "
                "Close the project and open it again."
            )
        complete = fresh.rfind(b"\n") + 1  # a line still being written is left for the next time
        self._read_to += complete
        return [entry for line in fresh[:complete].split(b"\n") if (entry := _parse(line))]


def _append_line(path: Path, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        if sys.platform == "win32":
            _lock_on_windows(descriptor)
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)  # also releases the lock


def _lock_on_windows(descriptor: int) -> None:
    # POSIX appends are atomic; on Windows "append" is a seek and a write. The byte locked lies far
    # beyond the text, so that readers are not kept out.
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line) if line else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written to the log; pass plain values.")
