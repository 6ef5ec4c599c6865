"""What the model and the pixel classifier see in an image, kept in the cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.scenes import Scene
from napari_sam_tune.core.answers.zoom import DEFAULT_LEVEL
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.geometry.windows import tiles
from napari_sam_tune.core.images.rgb_source import RgbSource, glance, rgb_source, shape_of_image
from napari_sam_tune.core.pixel_classifier.features import KEY as FEATURES
from napari_sam_tune.core.pixel_classifier.features import features_of
from napari_sam_tune.core.storage.embeddings import EmbeddingCache, name_of_part

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
        return name_of_part(self._image_hash, window)

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
    image: NDArray[Any] | RgbSource,
    image_hash: str,
) -> bool:
    """Have an image's embedding and features in the cache; returns whether either was missing.

    Of a large image those of the tiles in which it is searched.

    Args:
        predictor: its open image stays open.
        extractor: of the features.
        cache: where both go.
        image: (H, W[, C]) array as `to_rgb8` takes it, or an image that is read in windows.
        image_hash: what it is known by.

    Raises:
        ImageError: not an image.
        StorageError: the disk is full.

    """
    source = rgb_source(image)
    shape, side = shape_of_image(source), predictor.input_side
    key = predictor.weights.encoder_key_for(glance(source))
    parts: list[Window | None] = [None]
    if is_large(shape, side):
        parts = [*tiles(shape, side << DEFAULT_LEVEL)]
    made = [
        _embed(predictor, extractor, cache, key, source, Scene(image_hash, part)) for part in parts
    ]
    mark_lasting(cache, predictor)
    return any(made)


def _embed(
    predictor: Predictor,
    extractor: FeatureExtractor,
    cache: EmbeddingCache,
    key: str,
    source: RgbSource,
    scene: Scene,
) -> bool:
    """Have an image, or a window of it, in the cache; it is called by the image's hash."""
    lacks_embedding = not cache.contains(key, scene.name)
    lacks_features = not cache.contains(FEATURES, scene.name)
    stages = None
    if lacks_embedding:
        view = predictor.encode(source, scene.window)
        cache.put(key, scene.name, view.embedding)
        stages = view.stages
    if lacks_features:
        features = features_of(extractor, source, scene.window, stages)
        cache.put(FEATURES, scene.name, features.packed())
    return lacks_embedding or lacks_features
