"""The robot's hand: where it clicks and draws on an object whose true mask it knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.evaluation.strokes import by_hand, centre_line, is_elongated
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import grown, hull, meet
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import TOLERANCE, iou, is_thin, next_click, score

if TYPE_CHECKING:
    from collections.abc import Callable

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
        truth: (H, W) mask of the object, or in its box, which is all that is looked at.
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
        truth: Mask | PlacedMask,
        robot: Robot,
        rng: np.random.Generator,
        seconds: dict[str, float],
    ) -> None:
        self.robot, self.rng, self.seconds = robot, rng, seconds
        self.truth = truth if isinstance(truth, PlacedMask) else PlacedMask.of(truth)
        self._is_thin = is_thin(self.truth.cropped)
        self.ious: list[float] = []
        self.scores: list[float] = []
        self.mask = PlacedMask.empty(self.truth.shape)
        self.prompt: Prompt | None = None
        self.proposal: Proposal

    def draw(self, draw: Callable[[Stroke], Mask | PlacedMask]) -> bool:
        """Draw along the middle of the object if it is elongated; says whether it is."""
        if self.truth.bbox is None:
            return False
        line, (y, x) = centre_line(self.truth.cropped), self.truth.bbox[:2]
        if not is_elongated(self.truth.cropped, line):
            return False
        began = perf_counter()
        mask = draw(by_hand(np.add(line, (x, y)), self.rng))
        self._note(place_mask(mask, self.truth.shape), began)
        return True

    def run(self, propose: Callable[[Prompt], Proposal], target: float) -> None:
        """Click until `target` or the cap is reached."""
        while (
            len(self.scores) < self.robot.max_clicks and max(self.scores[-1:], default=0) < target
        ):
            shown, truth, (top, left) = side_by_side(self.mask, self.truth)
            x, y, label = next_click(shown, truth, noise=self.robot.noise, rng=self.rng)
            x, y = x + left, y + top
            if self.prompt is None:
                self.prompt = Prompt(points=((x, y),), labels=(label,))
            else:
                self.prompt = self.prompt.add_point(x, y, label)
            began = perf_counter()
            self.proposal = propose(self.prompt)
            self._note(self.proposal.placed, began)

    def _note(self, mask: PlacedMask, began: float) -> None:
        self.seconds["proposing"] += perf_counter() - began
        self.mask = mask
        shown, truth, _ = side_by_side(mask, self.truth)
        self.ious.append(iou(shown, truth))
        self.scores.append(score(shown, truth, thin=self._is_thin))

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


def side_by_side(one: PlacedMask, other: PlacedMask) -> tuple[Mask, Mask, tuple[int, int]]:
    """Return two masks of an image cut to the box of both, and the (y, x) of its corner.

    Whatever `scoring` has that looks at nothing but boxes says the same of them, and costs them.
    """
    window = hull([mask.bbox for mask in (one, other) if mask.bbox is not None] or [(0, 0, 0, 0)])
    return one.crop(window), other.crop(window), window[:2]


def score_placed(mask: PlacedMask, truth: PlacedMask) -> float:
    """Return the `score` of a mask in its box; 0 at once where the two are far apart."""
    if mask.bbox is not None and truth.bbox is not None:
        near = grown(truth.bbox, int(TOLERANCE) + 1)
        if not meet(mask.bbox, near):
            return 0.0
    shown, drawn, _ = side_by_side(mask, truth)
    return score(shown, drawn)
