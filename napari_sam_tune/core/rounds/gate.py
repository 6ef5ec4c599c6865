"""Whether a candidate may replace the weights in use: a pure decision from paired scores.

Scores are paired (same object, same prompt, same draw), averaged per object, and the objects are
resampled with replacement: a one-sided bootstrap of the mean gain, clustered by object (Efron &
Tibshirani 1993). With the handful of objects a young project has, a plain bootstrap is too sure of
itself, since it knows neither the n / (n - 1) nor that the spread itself is a guess; each resampled
deviation is therefore widened by a draw that makes it Student's t instead of a normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.training.job import ObjectScore, object_means

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.config import GateConfig

__all__ = ["Change", "ObjectScore", "Verdict", "decide"]


@dataclass(frozen=True)
class Change:
    """What a round changed for some held-out objects; mean scores from 0 to 1.

    Attributes:
        before: mean score of the weights in use.
        after: mean score of the candidate.
        objects: how many objects.
    """

    before: float
    after: float
    objects: int

    @property
    def gain(self) -> float:
        """How much better the candidate is; negative where it is worse."""
        return self.after - self.before


@dataclass(frozen=True)
class Verdict:
    """The gate's decision and what it rests on.

    Attributes:
        promote: the candidate may replace the weights in use.
        reason: why or why not, one sentence for a person.
        gain: mean gain over held-out objects, in score from 0 to 1.
        confidence: how sure it is that the candidate is better, from 0 to 1.
        objects: held-out objects judged.
        by_class: what changed for each class.
        by_image: what changed for each image.
        by_prompt: what changed for "point", "box" and "robot".
    """

    promote: bool
    reason: str
    gain: float
    confidence: float
    objects: int
    by_class: dict[str, Change] = field(default_factory=dict)
    by_image: dict[str, Change] = field(default_factory=dict)
    by_prompt: dict[str, Change] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Verdict:
        """Read a verdict kept as plain values; what it does not say of figures is 0 or empty."""
        by_class, by_image, by_prompt = (
            {name: Change(**change) for name, change in document.get(groups, {}).items()}
            for groups in ("by_class", "by_image", "by_prompt")
        )
        return cls(
            promote=bool(document.get("promote", False)),
            reason=document.get("reason", ""),
            gain=document.get("gain", 0.0),
            confidence=document.get("confidence", 0.0),
            objects=document.get("objects", 0),
            by_class=by_class,
            by_image=by_image,
            by_prompt=by_prompt,
        )


def decide(scores: Sequence[ObjectScore], config: TrainConfig | None = None) -> Verdict:
    """Decide whether a candidate replaces the weights in use.

    It does where its mean gain is above `smallest_gain` with the confidence asked, on enough
    objects, and no class has clearly become worse. The same scores and seed give the same verdict.

    Args:
        scores: paired scores of held-out objects, in any order.
        config: its `gate` and `seed` are used; None takes the defaults.
    """
    config = config or TrainConfig()
    gate = config.gate
    scores = sorted(scores, key=lambda score: (score.annotation_id, score.prompt, score.draw))
    rng = np.random.default_rng(config.seed)
    by_class = _changes(scores, lambda score: score.label)
    gains = _object_gains(scores)
    gain = float(gains.mean()) if gains.size else 0.0
    confidence = _confidence(gains, gate.smallest_gain, gate.resamples, rng)
    worse = _clearly_worse(scores, by_class, gate, rng)
    enough = gains.size >= gate.fewest_objects
    sure = confidence >= gate.confidence
    return Verdict(
        promote=enough and sure and not worse,
        reason=_reason(gains.size, gain, confidence, by_class, worse, gate),
        gain=gain,
        confidence=confidence,
        objects=int(gains.size),
        by_class=by_class,
        by_image=_changes(scores, lambda score: score.image_id),
        by_prompt=_changes(scores, lambda score: score.prompt),
    )


def _object_gains(scores: Iterable[ObjectScore]) -> NDArray[np.float64]:
    """Return how much better the candidate is on each object: (objects,)."""
    means = object_means(scores)
    return means[:, 1] - means[:, 0]


def _confidence(
    gains: NDArray[np.float64], threshold: float, resamples: int, rng: np.random.Generator
) -> float:
    """Return how sure the mean gain is to be above `threshold`; 0 where nothing can be said."""
    n = gains.size
    if n < 2:
        return 0.0
    mean = gains.mean()
    resampled = gains[rng.integers(0, n, (resamples, n))].mean(axis=1)
    # sqrt(n / (n - 1)) for the spread the sample hides, the rest for not knowing the spread
    widened = np.sqrt(n / (n - 1)) * np.sqrt((n - 1) / rng.chisquare(n - 1, resamples))
    return float(np.mean(mean + (resampled - mean) * widened > threshold))


def _changes(
    scores: Sequence[ObjectScore], group_of: Callable[[ObjectScore], str]
) -> dict[str, Change]:
    """Return the change of each group, every object weighing the same within it."""
    groups: dict[str, list[ObjectScore]] = {}
    for score in scores:
        groups.setdefault(group_of(score), []).append(score)
    changes = {}
    for name in sorted(groups):
        means = object_means(groups[name])
        before, after = means.mean(axis=0)
        changes[name] = Change(float(before), float(after), len(means))
    return changes


def _clearly_worse(
    scores: Sequence[ObjectScore],
    by_class: dict[str, Change],
    gate: GateConfig,
    rng: np.random.Generator,
) -> list[str]:
    """Return the classes that lost more than may be lost, and surely lost something."""
    worse = []
    for label, change in by_class.items():
        if change.gain >= -gate.class_loss or change.objects < gate.class_objects:
            continue
        losses = -_object_gains(score for score in scores if score.label == label)
        if _confidence(losses, 0.0, gate.resamples, rng) >= gate.confidence:
            worse.append(label)
    return worse


def _reason(
    objects: int,
    gain: float,
    confidence: float,
    by_class: dict[str, Change],
    worse: Sequence[str],
    gate: GateConfig,
) -> str:
    """Say the outcome in one sentence."""
    counted = f"{objects} held-out object{'' if objects == 1 else 's'}"
    if objects < gate.fewest_objects:
        return (
            f"Not used: {counted} {'is' if objects == 1 else 'are'} too few to judge by, "
            f"{gate.fewest_objects} are needed; accept masks on more images."
        )
    if worse:
        losses = ", ".join(
            f"{label} lost {-by_class[label].gain:.2f} on {by_class[label].objects} objects"
            for label in worse
        )
        joined = "but" if round(gain, 2) > 0 else "and"
        return f"Not used: {_signed(gain)} on {counted}, {joined} {losses}."
    classes = ", ".join(f"{label} {_signed(change.gain)}" for label, change in by_class.items())
    detail = f": {classes}" if len(by_class) > 1 else ""
    if confidence >= gate.confidence:
        return f"Better by {gain:.2f} on {counted} ({_percent(confidence)} sure){detail}."
    if gain < 0 and round(gain, 2) != 0:
        return f"Not used: worse by {-gain:.2f} on {counted}{detail}."
    return (
        f"Not used: {_signed(gain)} on {counted} is a gain only with {_percent(confidence)} "
        f"confidence, {_percent(gate.confidence)} is asked{detail}."
    )


def _signed(gain: float) -> str:
    """Return "+0.10", "−0.01" (with a real minus sign) or "±0.00"."""
    text = f"{abs(gain):.2f}"
    if text == "0.00":
        return "±0.00"
    return f"{'+' if gain > 0 else '−'}{text}"


def _percent(share: float) -> str:
    """Return "97 %"; never a rounded-up 100 %."""
    percent = round(share * 100, 6)  # 100 · 0.57 is 56.999…
    return f"{min(int(percent), 99)} %"
