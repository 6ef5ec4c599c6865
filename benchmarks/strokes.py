"""A stroke along a crack, then clicks, beside clicks alone: how many actions to a score of .80.

The robot draws once along the middle of a crack, from end to end of its longest branch, with a hand
that is some pixels off, and clicks on from the mask it gets; beside it the click robot of
`simulate`. Both are answered as in the dock, by the model as it is (nothing is recalled or learnt),
and stop after ten.

    python benchmarks/strokes.py DIR/images DIR/masks --objects 20
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.evaluation.strokes import HAND, by_hand, centre_line
from napari_sam_tune.core.images.files import read_image, to_rgb8
from napari_sam_tune.core.scoring import iou, next_click, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Stroke

MOST, GOAL = 10, 0.80


def masks(session: Session, truth: NDArray, stroke: Stroke | None) -> Iterator[NDArray]:
    """Yield the mask after each action: a click of the robot's, or the stroke first of all."""
    mask = None if stroke is None else session.draw(stroke)
    if mask is not None:
        yield mask
    while True:
        x, y, sign = next_click(mask, truth)
        said = session.open_object.prompt
        mask = session.propose(
            Prompt([(x, y)], [sign]) if said is None else said.add_point(x, y, sign)
        ).mask
        yield mask


def worth(session: Session, truth: NDArray, stroke: Stroke | None) -> tuple[float, ...]:
    """Return IoU and score after one action, the score after three, and actions to the goal.

    One more than the most: it was never reached.
    """
    ious, scores = [], []
    for mask in islice(masks(session, truth, stroke), MOST):
        ious.append(iou(mask, truth))
        scores.append(score(mask, truth))
        if scores[-1] >= GOAL:
            break
    session.reject()
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
    rng = np.random.default_rng(0)
    files = sorted(p for p in arguments.images.iterdir() if p.name.startswith(arguments.starts))
    rng.shuffle(files)
    found: dict[str, list] = {"a stroke, then clicks": [], "clicks": []}
    predictor = Predictor.from_checkpoint("starter", "cpu")
    with (
        TemporaryDirectory() as folder,
        Session(Project.open(folder), predictor, recall=False, instant=False) as session,
    ):
        for file in files:
            if len(found["clicks"]) >= arguments.objects:
                break
            truths = read_image(arguments.masks / f"{file.stem}.png")
            session.open_image(to_rgb8(read_image(file)), file.name)
            for number in np.unique(truths[truths > 0])[:3]:
                truth = truths == number
                if truth.sum() < 40 or len(found["clicks"]) >= arguments.objects:
                    continue
                path = by_hand(centre_line(truth), rng, arguments.hand)
                for name, stroke in (("a stroke, then clicks", path), ("clicks", None)):
                    found[name].append(worth(session, truth, stroke))
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
