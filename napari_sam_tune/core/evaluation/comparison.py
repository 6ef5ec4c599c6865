"""Means of an evaluation, with how sure the difference between tuned and base is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.evaluation.measuring import IN_WORDS, NOC_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.evaluation.evaluation import ObjectComparison
    from napari_sam_tune.core.evaluation.measuring import Measured

RESAMPLES: Final = 5000
_SEED: Final = 0


@dataclass(frozen=True)
class Metric:
    """A number each object has under each model.

    Attributes:
        name: what people call it.
        value: takes it from what a model did on an object.
        lower_is_better: of clicks and errors.

    """

    name: str
    value: Callable[[Measured], float]
    lower_is_better: bool = False


def _of_answer(prompt: str, attribute: str) -> Callable[[Measured], float]:
    return lambda measured: float(getattr(getattr(measured, prompt), attribute))


def _clicks_to(level: float) -> Callable[[Measured], float]:
    return lambda measured: float(measured.clicks_to(level))


_OF_ANSWERS: Final = {
    "iou": "IoU",
    "dice": "Dice",
    "boundary_iou": "boundary IoU",
    "iou_error": "error of predicted IoU",
}
METRICS: Final[Mapping[str, Metric]] = {
    **{
        f"{prompt}_{key}": Metric(f"{name}, {said}", _of_answer(prompt, key), key == "iou_error")
        for prompt, said in IN_WORDS.items()
        for key, name in _OF_ANSWERS.items()
    },
    **{
        f"noc{level * 100:.0f}": Metric(f"clicks to {level:.2f}", _clicks_to(level), True)
        for level in NOC_LEVELS
    },
}
"""Everything that is averaged, by its key in `metrics.json`."""


@dataclass(frozen=True)
class Difference:
    """Two means over the same objects.

    Attributes:
        base, tuned: the means.
        interval: 95 % bootstrap interval of `tuned - base`; None of a single object.

    """

    base: float
    tuned: float
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float:
        """How much more the tuned weights have."""
        return self.tuned - self.base

    def to_json(self) -> dict[str, Any]:
        """Return plain values, rounded."""
        return {
            "base": round(self.base, 4),
            "tuned": round(self.tuned, 4),
            "difference": round(self.difference, 4),
            "interval": None if self.interval is None else [round(end, 4) for end in self.interval],
        }

    @property
    def sure(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Summary:
    """Means over some objects.

    Attributes:
        objects: how many.
        metrics: by the keys of `METRICS`.
        correlation: of predicted with true IoU over clicks and boxes, "base" and "tuned"; None
            where one of the two never varies.

    """

    objects: int
    metrics: Mapping[str, Difference]
    correlation: Mapping[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as `metrics.json` holds it."""
        return {
            "objects": self.objects,
            "metrics": {key: value.to_json() for key, value in self.metrics.items()},
            "correlation": {
                name: None if value is None else round(value, 4)
                for name, value in self.correlation.items()
            },
        }


def summarise(objects: Sequence[ObjectComparison]) -> Summary:
    """Average over objects, each weighing the same."""
    clusters = [row.group for row in objects]
    return Summary(
        objects=len(objects),
        metrics={key: _difference(objects, metric, clusters) for key, metric in METRICS.items()},
        correlation={
            "base": _correlation([row.base for row in objects]),
            "tuned": _correlation([row.tuned for row in objects]),
        },
    )


def by_class(objects: Sequence[ObjectComparison]) -> dict[str, Summary]:
    """Average over the objects of each class, in alphabetical order."""
    labels = sorted({row.label for row in objects})
    return {label: summarise([row for row in objects if row.label == label]) for label in labels}


def _difference(
    objects: Sequence[ObjectComparison], metric: Metric, clusters: Sequence[str]
) -> Difference:
    base = np.array([metric.value(row.base) for row in objects])
    tuned = np.array([metric.value(row.tuned) for row in objects])
    interval = bootstrap_interval(tuned - base, clusters)
    return Difference(float(base.mean()), float(tuned.mean()), interval)


def bootstrap_interval(
    values: NDArray[np.float64], clusters: Sequence[str], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Return the bootstrap interval of a mean; None of a single value.

    Whole clusters are drawn, since objects of one part resemble each other; values of a single
    cluster are drawn one by one. Widened as in the gate, since a handful of values hides spread.

    Args:
        values: (N,), N of at least one.
        clusters: the cluster of each value.
        confidence: how often the interval holds the mean.

    """
    if len(values) == 1:
        return None
    _, member_of = np.unique(np.asarray(clusters), return_inverse=True)
    if member_of.max() == 0:
        member_of = np.arange(len(values))
    sums, counts = np.bincount(member_of, values), np.bincount(member_of)
    n = len(sums)
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, n, (RESAMPLES, n))
    resampled = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    # sqrt(n / (n - 1)) for the spread the sample hides, the rest for not knowing the spread
    widened = np.sqrt(n / (n - 1)) * np.sqrt((n - 1) / rng.chisquare(n - 1, RESAMPLES))
    tail = (1 - confidence) / 2
    low, high = np.quantile((resampled - values.mean()) * widened, (tail, 1 - tail)) + values.mean()
    return float(low), float(high)


def _correlation(measured: Sequence[Measured]) -> float | None:
    answers = [answer for m in measured for answer in (m.point, m.box)]
    predicted = np.array([answer.predicted_iou for answer in answers])
    true = np.array([answer.iou for answer in answers])
    if min(predicted.std(), true.std()) < 1e-9:
        return None
    return float(np.corrcoef(predicted, true)[0, 1])
