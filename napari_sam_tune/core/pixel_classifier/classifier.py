"""A linear classifier of pixels, solved in closed form from sums over images.

Ridge regression of +1 in objects and -1 in the background on an image's features (Hoerl and Kennard
1970); all classes share A, so that one solution serves them all. Images are dealt into twenty folds
whose sums are kept apart: what the classifier would say of an image it has not seen is the solution
without that image's fold, and by it scores are calibrated to logits (Platt 1999).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from napari_sam_tune.core.pixel_classifier.statistics import (
    SIZE,
    Contribution,
    Sample,
    renamed_sums,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FOLDS: Final = 20
_RIDGE: Final = 0.1
"""Times the number of images, added to A's diagonal. From .01 to .1 nothing changes by .01."""
_RIDGE_OF_ONE: Final = 1e-6
"""The same for the last number of a vector, which is 1 everywhere: nearly free."""
_CALIBRATING: Final = 200
"""Images whose samples calibrate, the newest."""
_NEWTON_STEPS: Final = 25


@dataclass
class _Fold:
    images: int = 0
    gram: Numbers = field(default_factory=lambda: np.zeros((SIZE, SIZE)))
    positives: dict[str, Numbers] = field(default_factory=dict)

    def add(self, contribution: Contribution, sign: int) -> None:
        self.images += sign
        self.gram += sign * contribution.gram
        for name, vector in contribution.positives.items():
            self.positives[name] = self.positives.get(name, 0.0) + sign * vector


@dataclass(frozen=True)
class Calibration:
    """Turns a score s into a logit: slope · s + offset.

    Attributes:
        slope, offset: see above.
        precision: of what would be called an object, the share that was one, each image left out;
            objects weigh up to thirty times their area, so that it says more than of px is true.

    """

    slope: float = 1.0
    offset: float = 0.0
    precision: float = 0.0

    def logits(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 logits of scores of any shape."""
        return np.float32(self.slope) * scores + np.float32(self.offset)


class PixelClassifier:
    """Sums over images, and what follows from them.

    Attributes:
        calibration: how scores become logits; see `calibrate`.

    """

    def __init__(self) -> None:
        self._folds = [_Fold() for _ in range(FOLDS)]
        self._fold_of: dict[str, int] = {}
        self._samples: OrderedDict[str, Sample] = OrderedDict()
        self.calibration = Calibration()

    @property
    def images(self) -> int:
        """How many images it has learnt from."""
        return sum(fold.images for fold in self._folds)

    @property
    def classes(self) -> list[str]:
        """Classes that have objects, sorted."""
        found: dict[str, float] = {}
        for fold in self._folds:
            for name, vector in fold.positives.items():
                found[name] = found.get(name, 0.0) + float(vector[-1])
        return sorted(name for name, weight in found.items() if weight > 1e-9)

    def fold_of(self, image_id: str) -> int:
        """Return the fold an image is dealt into, now and for ever."""
        return self._fold_of.setdefault(image_id, len(self._fold_of) % FOLDS)

    def add(self, image_id: str, contribution: Contribution) -> None:
        """Take an image in; it must not be in."""
        self._folds[self.fold_of(image_id)].add(contribution, 1)
        self._samples[image_id] = contribution.sample()
        while len(self._samples) > _CALIBRATING:
            self._samples.popitem(last=False)

    def subtract(self, image_id: str, contribution: Contribution) -> None:
        """Take out what `add` took in."""
        self._folds[self.fold_of(image_id)].add(contribution, -1)
        self._samples.pop(image_id, None)

    def rename_class(self, old: str, new: str) -> None:
        """Call a class otherwise; its sums join those of a class of the new name."""
        for fold in self._folds:
            fold.positives = renamed_sums(fold.positives, old, new)

    def solve(self, classes: Sequence[str] = (), *, without: int | None = None) -> Numbers:
        """Return weights (SIZE, 1 + K): of any object, and of those of each of K classes.

        Args:
            classes: names.
            without: a fold to leave out.

        """
        folds = [fold for number, fold in enumerate(self._folds) if number != without]
        count = max(1, sum(fold.images for fold in folds))
        gram = np.sum([fold.gram for fold in folds], axis=0)
        ridge = np.full(SIZE, _RIDGE * count)
        ridge[-1] = _RIDGE_OF_ONE * count
        columns = [np.zeros(SIZE) for _ in range(1 + len(classes))]
        for fold in folds:
            for name, vector in fold.positives.items():
                columns[0] = columns[0] + vector
                if name in classes:
                    number = 1 + list(classes).index(name)
                    columns[number] = columns[number] + vector
        # +1 in objects and -1 elsewhere is twice the objects less everything
        targets = 2 * np.stack(columns, axis=1) - gram[:, -1:]
        # not by numpy, which keeps Python's lock while it solves: the viewer stood still for .1 s
        left, right = torch.from_numpy(gram + np.diag(ridge)), torch.from_numpy(targets)
        solution: Numbers = torch.linalg.solve(left, right).numpy()
        return solution

    def calibrate(self) -> None:
        """Fit scores to what was accepted, each image left out with its fold."""
        scores: list[Numbers] = []
        truths: list[NDArray[np.bool_]] = []
        weights: list[Numbers] = []
        by_fold: dict[int, list[Sample]] = {}
        for image_id, sample in self._samples.items():
            by_fold.setdefault(self.fold_of(image_id), []).append(sample)
        for number, samples in by_fold.items():
            alone = self._folds[number].images == self.images
            solution = self.solve(without=None if alone else number)[:, 0]
            for one in samples:
                scores.append(one.cells.astype(np.float64) @ solution)
                truths.append(one.is_object)
                weights.append(one.weights)
        if scores:
            self.calibration = _calibrated(
                np.concatenate(scores), np.concatenate(truths), np.concatenate(weights)
            )


def _calibrated(
    scores: Numbers, truth: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Calibration:
    """Fit a logistic of two numbers by Newton's method; by itself where one side is missing."""
    if truth.all() or not truth.any():
        return Calibration()
    weights = weights / weights.sum()
    slope, offset = 1.0, 0.0
    for _ in range(_NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(slope * scores + offset, -30, 30)))
        error = weights * (probability - truth)
        curve = weights * probability * (1 - probability) + 1e-12
        gradient = np.array([error @ scores + 1e-4 * slope, error.sum()])
        hessian = np.array(
            [
                [curve @ scores**2 + 1e-4, curve @ scores],
                [curve @ scores, curve.sum() + 1e-9],
            ]
        )
        step = np.clip(np.linalg.solve(hessian, gradient), -3, 3)
        slope, offset = slope - step[0], offset - step[1]
    called = slope * scores + offset > 0
    share = float(weights[called & truth].sum() / max(weights[called].sum(), 1e-12))
    return Calibration(float(slope), float(offset), share)
