"""What to expect on images nobody has looked at, and which of them to look at next.

Of each image is told, from its features alone: how many objects like those accepted there seem to
be, and how sure the surest is; and how far its mean features are from those of images that are
labelled. The next image is the one with most of the two, surest place and distance (greedy
k-center as in Sener and Savarese 2018, weighted), so near-duplicates of what is labelled come last.
Of an image a hundred and seventy-odd numbers are kept, not its features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.images.files import content_hash, to_rgb8
from napari_sam_tune.core.images.rgb_source import RgbSource
from napari_sam_tune.core.pixel_classifier.features import KEY, PixelFeatures
from napari_sam_tune.core.pixel_classifier.finder import Finder
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
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
        read: returns its pixels; raises `ImageError` or `ProjectError` where that cannot be.
        content_hash: None where only its pixels can tell.

    """

    id: str
    read: Callable[[], NDArray[Any]]
    content_hash: str | None = None


@dataclass(frozen=True)
class SurveyStep:
    """One image was gone over.

    Attributes:
        image_id: which.
        done: images gone over so far, this one included.
        total: images there are.
        finds: how many objects are expected on it; None where they were not looked for, because it
            is labelled, or not read.
        error: why it was not read, for a person; None where it was.

    """

    image_id: str
    done: int
    total: int
    finds: int | None
    error: str | None = None


class _Expected(NamedTuple):
    finds: int
    highest: float  # logit of the surest place


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
            expected, error = None, None
            try:
                features = self._features(image)
                self._means[image.id] = features.means()
                if done > len(fresh):
                    expected = _expected(snapshot, features, known(image.id), label)
            except (ImageError, ProjectError) as problem:
                error = str(problem)
            if expected is None:
                self._expected.pop(image.id, None)
                yield SurveyStep(image.id, done, total, None, error)
            else:
                self._expected[image.id] = expected
                yield SurveyStep(image.id, done, total, expected.finds)

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

    def _features(self, image: Unread) -> PixelFeatures:
        """Return an image's features; it is read only where they, or its hash, are not there."""
        pixels, image_hash = None, image.content_hash or self._hashes.get(image.id)
        if image_hash is None:
            pixels = image.read()
            _require_held(pixels)
            image_hash = self._hashes[image.id] = content_hash(pixels)
        embedding = self._cache.get(KEY, image_hash)
        cached = None if embedding is None else PixelFeatures.unpacked(embedding)
        if cached is not None:
            return cached
        pixels = image.read() if pixels is None else pixels
        _require_held(pixels)
        features = self._extractor.extract(to_rgb8(pixels))
        self._cache.put(KEY, image_hash, features.packed())
        return features


def _require_held(pixels: object) -> None:
    """Refuse an image of which only windows are read: it is looked through, when it is open."""
    if isinstance(pixels, RgbSource):
        raise ImageError(tr("It is too large to be gone over: open it and look for all like it."))


def _expected(
    snapshot: Snapshot, features: PixelFeatures, known: KnownMasks, label: str | None
) -> _Expected:
    if label is not None and label not in snapshot.classes:
        return _Expected(0, -np.inf)
    finder = Finder(snapshot.maps(features), features.original_size, label)
    for mask, box in known:
        finder.cover(mask, box)
    return _Expected(finder.expected(), finder.highest)
