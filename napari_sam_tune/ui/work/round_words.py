"""What learning is worth, what came of a round and what is waited for, in words for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES
from napari_sam_tune.ui.views.learnt_chart import score_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.core.config import GateConfig
    from napari_sam_tune.core.pixel_classifier.learnt import Learnt
    from napari_sam_tune.core.rounds.gate import Change, Verdict
    from napari_sam_tune.core.rounds.learner import Learner
    from napari_sam_tune.core.rounds.report import Round, RoundReport

_FEWEST_LEARNT: Final = 3
"""Masks from which on it is said what was learnt from them."""


def worth(learnt: Learnt | None) -> str:
    """Say in one sentence what learning at every accept is worth; "" until there is something."""
    if learnt is None or learnt.masks < _FEWEST_LEARNT:
        return ""
    masks = f"Learnt from {learnt.masks} masks"
    if not learnt.judged:
        return f"{masks}. Your first clicks on {LEAST_IMAGES} images will tell whether that helps."
    if learnt.with_it <= learnt.without:
        return (
            f"{masks}. It does not help here yet, so the model answers alone (a first "
            f"click scores {score_text(learnt.without)})."
        )
    return (
        f"{masks}: a first click on them, each left out, would score {score_text(learnt.with_it)} "
        f"instead of {score_text(learnt.without)}."
    )


def awaited(learner: Learner, new: int) -> tuple[str, str]:
    """Say what has to come before learning starts by itself, and before it can start at all.

    Args:
        learner: asked what a round lacks.
        new: masks accepted since the last round.

    Returns:
        two sentences; the second is empty where nothing is missing.

    """
    if learner.rests:
        return "", "Learning rests: this project is in use with another model."
    missing = learner.missing()
    if missing is None and learner.auto is None:
        masks = "1 new mask" if new == 1 else f"{new} new masks"
        return f"{masks}: “Learn now” learns from what was accepted.", ""
    still = 1 if learner.auto is None or learner.auto.every is None else learner.auto.every - new
    if missing is None:
        more = "1 more mask" if still <= 1 else f"{still} more masks"
        return f"{more}, then a round of learning starts.", ""
    more = str(missing.at_least(still))
    needed = f"{missing}, then it can learn."
    return ("" if learner.auto is None else f"{more}, then a round of learning starts."), needed


def outcome(finished: Round, name: str, gate: GateConfig) -> str:
    """Say in one sentence what came of a round.

    Args:
        finished: the round.
        name: of the version in use now.
        gate: what was asked of the candidate.

    """
    report, verdict = finished.report, finished.report.verdict
    if finished.cancelled:
        return "Stopped. Nothing has changed."
    if verdict is None or (verdict.promote and not finished.promoted):
        return report.sentence
    if verdict.objects < gate.fewest_objects:
        return "Not judged: too few masks are kept aside for that. Accept masks on more images."
    before, after = _means(verdict)
    figures = f"{score_text(after)}, was {score_text(before)}"
    if finished.promoted:
        return f"Better on the masks kept aside ({figures}): {name} answers from now on."
    worse = [
        f"“{label}”"
        for label, change in verdict.by_class.items()
        if change.gain < -gate.class_loss and change.objects >= gate.class_objects
    ]
    if worse and verdict.confidence >= gate.confidence:
        return f"Better as a whole ({figures}), but worse for {', '.join(worse)}: not used."
    clearly = "clearly " if score_text(after) > score_text(before) else ""
    return f"Not {clearly}better yet on the masks kept aside ({figures}); it goes on learning."


def details(version: str, report: RoundReport, gate: GateConfig | None = None) -> str:
    """Return what is behind an outcome, line by line.

    Args:
        version: that the round made.
        report: of the round.
        gate: what was asked of it; None: it is in use, so it has shown that.

    """
    lines = []
    if report.masks:
        lines.append(f"Learnt from {report.masks} masks in {report.steps} steps.")
    if (verdict := report.verdict) is not None and verdict.objects:
        before, after = _means(verdict)
        lines.append(
            f"On {verdict.objects} masks kept aside: {score_text(before)} → {score_text(after)}."
        )
        asked = "" if gate is None else f"; {gate.confidence:.0%} is asked"
        lines.append(f"{min(int(100 * verdict.confidence), 99)}% sure that it is better{asked}.")
    lines += [
        f"{name}: {score_text(change.before)} → {score_text(change.after)} ({change.objects} masks)"
        for name, change in by_class(report).items()
    ]
    return "\n".join((*lines, f"Weights {version}"))


def score(report: RoundReport) -> str:
    """Return "from → to" of the mean score on masks kept aside, as far as the report tells."""
    if report.verdict is None or not by_class(report):
        return ""
    before, after = _means(report.verdict)
    return f"{score_text(before)} → {score_text(after)}"


def by_class(report: RoundReport) -> Mapping[str, Change]:
    """Return what changed for each class."""
    return {} if report.verdict is None else report.verdict.by_class


def _means(verdict: Verdict) -> tuple[float, float]:
    changes = verdict.by_class.values()
    objects = max(1, sum(change.objects for change in changes))
    before = sum(change.before * change.objects for change in changes) / objects
    return before, sum(change.after * change.objects for change in changes) / objects
