"""What the model and the pixel classifier see in an image, kept in the cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.pixel_classifier.features import KEY as FEATURES
from napari_sam_tune.core.storage.embeddings import EmbeddingCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.storage.embeddings import Embedding

_log = logging.getLogger(__name__)


def open_cache(project: Project) -> EmbeddingCache:
    """Return the cache of a project: embeddings of its images, and features, which never change."""
    return EmbeddingCache(project.embeddings_path, constant_keys=[FEATURES])


def mark_lasting(cache: EmbeddingCache, predictor: Predictor) -> None:
    """Note what of the cache other copies of the project can use, as far as the disk lets it."""
    try:
        for key in (predictor.weights.encoder_key_with({}), FEATURES):
            cache.mark_lasting(key)
    except SamTuneError as error:
        _log.warning("What was encoded here is not shared: %s", error)


class WindowCache:
    """Windows of a large image that were encoded, beside the embeddings of images.

    Kept for want of nothing better to do with the disk: whatever goes wrong, they are made anew.

    Args:
        cache: where they are kept.
        key: names the encoder's weights and preprocessing.
        image_hash: of the image.

    """

    def __init__(self, cache: EmbeddingCache, key: str, image_hash: str) -> None:
        self._cache, self._key, self._image_hash = cache, key, image_hash

    def _name(self, window: Window) -> str:
        return f"{self._image_hash}-{'-'.join(map(str, window))}"

    def get(self, window: Window) -> Embedding | None:
        """Return what was kept of a window, or None."""
        return self._cache.get(self._key, self._name(window))

    def put(self, window: Window, embedding: Embedding) -> None:
        """Keep a window; a full disk is said where masks are kept."""
        try:
            self._cache.put(self._key, self._name(window), embedding)
        except SamTuneError as error:
            _log.warning("A window's embedding could not be kept: %s", error)


def embed_image(
    predictor: Predictor,
    extractor: FeatureExtractor,
    cache: EmbeddingCache,
    image: NDArray[Any],
    image_hash: str,
) -> bool:
    """Have an image's embedding and features in the cache; returns whether either was missing.

    Args:
        predictor: its open image stays open.
        extractor: of the features.
        cache: where both go.
        image: (H, W[, C]) array as `to_rgb8` takes it.
        image_hash: its `content_hash`.

    Raises:
        ImageError: not an image.
        StorageError: the disk is full.

    """
    key = predictor.weights.encoder_key_for(image)
    lacks_embedding = not cache.contains(key, image_hash)
    lacks_features = not cache.contains(FEATURES, image_hash)
    stages = None
    if lacks_embedding:
        view = predictor.encode(image)
        cache.put(key, image_hash, view.embedding)
        stages = view.stages
    if lacks_features:
        cache.put(FEATURES, image_hash, extractor.extract(to_rgb8(image), stages).packed())
    mark_lasting(cache, predictor)
    return lacks_embedding or lacks_features
