"""A log of one writer, a machine: JSON lines, each with a checksum over itself and all before it.

A line cut short at the end is what a dead writer leaves; nobody was told that it was saved, and the
next writer removes it. Anything else that is not as it was written (a line changed, removed, moved
or added, the file emptied or cut) breaks the chain of checksums and is refused. How far the file
once reached is noted in a small file beside it, so that lines missing from its end are noticed too.

Programs of one machine take turns by locking the file; different machines never write to the same
one, since locks and appending across a network cannot be relied upon.

Logs of the first releases have no checksums. They are read, never written to.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_sam_tune.core.errors import DamagedLogError, ProjectError
from napari_sam_tune.core.storage.durable import Unconfirmed, flush_file, flush_folder, saving
from napari_sam_tune.core.storage.file_lock import lock_file
from napari_sam_tune.core.storage.log_lines import LINE, begins_with_checksums, chained
from napari_sam_tune.core.storage.own_files import open_own, read_own
from napari_sam_tune.core.storage.plain_json import parse_object, plain
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class LogEnd(NamedTuple):
    """How far a log reached: bytes, and the checksum over all of them."""

    size: int
    checksum: int


class ChainedLog:
    """One log file, and how far this reader has read it. For one thread at a time.

    Args:
        path: the file; made by the first `append`.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = path.with_name(f".{path.name}.end")
        self._end = LogEnd(0, 0)
        self.has_checksums = True
        self._lines = 0
        self._descriptor: int | None = None
        self._inode: int | None = None  # of the file that was read

    # ---------------------------------------------------------------- reading

    def require_whole(self, once: int) -> None:
        """Refuse a log that has lost its end; after `read_new`, when a project is opened.

        Args:
            once: its `noted_size` before that: what others append meanwhile is no end missing.

        Raises:
            DamagedLogError: it is shorter than it once was.

        """
        if self._end.size < once:
            raise DamagedLogError(
                tr(
                    "{path} once had {once} bytes, of which {size} can be read: its end is "
                    "missing. If the folder is being synchronised, wait until that is done. "
                    "Otherwise restore the file from a backup, or see what can be saved: "
                    "{command}",
                    path=self.path,
                    once=once,
                    size=self._end.size,
                    command=_check(self.path),
                )
            )

    def read_new(self) -> list[dict[str, Any]]:
        """Return the entries appended since the last call, by whomever; cheap if there are none.

        Raises:
            DamagedLogError: it is not as it was written.
            ProjectError: the file is gone, or not a file.

        """
        size, inode = self._size_and_inode()
        if inode != self._inode:
            self._require_same_lines()
            self._inode = inode
        if size == self._end.size:
            return []
        if size < self._end.size:
            raise DamagedLogError(
                tr(
                    "{path} has become shorter: it was replaced or cut while the project was "
                    "open. Close the project and open it again, or see: {command}",
                    path=self.path,
                    command=_check(self.path),
                )
            )
        try:
            descriptor = open_own(self.path, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                file.seek(self._end.size)
                fresh = file.read()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if self._end.size == 0:
            self.has_checksums = begins_with_checksums(fresh)
        return self._parse(fresh)

    def _parse(self, fresh: bytes) -> list[dict[str, Any]]:
        complete = fresh.rfind(b"\n") + 1  # a line still being written is left for the next time
        size, checksum = self._end
        entries: list[dict[str, Any]] = []
        for line in fresh[:complete].split(b"\n")[:-1]:
            self._lines += 1
            if self.has_checksums:
                entry, checksum = self._checked(line, checksum)
                entries.append(entry)
            elif (old := self._unchecked(line)) is not None:
                entries.append(old)
            size += len(line) + 1
        self._end = LogEnd(size, checksum)
        return entries

    def _checked(self, line: bytes, before: int) -> tuple[dict[str, Any], int]:
        found = LINE.fullmatch(line)
        if found is None:
            raise self._damaged(tr("it has no checksum"))
        said, checksum = found.groups()
        now = zlib.crc32(said, before)
        if f"{now:08x}".encode() != checksum:
            raise self._damaged(tr("its checksum does not fit what stands before it"))
        try:
            entry = parse_object(said + b"}")
        except ValueError as error:
            raise self._damaged(str(error)) from error
        return entry, now

    def _unchecked(self, line: bytes) -> dict[str, Any] | None:
        """Read a line of the first releases, in which dead writers left torn lines anywhere."""
        try:
            return parse_object(line) if line else None
        except ValueError as error:
            if b"\0" in line or not line.startswith(b"{"):
                raise self._damaged(tr("it is not text that this program writes")) from error
            return None

    def _damaged(self, why: str) -> DamagedLogError:
        return DamagedLogError(
            tr(
                "Line {line} of {path} is damaged: {why}. It says which images, classes and "
                "deletions there are, so the project is not opened without it. Restore the "
                "file from a backup, or see what can be saved: {command}",
                line=self._lines,
                path=self.path,
                why=why,
                command=_check(self.path),
            )
        )

    def _require_same_lines(self) -> None:
        """Refuse a file that took this one's place and begins otherwise, as a repaired one does."""
        size, checksum = self._end
        if size == 0 or not self.has_checksums:
            return
        try:
            lines = read_own(self.path, size)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(lines) == size and chained(lines, 0) != checksum:
            raise DamagedLogError(
                tr(
                    "{path} was replaced while the project was open, as by a repair. Close the "
                    "project and open it again.",
                    path=self.path,
                )
            )

    def _size_and_inode(self) -> tuple[int, int | None]:
        try:
            about = self.path.lstat()
        except FileNotFoundError as error:
            if self._end.size == 0:
                return 0, None
            raise _unreadable(self.path, error) from error
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return about.st_size, about.st_ino

    @property
    def end(self) -> LogEnd:
        """How far it has been read."""
        return self._end

    # ---------------------------------------------------------------- writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs of this machine from appending meanwhile.

        Raises:
            StorageError: the disk refused, or another program holds the file for too long.

        """
        with saving(mark("The change"), self.path):
            self._descriptor = self._open_locked()
            try:
                yield
            finally:
                self._let_go()

    def _open_locked(self) -> int:
        """Open the file and lock it; if it was replaced before that, the one in its place."""
        while True:
            is_new = not self.path.exists()
            descriptor = open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                if is_new:
                    flush_folder(self.path.parent)
                lock_file(descriptor, self.path)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), self.path.lstat()):
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # also releases the lock
            self._descriptor = None

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line; on return it survives a power cut. Inside `locked`, after `read_new`.

        Raises:
            StorageError: the disk refused; nothing of the line is left.
            DamagedLogError: it is of the first releases, or somebody took its checksums out.
            ProjectError: a text in it is none that a file can hold.

        """
        descriptor = self._descriptor
        if descriptor is None:
            raise RuntimeError("a log is appended to inside `locked`")
        if not self.has_checksums:
            raise self._damaged(tr("it has no checksum"))
        said = json.dumps(entry, ensure_ascii=False, default=plain, separators=(",", ":"))
        try:
            body = said[:-1].encode()
        except UnicodeEncodeError as error:
            raise ProjectError(
                tr(
                    "The change was not saved: it holds a name that is no text in Unicode. "
                    "Rename what is called so: {name}",
                    name=visible(said[:200]),
                )
            ) from error
        checksum = zlib.crc32(body, self._end.checksum)
        line = body + f',"sum":"{checksum:08x}"}}\n'.encode()
        with saving(mark("The change"), self.path):
            if os.fstat(descriptor).st_size > self._end.size:
                os.ftruncate(descriptor, self._end.size)  # a dead writer's torn line
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError as error:
                try:
                    os.ftruncate(descriptor, self._end.size)
                except OSError:
                    raise Unconfirmed(error.errno, error.strerror) from error
                raise
        self._note_size(self._end.size + len(line))

    def extend(self, content: bytes, start: int) -> None:
        """Bring a log that is written elsewhere up to what was written there; durably.

        Args:
            content: whole lines of it, as they are; what is here already is compared with them.
            start: where in the log they begin, in bytes.

        Raises:
            DamagedLogError: they do not go on from what is here; the log stays as it was.
            StorageError: the disk refused; nothing of the lines is left.

        """
        with self.locked():
            self.read_new()
            descriptor, size = self._descriptor, self._end.size
            if descriptor is None or start > size:
                raise self._apart(start)
            here = read_own(self.path)[start:size]
            both = min(len(here), len(content))
            if here[:both] != content[:both]:
                raise self._apart(start)
            fresh = content[both:]
            if not fresh:
                return
            if start > 0 or begins_with_checksums(content):
                self._require_chained(fresh)
            with saving(mark("The log"), self.path):
                os.ftruncate(descriptor, size)  # what a copying that was stopped left
                try:
                    if os.write(descriptor, fresh) != len(fresh):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, size)
                    raise
            self._note_size(size + len(fresh))

    def _require_chained(self, fresh: bytes) -> None:
        if self.has_checksums and chained(fresh, self._end.checksum) is None:
            raise self._apart(self._end.size)

    def _apart(self, start: int) -> DamagedLogError:
        return DamagedLogError(
            tr(
                "{path} does not go on from byte {start} as it does elsewhere: two copies of "
                "the project have written to it, or one was repaired.",
                path=self.path.name,
                start=start,
            )
        )

    def _note_size(self, size: int) -> None:
        # Not flushed: after a power cut it may be behind the log, which is no harm; never ahead.
        with suppress(OSError):  # the line is safe, and the next one notes more
            descriptor = open_own(self._mark, os.O_WRONLY | os.O_CREAT)
            try:
                os.write(descriptor, b"%16d\n" % size)
            finally:
                os.close(descriptor)

    def noted_size(self) -> int:
        """Return how many bytes it once had, by the file beside it; 0 where nothing says so."""
        try:
            return int(read_own(self._mark))
        except (OSError, ValueError):
            return 0

    def rewrite(self, entries: list[dict[str, Any]], saving_as: Path) -> None:
        """Make the log anew from these entries; what it was is kept under another name.

        Inside `locked` if it exists, or what another program says meanwhile is lost.

        Raises:
            StorageError: the disk refused.

        """
        fresh = ChainedLog(self.path.with_name(f".{self.path.name}.new"))
        with saving("The repaired log", self.path):
            fresh.path.unlink(missing_ok=True)
            with fresh.locked():
                for entry in entries:
                    fresh.append(entry)
                    fresh.read_new()  # the next line's checksum goes on from this one
            if self.path.exists():
                shutil.copyfile(self.path, saving_as, follow_symlinks=False)
                flush_file(saving_as)
            if sys.platform == "win32":
                self._let_go()  # a file that is open cannot be replaced there
            fresh.path.replace(self.path)
            self._mark.unlink(missing_ok=True)
            if entries:
                fresh._mark.replace(self._mark)
            flush_folder(self.path.parent)


def _check(path: Path) -> str:
    return f"napari-sam-tune check {path.parent}"


def _unreadable(path: Path, error: OSError) -> ProjectError:
    is_forbidden = isinstance(error, PermissionError)
    remedy = tr("Check its permissions.") if is_forbidden else tr("Restore it from a backup.")
    return ProjectError(
        tr(
            "{path} cannot be read ({error}); it says which images and versions there are. "
            "{remedy}",
            path=path,
            error=error.strerror,
            remedy=remedy,
        )
    )
