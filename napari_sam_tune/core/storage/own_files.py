"""Files that are a project's own: regular files, never reached through a link.

A project may come from somebody else. A link in the place of its log or of a record would have us
read, or write to, whatever it points at.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
# a pipe in the place of a file must not keep us waiting for somebody who writes to it
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def open_own(path: Path, flags: int) -> int:
    """Open one of a project's own files.

    Args:
        path: the file; only its last part must not be a link, for a project may lie behind one.
        flags: of `os.open`.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        ProjectError: it is a link, a folder, a pipe or a device.
        OSError: as `os.open`.

    """
    if not _NO_FOLLOW and path.is_symlink():
        raise _not_a_file(path)
    try:
        descriptor = os.open(path, flags | _NO_FOLLOW | _NO_WAIT | _BINARY, 0o644)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _not_a_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    return descriptor


def read_own(path: Path, most: int = -1) -> bytes:
    """Read one of a project's own files whole, or up to so many bytes; raises as `open_own`."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read(most)


def refuse_link(path: Path) -> None:
    """Refuse a link in the place of one of a project's own folders; one that is absent is none.

    Raises:
        ProjectError: it is a link.

    """
    if path.is_symlink():
        raise ProjectError(
            tr(
                "{path} is a link, which a project never makes: it was left alone. If the project "
                "is yours, put the folder itself in its place.",
                path=path,
            )
        )


def _not_a_file(path: Path) -> ProjectError:
    return ProjectError(
        tr(
            "{path} is not a file but a link or a device, which a project never makes: it was left "
            "alone. If the project is yours, put the file itself in its place.",
            path=path,
        )
    )
