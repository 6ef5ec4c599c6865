"""Writes that happen completely or not at all, and that survive a kill and a power cut.

Whatever is written is built under a temporary name in a `pending` folder on the same disk, flushed,
renamed into place, and the rename is flushed too. What is being built is held, see `holding`: what
a dead writer left is never looked at, and is removed by the next one on the same machine; what
other machines left, or systems that know no such locks, after a day.
"""

from __future__ import annotations

import atexit
import errno
import os
import secrets
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from napari_sam_tune.core.errors import SamTuneError, StorageError
from napari_sam_tune.core.storage.holding import hold, machine
from napari_sam_tune.core.storage.own_files import refuse_link
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY = 24 * 60 * 60
_NAMED = 50
"""Characters of a file's name in that of what is to take its place: names must not get too long."""
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Unconfirmed(OSError):
    """A change was made and can be seen, but the disk would not say that it will last."""


@contextmanager
def saving(what: str, where: Path) -> Iterator[None]:
    """Turn the system's refusal of a write into a `StorageError` that says what to do.

    Args:
        what: what is being saved, as the subject of a sentence, marked for translation
            (`mark("The mask")`).
        where: the place a person can look at.

    """
    try:
        yield
    except SamTuneError:
        raise  # said already, a missing checkpoint for example, which is an OSError too
    except OSError as error:
        if isinstance(error, Unconfirmed):
            said = _say_unconfirmed(what, where, error)
        else:
            said = tr(
                "{what} was not saved in {where}: {why} Nothing is half-written.",
                what=tr(what),
                where=where,
                why=_reason(error),
            )
        refusal = StorageError(said)
        refusal.errno = error.errno
        raise refusal from error


def _say_unconfirmed(what: str, where: Path, error: OSError) -> str:
    return tr(
        "{what} is in {where}, but the disk did not confirm it (the system says “{error}”): a "
        "power cut might undo it. Check the disk and look again.",
        what=tr(what),
        where=where,
        error=error.strerror or error,
    )


def _reason(error: OSError) -> str:
    if error.errno in DISK_FULL:
        return tr("the disk is full. Free some space and try again.")
    if error.errno in READ_ONLY:
        return tr("the folder cannot be written to. Check its permissions and try again.")
    if error.errno == errno.ENOENT:
        return tr("the folder is gone. Put it back and try again.")
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return tr("a file lies where a folder has to be. Choose another place.")
    return tr(
        "the system says “{error}”. Check the disk and try again.", error=error.strerror or error
    )


def make_folder(path: Path, what: str, *, mode: int = 0o777) -> None:
    """Make a folder that somebody chose for results, if it is not there yet.

    Args:
        path: the folder.
        what: what goes there, for the error message ("The report").
        mode: who may do what in it, if it is made.

    Raises:
        StorageError: something else is there, or it cannot be written to.

    """
    try:
        path.mkdir(mode, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            tr(
                "{what} was not saved: {path} is no folder, or lies in something that is "
                "none. Choose another one.",
                what=what,
                path=path,
            )
        ) from error
    except OSError as error:
        raise StorageError(
            tr("{what} was not saved in {path}: {why}", what=what, path=path, why=_reason(error))
        ) from error


def flush_file(path: Path) -> None:
    """Force a file's content to the disk."""
    # Windows flushes only what is open for writing.
    _flush(path, os.O_RDWR | getattr(os, "O_BINARY", 0))


