"""What fine-tuning was worth: tuned weights against the base model, on objects kept for testing.

Both models are asked with the same prompts about every object; see `measuring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_sam_tune.core.answers.tuned import use
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.evaluation.looking import LONGEST, is_measurable
from napari_sam_tune.core.evaluation.measuring import MAX_CLICKS, measure
from napari_sam_tune.core.scoring import is_thin
from napari_sam_tune.core.training.judge import choose_judges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.evaluation.measuring import Measured
    from napari_sam_tune.core.project.project import Annotation, Project

    MeasuredElsewhere = Callable[
        [Sequence[Annotation]], Iterator[tuple[Annotation, tuple[Measured, ...]]]
    ]

EvaluatedSplit = Literal["test", "held_out"]


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
    remark: str = ""


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
    for annotation in project.counting():
        by_split.setdefault(annotation.split, []).append(annotation)
    used: EvaluatedSplit = split
    if split == "test" and "test" not in by_split:
        used = "held_out"
    if used not in by_split:
        raise ProjectError(
            f"The project {project.path} has nothing to evaluate on: all of its "
            f"{len(project.counting())} masks are for training. Accept masks on more images, a "
            "fifth of which are held out."
        )
    chosen = [annotation for annotation in by_split[used] if is_measurable(annotation)]
    too_long = len(by_split[used]) - len(chosen)
    if not chosen:
        raise ProjectError(
            f"The project {project.path} has nothing to evaluate on: all of its {used} objects are "
            f"longer than {LONGEST:,} px."
        )
    if limit is not None:
        chosen = choose_judges(chosen, TrainConfig(judge_objects=limit))
    return chosen, used, _remark(split, used, too_long)


def _remark(asked: EvaluatedSplit, used: EvaluatedSplit, too_long: int) -> str:
    left_out = f"{too_long} objects of more than {LONGEST:,} px are left out." if too_long else ""
    if used == "test":
        return left_out
    which = "the project has no test set, so these are its" if asked == "test" else "these are the"
    return (
        f"Measured on held-out objects: {which} objects that training never learns from but that "
        f"choose between weights, which flatters a little. {left_out}"
    ).rstrip()


def evaluate(
    project: Project,
    predictor: Predictor,
    tuned: TunedWeights,
    *,
    split: EvaluatedSplit = "test",
    limit: int | None = None,
    max_clicks: int = MAX_CLICKS,
    report: Callable[[int, int], None] = lambda *_: None,
    measured: MeasuredElsewhere | None = None,
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
        measured: asks both models about objects somewhere else, as `measure_on` does.

    Raises:
        ProjectError: there is nothing to evaluate on, or an image was moved or changed.

    """
    chosen, used, remark = choose_objects(project, split, limit)
    groups = {record.id: record.group for record in project.images()}
    objects = []
    report(0, len(chosen))
    if measured is None:
        rows = measure(project, predictor, chosen, (None, tuned), max_clicks=max_clicks)
    else:
        rows = measured(chosen)
    for annotation, (base, after) in rows:
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
