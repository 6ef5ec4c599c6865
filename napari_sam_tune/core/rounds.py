"""One round of fine-tuning as the session sees it: when, on which masks, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_sam_tune.core.gate import Verdict
    from napari_sam_tune.core.project import Annotation
    from napari_sam_tune.core.training.job import Candidate

# A round needs something to learn from and something to be judged by.
FEWEST_MASKS = 4
# Below this many held-out objects, the newest training masks sit out this candidate and judge it.
FEWEST_JUDGES = 8
# ... but never more than this share of what there is to learn from.
_LENT_SHARE = 1 / 3


@dataclass(frozen=True)
class AutoRounds:
    """When a round starts by itself.

    Attributes:
        every: after this many newly accepted masks; None never.
        idle_seconds: or after this long without an action, if `idle_masks` masks are new; None
            never.
        idle_masks: see `idle_seconds`.

    """

    every: int | None = 10
    idle_seconds: float | None = None
    idle_masks: int = 4

    def due(self, masks_since_round: int, idle: float) -> bool:
        """Whether a round should start now."""
        by_count = self.every is not None and masks_since_round >= self.every
        by_rest = self.idle_seconds is not None and idle >= self.idle_seconds
        return by_count or (by_rest and masks_since_round >= self.idle_masks)


@dataclass(frozen=True)
class RoundPlan:
    """Which annotations a round learns from and which judge it; they never overlap."""

    train_ids: tuple[str, ...]
    judge_ids: tuple[str, ...]


def plan_round(annotations: Sequence[Annotation], fresh: Collection[str]) -> RoundPlan:
    """Divide the living annotations between learning and judging.

    Held-out objects judge and never train. Where they are fewer than `FEWEST_JUDGES`, the newest
    of the masks accepted since the last round (`fresh`, ids) stay out of this candidate and judge
    it: no earlier version has learnt from them either.

    Raises:
        TrainingError: too few masks to learn anything from.

    """
    if len(annotations) < FEWEST_MASKS:
        raise TrainingError(
            f"A round needs at least {FEWEST_MASKS} accepted masks; there are {len(annotations)}. "
            "Accept a few more, then fine-tune again."
        )
    judge = [a.id for a in annotations if a.split == "held_out"]
    train = [a.id for a in annotations if a.split != "held_out"]
    missing = FEWEST_JUDGES - len(judge)
    if missing > 0:
        candidates = [i for i in train if i in fresh]
        count = min(missing, len(candidates), int(len(train) * _LENT_SHARE))
        lent = candidates[len(candidates) - count :]
        judge += lent
        train = [i for i in train if i not in set(lent)]
    if not train:
        raise TrainingError(
            "All accepted masks so far are held out for judging. Accept a few more on other "
            "images, then fine-tune again."
        )
    return RoundPlan(tuple(train), tuple(judge))


@dataclass(frozen=True)
class RoundReport:
    """What a round did and what got better and worse; `str()` of it is one sentence.

    Attributes:
        sentence: the outcome in words for the person.
        verdict: the gate's decision with its figures, or None if it never came to judging.
        losses: training loss by step.
        steps: optimiser steps taken.
        masks: masks learnt from.
        error: what went wrong, or None.
        detail: technical detail of the error.

    """

    sentence: str
    verdict: Verdict | None = None
    losses: tuple[float, ...] = ()
    steps: int = 0
    masks: int = 0
    error: str | None = None
    detail: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Round:
    """A round that has ended.

    Attributes:
        promoted: the new weights are in use.
        version: the weights in use after the round.
        candidate: the version the round made, or None if it made none.
        report: what happened; `str(report)` is one sentence.
        seconds: from start to end.
        cancelled: the person stopped it.

    """

    promoted: bool
    version: str
    candidate: str | None
    report: RoundReport
    seconds: float
    cancelled: bool = False

    @property
    def error(self) -> str | None:
        """What went wrong, or None."""
        return self.report.error

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "promoted": self.promoted,
            "version": self.version,
            "candidate": self.candidate,
            "seconds": round(self.seconds, 3),
            "cancelled": self.cancelled,
            "report": self.report.to_json(),
        }


def report_of(candidate: Candidate, verdict: Verdict) -> RoundReport:
    """Put the worker's figures and the gate's verdict together."""
    return RoundReport(
        sentence=verdict.reason,
        verdict=verdict,
        losses=candidate.losses,
        steps=candidate.steps,
        masks=candidate.masks,
    )
