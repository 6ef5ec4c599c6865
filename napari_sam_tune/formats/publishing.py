"""Building beside a place, and moving what was built there in one step.

What is built, and what is replaced, lies in a hidden folder beside the place; its name follows from
the place's, and it is locked while somebody works in it. So an export that was killed is known by
the next one to the same place, which puts back what had not been replaced yet, and clears the rest.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.storage.durable import flush_folder, publish_folder
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEW: Final = "new"
_REPLACED: Final = "replaced"
_LOCK: Final = "lock"
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
_TRIES: Final = 100


def exists_already(out: Path) -> StorageError:
    """Return why nothing is written over what is there."""
    return StorageError(
        tr(
            "{out} exists already. Choose another name, or have it replaced (on the command line "
            "with --overwrite).",
            out=out,
        )
    )


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Give an empty hidden folder on the disk of `out`, and remove it in the end.

    Raises:
        StorageError: somebody else is writing to the same place.

    """
    out = out.absolute()  # "." has a name then
    out.parent.mkdir(parents=True, exist_ok=True)
    place = out.parent / f".export-{sha256(os.fsencode(out.name)).hexdigest()[:12]}"
    with _locked(place, out):
        _clear(place, out)  # of an export that was killed
        try:
            new = place / _NEW
            new.mkdir()
            yield new
        finally:
            _clear(place, out)


def publish_over(built: Path, out: Path) -> None:
    """Move a folder from inside `building(out)` to `out`, in the place of what is there.

    Whatever happens half-way, a power cut too, one of the two is whole at its place in the end.

    Raises:
        StorageError: somebody else put something there meanwhile.

    """
    if hasattr(os, "sync"):
        os.sync()  # all at once: ten thousand files, flushed one by one, would take minutes
    _move(built, out)
    flush_folder(out.parent)


def _move(built: Path, out: Path) -> None:
    if out.exists():
        if _exchange(built, out):
            return
        # Where the two cannot change places in one step, nothing is at the place for a moment. Who
        # is stopped there, or killed, leaves what was replaced for `_clear` to put back.
        out.rename(built.parent.with_name(_REPLACED))
    if not publish_folder(built, out, durable=False):
        raise StorageError(
            tr("{out} was made by somebody else meanwhile; choose another name.", out=out)
        )


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where the system or the disk cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    return bool(renameat2(*paths, ctypes.c_uint(_RENAME_EXCHANGE)) == 0)


def _clear(place: Path, out: Path) -> None:
    replaced = place / _REPLACED
    if os.path.lexists(replaced) and not os.path.lexists(out):
        replaced.rename(out)
    for left in place.iterdir():
        if left.name == _LOCK:
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextmanager
def _locked(place: Path, out: Path) -> Iterator[None]:
    """Hold the folder of a place, made if need be; it goes when it is let go of and empty."""
    descriptor = _hold(place, out)
    try:
        yield
    finally:
        if os.name == "posix":  # elsewhere an open file cannot be removed
            _remove(place)
        os.close(descriptor)
        if os.name != "posix":
            _remove(place)


def _remove(place: Path) -> None:
    with suppress(OSError):
        (place / _LOCK).unlink()
        place.rmdir()


def _hold(place: Path, out: Path) -> int:
    for _ in range(_TRIES):
        if place.is_symlink():  # planted, for what it leads to would be cleared
            place.unlink()
        with suppress(FileNotFoundError):  # who let go of it removed it just now
            place.mkdir(exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(place / _LOCK, flags)
            if not _lock(descriptor):
                os.close(descriptor)
                break
            try:
                if os.path.samestat(os.fstat(descriptor), (place / _LOCK).stat()):
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)
    raise StorageError(
        tr(
            "Another export is being written to {out}. Wait for its end, or choose another name.",
            out=out,
        )
    )


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; True as well where the disk knows no locks."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
