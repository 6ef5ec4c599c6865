"""How objects are prompted while learning: as the person really did, or as people do.

Simulated prompts follow SAM's own training (Kirillov et al. 2023, appendix A): a first point in
the mask, or a box with noise of 10 % of its sides and at most 20 px; then click after click, each
on the error of the answer before it, whose logits are mostly the mask input. Points and boxes are
always mixed: a decoder tuned on boxes alone stops answering points (lightning-sam#26).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.scoring import next_click
from napari_sam_tune.core.training.decoder import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.training.examples import Example

    Floats = NDArray[np.float32]

BOX_NOISE = 0.1
"""Standard deviation of a drawn box's corners, in sides of the box."""
MOST_BOX_NOISE = 20.0
"""... and its upper limit, in input pixels."""
# People click near the middle of things, but not always.
_CARELESS = 0.5


@dataclass(frozen=True, eq=False)
class DrawnPrompt:
    """How one object is prompted.

    Attributes:
        tokens: the whole prompt where it is real, else its first point or box.
        real: the person gave it.

    """

    tokens: Tokens
    real: bool


def draw_prompts(
    examples: Sequence[Example], config: TrainConfig, rng: np.random.Generator
) -> tuple[list[DrawnPrompt], int]:
    """Draw a prompt for each object of one call, and how many clicks correct the simulated ones.

    A call of the decoder wants as many tokens of each prompt. The first object decides how many:
    by a real prompt of its own, or by the number of corrections drawn. The other objects take
    part with a real prompt of that length, if they have one, or a simulated one.
    """
    lead = examples[0].real_prompts
    as_the_person = rng.random(len(examples)) < config.real_prompt_share
    if lead and as_the_person[0]:
        corrections = len(lead[rng.integers(len(lead))].kinds) - 2
    else:
        corrections = draw_corrections(config, rng)
    drawn = []
    for example, really in zip(examples, as_the_person, strict=True):
        fitting = [p for p in example.real_prompts if len(p.kinds) == corrections + 2]
        if fitting and really:
            drawn.append(DrawnPrompt(fitting[rng.integers(len(fitting))], real=True))
        else:
            drawn.append(DrawnPrompt(draw_start(example, config, rng), real=False))
    return drawn, corrections


def draw_corrections(config: TrainConfig, rng: np.random.Generator) -> int:
    """Return how many clicks follow the first: none, or a number from 1, small ones oftener."""
    if rng.random() >= config.correction_share:
        return 0
    numbers = np.arange(1, config.corrections + 1)
    return int(rng.choice(numbers, p=(1 / numbers) / (1 / numbers).sum()))


def draw_start(example: Example, config: TrainConfig, rng: np.random.Generator) -> Tokens:
    """Draw a first point in the mask, or a box around it."""
    if rng.random() < config.box_share:
        return Tokens.of_box(jittered(example.box, example.frame, rng))
    x, y, _ = next_click(None, example.target >= 0.5, noise=_CARELESS, rng=rng)
    return Tokens.of_point(example.frame.cell_to_input((x, y)))


def jittered(corners: Floats, frame: Frame, rng: np.random.Generator) -> Floats:
    """Move a box's corners (2, 2), in input pixels, as a hand would; it stays in the image."""
    spread = np.minimum((corners[1] - corners[0]) * BOX_NOISE, MOST_BOX_NOISE)
    # beyond two deviations the box would no longer hold most of the object
    noise = rng.normal(size=(2, 2)).clip(-2, 2) * spread
    height, width = frame.input
    moved = (corners + noise).clip(-0.5, (width - 0.5, height - 0.5))
    # a box of one or two pixels may have been turned inside out
    return np.sort(moved, axis=0).astype(np.float32)


def with_correction(
    prompt: Tokens, drawn: Mask, example: Example, rng: np.random.Generator
) -> Tokens:
    """Return a prompt with a click on the error of the answer to it.

    Args:
        prompt: the prompt answered.
        drawn: (rows, columns), the answer in the decoder's cells.
        example: the object.
        rng: source of chance.

    """
    truth = example.target >= 0.5
    if (drawn != truth).any():
        x, y, label = next_click(drawn, truth, noise=_CARELESS, rng=rng)
    else:  # where nothing is wrong, people confirm: a click in the object changes nothing
        x, y, label = next_click(None, truth, noise=_CARELESS, rng=rng)
    at = example.frame.cell_to_input([(x, y)])
    return prompt.with_clicks(at, np.array([label], np.int64))
