"""What to expect on images nobody has looked at, and which of them to look at next.

Of each image is told, from its features alone: how many objects like those accepted there seem to
be, and how sure the surest is; and how far its mean features are from those of images that are
labelled. The next image is the one with most of the two, surest place and distance (greedy
k-center as in Sener and Savarese 2018, weighted), so near-duplicates of what is labelled come last.
Of an image a hundred and seventy-odd numbers are kept, not its features. Of an image that is read
in parts a sample of tiles is looked at, spread evenly over it, and what is on it is expected to be
as dense as there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from scipy.special import expit

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.geometry.frame import LARGE
from napari_sam_tune.core.geometry.windows import meet, tiles
from napari_sam_tune.core.images.large_image import name_of_image
from napari_sam_tune.core.images.rgb_source import rgb_source, shape_of_image
from napari_sam_tune.core.pixel_classifier.features import KEY, SIDE, PixelFeatures, features_of
from napari_sam_tune.core.pixel_classifier.finder import Finder
from napari_sam_tune.core.storage.embeddings import name_of_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox, Window
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.images.rgb_source import RgbSource
    from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
    from napari_sam_tune.core.pixel_classifier.finder import Snapshot
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

    Floats = NDArray[np.float32]
    KnownMasks = Sequence[tuple[Mask, BoundingBox]]


@dataclass(frozen=True, eq=False)
class Unread:
    """An image that is read when its turn comes, if it must be.

    Attributes:
        id: its name in the project.
        read: returns its pixels, or where they are read in parts; raises `ImageError` or
            `ProjectError` where that cannot be.
        content_hash: None where only its pixels can tell.

    """

    id: str
    read: Callable[[], NDArray[Any] | LargeImage]
    content_hash: str | None = None


@dataclass(frozen=True)
class SurveyStep:
    """One image was gone over, or a tile of one that is read in parts.

    Attributes:
        image_id: which.
        done: images gone over so far, this one included if all that is looked at of it was.
        total: images there are.
        finds: how many objects are expected on it; None where they were not looked for, because it
            is labelled, or not read, or is still being gone over.
        error: why it was not read, for a person; None where it was.

    """

    image_id: str
    done: int
    total: int
    finds: int | None
    error: str | None = None


_TILE: Final = 2 * SIDE
"""Side of the tiles of an image that is read in parts: those a search begins with."""
_MOST_TILES: Final = 24
"""Of an image, spread evenly: five seconds of two cores."""


class _Expected(NamedTuple):
    finds: int
    highest: float  # logit of the surest place


class _Part(NamedTuple):
    means: Floats  # of its features
    expected: _Expected
    counts: float = 1.0  # as so many parts of the image


class Survey:
    """Goes over images with a classifier, and remembers what it expects of each.

    `go_over` belongs to the thread that owns the extractor, what was found out to any.

    Args:
        cache: where features are kept.
        extractor: of features that are not there yet.

    """

    def __init__(self, cache: EmbeddingCache, extractor: FeatureExtractor) -> None:
        self._expected: dict[str, _Expected] = {}
        self._cache, self._extractor = cache, extractor
        self._hashes: dict[str, str] = {}
        self._means: dict[str, Floats] = {}
        self._label: str | None = None  # what was counted

    def go_over(
        self,
        images: Sequence[Unread],
        labelled: Sequence[Unread],
        snapshot: Snapshot,
        known: Callable[[str], KnownMasks],
        label: str | None = None,
    ) -> Iterator[SurveyStep]:
        """Look at images one by one; yields after each, and may be left off at any.

        Args:
            images: to find objects on.
            labelled: what the novelty of images is measured against; looked at where they were not.
            snapshot: the classifier.
            known: masks, cut to their boxes, of what was accepted or rejected on an image.
            label: count objects of this class alone.

        Raises:
            StorageError: features could not be kept.

        """
        if label != self._label:
            self._expected.clear()
            self._label = label
        fresh = [one for one in labelled if one.id not in self._means]
        total = len(fresh) + len(images)
        for done, image in enumerate((*fresh, *images), start=1):
            parts, error = list[_Part](), None
            try:
                for part in self._parts(image, snapshot, label, known(image.id)):
                    if parts:  # between two tiles whoever asked may have something urgent
                        yield SurveyStep(image.id, done - 1, total, None)
                    parts.append(part)
            except (ImageError, ProjectError) as problem:
                parts, error = [], str(problem)
            if parts:
                self._means[image.id] = np.mean([part.means for part in parts], axis=0)
            if done <= len(fresh) or not parts:
                self._expected.pop(image.id, None)
                yield SurveyStep(image.id, done, total, None, error)
                continue
            found = sum(part.expected.finds * part.counts for part in parts)
            highest = max(part.expected.highest for part in parts)
            self._expected[image.id] = _Expected(round(found), highest)
            yield SurveyStep(image.id, done, total, round(found))

    def expected(self) -> dict[str, int]:
        """Return how many objects are expected, by image gone over."""
        return {name: expected.finds for name, expected in self._expected.copy().items()}

    def sureness(self) -> dict[str, float]:
        """Return how likely the surest place is an object, from 0 to 1, by image gone over."""
        known = self._expected.copy().items()
        return {name: float(expit(expected.highest)) for name, expected in known}

    def by_need(self, images: Iterable[str], labelled: Iterable[str]) -> Iterator[str]:
        """Yield images, the one most worth labelling first.

        Each next one is where the rank of its surest place, from 0 to 1, times the distance of its
        mean features to those of images labelled or yielded before is greatest.

        Args:
            images: ids; those not gone over are left out.
            labelled: ids of images done already.

        """
        known = self._expected.copy()
        ids = [one for one in images if one in known]
        means = self._of(ids)
        highest = np.array([known[one].highest for one in ids])
        weights = (1 + highest.argsort().argsort()) / max(1, len(ids))
        others = self._of([one for one in labelled if one in self._means])
        nearest = np.ones(len(ids))  # where nothing is labelled all are as new
        if len(ids) and len(others):
            apart = torch.cdist(torch.from_numpy(means), torch.from_numpy(others))
            nearest = apart.amin(dim=1).double().numpy()
        left = np.ones(len(ids), bool)
        for _ in ids:
            best = int(np.where(left, weights * nearest, -1.0).argmax())
            left[best] = False
            yield ids[best]
            nearest = np.minimum(nearest, np.linalg.norm(means - means[best], axis=1))

    def _of(self, ids: Sequence[str]) -> Floats:
        return np.array([self._means[one] for one in ids], np.float32)

    def _parts(
        self, image: Unread, snapshot: Snapshot, label: str | None, known: KnownMasks
    ) -> Iterator[_Part]:
        """Look at an image, or at tiles of one that is read in parts.

        It is read only where its features, or its hash, are not there.
        """
        pixels, image_hash = None, image.content_hash or self._hashes.get(image.id)
        if image_hash is None:
            pixels = image.read()
            image_hash = self._hashes[image.id] = name_of_image(pixels)
        features = self._cached(image_hash)
        if features is None:
            pixels = image.read() if pixels is None else pixels
            source = rgb_source(pixels)
            if max(shape_of_image(source)) > LARGE * SIDE:
                yield from self._tiles(source, image_hash, snapshot, label, known)
                return
            features = self._kept(image_hash, features_of(self._extractor, source))
        yield _Part(features.means(), _expected(snapshot, features, None, known, label))

    def _tiles(
        self,
        source: RgbSource,
        image_hash: str,
        snapshot: Snapshot,
        label: str | None,
        known: KnownMasks,
    ) -> Iterator[_Part]:
        shape = shape_of_image(source)
        every = tiles(shape, _TILE)
        few = every[:: max(1, -(-len(every) // _MOST_TILES))]
        for tile in few:
            name = name_of_part(image_hash, tile)
            features = self._cached(name)
            if features is None:
                features = self._kept(name, features_of(self._extractor, source, tile))
            near = [(mask, box) for mask, box in known if meet(box, tile)]
            expected = _expected(snapshot, features, tile, near, label)
            yield _Part(features.means(), expected, len(every) / len(few))

    def _cached(self, name: str) -> PixelFeatures | None:
        embedding = self._cache.get(KEY, name)
        return None if embedding is None else PixelFeatures.unpacked(embedding)

    def _kept(self, name: str, features: PixelFeatures) -> PixelFeatures:
        self._cache.put(KEY, name, features.packed())
        return features


def _expected(
    snapshot: Snapshot,
    features: PixelFeatures,
    window: Window | None,
    known: KnownMasks,
    label: str | None,
) -> _Expected:
    """Count what is like it in an image of these features, or in a window of one."""
    if label is not None and label not in snapshot.classes:
        return _Expected(0, -np.inf)
    maps = replace(snapshot.maps(features), window=features.window_from(window))
    finder = Finder(maps, features.original_size, label)
    for mask, box in known:
        finder.cover(mask, box)
    return _Expected(finder.expected(), finder.highest)
