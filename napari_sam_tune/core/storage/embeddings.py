"""A cache of image embeddings on disk: what the encoder says about an image, computed once.

It may be deleted at any time; that costs only time. An entry is written as a whole and carries a
checksum: whatever is damaged or half-written reads as absent.
"""

from __future__ import annotations

import os
import shutil
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.durable import clear_stale, saving
from napari_sam_tune.core.storage.own_files import refuse_link
from napari_sam_tune.core.storage.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

DEFAULT_MAX_BYTES = 16 * 1024**3
_KEEP_SHARE = 0.9
_LASTING = ".lasting"
"""In the folder of a key: see `EmbeddingCache.mark_lasting`."""
_MEASURED_EACH = 0.02
"""Of `max_bytes`: so much is written by this process before it looks what others have written."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the encoder says about one image.

    Attributes:
        features: (C, h, w) float16.
        original_size: (H, W) of the image in pixels.
        input_size: (h, w) it was resized to before padding.

    """

    features: NDArray[np.float16]
    original_size: tuple[int, int]
    input_size: tuple[int, int]


def name_of_part(image_hash: str, window: tuple[int, int, int, int] | None) -> str:
    """Return what an image is called in the cache, or a window (y0, x0, y1, x1) of a large one."""
    return image_hash if window is None else "-".join(map(str, (image_hash, *window)))


class _Entry(NamedTuple):
    used: float
    size: int
    image_hash: str
    folder: Path


