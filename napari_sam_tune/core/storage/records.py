"""A folder of zarr arrays, each written once, completely or not at all.

Measured on zarr 3.1: an array whose metadata exists but whose chunk does not reads as zeros without
an error. Therefore an array is built under a temporary name and renamed as one folder, and reading
looks for the chunk first. The result is an ordinary zarr group that any zarr reader opens.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.durable import (
    flush_folder,
    pending_folder,
    publish_file,
    publish_folder,
    saving,
)
from napari_sam_tune.core.storage.own_files import read_own, refuse_link
from napari_sam_tune.core.storage.plain_json import parse_object
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_METADATA = "zarr.json"
_MAX_CHUNK = 4096
_UNREADABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError)
# A folder's time stamp may be as coarse as this, so a stamp seen for a shorter time does not prove
# that nothing was added: FAT keeps every other second, HFS+ and ext3 whole ones, all others what
# the system's clock shows, which goes on every 16 ms at least.
_COARSE_SECONDS, _FINE_SECONDS = 2.0, 0.02
# Most file systems count the folders in a folder as links to it, and that count has no clock; those
# that do not, such as btrfs, say that there is one, and an empty folder has two.
_UNCOUNTED = 2


class RecordStore:
    """Arrays by name, with attributes.

    Args:
        root: the zarr group's folder.
        pending: where arrays are built; on the same disk, outside `root` so that no reader of the
            group meets half an array.

    """

    def __init__(self, root: Path, pending: Path) -> None:
        self.root = root
        self.pending = pending
        self._stamp = -1
        self._links = 0
        self._stamp_seen = self._listed = 0.0

    def create(self) -> None:
        """Make the group where it is not there yet; any number of processes may try at once.

        Raises:
            ProjectError: there is a link in its place.
            StorageError: the disk refused.

        """
        refuse_link(self.root)
        if (self.root / _METADATA).is_file():
            return
        with saving(mark("The project's store"), self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with pending_folder(self.pending) as build:
                group = {"zarr_format": 3, "node_type": "group", "attributes": {}}
                (build / _METADATA).write_text(json.dumps(group), encoding="utf-8")
                publish_file(build / _METADATA, self.root / _METADATA)
            flush_folder(self.root.parent)

    def exists(self) -> bool:
        """Tell whether the group is there."""
        return (self.root / _METADATA).is_file()

    def names_if_changed(self, known: int = 0) -> set[str] | None:
        """List the records, or return None where none can have been added since the last call.

        For one reader, who keeps what it was told; see `names`.

        Args:
            known: how many the reader knows of that were added since; if no more were, no list of
                them is made, where the file system counts folders.

        """
        with self._readable():
            seen = self.root.stat()
            now, stamp, links = time.monotonic(), seen.st_mtime_ns, self._links
            is_as_it_was = stamp == self._stamp
            if is_as_it_was and self._listed - self._stamp_seen > _coarseness(stamp):
                return None
            if not is_as_it_was:
                self._stamp, self._stamp_seen = stamp, now
            self._links = seen.st_nlink
            is_counted = links > _UNCOUNTED and seen.st_nlink == links + known
            if is_counted and (is_as_it_was or known):
                return None
            self._listed = now
        return self.names()

    def names(self) -> set[str]:
        """List the records.

        What is in a record's place and is none, such as a link, is among them: reading it says so.

        Raises:
            ProjectError: the folder cannot be read.

        """
        with self._readable():
            # records' names have no dots, other than zarr.json and what systems leave
            return {
                name
                for name in os.listdir(self.root)  # noqa: PTH208 - `Path.iterdir` makes paths of all
                if "." not in name or not _is_plain_file(self.root / name)
            }

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ProjectError(
                tr(
                    "{folder} cannot be read ({error}). Was the project moved or deleted "
                    "while it was open?",
                    folder=self.root,
                    error=error.strerror,
                )
            ) from error

    def write(
        self,
        name: str,
        array: NDArray[np.generic],
        attributes: Mapping[str, Any],
        *,
        what: str,
        durable: bool = True,
        compress: bool = True,
    ) -> bool:
        """Write a record.

        Args:
            name: the record's name, safe as a file name.
            array: any numeric array.
            attributes: JSON values kept beside it.
            what: what it is, for the error message ("The mask").
            durable: on return the record survives a power cut.
            compress: with zstd and a checksum; features do not get smaller and are kept raw.

        Returns:
            False where a record of that name was there already; it is left as it is.

        Raises:
            StorageError: the disk refused; nothing is half-written, and a retry may work.

        """
        with saving(what, self.root), pending_folder(self.pending) as build:
            _write_array(build, array, attributes, compress=compress)
            return publish_folder(build, self.root / name, durable=durable)

    def adopt(
        self,
        name: str,
        parts: Mapping[str, bytes],
        *,
        what: str,
        check: Callable[[RecordStore], None],
    ) -> bool:
        """Put a record in place whose files were written by another store like this.

        Args:
            name: the record's name, safe as a file name.
            parts: its files by name, safe likewise.
            what: what it is, for the error message ("The mask").
            check: raises if the record, in the store it is given, is not what it should be.

        Returns:
            False where a record of that name was there already; it is left as it is.

        Raises:
            StorageError: the disk refused; nothing is half-written.
            ProjectError: as `check`; nothing is changed.

        """
        with self.adopting({name: parts}, what=what, check=lambda _, store: check(store)) as put:
            return put() == 1

    @contextmanager
    def adopting(
        self,
        records: Mapping[str, Mapping[str, bytes]],
        *,
        what: str,
        check: Callable[[str, RecordStore], None],
    ) -> Iterator[Callable[[], int]]:
        """Look at records that another store wrote, all of them before any is put in place.

        Args:
            records: by name their files, as in `adopt`.
            what: what one is, for the error message ("The mask").
            check: given a name and a store that holds it; raises if it is not what it should be.

        Yields:
            What puts them in place, and returns how many were not there already.

        Raises:
            StorageError: the disk refused; nothing is half-written.
            ProjectError: as `check`; nothing is changed.

        """
        with pending_folder(self.pending) as build:
            store = RecordStore(build, self.pending)
            with saving(what, self.root):
                for name, parts in records.items():
                    (build / name).mkdir()
                    for part, content in parts.items():
                        (build / name / part).write_bytes(content)
                    check(name, store)

            def put() -> int:
                with saving(what, self.root):
                    return sum(publish_folder(build / name, self.root / name) for name in records)

            yield put

    def parts(self, name: str) -> dict[str, bytes]:
        """Return a record's files by name, as `adopt` takes them.

        Raises:
            ProjectError: it is not there, or may not be read.

        """
        folder = self.root / name
        try:
            _refuse_links(folder)
            with os.scandir(folder) as entries:
                return {entry.name: read_own(folder / entry.name) for entry in entries}
        except OSError as error:
            raise ProjectError(
                tr(
                    "The record {folder} cannot be read ({error}).",
                    folder=folder,
                    error=error.strerror,
                )
            ) from error

    def attributes(self, name: str) -> dict[str, Any]:
        """Read a record's attributes without importing zarr.

        Raises:
            ProjectError: the record is not there, or half of it was deleted.

        """
        folder = self.root / name
        try:
            _refuse_links(folder)
            metadata = parse_object(read_own(folder / _METADATA))
            (folder / ("c" + ".0" * len(metadata["shape"]))).stat()
            attributes = metadata["attributes"]
        except PermissionError as error:
            raise _forbidden(folder) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ProjectError(
                tr("The record {folder} is damaged or gone: {error}.", folder=folder, error=error)
            ) from error
        if not isinstance(attributes, dict):
            raise ProjectError(
                tr("The record {folder} is damaged: it has no attributes.", folder=folder)
            )
        return attributes

    def read(self, name: str) -> NDArray[Any]:
        """Read a record's array.

        Raises:
            ProjectError: the record is not there, or damaged.

        """
        folder = self.root / name
        try:
            if not (folder / _METADATA).is_file():
                raise ProjectError(
                    tr("The record {folder} is gone. Restore it from a backup.", folder=folder)
                )
            _refuse_links(folder)
            if (small := _read_small(folder)) is not None:
                return small
            import zarr
            from zarr.storage import LocalStore

            array: NDArray[Any] = zarr.open_array(store=LocalStore(folder), mode="r")[...]  # type: ignore[assignment]
        except PermissionError as error:
            raise _forbidden(folder) from error
        except _UNREADABLE as error:
            raise ProjectError(
                tr(
                    "The record {folder} is damaged ({error}). Restore it from a backup.",
                    folder=folder,
                    error=error,
                )
            ) from error
        return array


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _coarseness(stamp: int) -> float:
    """Return how many seconds may go by before a stamp (ns) of the same file system is another."""
    return _FINE_SECONDS if stamp % 1_000_000_000 else _COARSE_SECONDS


def _forbidden(folder: Path) -> ProjectError:
    return ProjectError(
        tr("The record {folder} may not be read. Check its permissions.", folder=folder)
    )


def _refuse_links(folder: Path) -> None:
    """Refuse a record that is, or holds, anything but plain files: it may lead outside.

    Raises:
        ProjectError: says what it is.
        OSError: it is no folder, or cannot be read.

    """
    refuse_link(folder.parent)
    refuse_link(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                refuse_link(folder / entry.name)
                raise ProjectError(
                    tr("{path} is no file, as a record’s parts are.", path=folder / entry.name)
                )


def _read_small(folder: Path) -> NDArray[Any] | None:
    """Read a mask of one chunk without zarr, which takes 1 ms to open anything; else None."""
    from numcodecs.zstd import Zstd  # takes a while

    metadata = parse_object(read_own(folder / _METADATA))
    shape = tuple(metadata["shape"])
    codecs = [codec["name"] for codec in metadata["codecs"]]
    chunk_shape = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"])
    if (metadata["data_type"], codecs, chunk_shape) != ("uint8", ["bytes", "zstd"], shape):
        return None
    if not all(type(side) is int and 0 < side <= _MAX_CHUNK for side in shape):
        raise ValueError(f"no chunk has the shape {shape}")
    array = np.empty(shape, np.uint8)
    # into a place of the right size: what says it is larger is not unpacked
    Zstd().decode(read_own(folder / ("c" + ".0" * len(shape))), out=array)
    return array


def _write_array(
    folder: Path, array: NDArray[np.generic], attributes: Mapping[str, Any], *, compress: bool
) -> None:
    import zarr
    from zarr.codecs import ZstdCodec
    from zarr.storage import LocalStore

    zarr.create_array(
        store=LocalStore(folder),
        data=array,
        chunks=tuple(min(max(side, 1), _MAX_CHUNK) for side in array.shape),
        # One flat folder: a folder per axis would have to be flushed one by one.
        chunk_key_encoding={"name": "default", "separator": "."},
        compressors=ZstdCodec(level=1, checksum=True) if compress else None,
        attributes=dict(attributes),
        config={"write_empty_chunks": True},
    )
