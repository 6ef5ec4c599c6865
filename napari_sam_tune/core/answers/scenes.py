"""What is learnt from a large image is learnt in scenes: windows that show an object well.

An image that fits the model is one scene. Of a large one each accepted mask is learnt from in a
window of a grid that is some times as large as the mask, with all else that is known there; windows
of one size lie side by side, so that nothing is learnt twice. What was learnt bears on an answer in
the window around the place it is about, as large as the windows learnt from.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.answers.known_images import Known
from napari_sam_tune.core.answers.zoom import DEFAULT_LEVEL, window_on_grid
from napari_sam_tune.core.errors import ImageError, ProjectError, StorageError
from napari_sam_tune.core.geometry.frame import LARGE
from napari_sam_tune.core.geometry.windows import shape_of, tile_at, tiles
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.pixel_classifier.features import KEY, PixelFeatures, features_of
from napari_sam_tune.core.storage.embeddings import name_of_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.answers.encoding import OpenImage
    from napari_sam_tune.core.answers.known_images import Refused
    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape, Window
    from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
    from napari_sam_tune.core.pixel_classifier.prior import PixelPrior
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

_log = logging.getLogger(__name__)

_ROOM: Final = 3
"""Sides of a scene, in those of the mask it is for, at least."""
_KEPT: Final = 12
"""Scenes of the open image whose features stay in memory, 1.3 MB each."""


@dataclass(frozen=True)
class Scene:
    """An image, or a window of a large one.

    Attributes:
        image_id: the image.
        window: of it; None for all.

    """

    image_id: str
    window: Window | None = None

    @property
    def name(self) -> str:
        """What it is called among what was learnt."""
        return self.name_of(self.image_id)

    def name_of(self, image: str) -> str:
        """Return its name where the image is called so."""
        return name_of_part(image, self.window)


def level_of(box: BoundingBox, side: int) -> int:
    """Return by how many doublings of a side a scene is larger that shows an object well."""
    wanted = _ROOM * max(shape_of(box)) / side
    return max(DEFAULT_LEVEL, int(np.ceil(np.log2(max(wanted, 1)))))


def scene_window(box: BoundingBox, length: int, shape: Shape) -> Window:
    """Return the tile of a side in which the middle of a box lies; see `windows.tiles`."""
    y, x = ((box[axis] + box[axis + 2]) // 2 // length * length for axis in (0, 1))
    return tile_at(y, x, length, shape)


def in_scenes(known: Mapping[str, Known], project: Project, side: int) -> dict[Scene, Known]:
    """Return what is known of images as what is known of scenes.

    Args:
        known: by image id.
        project: whose images.
        side: of the predictor's padded input, in px.

    """
    found: dict[Scene, Known] = {}
    for image_id, said in known.items():
        shape = project.image(image_id).shape
        if max(shape) <= LARGE * side:
            found[Scene(image_id)] = said
        else:
            found |= _windows_of(image_id, said, project, shape, side)
    return found


def _windows_of(
    image_id: str, said: Known, project: Project, shape: Shape, side: int
) -> dict[Scene, Known]:
    boxes = {name: project.annotation(name).bbox for name in (*said.annotations, *said.set_aside)}
    own = [boxes[name] for name in said.annotations] + [one.bbox for one in said.rejected]
    windows = {scene_window(box, side << level_of(box, side), shape) for box in own}
    lengths = {max(shape_of(window)) for window in windows} | {
        side << level_of(b, side) for b in own
    }

    def seen_in(box: BoundingBox) -> set[Window]:
        near = (tile for length in lengths for tile in tiles(shape, length, box))
        return windows.intersection(near)

    masks: dict[Window, list[tuple[str, str]]] = {window: [] for window in windows}
    aside: dict[Window, list[str]] = {window: [] for window in windows}
    rejected: dict[Window, list[Refused]] = {window: [] for window in windows}
    for mask in said.masks:
        for window in seen_in(boxes[mask[0]]):
            masks[window].append(mask)
    for name in said.set_aside:
        for window in seen_in(boxes[name]):
            aside[window].append(name)
    for one in said.rejected:
        for window in seen_in(one.bbox):
            rejected[window].append(one)
    return {
        Scene(image_id, window): Known(
            tuple(masks[window]), tuple(aside[window]), said.is_done, tuple(rejected[window])
        )
        for window in windows
    }


def window_learnt_in(window: Window, shape: Shape, side: int) -> Window:
    """Return the window in which what was learnt bears on an answer in a window of the image."""
    length = max(shape_of(window))
    level = round(np.log2(length / side))
    if level >= DEFAULT_LEVEL and length == side << level:
        return window
    level = int(np.ceil(np.log2(max(2 * length / side, 1))))
    return window_on_grid(window, side << max(level, DEFAULT_LEVEL), shape)


@dataclass(frozen=True, eq=False)
class ScenePrior:
    """What was learnt says about a large image: of each frame in the window around it.

    Attributes:
        look: returns what it says of a window of the image.
        annotations: none, see `Prior`.

    """

    look: Callable[[Window], PixelPrior]
    annotations: tuple[str, ...] = ()

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return (1, K, h, h): the model's logits and the classifier's; see `Prior`."""
        return self.look(frame.window).add(logits, frame)

    def guess(self, frame: Frame) -> None:
        """Nothing goes in as the mask input; see `Prior`."""

    def guide(self, frame: Frame) -> Tensor:
        """Return the classifier's logits, scaled; see `Prior`."""
        return self.look(frame.window).guide(frame)