class EmbeddingCache:
    """Embeddings by encoder and image content, the longest unused given up first.

    Args:
        path: the cache's folder, a zarr group; made at the first `put`.
        max_bytes: how much it may hold. Pinned entries are never given up, so it may hold more.
        constant_keys: in place of an encoder's, of what no round changes; pinned as well.

    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        constant_keys: Iterable[str] = (),
    ) -> None:
        self.path = Path(path)
        self.max_bytes = max_bytes
        self._pending = self.path / ".pending"
        self._pinned: set[str] = set()
        self._constant_keys = frozenset(constant_keys)
        self._encoder_in_use: str | None = None  # asked for last
        self._bytes: int | None = None
        self._written = 0  # since the cache was measured
        self._lasting: set[str] = set()
        self._stores: dict[str, RecordStore] = {}  # those that are listed again and again
        clear_stale(self._pending)

    def _store(self, encoder_key: str) -> RecordStore:
        if encoder_key not in self._constant_keys:
            self._encoder_in_use = encoder_key
        return self._store_of(encoder_key)

    def contains(self, encoder_key: str, image_hash: str) -> bool:
        """Tell whether there is an entry, without reading its features."""
        try:
            self._store(encoder_key).attributes(image_hash)
        except ProjectError:
            return False
        return True

    def get(self, encoder_key: str, image_hash: str) -> Embedding | None:
        """Return an embedding, or None where it is absent, damaged or half-written.

        Args:
            encoder_key: names the encoder's weights and preprocessing.
            image_hash: `images.content_hash` of the image.

        """
        store = self._store(encoder_key)
        found = _read(store, image_hash)
        if found is not None:
            _touch(store.root / image_hash)
        return found

    def put(self, encoder_key: str, image_hash: str, embedding: Embedding) -> None:
        """Keep an embedding; gives up old ones where there is no room.

        Raises:
            StorageError: the disk refused; nothing is half-written.
            ProjectError: there is a link in the place of the cache or of a part of it.

        """
        features = np.ascontiguousarray(embedding.features, dtype=np.float16)
        attributes = {
            "crc32": zlib.crc32(features.data),
            "original_size": [int(side) for side in embedding.original_size],
            "input_size": [int(side) for side in embedding.input_size],
        }
        store = self._store(encoder_key)
        RecordStore(self.path, self._pending).create()
        store.create()
        if not self._write(store, image_hash, features, attributes):
            there = self.get(encoder_key, image_hash)
            if there is not None and there.features.shape == features.shape:
                return  # another process was first
            _remove(store.root / image_hash)  # what is there is damaged
            self._write(store, image_hash, features, attributes)
        self._written += features.nbytes
        if self._bytes is None or self._written > self.max_bytes * _MEASURED_EACH:
            self._bytes, self._written = None, 0  # others write as well: it is measured anew
        else:
            self._bytes += features.nbytes
        if self._size() > self.max_bytes:
            self.evict()

    # ----------------------------------------------------------------- sharing

    def mark_lasting(self, key: str) -> None:
        """Note that entries of a key depend on image and base model alone: others can use them.

        Those of an encoder that was tuned do not, and are of use until it is tuned again. Nothing
        is noted before there is an entry.

        Raises:
            StorageError: the disk refused.
            ProjectError: there is a link in the place of the key's folder.

        """
        folder = self.path / key
        if key in self._lasting or not folder.is_dir():
            return
        refuse_link(folder)
        with saving("The embedding", folder), suppress(FileExistsError):
            (folder / _LASTING).open("xb").close()
        self._lasting.add(key)

    def lasting_keys(self) -> list[str]:
        """Return the keys whose entries others can use."""
        return [one.name for one in _folders(self.path) if (one / _LASTING).is_file()]

    def names_if_changed(self, key: str) -> set[str] | None:
        """Return the image hashes of a key's entries; None as `RecordStore.names_if_changed`.

        Raises:
            ProjectError: the folder cannot be read.

        """
        return self._stores.setdefault(key, self._store_of(key)).names_if_changed()

    def parts(self, key: str, image_hash: str) -> dict[str, bytes] | None:
        """Return the files of an entry, to be put into another cache; None where there is none."""
        if self.get(key, image_hash) is None:
            return None
        try:
            return self._store_of(key).parts(image_hash)
        except ProjectError:
            return None  # given up meanwhile

    def adopt(
        self, key: str, image_hash: str, parts: Mapping[str, bytes], size: tuple[int, int]
    ) -> None:
        """Keep an entry of another cache, whose entries of this key last; gives up none for it.

        Args:
            key: see `mark_lasting`.
            image_hash: `images.content_hash` of the image.
            parts: what `parts` gave there.
            size: (H, W) of the image.

        Raises:
            StorageError: the disk refused; nothing is half-written.
            ProjectError: that is no entry, or of an image of another size.

        """

        def check(built: RecordStore) -> None:
            found = _read(built, image_hash)
            if found is None or found.original_size != size or found.features.dtype != np.float16:
                raise ProjectError(f"That is no embedding of {image_hash}.")

        store = self._store_of(key)
        RecordStore(self.path, self._pending).create()
        store.create()
        store.adopt(image_hash, parts, what="The embedding", check=check)
        self.mark_lasting(key)
        self._bytes = None if self._bytes is None else self._bytes + sum(map(len, parts.values()))

    def has_room(self, count: int) -> bool:
        """Tell whether so many bytes can be added without anything being given up for them."""
        return self._size() + count <= self.max_bytes * _KEEP_SHARE

    def _store_of(self, key: str) -> RecordStore:
        return RecordStore(self.path / key, self._pending)

    @staticmethod
    def _write(
        store: RecordStore, name: str, features: NDArray[np.float16], attributes: dict[str, object]
    ) -> bool:
        # Not flushed: after a power cut the checksum tells, and encoding again mends it.
        return store.write(
            name, features, attributes, what="The embedding", durable=False, compress=False
        )

    def pin(self, image_hashes: Iterable[str]) -> None:
        """Never give up these images' embeddings; adds to what was pinned before.

        Those of the encoder asked for last, that is: every round may teach the encoder, and what
        earlier ones made of the images is of use only if somebody goes back to them.
        """
        self._pinned.update(image_hashes)

    def evict(self) -> int:
        """Give up the longest unused entries until the cache is well below `max_bytes`.

        Returns:
            How many were given up.

        """
        entries = sorted(self._entries())
        total = sum(entry.size for entry in entries)
        given_up = 0
        for entry in entries:
            if total <= self.max_bytes * _KEEP_SHARE:
                break
            key = entry.folder.parent.name
            current = self._encoder_in_use in (None, key) or key in self._constant_keys
            if current and entry.image_hash in self._pinned:
                continue
            shutil.rmtree(entry.folder, ignore_errors=True)  # another process may be doing the same
            total -= entry.size
            given_up += 1
        self._bytes = total
        return given_up

    def _size(self) -> int:
        if self._bytes is None:
            self._bytes = sum(entry.size for entry in self._entries())
        return self._bytes

    def _entries(self) -> Iterator[_Entry]:
        for encoder in _folders(self.path):
            for folder in _folders(encoder):
                try:
                    size = sum(file.stat().st_size for file in folder.iterdir())
                    yield _Entry(folder.stat().st_mtime, size, folder.name, folder)
                except FileNotFoundError:
                    continue  # given up by another process meanwhile


def _read(store: RecordStore, name: str) -> Embedding | None:
    """Return an entry; None where it is absent, damaged or half-written."""
    try:
        attributes = store.attributes(name)
        features = store.read(name)
        if zlib.crc32(features.data) != attributes["crc32"]:
            return None
        height, width = attributes["original_size"]
        input_height, input_width = attributes["input_size"]
    except (ProjectError, KeyError, TypeError, ValueError):
        return None
    return Embedding(features, (height, width), (input_height, input_width))


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    folders = (child for child in path.iterdir() if child.is_dir() and not child.is_symlink())
    return [folder for folder in folders if folder.name[0] != "."]


def _remove(place: Path) -> None:
    """Remove an entry, or whatever is in its place; what a link points at is not touched."""
    with saving("The embedding", place):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def _touch(folder: Path) -> None:
    """Note that an entry was used; where that is not allowed, its age is that of its writing."""
    try:
        os.utime(folder)
    except OSError:
        return
