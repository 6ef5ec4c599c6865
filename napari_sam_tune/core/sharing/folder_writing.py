"""Writing objects into a shared folder: whole or not at all, and flushed before anybody is told.

Not by obstore, which flushes nothing and needs hard links for what must not replace anything: SMB
and exFAT have none.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_sam_tune.core.storage.durable import flush_file, flush_folder

if TYPE_CHECKING:
    from pathlib import Path


def write_object(root: Path, name: str, content: bytes | Path, *, only_new: bool) -> bool:
    """Put an object there.

    Args:
        root: the shared folder.
        name: of the object, parts separated by `/`.
        content: its bytes, or the file that holds them.
        only_new: leave what is there already as it is. Of two who write at the same instant the
            second replaces the first where the drive has no hard links.

    Returns:
        Whether it was written; then it survives a power cut as far as the drive keeps its word.

    Raises:
        OSError: the drive refused; nothing is there under that name.

    """
    final = root / name
    if not root.is_dir():  # its drive is gone, which is not to be made anew on another one
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    if only_new and final.exists():
        return False
    final.parent.mkdir(parents=True, exist_ok=True)
    # who lists the place, obstore, passes over names that end in # and a number
    built = final.with_name(f"{final.name[:100]}#{secrets.randbits(60)}")
    try:
        if isinstance(content, bytes):
            built.write_bytes(content)
        else:
            shutil.copyfile(content, built)
        flush_file(built)
        if not only_new:
            built.replace(final)
        elif not _link(built, final):
            return False
    finally:
        built.unlink(missing_ok=True)
    for folder in final.relative_to(root).parents:
        with suppress(OSError):  # drives that flush no folders write their names by themselves
            flush_folder(root / folder)
    return True


def _link(built: Path, final: Path) -> bool:
    try:
        os.link(built, final)
    except FileExistsError:
        return False
    except OSError:  # no links there; a drive that refuses everything refuses this as well
        built.replace(final)
    return True
