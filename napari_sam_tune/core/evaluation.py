"""What fine-tuning was worth: tuned weights against the base model, on objects kept for testing.

Every object is asked about with the same prompts: a click on its centre, its tight box, and a robot
that goes on clicking on the model's own errors. Answers are segment-anything's own, from the whole
image, without the dock's closer look at small objects and its heeding of every click, so that the
figures hold for whoever loads the weights elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_sam_tune.core.annotations import bounding_box
from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import boundary_iou, dice, iou, is_thin, next_click, score
from napari_sam_tune.core.simulate import Clicker, Robot
from napari_sam_tune.core.training.config import TrainConfig
from napari_sam_tune.core.training.judge import choose_judges
from napari_sam_tune.core.tuned import use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import Annotation, Project
    from napari_sam_tune.core.prompts import Mask, Proposal
    from napari_sam_tune.core.tuned import TunedWeights

EvaluatedSplit = Literal["test", "held_out"]
PromptName = Literal["point", "box"]
PROMPTS: Final[tuple[PromptName, ...]] = ("point", "box")
MAX_CLICKS: Final = 20
NOC_LEVELS: Final = (0.80, 0.85)
"""Scores to which the robot's clicks are counted."""


@dataclass(frozen=True)
class Answer:
    """How good the answer to one prompt was, all from 0 to 1.

    Attributes:
        iou, dice, boundary_iou: against the truth.
        score: IoU, or tolerant F1 where the object is thin.
        predicted_iou: what the model itself expected.

    """

    iou: float
    dice: float
    boundary_iou: float
    score: float
    predicted_iou: float

    @property
    def iou_error(self) -> float:
        """How far the model's own estimate was from the true IoU."""
        return abs(self.predicted_iou - self.iou)


@dataclass(frozen=True)
class Measured:
    """What one model did on one object.

    Attributes:
        point: the answer to a click on the object's centre.
        box: the answer to its tight box.
        score_at: score after the robot's click 1, 2, … up to the cap; content, it stops at the
            highest of `NOC_LEVELS`, and the last value stands.

    """

    point: Answer
    box: Answer
    score_at: tuple[float, ...]

    def clicks_to(self, level: float) -> int:
        """Return how many clicks reached a score; the cap where none did."""
        reached = (click for click, s in enumerate(self.score_at, start=1) if s >= level)
        return next(reached, len(self.score_at))

    @property
    def score(self) -> float:
        """The mean score of click and box."""
        return (self.point.score + self.box.score) / 2

    def to_json(self) -> dict[str, Any]:
        """Return plain values, rounded."""
        answers = {str(name): _rounded(getattr(self, name)) for name in PROMPTS}
        noc = {f"{level:.2f}": self.clicks_to(level) for level in NOC_LEVELS}
        return {**answers, "noc": noc, "score_at": [round(s, 4) for s in self.score_at]}


def _rounded(answer: Answer) -> dict[str, float]:
    return {name: round(value, 4) for name, value in vars(answer).items()}


@dataclass(frozen=True)
class ObjectComparison:
    """One object, answered by both models.

    Attributes:
        annotation_id, image_id, label, area: which object; area in px.
        group: of its image; what is alike is resampled together.
        thin: whether `score` is tolerant F1.
        base, tuned: what each model did.

    """

    annotation_id: str
    image_id: str
    label: str
    area: int
    group: str
    thin: bool
    base: Measured
    tuned: Measured

    @property
    def gain(self) -> float:
        """How much tuning added to the mean score of click and box."""
        return self.tuned.score - self.base.score

    def to_json(self) -> dict[str, Any]:
        """Return the row as `metrics.json` holds it."""
        return {
            "annotation": self.annotation_id,
            "image": self.image_id,
            "class": self.label,
            "area": self.area,
            "group": self.group,
            "thin": self.thin,
            "base": self.base.to_json(),
            "tuned": self.tuned.to_json(),
        }


@dataclass(frozen=True)
class Evaluation:
    """The objects compared, and where they came from.

    Attributes:
        objects: in the order of their images.
        split: the objects that were used.
        remark: what a reader must know about them, or "".

    """

    objects: tuple[ObjectComparison, ...]
    split: EvaluatedSplit
    remark: str = field(default="")


