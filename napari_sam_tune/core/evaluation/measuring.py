"""What a model does on objects: a click on the centre, the tight box, and a robot that goes on.

Answers are segment-anything's own, from the whole image, without the dock's closer look at small
objects and its heeding of every click, so that the figures hold for whoever loads the weights
elsewhere. Of a large image the model is shown a window around the object, as in a round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_sam_tune.core.answers.tuned import open_tuned, use
from napari_sam_tune.core.cluster.worker import kept
from napari_sam_tune.core.errors import ClusterError
from napari_sam_tune.core.evaluation.looking import Look
from napari_sam_tune.core.evaluation.robot import Clicker, Robot
from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.models.checkpoints import file_sha256
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import boundary_iou, dice, iou, next_click, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.cluster.cluster import Cluster
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.prompts import Mask, Proposal

PromptName = Literal["point", "box"]
PROMPTS: Final[tuple[PromptName, ...]] = ("point", "box")
IN_WORDS: Final[Mapping[PromptName, str]] = {"point": "click", "box": "box"}
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
    robot = Robot(max_clicks=max_clicks, target=max(NOC_LEVELS))
    for image_id, alike in _by_image(annotations).items():
        columns = []
        opened = False
        for model in models:
            use(predictor, model)
            if not (opened and predictor.has_image):
                predictor.set_image(project.open_image(image_id))
                opened = True
            side = predictor.input_side
            columns.append([_measured(predictor, Look.at(one, side), robot) for one in alike])
        yield from zip(alike, zip(*columns, strict=True), strict=True)


def measure_on(
    cluster: Cluster,
    project: Project,
    annotations: Sequence[Annotation],
    weights: Path,
    *,
    device: str = "auto",
    max_clicks: int = MAX_CLICKS,
) -> Iterator[tuple[Annotation, tuple[Measured, ...]]]:
    """Yield what `measure` does of the base model and a file of weights, found on a cluster.

    Raises:
        ClusterError: see `Cluster.each`; or a worker sees another file of weights.

    """
    file, content = absolute(weights), file_sha256(weights)
    images = _by_image(annotations).values()
    pieces = [
        _ImageToMeasure(project.path, file, content, device, tuple(a.id for a in alike), max_clicks)
        for alike in images
    ]
    for alike, measured in zip(images, cluster.each(pieces), strict=True):
        yield from zip(alike, measured, strict=True)


def _by_image(annotations: Sequence[Annotation]) -> dict[str, list[Annotation]]:
    by_image: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        by_image.setdefault(annotation.image_id, []).append(annotation)
    return by_image


@dataclass(frozen=True)
class _ImageToMeasure:
    """The objects of an image, which a worker is to ask both models about."""

    project: Path
    weights: Path
    content: str
    device: str
    annotation_ids: tuple[str, ...]
    max_clicks: int

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Piece`."""
        return self.project, self.weights

    def do(self) -> list[tuple[Measured, ...]]:
        """Return what each object came to."""
        project, predictor, tuned = kept(
            _project_and_models, self.project, self.weights, self.content, self.device
        )
        objects = [project.annotation(annotation_id) for annotation_id in self.annotation_ids]
        found = measure(project, predictor, objects, (None, tuned), max_clicks=self.max_clicks)
        return [measured for _, measured in found]


def _project_and_models(
    path: Path, weights: Path, content: str, device: str
) -> tuple[Project, Predictor, TunedWeights]:
    if file_sha256(weights) != content:
        raise ClusterError(f"A worker sees another file in the place of {weights}.")
    project = Project.open(path, create=False)
    return project, *open_tuned(weights, device=device, base=project.base)


def _measured(predictor: Predictor, look: Look, robot: Robot) -> Measured:
    proposals: list[Proposal] = []

    def propose(prompt: Prompt) -> Proposal:
        previous = proposals[-1] if proposals else None
        proposals.append(look.ask(predictor, prompt, previous))
        return replace(proposals[-1], placed=proposals[-1].placed.within(look.window))

    clicker = Clicker(look.truth, robot, np.random.default_rng(robot.seed), {"proposing": 0.0})
    clicker.run(propose, robot.target)
    boxed = look.ask(predictor, first_prompt("box", look.truth))
    return Measured(
        point=_answer(proposals[0], look),
        box=_answer(boxed, look),
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


def _answer(proposal: Proposal, look: Look) -> Answer:
    drawn, truth = look.drawn(proposal), look.truth
    return Answer(
        iou=iou(drawn, truth),
        dice=dice(drawn, truth),
        boundary_iou=boundary_iou(drawn, truth),
        score=score(drawn, truth),
        predicted_iou=proposal.iou,
    )