class SceneFeatures:
    """Features of images and scenes: in memory of the open image, from the cache, or made.

    Args:
        project: whose images.
        cache: where they are kept.
        extractor: of what is not there.

    Attributes:
        opened: the open image; None where there is none.

    """

    def __init__(
        self, project: Project, cache: EmbeddingCache, extractor: FeatureExtractor
    ) -> None:
        self._project, self._cache, self._extractor = project, cache, extractor
        self.opened: OpenImage | None = None
        self._record: ImageRecord | None = None
        self._kept: OrderedDict[Window | None, PixelFeatures] = OrderedDict()

    @property
    def open_id(self) -> str | None:
        """The open image."""
        return None if self._record is None else self._record.id

    def look(self, opened: OpenImage, record: ImageRecord) -> None:
        """Make an image the open one; its features are found now, a large one's when asked for.

        Raises:
            StorageError: they could not be kept; the image is open all the same.

        """
        self.forget()
        if not opened.is_large:
            known = self._cached(record.content_hash)
            made = known or self._extractor.extract(opened.rgb, opened.view.stages)
            self._kept[None] = made
            if known is None:
                self._cache.put(KEY, record.content_hash, made.packed())
        self.opened, self._record = opened, record

    def forget(self) -> None:
        """Have no image open."""
        self.opened = self._record = None
        self._kept.clear()

    def of(self, scene: Scene) -> PixelFeatures | None:
        """Return features of any image, or of a scene of it; None where it cannot be read."""
        record = self._project.image(scene.image_id)
        is_open = self._record is not None and self._record.id == record.id
        if is_open and scene.window in self._kept:
            self._kept.move_to_end(scene.window)
            return self._kept[scene.window]
        name = scene.name_of(record.content_hash)
        features = self._cached(name)
        if features is None:
            try:
                features = self._made(scene, self.opened if is_open else None)
            except (ProjectError, ImageError) as error:
                _log.warning("Nothing is learnt from %s: %s", record.id, error)
                return None
            try:
                self._cache.put(KEY, name, features.packed())
            except StorageError as error:
                _log.warning("The features of %s could not be kept: %s", record.id, error)
        if is_open:
            self._kept[scene.window] = features
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return features

    def of_pixels(self, rgb: NDArray[np.uint8], record: ImageRecord) -> PixelFeatures:
        """Return features of (H, W, 3) pixels of an image that is not open; they are not kept."""
        return self._cached(record.content_hash) or self._extractor.extract(rgb)

    def _made(self, scene: Scene, opened: OpenImage | None) -> PixelFeatures:
        window = scene.window
        if window is None:
            return self._extractor.extract(to_rgb8(self._project.read_image(scene.image_id)))
        if opened is None:
            source, stages = rgb_source(self._project.open_image(scene.image_id)), None
        else:
            source, stages = opened.source, opened.stages_of(window) or opened.begin(window)
        return features_of(self._extractor, source, window, stages)

    def _cached(self, name: str) -> PixelFeatures | None:
        embedding = self._cache.get(KEY, name)
        return None if embedding is None else PixelFeatures.unpacked(embedding)