def flush_folder(path: Path) -> None:
    """Force a folder's list of names to the disk; Windows does so by itself and offers no call."""
    if os.name == "posix":
        _flush(path, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def pending_folder(pending: Path) -> Iterator[Path]:
    """Give a fresh folder to build something in, and remove what was not published from it."""
    folder, held = _held_folder(pending)
    try:
        yield folder
    except (KeyboardInterrupt, SystemExit):
        # whoever was building in another thread, as zarr does, may put a last file into it yet
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        raise
    finally:
        # A folder that cannot be removed now is removed by `clear_stale`; the error that brought us
        # here is the one to report.
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def _held_folder(pending: Path) -> tuple[Path, int | None]:
    refuse_link(pending)
    pending.mkdir(exist_ok=True)
    while True:
        folder = pending / f"{machine()}-{os.getpid()}-{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            return folder, hold(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # another program took it for a dead one's, before it was held


def publish_folder(built: Path, final: Path, *, durable: bool = True) -> bool:
    """Move a finished folder to its name.

    Args:
        built: the folder in `pending`.
        final: its name from now on; its parent must exist on the same disk.
        durable: flush everything. Without it, a power cut may damage the folder (a kill may not).

    Returns:
        False where a non-empty folder of that name was already there: the first writer wins.

    """
    if durable:
        _flush_tree(built)
    try:
        built.rename(final)
    except OSError:
        if final.exists():
            return False
        raise
    if durable:
        try:
            flush_folder(final.parent)
        except OSError as error:
            try:
                final.rename(built)  # not certain to last, so it must not be seen either
            except OSError:
                raise Unconfirmed(error.errno, error.strerror) from error
            raise
    return True


def _flush_tree(folder: Path) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _flush_tree(Path(entry.path))
            else:
                flush_file(Path(entry.path))
    flush_folder(folder)


def publish_file(built: Path, final: Path) -> None:
    """Move a finished file to its name, replacing what was there."""
    flush_file(built)
    built.replace(final)
    _confirm(final.parent)


def _confirm(folder: Path) -> None:
    """Flush a folder in which something was put in place that cannot be taken back."""
    try:
        flush_folder(folder)
    except OSError as error:
        raise Unconfirmed(error.errno, error.strerror) from error


def clear_stale(pending: Path) -> None:
    """Remove what dead writers left behind, as far as they are known to be dead."""
    for _ in dead_folders(pending):
        pass


def dead_folders(pending: Path) -> Iterator[Path]:
    """Give the folders that dead writers left, each of which is removed afterwards.

    Raises:
        ProjectError: there is a link in the place of `pending`.

    """
    refuse_link(pending)
    found: list[Path] = []
    with suppress(OSError):  # there is none, or it cannot be looked into
        found += pending.iterdir()
    oldest = time.time() - _DAY
    for left in found:
        # Another process may clear the same folder at the same time.
        if left.is_symlink() or not left.is_dir():
            continue
        held = None
        with suppress(OSError):
            held = hold(left) if left.name.startswith(f"{machine()}-") else None
        if held is not None or _modified(left) < oldest:
            yield left
            shutil.rmtree(left, ignore_errors=True)
        if held is not None:
            os.close(held)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


@contextmanager
def replacing_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes `path`'s place, flushed to disk, only when the block ends well.

    Raises:
        StorageError: the disk is full or not writable, and nothing half-written is left; or the
            file is in place and the disk did not confirm it, which is said.

    """
    temporary, held = None, None
    make_folder(path.parent, path.name)
    try:
        prefix = f".{path.name[:_NAMED]}.{machine()}-"
        _clear_dead_files(path.parent, prefix)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, delete=False) as file:
            temporary = Path(file.name)
            held = hold(temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _confirm(path.parent)
    except Unconfirmed as error:
        raise StorageError(_say_unconfirmed(path.name, path.parent, error)) from error
    except OSError as error:
        why = tr("the disk is full") if error.errno == errno.ENOSPC else error.strerror
        raise StorageError(
            tr(
                "{name} could not be written to {folder}: {why}. Nothing was changed; free "
                "some space or choose another folder and try again.",
                name=path.name,
                folder=path.parent,
                why=why,
            )
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if held is not None:
            os.close(held)


def _clear_dead_files(folder: Path, prefix: str) -> None:
    """Remove what programs of this machine that were stopped left of the same file."""
    with os.scandir(folder) as entries:
        left = [entry.path for entry in entries if entry.name.startswith(prefix)]
    for path in map(Path, left):
        with suppress(OSError):  # its writer lives, or is just done
            held = hold(path)
            if held is not None:
                path.unlink()
                os.close(held)
