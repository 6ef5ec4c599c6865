"""What the model sees in images, exchanged between copies so that each image is encoded once.

Only what depends on an image and the base model alone goes there: the embedding of the base model
and the features that pixels are classified by. It goes last and as far as it was allowed to, is
checked when it comes, and may be missing: then it is made anew, which costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from itertools import chain
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.sharing.bundle import SharedEmbedding, packed_parts, unpacked_parts
from napari_sam_tune.core.storage.embeddings import EmbeddingCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.sharing.known import Known
    from napari_sam_tune.core.sharing.place import SharedPlace

_log = logging.getLogger(__name__)
_NAMED: Final = 16
"""Digits of an object's checksum in its name."""


class SharedEmbeddings:
    """Sends embeddings that are not there yet, and fetches those that are not here.

    Args:
        project: the copy.
        known: what is there.
        most: bytes of embeddings that there may be in the place.

    Attributes:
        is_all: nothing was left to send or fetch after the last look.

    """

    def __init__(self, project: Project, known: Known, most: int) -> None:
        self._project, self._known, self._most = project, known, most
        self._cache = EmbeddingCache(project.embeddings_path)
        self._here: dict[str, set[str]] = {}  # image hashes by key
        self._unfit: dict[str, SharedEmbedding] = {}  # those there that were damaged, by entry
        self._settled: set[str] = set()  # entries that are damaged here, or were fetched once
        self.is_all = True

    def send(self, place: SharedPlace, until: float) -> dict[str, SharedEmbedding]:
        """Put embeddings there until a moment of `time.monotonic`, one at least.

        Returns:
            What was put there, by `key/content hash`.

        Raises:
            ShareError: the place refuses.
            ProjectError: the cache cannot be read.

        """
        sent: dict[str, SharedEmbedding] = {}
        self.is_all, size = True, self._known.embedding_bytes
        for key, image_hash in self._unsent():
            if sent and time.monotonic() > until:
                self.is_all = False
                break
            entry = f"{key}/{image_hash}"
            parts = self._cache.parts(key, image_hash)
            if parts is None:
                self._settled.add(entry)
                continue
            content = packed_parts(parts)
            size += len(content)
            if size > self._most:
                break
            checksum = hashlib.sha256(content).hexdigest()
            name = self._free_name(entry, f"embeddings/{entry}-{checksum[:_NAMED]}")
            place.put(name, content, only_new=True)
            sent[entry] = SharedEmbedding(name, checksum, len(content))
        return sent

    def _unsent(self) -> Iterator[tuple[str, str]]:
        images = {image.content_hash for image in self._project.images()}
        for key in self._cache.lasting_keys():
            names = self._cache.names_if_changed(key)
            if names is not None:
                self._here[key] = names
            for image_hash in sorted(self._here[key] & images):
                entry = f"{key}/{image_hash}"
                there = self._known.embeddings.get(entry)
                if entry not in self._settled and (there is None or self._is_unfit(entry)):
                    yield key, image_hash

    def _is_unfit(self, entry: str) -> bool:
        """Whether what is said last to be there was found to be damaged."""
        unfit = self._unfit.get(entry)
        return unfit is not None and unfit == self._known.embeddings.get(entry)

    def _free_name(self, entry: str, name: str) -> str:
        """Return a name that no damaged object has: nothing is written to twice."""
        unfit = self._unfit.get(entry)
        if unfit is None or not unfit.name.startswith(name):
            return name
        number = unfit.name.removeprefix(name).removeprefix("-")
        return f"{name}-{int(number or 1) + 1}"

    def fetch(self, place: SharedPlace, until: float) -> int:
        """Copy embeddings here until a moment of `time.monotonic`, one at least.

        Those of the images next to the one that was open come first. What does not fit into the
        cache beside what is there is left out.

        Returns:
            How many came.

        Raises:
            ShareError: the place refuses.
            StorageError: the disk refused.

        """
        fetched = 0
        for image, entry, there in self._missing():
            if not self._cache.has_room(there.size):
                break
            if fetched and time.monotonic() > until:
                self.is_all = False
                break
            if self._fetch(place, image, entry, there):
                self._settled.add(entry)  # should it be given up here, it is not fetched again
                fetched += 1
            else:
                _log.warning("%s is damaged: the image is encoded anew.", there.name)
                self._unfit[entry] = there
        return fetched

    def _missing(self) -> Iterator[tuple[ImageRecord, str, SharedEmbedding]]:
        keys = {entry.split("/")[0] for entry in self._known.embeddings}
        images, place = self._project.images(), self._project.place().get("image")
        first = next((n for n, image in enumerate(images) if image.id == place), 0)
        for image in chain(images[first:], images[:first]):
            for key in sorted(keys):
                entry = f"{key}/{image.content_hash}"
                there = self._known.embeddings.get(entry)
                if there is None or entry in self._settled or self._is_unfit(entry):
                    continue
                if image.content_hash not in self._here.get(key, ()):
                    yield image, entry, there

    def _fetch(
        self, place: SharedPlace, image: ImageRecord, entry: str, there: SharedEmbedding
    ) -> bool:
        """Fetch an embedding; False where it is not as it was put there."""
        content = place.get(there.name)
        if content is None or hashlib.sha256(content).hexdigest() != there.checksum:
            return False
        key, _ = entry.split("/")
        height, width = image.shape[:2]
        try:
            self._cache.adopt(key, image.content_hash, unpacked_parts(content), (height, width))
        except (ValueError, ProjectError):
            return False
        return True
