"""The loop that every training goes through, whatever learns and whatever it learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.core.training.course import Course
from napari_sam_tune.core.training.job import DivergedError, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from torch import Tensor

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
    from napari_sam_tune.core.training.lesson import Marks
    from napari_sam_tune.core.training.run_folder import RunFolder
    from napari_sam_tune.core.training.world import World

    Contents = tuple[Mapping[str, Tensor], Mapping[str, Any], FamiliarSurfaces | None]


@dataclass(kw_only=True, eq=False)
class Loop:
    """Steps of an optimiser, with looks at held-out objects in between.

    Attributes:
        config: optimiser, schedule, when to look and when to give up.
        learning: parameters, by name in a weights file.
        groups: the same as the optimiser's parameter groups, each with its learning rate `peak`.
        gradients: leaves the gradients of a step, counted from 0, in the parameters.
        look: scores held-out objects, from 0 to 1; None where there are none.
        weights: what a weights file would hold now: tensors, what they are, and the surfaces they
            are for, None for all.
        device: of the parameters.
        world: the processes that train together.
        run: the folder of a run, None for a round.
        resume: go on with what is in that folder.

    """

    config: TrainConfig
    learning: Mapping[str, Tensor]
    groups: Sequence[dict[str, Any]]
    gradients: Callable[[int], Marks]
    look: Callable[[], float | None]
    weights: Callable[[Course], Contents]
    device: torch.device
    world: World
    run: RunFolder | None
    resume: bool = False

    def learn(
        self, held_out: float | None, seconds_after: float
    ) -> Generator[Progress, None, Course]:
        """Train to the end, or until nothing is gained any more.

        Args:
            held_out: what a look says before the first step.
            seconds_after: how long what follows will take, for the estimate.

        Yields:
            Progress, once a step.

        Returns:
            How it went; the parameters are those of the last step, or of the best look.

        Raises:
            DivergedError: the loss or its gradient was not a finite number.
            TrainingError: nothing is learnt, or the run to go on with is another.
            StorageError: the disk refused; what a run had kept before stays.

        """
        config, course = self.config, Course(self.config)
        optimizer = _optimizer(list(self.groups), config)
        best: dict[str, Tensor] = {}
        if self.run is not None and self.resume:
            course, best = self.run.restore(config, self.learning, optimizer)
        began, first = monotonic(), course.steps
        yield Progress(course.steps, config.steps, None, held_out, None, "training")
        while not course.is_over:
            marks, norm = self._step(course, optimizer, check=course.steps == first)
            course.losses.append(marks.loss)
            course.real_prompts += marks.real
            held_out = None
            if course.looks_now:
                held_out = self.look()
                better = held_out is not None and course.look(held_out)
                if better and config.keep_best:
                    best = {name: p.detach().clone() for name, p in self.learning.items()}
                self._keep(course, best, optimizer, usable=better or not config.keep_best)
            self._log(course, held_out, norm)
            seconds_a_step = (monotonic() - began) / (course.steps - first)
            left = seconds_a_step * (config.steps - course.steps) + seconds_after
            yield Progress(course.steps, config.steps, marks.loss, held_out, left, "training")
        if config.keep_best and course.best_step < course.steps:
            last = self.look()
            if last is not None and not course.look(last):
                _put_back(best, self.learning)
        return course

    def _step(
        self, course: Course, optimizer: torch.optim.Optimizer, *, check: bool
    ) -> tuple[Marks, float]:
        """Take a step; return how it went and the gradient's norm."""
        marks = self.gradients(course.steps)
        self.world.add_up(self.learning.values())
        norm = torch.nn.utils.clip_grad_norm_(self.learning.values(), self.config.clip).item()
        total = self.world.total
        marks = marks._replace(
            loss=total(marks.loss, self.device), real=round(total(marks.real, self.device))
        )
        if not (math.isfinite(marks.loss) and math.isfinite(norm)):
            stay = (
                mark("The weights in use stay.")
                if self.run is None
                else mark("The weights of the latest look stay.")
            )
            raise DivergedError(
                tr(
                    "The loss was not a finite number at step {step} of {steps}. {stay} Try a "
                    "smaller learning rate, and look for masks or images that are damaged.",
                    step=course.steps + 1,
                    steps=self.config.steps,
                    stay=tr(stay),
                )
            )
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * course.rate
        then = {n: p.detach().clone() for n, p in self.learning.items()} if check else {}
        optimizer.step()
        if check:
            self._check_first_step(then, norm)
        return marks, norm

    def _check_first_step(self, then: Mapping[str, Tensor], norm: float) -> None:
        """Make sure that something is learnt: a loss without a gradient looks like work."""
        if norm == 0:
            raise TrainingError(
                tr(
                    "The loss has no gradient, so nothing would be learnt. Choose another loss, or "
                    "other parts to train."
                )
            )
        if all(torch.equal(then[name], parameter) for name, parameter in self.learning.items()):
            raise TrainingError(
                tr(
                    "The first step changed no weight: the learning rate {rate:g} is too small to "
                    "be felt. Raise it.",
                    rate=self.config.learning_rate,
                )
            )

    def _keep(
        self,
        course: Course,
        best: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
        *,
        usable: bool,
    ) -> None:
        if self.run is None or self.world.rank > 0:
            return
        self.run.keep(course, self.learning, best, optimizer)
        if usable:
            self.run.write_weights(*self.weights(course))

    def _log(self, course: Course, held_out: float | None, norm: float) -> None:
        if self.run is not None and self.world.rank == 0:
            loss = course.losses[-1]
            values = {"loss": loss, "held_out": held_out, "gradient_norm": norm}
            self.run.log(course.steps, values)


def _optimizer(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.Optimizer:
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups)
        case "adam":
            return torch.optim.Adam(groups)
        case "sgd":
            return torch.optim.SGD(groups, momentum=0.9)


@torch.no_grad()
def _put_back(best: Mapping[str, Tensor], learning: Mapping[str, Tensor]) -> None:
    for name, tensor in best.items():
        learning[name].copy_(tensor)
