"""Finding all like what was accepted: places where the classifier's map is high, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.pixel_classifier.cells import coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.pixel_classifier.classifier import Calibration
    from napari_sam_tune.core.pixel_classifier.features import PixelFeatures
    from napari_sam_tune.core.prompts import Mask, Point

    Floats = NDArray[np.float32]

LEAST: Final = 0.0
"""Logit that a place must have: likelier an object than not."""
_BLUR: Final = 0.8
"""Standard deviation, in cells, of the blur before places are chosen: single cells are noise."""
_CLEAR: Final = 1.5
"""Mean logit of a place from which it counts as an object that is expected."""


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """What the classifier makes of an image.

    Attributes:
        logits: (rows, columns) float32, of an object of any class.
        classes: names.
        scores: (rows, columns, K) float32 of each class, comparable with each other alone.
        window: (y0, x0, y1, x1) in image px that the cells cover; y0 and x0 are whole.

    """

    logits: Floats
    classes: tuple[str, ...]
    scores: Floats
    window: tuple[float, float, float, float]

    @property
    def cell_size(self) -> tuple[float, float]:
        """Height and width of a cell, in px of the image."""
        y0, x0, y1, x1 = self.window
        rows, columns = self.logits.shape
        return (y1 - y0) / rows, (x1 - x0) / columns

    def cells_of(self, mask: Mask, box: BoundingBox) -> Floats:
        """Return the share of each cell that a mask cut to its box covers; what lies outside not.

        Args:
            mask: (h, w) bool.
            box: (y0, x0, y1, x1) in px of the image, ends excluded.

        """
        y0, x0, y1, x1 = (round(at) for at in self.window)
        moved = box[0] - y0, box[1] - x0, box[2] - y0, box[3] - x0
        seen = clipped(moved, (y1 - y0, x1 - x0))
        rows, columns = (slice(seen[a] - moved[a], seen[a + 2] - moved[a]) for a in (0, 1))
        cells = self.logits.shape[0], self.logits.shape[1]
        if not mask[rows, columns].size:
            return np.zeros(cells, np.float32)
        return coverage(mask[rows, columns], seen, self.cell_size, cells)

    def class_in(self, cells: Floats) -> str | None:
        """Return the class whose scores are highest in (rows, columns) cells by their weights."""
        if not self.classes:
            return None
        means = (self.scores * cells[..., None]).sum((0, 1))
        return self.classes[int(means.argmax())]

    def lead_in(self, cells: Floats) -> tuple[str, float]:
        """Return the class whose mean score in cells is highest, and by how much; of two or more.

        Args:
            cells: (rows, columns) weights, not all 0.

        """
        means = (self.scores * cells[..., None]).sum((0, 1)) / cells.sum()
        second, best = means.argsort()[-2:]
        return self.classes[int(best)], float(means[best] - means[second])


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The classifier at one moment, solved once for any number of images.

    Attributes:
        weights: (SIZE, 1 + K), of any object and of each class.
        classes: the K names.
        calibration: how scores become logits.
        images: ids of those it has learnt from.

    """

    weights: NDArray[np.float64] = field(repr=False)
    classes: tuple[str, ...]
    calibration: Calibration
    images: frozenset[str]

    def maps(self, features: PixelFeatures) -> ClassMaps:
        """Return what it makes of an image."""
        scores = features.scores(self.weights)
        logits = self.calibration.logits(scores[..., 0])
        return ClassMaps(logits, self.classes, scores[..., 1:], features.window)


class Finder:
    """Places on an image that look like objects, the surest first.

    Args:
        maps: of the image.
        shape: (H, W) of the image.
        label: only where this class is likelier than the others; None: of any class.

    """

    def __init__(self, maps: ClassMaps, shape: tuple[int, int], label: str | None = None) -> None:
        self._maps = maps
        self._left = ndimage.gaussian_filter(maps.logits, _BLUR)
        if label is not None:
            # scores of classes are comparable with each other alone, so they tell which, not where
            scores = ndimage.gaussian_filter(maps.scores, (_BLUR, _BLUR, 0))
            self._left[scores.argmax(-1) != maps.classes.index(label)] = -np.inf
        self._shape = shape

    def next_place(self) -> Point | None:
        """Return where to click next, (x, y) in image px; None where nothing is left."""
        best = int(self._left.argmax())
        row, column = np.unravel_index(best, self._left.shape)
        if self._left[row, column] <= LEAST:
            return None
        self._left[row, column] = -np.inf
        start, size = self._maps.window[:2], self._maps.cell_size
        y, x = (start[a] + (at + 0.5) * size[a] - 0.5 for a, at in enumerate((row, column)))
        return min(float(x), self._shape[1] - 1.0), min(float(y), self._shape[0] - 1.0)

    @property
    def highest(self) -> float:
        """Logit of the surest place left; −∞ where none is."""
        return float(self._left.max())

    def expected(self) -> int:
        """Return how many objects there seem to be, without asking the model.

        Connected places where an object is likelier than not count as one, if the mean logit there
        says so clearly.
        """
        regions, count = ndimage.label(self._left > LEAST, structure=np.ones((3, 3)))
        means = ndimage.mean(self._maps.logits, regions, np.arange(1, count + 1))
        return int(np.count_nonzero(np.asarray(means) > _CLEAR))

    def cover(self, mask: Mask, box: BoundingBox) -> None:
        """Look no more where a mask cut to its box lies, or beside it."""
        covered = ndimage.binary_dilation(self._maps.cells_of(mask, box) > 0)
        self._left[covered] = -np.inf

    def likeness(self, mask: Mask, box: BoundingBox) -> float:
        """Return how likely a mask cut to its box is one of those objects, from 0 to 1.

        The probability of the mean logit in it: of what a mask was worth, this told most, and more
        than how well its outline agrees with the map (docs/en/explanation/trials.md).
        """
        cells = self._maps.cells_of(mask, box)
        mean = float((cells * self._maps.logits).sum() / max(float(cells.sum()), 1e-6))
        return 1 / (1 + math.exp(-mean))

    def class_of(self, mask: Mask, box: BoundingBox) -> str | None:
        """Return the class that a mask cut to its box most likely has; None without classes."""
        return self._maps.class_in(self._maps.cells_of(mask, box))