def choose_objects(
    project: Project, split: EvaluatedSplit = "test", limit: int | None = None
) -> tuple[list[Annotation], EvaluatedSplit, str]:
    """Return the objects to evaluate on, the split they are of, and what to say about that.

    Args:
        project: where they are accepted.
        split: "test" falls back on "held_out" where a project has no test set, and says so.
        limit: at most so many, spread over the classes; the same ones every time.

    Raises:
        ProjectError: the project has no object apart from those it trains on.

    """
    by_split: dict[str, list[Annotation]] = {}
    for annotation in project.annotations():
        by_split.setdefault(annotation.split, []).append(annotation)
    used: EvaluatedSplit = split
    if split == "test" and "test" not in by_split:
        used = "held_out"
    if used not in by_split:
        raise ProjectError(
            f"The project {project.path} has nothing to evaluate on: all of its "
            f"{len(project.annotations())} masks are for training. Accept masks on more images, a "
            "fifth of which are held out."
        )
    chosen = by_split[used]
    if limit is not None:
        chosen = choose_judges(chosen, TrainConfig(judge_objects=limit))
    return chosen, used, _remark(split, used)


def _remark(asked: EvaluatedSplit, used: EvaluatedSplit) -> str:
    if used == "test":
        return ""
    which = "the project has no test set, so these are its" if asked == "test" else "these are the"
    return (
        f"Measured on held-out objects: {which} objects that training never learns from but that "
        "choose between weights, which flatters a little."
    )


def evaluate(
    project: Project,
    predictor: Predictor,
    tuned: TunedWeights,
    *,
    split: EvaluatedSplit = "test",
    limit: int | None = None,
    max_clicks: int = MAX_CLICKS,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Evaluation:
    """Compare tuned weights with their base model, object by object.

    Args:
        project: whose objects are asked about.
        predictor: the base model; it is in use again afterwards.
        tuned: the weights.
        split: see `choose_objects`.
        limit: at most so many objects.
        max_clicks: the robot gives up after so many.
        report: called with objects done and objects in all.

    Raises:
        ProjectError: there is nothing to evaluate on, or an image was moved or changed.

    """
    chosen, used, remark = choose_objects(project, split, limit)
    groups = {record.id: record.group for record in project.images()}
    objects = []
    report(0, len(chosen))
    for annotation, (base, after) in measure(
        project, predictor, chosen, (None, tuned), max_clicks=max_clicks
    ):
        objects.append(
            ObjectComparison(
                annotation.id,
                annotation.image_id,
                annotation.label,
                annotation.area,
                groups[annotation.image_id],
                is_thin(annotation.cropped_mask),
                base,
                after,
            )
        )
        report(len(objects), len(chosen))
    use(predictor, None)
    return Evaluation(tuple(objects), used, remark)


def measure(
    project: Project,
    predictor: Predictor,
    annotations: Sequence[Annotation],
    models: Sequence[TunedWeights | None],
    *,
    max_clicks: int = MAX_CLICKS,
) -> Iterator[tuple[Annotation, tuple[Measured, ...]]]:
    """Yield each object with what each model did on it; None is the base model.

    An image is read once, and encoded once for all models that share the encoder.
    """
    by_image: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        by_image.setdefault(annotation.image_id, []).append(annotation)
    robot = Robot(max_clicks=max_clicks, target=max(NOC_LEVELS))
    for image_id, alike in by_image.items():
        columns = []
        opened = False
        for model in models:
            use(predictor, model)
            if not (opened and predictor.has_image):
                predictor.set_image(project.read_image(image_id))
                opened = True
            columns.append([_measured(predictor, annotation.mask, robot) for annotation in alike])
        yield from zip(alike, zip(*columns, strict=True), strict=True)


def _measured(predictor: Predictor, truth: Mask, robot: Robot) -> Measured:
    proposals: list[Proposal] = []

    def propose(prompt: Prompt) -> Proposal:
        proposals.append(predictor.propose(prompt, previous=proposals[-1] if proposals else None))
        return proposals[-1]

    clicker = Clicker(truth, robot, np.random.default_rng(robot.seed), {"proposing": 0.0})
    clicker.run(propose, robot.target)
    boxed = predictor.propose(first_prompt("box", truth))
    return Measured(
        point=_answer(proposals[0], truth),
        box=_answer(boxed, truth),
        score_at=clicker.padded(clicker.scores),
    )


def first_prompt(kind: PromptName, truth: Mask) -> Prompt:
    """Return a click on an object's centre, or its tight box."""
    if kind == "point":
        x, y, label = next_click(None, truth)
        return Prompt(points=((x, y),), labels=(label,))
    y0, x0, y1, x1 = bounding_box(truth)
    # along the outer edges of the outermost pixels, so that one pixel has an area
    return Prompt(box=(x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5))


def _answer(proposal: Proposal, truth: Mask) -> Answer:
    return Answer(
        iou=iou(proposal.mask, truth),
        dice=dice(proposal.mask, truth),
        boundary_iou=boundary_iou(proposal.mask, truth),
        score=score(proposal.mask, truth),
        predicted_iou=proposal.iou,
    )
