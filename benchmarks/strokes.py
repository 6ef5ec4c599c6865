"""A stroke along a crack, then clicks, beside clicks alone: how many actions to a score of .80.

The robot draws once along the middle of a crack, from end to end of its longest branch, with a hand
that is some pixels off, and clicks on from the mask it gets; beside it the click robot of
`simulate`. Both are answered by the model as it is, looking closer where that is of use, and stop
after ten.

    python benchmarks/strokes.py DIR/images DIR/masks --objects 20
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.stroke import snap
from napari_sam_tune.core.evaluation.strokes import HAND, by_hand, centre_line
from napari_sam_tune.core.images.files import read_image, to_rgb8
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou, next_click, score
from napari_sam_tune.core.session.open_object import OpenObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MOST, GOAL = 10, 0.80


def stroke(image: NDArray, truth: NDArray, hand: float, rng: np.random.Generator) -> NDArray:
    """Return the mask of one stroke along the whole of a crack."""
    path = by_hand(centre_line(truth), rng, hand)
    return snap(image, path) if len(path) > 1 else np.zeros_like(truth)


def clicks(predictor: Predictor, truth: NDArray, start: NDArray | None = None) -> Iterator:
    """Yield the mask after each click, of those on a mask that is there: that one first."""
    current = OpenObject(start=start)
    if start is not None:
        yield start
    while True:
        x, y, sign = next_click(current.mask, truth)
        said = current.prompt
        prompt = Prompt([(x, y)], [sign]) if said is None else said.add_point(x, y, sign)
        current, asked, previous = current.asking(prompt)
        proposal = predictor.propose(asked, previous, refiners=REFINERS)
        proposal = predictor.look_closer(proposal, refiners=REFINERS) or proposal
        current = current.answer(proposal)
        yield current.mask


def worth(masks: Iterator, truth: NDArray) -> tuple[float, float, float, int]:
    """Return IoU and score after one action, the score after three, and actions to the goal.

    One more than the most: it was never reached.
    """
    ious, scores = [], []
    for mask in islice(masks, MOST):
        ious.append(iou(mask, truth))
        scores.append(score(mask, truth))
        if scores[-1] >= GOAL:
            break
    needed = len(scores) if scores[-1] >= GOAL else MOST + 1
    return ious[0], scores[0], scores[:3][-1], needed


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--hand", type=float, default=HAND, help="standard deviation, in px")
    parser.add_argument("--starts", default="", help="of the names of the images meant")
    arguments = parser.parse_args()
    predictor = Predictor.from_checkpoint("starter", "cpu")
    rng = np.random.default_rng(0)
    files = sorted(p for p in arguments.images.iterdir() if p.name.startswith(arguments.starts))
    rng.shuffle(files)
    found: dict[str, list] = {"a stroke, then clicks": [], "clicks": []}
    for file in files:
        if len(found["clicks"]) >= arguments.objects:
            break
        truths = read_image(arguments.masks / f"{file.stem}.png")
        image = to_rgb8(read_image(file))
        predictor.set_image(image)
        for number in np.unique(truths[truths > 0])[:3]:
            truth = truths == number
            if truth.sum() < 40 or len(found["clicks"]) >= arguments.objects:
                continue
            start = stroke(image, truth, arguments.hand, rng)
            for name, first in (("a stroke, then clicks", start), ("clicks", None)):
                found[name].append(worth(clicks(predictor, truth, first), truth))
    table = Table(
        "by", "objects", "IoU after 1", "score after 1", "after 3", "to .80, mean", "never in 10"
    )
    for name, rows in found.items():
        values = np.array(rows)
        never = int((values[:, 3] > MOST).sum())
        means = [f"{v:.2f}" for v in values.mean(axis=0)]
        table.add_row(name, str(len(values)), *means, str(never))
    Console().print(table)


if __name__ == "__main__":
    main()
