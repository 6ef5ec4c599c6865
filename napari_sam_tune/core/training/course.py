"""How a training fares: its losses, its looks at held-out objects, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam_tune.core.config import TrainConfig

_STEP_AT, _STEP_TO = 2 / 3, 0.1
_PLATEAU_TO = 0.5


@dataclass
class Course:
    """What is known of a training so far; all of it goes into a checkpoint.

    Attributes:
        config: of the training.
        losses: of every step.
        real_prompts: how many prompts a person gave.
        best: the best look at held-out objects, from 0 to 1; None before the first.
        best_step: after how many steps that was.
        without_gain: looks in a row since.
        lowered: times a plateau lowered the learning rate.

    """

    config: TrainConfig
    losses: list[float] = field(default_factory=list)
    real_prompts: int = 0
    best: float | None = None
    best_step: int = 0
    without_gain: int = 0
    lowered: int = 0

    @property
    def steps(self) -> int:
        """How many steps are done."""
        return len(self.losses)

    @property
    def looks_now(self) -> bool:
        """Whether the step just done is one after which held-out objects are looked at."""
        return self.steps % self.config.look_every == 0 and self.steps < self.config.steps

    def look(self, held_out: float) -> bool:
        """Take note of a look; True where it is the best so far."""
        if self.best is None or held_out > self.best:
            self.best, self.best_step, self.without_gain = held_out, self.steps, 0
            return True
        self.without_gain += 1
        if self.config.schedule == "plateau" and self.without_gain % self.config.plateau_looks == 0:
            self.lowered += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether all steps are done, or nothing has been gained for too long."""
        patience = self.config.patience
        tired = patience is not None and self.without_gain >= patience
        return tired or self.steps >= self.config.steps

    @property
    def rate(self) -> float:
        """Share of its peak that the learning rate has in the next step.

        It rises along a line first; no step is wasted on a rate of zero.
        """
        warmup = max(1, round(self.config.warmup * self.config.steps))
        if self.steps < warmup and self.config.warmup > 0:
            return (self.steps + 1) / warmup
        progress = (self.steps - warmup) / max(1, self.config.steps - warmup)
        match self.config.schedule:
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * max(0.0, progress)))
            case "step":
                return _STEP_TO if self.steps >= _STEP_AT * self.config.steps else 1.0
            case "plateau":
                return _PLATEAU_TO**self.lowered
            case "constant":
                return 1.0

    def to_json(self) -> dict[str, Any]:
        """Return everything but the config as plain JSON values."""
        state = asdict(self)
        del state["config"]
        return state
