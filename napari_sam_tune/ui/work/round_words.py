"""What learning is worth, what came of a round and what is waited for, in words for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES
from napari_sam_tune.core.rounds.plan import Missing
from napari_sam_tune.core.texts.wording import join_names, join_sentences, mark, tr
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
_BY_ITSELF: Final = mark("{missing}, then a round of learning starts.")


def worth(learnt: Learnt | None, *, gained: bool = False, in_places: bool = False) -> str:
    """Say in one sentence what learning at every accept is worth; "" until there is something.

    Args:
        learnt: what it is worth now.
        gained: it was worth something before: a gain that is gone is said to be.
        in_places: the image is a large one, of which each place counts as an image.

    """
    if learnt is None or learnt.masks < _FEWEST_LEARNT:
        return ""
    if not learnt.judged and learnt.images >= LEAST_IMAGES:
        return tr(
            "Learnt from {masks:,} masks. Whether that helps is said when your first clicks have "
            "been judged.",
            masks=learnt.masks,
        )
    if not learnt.judged and in_places:
        return tr(
            "Learnt from {masks:,} masks. Your first clicks in {places} places will tell whether "
            "that helps.",
            masks=learnt.masks,
            places=LEAST_IMAGES,
        )
    if not learnt.judged:
        return tr(
            "Learnt from {masks:,} masks. Your first clicks on {images} images will tell whether "
            "that helps.",
            masks=learnt.masks,
            images=LEAST_IMAGES,
        )
    if learnt.with_it > learnt.without and score_text(learnt.with_it) == score_text(learnt.without):
        return tr(
            "Learnt from {masks:,} masks. It makes no difference yet: a first click scores "
            "{without} either way.",
            masks=learnt.masks,
            without=score_text(learnt.without),
        )
    if learnt.with_it <= learnt.without and gained:
        return tr(
            "Learnt from {masks:,} masks. With the masks accepted last it makes no difference any "
            "more, so the model answers alone (a first click scores {without}).",
            masks=learnt.masks,
            without=score_text(learnt.without),
        )
    if learnt.with_it <= learnt.without:
        return tr(
            "Learnt from {masks:,} masks. It does not help here yet, so the model answers alone "
            "(a first click scores {without}).",
            masks=learnt.masks,
            without=score_text(learnt.without),
        )
    return tr(
        "Learnt from {masks:,} masks. Tried on {judged} of them as if it had not seen them, a "
        "first click scores {with_it}; without learning {without}.",
        masks=learnt.masks,
        judged=learnt.judged,
        with_it=score_text(learnt.with_it),
        without=score_text(learnt.without),
    )


def gains(learnt: Learnt) -> bool:
    """Whether learning at every accept is worth so much that its figures show it."""
    return bool(learnt.judged) and score_text(learnt.with_it) > score_text(learnt.without)


def in_view(
    learnt: Learnt | None, version: str, report: RoundReport | None, *, gained: bool
) -> str:
    """Say what learning gains, for a place that is always in view; "" before it ever did.

    What a round gained stays as long as its weights are in use, for it was judged once. What is
    learnt at every accept is judged anew with every mask: where its gain is gone that is said.

    Args:
        learnt: what learning at every accept is worth; None before that is known.
        version: name of the weights in use.
        report: of the round that made them; None where they are the base model.
        gained: learning at every accept was worth something before.

    """
    said = []
    if learnt is not None and gains(learnt):
        said.append(
            tr(
                "A first click scores {learnt}; without learning {alone}.",
                learnt=score_text(learnt.with_it),
                alone=score_text(learnt.without),
            )
        )
    elif learnt is not None and learnt.judged and gained:
        alone = score_text(learnt.without)
        said.append(
            tr("Learning gains nothing just now: a first click scores {alone}.", alone=alone)
        )
    if report is not None and report.verdict is not None and by_class(report):
        before, after = map(score_text, _means(report.verdict))
        if after > before:
            said.append(
                tr(
                    "Masks kept aside score {after} by {name}, were {before}.",
                    name=version,
                    after=after,
                    before=before,
                )
            )
    return join_sentences(*said)


def awaited(learner: Learner, new: int) -> tuple[str, str]:
    """Say what has to come before learning starts by itself, and before it can start at all.

    Args:
        learner: asked what a round lacks.
        new: masks accepted since the last round.

    Returns:
        two sentences; the second is empty where nothing is missing.

    """
    if learner.rests:
        return "", tr("Learning rests: this project is in use with another model.")
    missing = learner.missing()
    if missing is None and learner.auto is None:
        if not new:
            return tr("Nothing new was accepted since learning began last."), ""
        said = tr(
            "{n:,} new masks: “Learn now” learns from what was accepted.",
            "1 new mask: “Learn now” learns from what was accepted.",
            n=new,
        )
        return said, ""
    still = 1 if learner.auto is None or learner.auto.every is None else learner.auto.every - new
    if missing is None:
        return tr(_BY_ITSELF, missing=Missing(max(1, still), elsewhere=False)), ""
    by_itself = tr(_BY_ITSELF, missing=missing.at_least(still))
    needed = tr("{missing}, then it can learn.", missing=missing)
    return "" if learner.auto is None else by_itself, needed


def outcome(finished: Round, name: str, gate: GateConfig) -> str:
    """Say in one sentence what came of a round.

    Args:
        finished: the round.
        name: of the version in use now.
        gate: what was asked of the candidate.

    """
    report, verdict = finished.report, finished.report.verdict
    if finished.cancelled:
        return tr("Stopped. Nothing has changed.")
    if verdict is None or (verdict.promote and not finished.promoted):
        return report.sentence
    if verdict.objects < gate.fewest_objects:
        return tr("Not judged: too few masks are kept aside for that. Accept masks on more images.")
    before, after = _means(verdict)
    figures = tr("{after}, was {before}", after=score_text(after), before=score_text(before))
    if finished.promoted:
        return tr(
            "Better on the masks kept aside ({figures}): {name} answers from now on.",
            figures=figures,
            name=name,
        )
    worse = [
        tr("“{name}”", name=label)
        for label, change in verdict.by_class.items()
        if change.gain < -gate.class_loss and change.objects >= gate.class_objects
    ]
    if worse and verdict.confidence >= gate.confidence:
        return tr(
            "Better as a whole ({figures}), but worse for {classes}: not used.",
            figures=figures,
            classes=join_names(worse),
        )
    if score_text(after) > score_text(before):
        told = mark(
            "New weights are not clearly better yet on the masks kept aside ({figures}), so they "
            "are not used; it goes on learning."
        )
    elif score_text(after) < score_text(before):
        told = mark(
            "New weights are worse on the masks kept aside ({figures}), so they are not used; it "
            "goes on learning."
        )
    else:
        told = mark(
            "New weights are not better yet on the masks kept aside ({figures}), so they are not "
            "used; it goes on learning."
        )
    return tr(told, figures=figures)


def details(version: str, report: RoundReport, gate: GateConfig | None = None) -> str:
    """Return what is behind an outcome, line by line.

    Args:
        version: that the round made.
        report: of the round.
        gate: what was asked of it; None: it is in use, so it has shown that.

    """
    lines = []
    if report.masks:
        lines.append(
            tr(
                "Learnt from {masks} masks in {steps} steps.",
                masks=report.masks,
                steps=report.steps,
            )
        )
    if (verdict := report.verdict) is not None and verdict.objects:
        before, after = _means(verdict)
        lines.append(
            tr(
                "On {n:,} masks kept aside: {before} → {after}.",
                "On 1 mask kept aside: {before} → {after}.",
                n=verdict.objects,
                before=score_text(before),
                after=score_text(after),
            )
        )
        sure = min(int(100 * verdict.confidence), 99)
        lines.append(
            tr("{sure}% sure that it is better.", sure=sure)
            if gate is None
            else tr(
                "{sure}% sure that it is better; {asked:.0%} is asked.",
                sure=sure,
                asked=gate.confidence,
            )
        )
    lines += [
        tr(
            "{name}: {before} → {after} ({n:,} masks)",
            "{name}: {before} → {after} (1 mask)",
            n=change.objects,
            name=name,
            before=score_text(change.before),
            after=score_text(change.after),
        )
        for name, change in by_class(report).items()
    ]
    return "\n".join((*lines, tr("Weights {version}", version=version)))


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
