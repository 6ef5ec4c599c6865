"""One round of fine-tuning as the session sees it: when, on which masks, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from napari_sam_tune.core.project.project import Annotation, Project

# Below these many held-out objects, of all classes and of each, the newest training masks sit out
# this candidate and judge it, but never more than half of what there is to learn from.
ENOUGH_JUDGES = 16
ENOUGH_OF_A_CLASS = 3
_LENT_SHARE = 0.5
MASKS_BETWEEN_ROUNDS: Final = 5
"""Accepted masks after which the next round starts by itself; the manifest says the same."""


@dataclass(frozen=True)
class AutoRounds:
    """When a round starts by itself.

    Attributes:
        every: after this many newly accepted masks; None never.
        idle_seconds: or after this long without an action, if `idle_masks` masks are new; None
            never.
        idle_masks: see `idle_seconds`.

    """

    every: int | None = MASKS_BETWEEN_ROUNDS
    idle_seconds: float | None = None
    idle_masks: int = 4

    def due(self, masks_since_round: int, idle: float) -> bool:
        """Whether a round should start now."""
        by_count = self.every is not None and masks_since_round >= self.every
        by_rest = self.idle_seconds is not None and idle >= self.idle_seconds
        return by_count or (by_rest and masks_since_round >= self.idle_masks)


@dataclass(frozen=True)
class RoundPlan:
    """Which annotations a round learns from and which judge it; they never overlap.

    Attributes:
        train_ids: learnt from.
        judge_ids: judge it.
        lent: so many of those that judge would be learnt from otherwise.

    """

    train_ids: tuple[str, ...]
    judge_ids: tuple[str, ...]
    lent: int = 0


def plan_round(annotations: Sequence[Annotation], unlearnt: Collection[str]) -> RoundPlan:
    """Divide the living annotations between learning and judging.

    Held-out objects judge and never train. Where they are too few, of a class or in all, the newest
    of the masks the weights in use have not learnt from (`unlearnt`, ids) stay out of this
    candidate and judge it: what nobody judges may get worse unseen. Test objects are in neither.
    """
    judges = Counter(a.label for a in annotations if a.split == "held_out")
    train = [a for a in annotations if a.split == "train"]
    of_class = Counter(a.label for a in train)
    lacking = {
        label: min(ENOUGH_OF_A_CLASS - judges[label], int(count * _LENT_SHARE))
        for label, count in of_class.items()
    }
    lacking = {label: count for label, count in lacking.items() if count > 0}
    lent: set[str] = set()
    for annotation in _newest(train, unlearnt):
        if not lacking:
            break
        if annotation.label in lacking:
            lent.add(annotation.id)
            lacking[annotation.label] -= 1
            if not lacking[annotation.label]:
                del lacking[annotation.label]
    most = min(ENOUGH_JUDGES - judges.total(), int(len(train) * _LENT_SHARE))
    for annotation in _newest(train, unlearnt):
        if len(lent) >= most:
            break
        lent.add(annotation.id)
    held_out = [a.id for a in annotations if a.split == "held_out"]
    train_ids = tuple(a.id for a in train if a.id not in lent)
    return RoundPlan(train_ids, (*held_out, *sorted(lent)), len(lent))


def _newest(train: Sequence[Annotation], unlearnt: Collection[str]) -> Iterator[Annotation]:
    return (a for a in reversed(train) if a.id in unlearnt)


def unlearnt_by(project: Project) -> set[str]:
    """Return the ids of annotations that count and that no version ever in use has learnt from.

    Only a round's promotion makes the weights in use learn, so these are the objects first accepted
    after the last one; an object corrected later counts from its first record on.
    """
    promoted = [p.time for p in project.promotions() if p.is_of_a_round]
    learnt_until = max(promoted, default=0.0)

    def first_accepted(annotation: Annotation) -> float:
        while annotation.supersedes is not None:
            annotation = project.annotation(annotation.supersedes)
        return annotation.created

    return {a.id for a in project.counting() if first_accepted(a) > learnt_until}


@dataclass(frozen=True)
class Missing:
    """What a round lacks before it could lead to better weights.

    Attributes:
        masks: so many more.
        elsewhere: one of them at least on another image: all so far are kept aside for judging.

    """

    masks: int
    elsewhere: bool

    def at_least(self, masks: int) -> Missing:
        """Return the same, or more if so many are wanted for another reason."""
        return Missing(max(masks, self.masks), self.elsewhere)

    def __str__(self) -> str:
        """Say it as a person would: "3 more masks, one of them on another image"."""
        if not self.elsewhere:
            return tr("{n:,} more masks", "1 more mask", n=self.masks)
        return tr(
            "{n:,} more masks, one on another image",
            "1 more mask on another image",
            n=self.masks,
        )


def what_is_missing(plan: RoundPlan, fewest_judges: int) -> Missing | None:
    """Return what keeps a round as planned from leading to a promotion, or None if nothing does.

    As long as masks have to be lent, twice as many as have to judge are waited for: then there are
    enough judges wherever the next masks fall, and with every mask one less is missing. Fewer can
    do where some are kept aside already, and a person who was told a number would see it jump.
    """
    missing = fewest_judges - len(plan.judge_ids)
    if plan.lent or missing > 0:
        missing = max(missing, 2 * fewest_judges - len(plan.train_ids) - len(plan.judge_ids))
    if plan.train_ids and missing <= 0:
        return None
    return Missing(max(1, missing), elsewhere=bool(plan.judge_ids) and not plan.train_ids)
