"""Lines of JSON appended to a file whose loss would be no harm; for others see `chained_log`."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.storage.durable import saving
from napari_sam_tune.core.storage.own_files import open_own
from napari_sam_tune.core.storage.plain_json import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line; on return it survives a power cut.

    A line is one `write`, and begins with a line break of its own: a torn one before it, left by a
    writer that died, takes nothing along.

    Raises:
        StorageError: the disk refused. What a full disk took of the line is for readers to skip.
        ProjectError: the path is no regular file.

    """
    text = json.dumps(entry, ensure_ascii=False, default=plain, separators=(",", ":"))
    line = f"\n{text}\n".encode()
    with saving("The line", path):
        descriptor = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
