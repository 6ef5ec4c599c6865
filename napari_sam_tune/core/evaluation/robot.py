"""The robot's hand: where it clicks and draws on an object whose true mask it knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.evaluation.strokes import by_hand, centre_line, is_elongated
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou, next_click, score

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Proposal, Stroke
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.core.session.session import Session


@dataclass(frozen=True)
class Robot:
    """How the robot clicks.

    Attributes:
        max_clicks: it gives up after so many, a stroke among them.
        target: the score at which it is content.
        noise: 0 clicks the centre of the largest error, 1 anywhere in it.
        seed: of the noise and of the order of groups.
        finds_similar: before it clicks on an image it asks for all like what was accepted, accepts
            what reaches the target and rejects the rest, as soon as enough was accepted for that.
        strokes: it draws once along the middle of an elongated object before it clicks.

    """

    max_clicks: int = 20
    target: float = 0.85
    noise: float = 0.0
    seed: int = 0
    finds_similar: bool = False
    strokes: bool = False


class Clicker:
    """The robot's hand on one object.

    Args:
        truth: (H, W) mask of the object.
        robot: how it clicks, and when it gives up.
        rng: source of its noise.
        seconds: the time that answers took is added to `seconds["proposing"]`.

    Attributes:
        ious, scores: after 1, 2, … clicks, a stroke before them counted.
        mask: what is shown after them; empty at first.
        prompt, proposal: the clicks so far, and the last answer.

    """

    def __init__(
        self,
        truth: NDArray[np.bool_],
        robot: Robot,
        rng: np.random.Generator,
        seconds: dict[str, float],
    ) -> None:
        self.truth, self.robot, self.rng, self.seconds = truth, robot, rng, seconds
        self.ious: list[float] = []
        self.scores: list[float] = []
        self.mask: Mask = np.zeros_like(truth)
        self.prompt: Prompt | None = None
        self.proposal: Proposal

    def draw(self, draw: Callable[[Stroke], Mask]) -> bool:
        """Draw along the middle of the object if it is elongated; says whether it is."""
        line = centre_line(self.truth)
        if not is_elongated(self.truth, line):
            return False
        began = perf_counter()
        mask = draw(by_hand(line, self.rng))
        self._note(mask, began)
        return True

    def run(self, propose: Callable[[Prompt], Proposal], target: float) -> None:
        """Click until `target` or the cap is reached."""
        while (
            len(self.scores) < self.robot.max_clicks and max(self.scores[-1:], default=0) < target
        ):
            x, y, label = next_click(self.mask, self.truth, noise=self.robot.noise, rng=self.rng)
            if self.prompt is None:
                self.prompt = Prompt(points=((x, y),), labels=(label,))
            else:
                self.prompt = self.prompt.add_point(x, y, label)
            began = perf_counter()
            self.proposal = propose(self.prompt)
            self._note(self.proposal.mask, began)

    def _note(self, mask: Mask, began: float) -> None:
        self.seconds["proposing"] += perf_counter() - began
        self.mask = mask
        self.ious.append(iou(mask, self.truth))
        self.scores.append(score(mask, self.truth))

    def run_on(self, session: Session, current: OpenObject, target: float) -> None:
        """Go on past the accepted mask, off the record, to measure clicks to higher scores.

        Args:
            session: whose model answers.
            current: the object as it was before it was accepted.
            target: the score to reach.

        """

        def propose(prompt: Prompt) -> Proposal:
            nonlocal current
            current, asked, previous = current.asking(prompt)
            answered = session.chain.answer(
                asked, previous, is_nearly_right=current.is_nearly_right
            )
            current = current.answer(answered)
            return answered if current.placed is None else replace(answered, placed=current.placed)

        self.run(propose, target)

    def padded(self, values: list[float]) -> tuple[float, ...]:
        """Let the last value stand up to the cap."""
        return (*values, *([values[-1]] * (self.robot.max_clicks - len(values))))
