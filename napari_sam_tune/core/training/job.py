"""What goes into a round and what comes out of it; plain values that cross a process boundary."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.base import BaseRef

Phase = Literal["loading", "sending", "encoding", "training", "judging"]
PromptKind = Literal["point", "box", "robot"]


class DivergedError(TrainingError):
    """The loss or its gradient was not a finite number; nothing was saved."""

    kind = "nan"


@dataclass(frozen=True)
class TrainingJob:
    """One round to be run: which masks, from which weights, how.

    Attributes:
        project: path of the project's folder.
        base: the base model the project was begun with.
        parent: version of the weights in use, "base" or 12 hex digits; the candidate is compared
            with them.
        train_ids: annotations to learn from.
        judge_ids: annotations to judge by; none of them may be in `train_ids`.
        config: how to train.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        threads: torch's CPU threads, or None to leave them as they are.
        go_on_from: version whose training goes on, a candidate that was refused; None goes on
            from the parent.
        open_image_id: the image the person is on, which is encoded anew if the encoder learns.
        run: folder of a run from the command line, which gets the weights and what is needed to go
            on; None for a round, whose candidate goes into the project.
        resume: go on with what is in that folder.
        tensorboard: write TensorBoard's logs there too.

    Raises:
        TrainingError: nothing to learn from, or an annotation both trains and judges.

    """

    project: str
    base: BaseRef
    parent: str
    train_ids: tuple[str, ...]
    judge_ids: tuple[str, ...]
    config: TrainConfig
    device: str = "auto"
    threads: int | None = None
    go_on_from: str | None = None
    open_image_id: str | None = None
    run: str | None = None
    resume: bool = False
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if not self.train_ids:
            raise TrainingError(tr("There is no accepted mask to learn from; accept a few first."))
        both = set(self.train_ids) & set(self.judge_ids)
        if both:
            raise TrainingError(
                f"{len(both)} annotations are meant both to train and to judge, so the judgement "
                f"would be worthless: {', '.join(sorted(both)[:3])}."
            )


@dataclass(frozen=True)
class Progress:
    """Where a round is.

    Attributes:
        step: optimiser steps done (or images encoded, while encoding).
        steps: how many there will be.
        loss: of the latest step; None before the first.
        held_out: mean score on a few held-out objects with one point and one box each, from 0 to
            1; None where this step did not look. Only for the curve: it decides nothing.
        seconds_left: estimate, None while unknown.
        phase: what is being done.

    """

    step: int
    steps: int
    loss: float | None
    held_out: float | None
    seconds_left: float | None
    phase: Phase

    @classmethod
    def encoded(cls, done: int, images: int, began: float) -> Progress:
        """Say that so many images are encoded, and how long the others take at that pace.

        Args:
            done: how many are, one at least.
            images: how many there are.
            began: when the first was begun, as `monotonic` tells it.

        """
        left = (monotonic() - began) / done * (images - done)
        return cls(done, images, None, None, left, "encoding")


@dataclass(frozen=True)
class ObjectScore:
    """How one held-out object fared with the weights in use and with the candidate.

    Attributes:
        annotation_id: the object.
        image_id: the image it lies on.
        label: its class.
        prompt: a point, a box, or a robot's few clicks on the model's own errors.
        draw: which of several random draws of that prompt.
        current: score of the weights in use, from 0 to 1; of the base model on a surface those have
            not learnt.
        candidate: score of the candidate on the same prompt, from 0 to 1.

    """

    annotation_id: str
    image_id: str
    label: str
    prompt: PromptKind
    draw: int
    current: float
    candidate: float


@dataclass(frozen=True)
class Candidate:
    """Weights a training has made and saved; whether they are used the gate decides.

    Attributes:
        version: of the saved weights, 12 hex digits.
        parent: version they were trained from and judged against.
        scores: paired scores on held-out objects.
        losses: training loss of every step.
        seconds: the whole round.
        steps: optimiser steps.
        masks: annotations there were to learn from.

    """

    version: str
    parent: str
    scores: tuple[ObjectScore, ...]
    losses: tuple[float, ...]
    seconds: float
    steps: int
    masks: int


def mean_scores(scores: Iterable[ObjectScore]) -> tuple[float, float] | tuple[None, None]:
    """Return the mean score with the weights in use and with the candidate, None without any.

    Every object weighs the same, and so does every kind of prompt.
    """
    means = object_means(scores)
    if not means.size:
        return None, None
    before, after = means.mean(axis=0)
    return float(before), float(after)


def object_means(scores: Iterable[ObjectScore]) -> NDArray[np.float64]:
    """Return each object's scores with the weights in use and with the candidate: (objects, 2).

    The mean over its kinds of prompt, and for each over its draws: a robot asks once where points
    and boxes may ask several times, and its clicks are worth as much.
    """
    objects: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for score in scores:
        kinds = objects.setdefault(score.annotation_id, {})
        kinds.setdefault(score.prompt, []).append((score.current, score.candidate))
    means = [
        np.mean([np.mean(draws, axis=0) for draws in kinds.values()], axis=0)
        for kinds in objects.values()
    ]
    return np.reshape(means, (-1, 2))
