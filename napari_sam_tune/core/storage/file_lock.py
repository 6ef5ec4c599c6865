"""Programs of one machine write to a file in turn: whoever holds it keeps the others waiting."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE: Final = 20.0
"""Seconds to wait for another program that is writing; one line takes it milliseconds."""


def lock_file(descriptor: int, path: Path) -> None:
    """Wait until no other program of this machine holds a file, and hold it until it is closed.

    Args:
        descriptor: of the file, open for writing.
        path: its path, for what is said.

    Raises:
        StorageError: another program holds it for too long.
        OSError: the system refused.

    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            _try_lock(descriptor)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
                raise
            if time.monotonic() > deadline:
                raise StorageError(
                    tr(
                        "The change was not saved: another program has held {path} for "
                        "{seconds:.0f} seconds. Close it, or wait, and try again.",
                        path=path,
                        seconds=_PATIENCE,
                    )
                ) from error
            time.sleep(0.002)
        else:
            return


def _try_lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # beyond the text, so that readers are not kept out
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
