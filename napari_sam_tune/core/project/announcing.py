"""Files that a line in the log will name, put in place before it: weights, pixels of images.

A program that dies between the two would leave a file that nothing names. So what is about to be
put in place is noted in a folder that is held meanwhile, see `durable.pending_folder`; who finds it
dead takes the file away, unless a log names it.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.durable import (
    dead_folders,
    flush_file,
    flush_folder,
    pending_folder,
    saving,
)
from napari_sam_tune.core.storage.own_files import read_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.journal import Journal
    from napari_sam_tune.core.project.ledger import Ledger

_NOTE: Final = "announced"
_WEIGHTS: Final = re.compile(r"weights/([0-9a-f]{12})\.safetensors")
_PIXELS: Final = re.compile(r"images\.zarr/([0-9a-f]+)")


@contextmanager
def announced(folder: ProjectFolder, journal: Journal, path: Path, what: str) -> Iterator[None]:
    """Put a file or a record in its place and say so in the log, both or neither.

    Args:
        folder: the project's.
        journal: the project's.
        path: what is put in place and named by the log inside the block.
        what: what it is, for the error message ("The image").

    Raises:
        StorageError: the disk refused.

    """
    with saving(what, folder.path), pending_folder(folder.pending) as note:
        (note / _NOTE).write_text(path.relative_to(folder.path).as_posix(), encoding="utf-8")
        flush_file(note / _NOTE)
        for above in (note, folder.pending, folder.path):  # before what it announces
            flush_folder(above)
        try:
            yield
        except Exception:
            _take_back(folder, note, journal.read())
            raise


def announced_files(folder: ProjectFolder) -> set[Path]:
    """Return what writers, living or dead, are about to put in place, or have just put there."""
    found = set()
    with suppress(OSError):  # there are none, or they cannot be looked at
        for note in folder.pending.iterdir():
            with suppress(OSError, ValueError, ProjectError):  # it announces nothing
                found.add(folder.path / read_own(note / _NOTE).decode())
    return found


def clear_leftovers(folder: ProjectFolder, ledger: Ledger) -> None:
    """Remove what writers that died left in a project."""
    for dead in dead_folders(folder.pending):
        _take_back(folder, dead, ledger)


def _take_back(folder: ProjectFolder, note: Path, ledger: Ledger) -> None:
    with suppress(OSError, ValueError, ProjectError):  # no note, or what is noted is gone
        said = read_own(note / _NOTE).decode()
        if (found := _WEIGHTS.fullmatch(said)) and found[1] not in ledger.weights:
            (folder.weights / f"{found[1]}.safetensors").unlink()
        if found := _PIXELS.fullmatch(said):
            named = (i.content_hash for i in ledger.images.values() if i.path is None)
            record = folder.images.root / found[1]
            if found[1] not in named and not record.is_symlink():
                shutil.rmtree(record, ignore_errors=True)
