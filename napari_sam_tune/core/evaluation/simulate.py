"""The robot annotator and the sequence protocol, which tell how many clicks learning saves.

Images come in a fixed order. Every object of a group is first labelled with the weights in use,
which is its score, and only then learnt from ("test then train", Kontogianni et al. 2020). The
robot clicks where a person would (Sofiiuk et al., RITM 2022) and goes through `Session`, as a
person does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.evaluation.robot import Clicker, Robot, score_placed, side_by_side
from napari_sam_tune.core.exchange.labelled_images import (
    LabelledImage,
    LabelledObject,
    true_objects,
)
from napari_sam_tune.core.images.opening import height_and_width, open_image
from napari_sam_tune.core.scoring import iou, is_thin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.session.session import Session

# Clicks-to-reach is reported at these scores, whatever the target was.
LEVELS = (0.70, 0.80, 0.85, 0.90)


@dataclass(frozen=True)
class ObjectResult:
    """What labelling one object took.

    Attributes:
        stem, object: the image and the object's number in its mask.
        label, group: its class and group.
        area: its pixels.
        thin: scored by tolerant F1 instead of IoU.
        clicks: clicks until the target or the cap; 0 where it was found by itself, or a stroke was
            enough.
        actions: those clicks and the stroke, or 1 for accepting what was found.
        reached: the target was reached.
        iou_at, score_at: after 1, 2, …, `max_clicks` clicks, or a stroke and clicks. Past the
            target the robot clicks on off the record until `LEVELS` are measured; after that the
            last value stands.
        weights_version: the weights that answered.
        painted_pixels: what a person would have painted at the end.

    """

    stem: str
    object: int
    label: str
    group: str
    area: int
    thin: bool
    clicks: int
    actions: int
    reached: bool
    iou_at: tuple[float, ...]
    score_at: tuple[float, ...]
    weights_version: str
    painted_pixels: int

    def to_json(self) -> dict[str, Any]:
        """Return the row as the report holds it."""
        return {
            "stem": self.stem,
            "object": self.object,
            "class": self.label,
            "group": self.group,
            "area": self.area,
            "thin": self.thin,
            "clicks": self.clicks,
            "actions": self.actions,
            "reached": self.reached,
            "iou_at": [round(v, 4) for v in self.iou_at],
            "score_at": [round(v, 4) for v in self.score_at],
            "weights_version": self.weights_version,
            "painted_pixels": self.painted_pixels,
        }


@dataclass
class SequenceResult:
    """Everything a sequence measured."""

    objects: list[ObjectResult] = field(default_factory=list)
    other_actions: int = 0
    """Asking for similar objects, and rejecting those that were none."""
    rounds: list[Round] = field(default_factory=list)
    seconds: dict[str, float] = field(
        default_factory=lambda: {"encoding": 0.0, "proposing": 0.0, "training": 0.0}
    )

    def to_json(self) -> dict[str, Any]:
        """Return the report: one row per object, a summary, and the rounds."""
        return {
            "objects": [row.to_json() for row in self.objects],
            "summary": summarise(self.objects)
            | {"actions": sum(row.actions for row in self.objects) + self.other_actions}
            | {"seconds": self.seconds},
            "rounds": [r.to_json() for r in self.rounds],
        }


def summarise(objects: Sequence[ObjectResult]) -> dict[str, Any]:
    """Average over objects: clicks to reach each level, failures, scores after click k."""
    if not objects:
        return {"objects": 0, "cumulative_clicks": 0}
    ious = np.array([row.iou_at for row in objects])
    scores = np.array([row.score_at for row in objects])
    return {
        "objects": len(objects),
        "noc": {f"{level:.2f}": _mean_clicks_to(scores, level) for level in LEVELS},
        "failure_rate": round(float(np.mean([not row.reached for row in objects])), 4),
        "mean_iou_at": [round(float(v), 4) for v in ious.mean(axis=0)],
        "mean_score_at": [round(float(v), 4) for v in scores.mean(axis=0)],
        "cumulative_clicks": sum(row.clicks for row in objects),
        "painted_pixels": sum(row.painted_pixels for row in objects),
    }


def _mean_clicks_to(scores: NDArray[np.float64], level: float) -> float:
    """Average over (N, K) scores the first click that reaches `level`, K where none does."""
    reached = scores >= level
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, scores.shape[1])
    return round(float(first.mean()), 3)


def order_groups(
    pairs: Sequence[LabelledImage], seed: int, limit: int | None = None
) -> list[list[LabelledImage]]:
    """Shuffle whole groups by the seed, then keep the first `limit` of them."""
    groups: dict[str, list[LabelledImage]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    names = sorted(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    return [groups[names[i]] for i in order][:limit]


def run_sequence(
    session: Session,
    groups: Sequence[Sequence[LabelledImage]],
    robot: Robot,
    *,
    every: int | None,
    objects: int | None = None,
    report: Callable[[ObjectResult | Round], None] = lambda _: None,
) -> SequenceResult:
    """Label all groups in order; after a group, learn if `every` masks are new.

    Args:
        session: whose project and model are used; rounds run through its runner.
        groups: images in the order they are labelled, whole groups.
        robot: how it clicks.
        every: accepted masks between rounds; None: no rounds.
        objects: stop after so many; None labels all.
        report: called with each object's result and each round as they come.

    Returns:
        The results so far; rounds that failed or were refused are among `rounds`.

    """
    result = SequenceResult()
    rng = np.random.default_rng(robot.seed)
    for group in groups:
        for pair in group:
            left = None if objects is None else objects - len(result.objects)
            for row in islice(_label_image(session, pair, robot, rng, result), left):
                result.objects.append(row)
                report(row)
            if objects is not None and len(result.objects) >= objects:
                return result
        if every is not None and session.state.masks_since_round >= every:
            began = perf_counter()
            finished = session.fine_tune(wait=True)
            result.seconds["training"] += perf_counter() - began
            if finished is not None:
                result.rounds.append(finished)
                report(finished)
    return result


def _label_image(
    session: Session,
    pair: LabelledImage,
    robot: Robot,
    rng: np.random.Generator,
    result: SequenceResult,
) -> Iterator[ObjectResult]:
    image, seconds = open_image(pair.image), result.seconds
    began = perf_counter()
    session.open_image(
        image, pair.image.name, path=pair.image, group=pair.group, stratum=pair.label
    )
    seconds["encoding"] += perf_counter() - began
    targets, done = true_objects(pair, height_and_width(image)), set[int]()
    if robot.finds_similar:
        for target, found in _accept_similar(session, targets, robot, result):
            done.add(target.number)
            yield _found(session, pair, target, robot, found)
    for target in (target for target in targets if target.number not in done):
        yield _label_object(session, pair, target, robot, rng, seconds)
    session.mark_done()


def _accept_similar(
    session: Session, targets: Sequence[LabelledObject], robot: Robot, result: SequenceResult
) -> Iterator[tuple[LabelledObject, PlacedMask]]:
    """Ask for all like what was accepted; accept what is good enough, reject the rest."""
    learnt = session.state.learnt
    if learnt is None or not learnt.judged:
        return
    began = perf_counter()
    if session.review.kind != "similar":  # from then on every image opened is searched
        result.other_actions += 1
    session.suggest("similar")
    result.seconds["proposing"] += perf_counter() - began
    left = {target.number: target for target in targets}
    while (suggestion := session.open_object.suggestion) is not None:
        mask = suggestion.placed
        scored = [(score_placed(mask, target.placed), number) for number, target in left.items()]
        best, number = max(scored, default=(0.0, 0))
        if best >= robot.target:
            session.accept()
            yield left.pop(number), mask
        else:
            session.reject()
            result.other_actions += 1


def _found(
    session: Session, pair: LabelledImage, target: LabelledObject, robot: Robot, mask: PlacedMask
) -> ObjectResult:
    """What an object took that was found by itself: one action, to say yes."""
    shown, truth, _ = side_by_side(mask, target.placed)
    return replace(
        _blank_result(pair, target, mask, session.weights_version),
        actions=1,
        reached=True,
        iou_at=(iou(shown, truth),) * robot.max_clicks,
        score_at=(score_placed(mask, target.placed),) * robot.max_clicks,
    )


def _blank_result(
    pair: LabelledImage, target: LabelledObject, mask: PlacedMask, version: str
) -> ObjectResult:
    """What is known of an object before anything is counted.

    Args:
        pair: its image.
        target: the object.
        mask: the last one proposed; what differs from the truth is to be painted.
        version: of the weights that proposed it.

    """
    return ObjectResult(
        stem=pair.stem,
        object=target.number,
        label=pair.label,
        group=pair.group,
        area=target.placed.area,
        thin=is_thin(target.placed.cropped),
        clicks=0,
        actions=0,
        reached=False,
        iou_at=(),
        score_at=(),
        weights_version=version,
        painted_pixels=(mask ^ target.placed).area,
    )


def _label_object(
    session: Session,
    pair: LabelledImage,
    target: LabelledObject,
    robot: Robot,
    rng: np.random.Generator,
    seconds: dict[str, float],
) -> ObjectResult:
    """Click until content, accept the true mask (the person paints the rest), then measure on."""
    clicker, version = Clicker(target.placed, robot, rng, seconds), session.weights_version
    strokes = int(robot.strokes and clicker.draw(session.draw_in_box))
    clicker.run(session.propose, robot.target)
    actions, reached = len(clicker.scores), clicker.scores[-1] >= robot.target
    last, current = clicker.mask, session.open_object
    if current.proposal is not None:
        version = current.proposal.weights_version
    session.accept(mask=target.placed, label=pair.label)
    clicker.run_on(session, current, max(LEVELS))
    return replace(
        _blank_result(pair, target, last, version),
        clicks=actions - strokes,
        actions=actions,
        reached=bool(reached),
        iou_at=clicker.padded(clicker.ious),
        score_at=clicker.padded(clicker.scores),
    )
