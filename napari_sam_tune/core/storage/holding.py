"""Holding a file or folder while it is being made, so that others see whether its maker lives."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@lru_cache(maxsize=1)
def machine() -> str:
    """Name this machine in 8 hex digits, the same for all its programs."""
    address = uuid.getnode()
    is_made_up = bool(address >> 40 & 1)  # where there is no network card, anew in every program
    text = platform.node() if is_made_up else f"{platform.node()} {address}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]


def hold(path: Path) -> int | None:
    """Lock a file or folder for as long as this process lives or keeps it open.

    Returns:
        The descriptor, which the caller closes; None where the system or the disk knows no such
        locks.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: it is gone, or cannot be opened.

    """
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # who held it until now may have removed it
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    os.close(descriptor)
    raise FileNotFoundError(f"{path} was replaced")
