"""How well a model does on held-out objects, for the gate and for the live curve.

Every object is asked about with a point and a box, and by a robot that goes on from the point and
corrects the model's own errors for a few clicks. Points and boxes depend on the object and the seed
alone, so two models get the same prompts. Recorded correction clicks are never used: they answered
the errors of an older model, and would flatter whichever model is most like it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.scoring import is_thin, next_click, score
from napari_sam_tune.core.training.decoder import Tokens, answer
from napari_sam_tune.core.training.job import ObjectScore, PromptKind
from napari_sam_tune.core.training.prompting import jittered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.network import Network
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.training.embedded_images import EmbeddedImages
    from napari_sam_tune.core.training.examples import Example

Scores = dict[tuple[PromptKind, int], float]
"""Score from 0 to 1 of each (prompt, draw) of one object."""


_CAREFUL = 0.5
"""Share of prompts that are as good as can be; the others are as people give them in a hurry."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """Asks a model about held-out objects.

    Attributes:
        network: the model; its weights are those at the time of asking.
        images: the embeddings.
        device: where the decoder runs.
        config: how many draws and clicks.
        positions: (1, C, h, w), `Network.positions`.
        checkpoint: called before each call of the decoder.
        encodes: the encoder has learnt: images are encoded anew.

    """

    network: Network
    images: EmbeddedImages
    device: torch.device
    config: TrainConfig
    positions: Tensor
    checkpoint: Callable[[], None]
    encodes: bool = False

    @torch.no_grad()
    def judge(self, example: Example, *, draws: int, robot: bool = True) -> Scores:
        """Return the scores of one object.

        Args:
            example: the held-out object.
            draws: how many points and boxes; half of them, by chance, are careful: the point is the
                object's centre, the box tight.
            robot: also go on clicking from the first point.

        """
        asked = _Asked(self, example)
        rngs = [_rng(self.config.seed, example.annotation, draw) for draw in range(draws)]
        points = [asked.point(rng, careful=rng.random() < _CAREFUL) for rng in rngs]
        boxes = [asked.box(rng, careful=rng.random() < _CAREFUL) for rng in rngs]
        logits = asked.answers(points + boxes)
        scores: Scores = {("point", i): asked.score(logits[i]) for i in range(draws)}
        scores |= {("box", i): asked.score(logits[draws + i]) for i in range(draws)}
        if robot:
            scores["robot", 0] = self._robot(asked, points[0], logits[:1])
        return scores

    def _robot(self, asked: _Asked, prompt: Tokens, logits: Tensor) -> float:
        """Go on clicking from a first point and the answer (1, grid, grid) to it.

        Returns the mean score along the way, as good as the number of clicks that a target takes,
        which a single click too few would hide.
        """
        along = []
        for _ in range(self.config.robot_clicks - 1):
            prompt = asked.corrected(prompt, logits[0])
            logits = asked.answers([prompt], logits)
            along.append(asked.score(logits[0]))
        return float(np.mean(along))


class _Asked:
    """One held-out object while it is asked about; its truth is kept cut to its box."""

    def __init__(self, judge: Judge, example: Example) -> None:
        self._judge, self._frame = judge, example.frame
        source = judge.images.encode if judge.encodes else judge.images.features
        self._features = source(example.seen, judge.device)
        self._bbox = example.annotation.bbox
        self._truth = example.annotation.cropped_mask
        self._thin = is_thin(self._truth)
        self._example = example

    def point(self, rng: np.random.Generator, *, careful: bool) -> Tokens:
        """Return a first click: the object's centre, or anywhere in it."""
        x, y, _ = next_click(None, self._truth, noise=0.0 if careful else 1.0, rng=rng)
        xy = (x + self._bbox[1], y + self._bbox[0])
        return Tokens.of_point(self._frame.to_input(xy))

    def box(self, rng: np.random.Generator, *, careful: bool) -> Tokens:
        """Return a box: tight, or drawn as by hand."""
        corners = self._example.box
        return Tokens.of_box(corners if careful else jittered(corners, self._frame, rng))

    def answers(self, prompts: Sequence[Tokens], previous: Tensor | None = None) -> Tensor:
        """Return what a person would see, (N, grid, grid) logits."""
        network, positions = self._judge.network, self._judge.positions
        mask_inputs = None if previous is None else previous[:, None]
        self._judge.checkpoint()
        return answer(
            network, self._features, positions, self._frame, prompts, mask_inputs
        ).chosen()

    def score(self, logits: Tensor) -> float:
        """Score an answer (grid, grid) in image pixels."""
        predicted, truth, _ = self._in_pixels(logits)
        return score(predicted, truth, thin=self._thin)

    def corrected(self, prompt: Tokens, logits: Tensor) -> Tokens:
        """Return the prompt with the robot's next click on the error of the answer to it."""
        predicted, truth, (left, top) = self._in_pixels(logits)
        try:
            x, y, label = next_click(predicted, truth)
        except MaskError:  # nothing is wrong: the robot confirms, to keep the prompts as long
            x, y, label = next_click(None, truth)
        xy = self._frame.to_input([[x + left, y + top]])
        return prompt.with_clicks(xy, np.array([label]))

    def _in_pixels(self, logits: Tensor) -> tuple[Mask, Mask, tuple[int, int]]:
        """Return answer and truth in the window that holds both, and its (left, top) corner."""
        low_resolution = logits.float().cpu().numpy()
        window = self._frame.box_of(low_resolution, self._bbox)
        predicted = self._frame.drawn_in(low_resolution, window, self._judge.network.mask_threshold)
        y0, x0, y1, x1 = self._bbox
        truth = np.zeros(predicted.shape, bool)
        truth[y0 - window[0] : y1 - window[0], x0 - window[1] : x1 - window[1]] = self._truth
        return predicted, truth, (window[1], window[0])


def choose_judges(annotations: Sequence[Annotation], config: TrainConfig) -> list[Annotation]:
    """Choose the held-out objects that judge: at most `judge_objects`, spread over the classes.

    The choice depends on the seed and on which objects there are, not on their order.
    """
    rng = np.random.default_rng(config.seed)
    ordered = sorted(annotations, key=lambda annotation: annotation.id)
    shuffled = [ordered[i] for i in rng.permutation(len(ordered))]
    turns: dict[str, int] = {}
    ranked = []
    for annotation in shuffled:
        turn = turns[annotation.label] = turns.get(annotation.label, -1) + 1
        ranked.append((turn, annotation))
    ranked.sort(key=lambda pair: pair[0])  # stable: every class once, then every class again …
    return [annotation for _, annotation in ranked[: config.judge_objects]]


def paired(
    judges: Sequence[Example], current: Mapping[str, Scores], candidate: Mapping[str, Scores]
) -> tuple[ObjectScore, ...]:
    """Pair two models' scores, each by annotation id."""
    pairs = []
    for example in judges:
        annotation = example.annotation
        for (prompt, draw), before in current[annotation.id].items():
            after = candidate[annotation.id][prompt, draw]
            pairs.append(
                ObjectScore(
                    annotation.id,
                    annotation.image_id,
                    annotation.label,
                    prompt,
                    draw,
                    before,
                    after,
                )
            )
    return tuple(pairs)


def _rng(seed: int, annotation: Annotation, draw: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(annotation.id.encode()), draw])
