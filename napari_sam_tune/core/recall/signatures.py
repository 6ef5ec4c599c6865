"""The signatures of a project's images: made once, kept on disk, compared by thumbnails."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError, ProjectError, StorageError
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.project.folder import SIGNATURES
from napari_sam_tune.core.recall.grey import HeldGrey, grey_source
from napari_sam_tune.core.recall.registration import Signature
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.recall.grey import Grey

    Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)

_KEY: Final = "contrast-1"
"""Raised when a signature changes: what is on disk goes stale."""
_NEW_AT_ONCE: Final = 40
"""Images whose signature is made or read while one is opened."""
_LOOKED_AT: Final = 8
"""Images that are compared by more than their thumbnails."""


class Signatures:
    """Knows images by what they look like. In memory are only thumbnails, a kilobyte each.

    Args:
        project: whose images; signatures are kept in its folder.

    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._cache = EmbeddingCache(project.path / SIGNATURES)
        self._thumbnails: dict[str, Floats] = {}  # by the image's content

    def of(self, record: ImageRecord, grey: Grey) -> Signature:
        """Return the signature of an image as it was kept or made anew."""
        return self._kept(record) or self._make(record, grey)

    def most_alike(
        self, new: Signature, records: Sequence[ImageRecord]
    ) -> list[tuple[ImageRecord, Signature]]:
        """Return the few of these images that look most like one, the most alike first.

        Where many are not known yet, some of them are made known, and of others next time: masks of
        thousands of images may have been imported, and a person waits.
        """
        unknown = (r for r in records if r.content_hash not in self._thumbnails)
        for record in islice(unknown, _NEW_AT_ONCE):
            if self._kept(record) is None:
                grey = self.grey_of(record)
                # all of a large one would have to be read: it is made known when it is open
                if isinstance(grey, HeldGrey):
                    self._make(record, grey)
        known = [record for record in records if record.content_hash in self._thumbnails]
        known.sort(key=lambda r: -float(self._thumbnails[r.content_hash] @ new.thumbnail))
        kept = ((record, self._kept(record)) for record in known[:_LOOKED_AT])
        return [(record, signature) for record, signature in kept if signature is not None]

    def grey_of(self, record: ImageRecord) -> Grey | None:
        """Return an image of the project in grey; None if it cannot be read."""
        try:
            return grey_source(rgb_source(self._project.open_image(record.id)))
        except (ImageError, ProjectError) as error:
            _log.info("Masks on %s are not recalled: %s", record.id, error)
            return None

    def _kept(self, record: ImageRecord) -> Signature | None:
        kept = self._cache.get(_KEY, record.content_hash)
        if kept is None:
            return None
        signature = Signature.of_contrast(kept.features[0].astype(np.float32), kept.original_size)
        self._thumbnails[record.content_hash] = signature.thumbnail
        return signature

    def _make(self, record: ImageRecord, grey: Grey) -> Signature:
        signature = Signature.of(grey)
        self._thumbnails[record.content_hash] = signature.thumbnail
        height, width = signature.contrast.shape
        features = signature.contrast[None].astype(np.float16)
        kept = Embedding(features, signature.shape, (height, width))
        try:
            self._cache.put(_KEY, record.content_hash, kept)
        except StorageError as error:
            # it costs a few milliseconds to make anew, and a full disk is said where masks are kept
            _log.warning("An image's signature could not be kept: %s", error)
        return signature
