"""What came of a round, in a sentence and in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.rounds.gate import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_sam_tune.core.training.job import Candidate


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

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RoundReport:
        """Read a report that a project keeps of a promotion; empty where no round led to it."""
        verdict = document.get("verdict")
        return cls(
            sentence=document.get("sentence", ""),
            verdict=None if verdict is None else Verdict.from_json(verdict),
            losses=tuple(document.get("losses", ())),
            steps=document.get("steps", 0),
            masks=document.get("masks", 0),
            error=document.get("error"),
            detail=document.get("detail", ""),
        )


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


def report_of(candidate: Candidate, verdict: Verdict, learnt: Collection[str]) -> RoundReport:
    """Put the worker's figures and the gate's verdict together.

    Args:
        candidate: what the round made.
        verdict: what the gate said.
        learnt: the classes learnt from; those that no object could judge are named.

    """
    unjudged = ", ".join(sorted(set(learnt) - set(verdict.by_class)))
    unseen = f" Not judged, for want of masks: {unjudged}." if unjudged else ""
    return RoundReport(
        sentence=verdict.reason + unseen,
        verdict=verdict,
        losses=candidate.losses,
        steps=candidate.steps,
        masks=candidate.masks,
    )
