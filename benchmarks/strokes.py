"""Strokes a mask on cracks, beside clicks: how good after one, and how many to a score of .80.

The robot draws along the middle of what is still missing of a crack, from end to end of its longest
branch, with a hand that is some pixels off; the click robot is the one of `simulate`, answered by
the model as it is, looking closer where that is of use. Both stop after ten.

    python benchmarks/strokes.py DIR/images DIR/masks --objects 60
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from skimage.graph import MCP_Geometric
from skimage.morphology import skeletonize

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.stroke import snap
from napari_sam_tune.core.images.files import read_image, to_rgb8
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou, next_click, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

MOST, GOAL = 10, 0.80


def longest_path(missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the longest way along the middle of the largest part of a mask, (N, 2) rows first."""
    parts, count = ndimage.label(skeletonize(missing), np.ones((3, 3)))
    if not count:
        return np.argwhere(missing)[:1].astype(float)
    largest = np.bincount(parts.ravel())[1:].argmax() + 1
    thin = parts == largest
    cost = np.where(thin, 1.0, -1.0)
    start = tuple(np.argwhere(thin)[0])
    for _ in range(2):  # the farthest from anywhere is an end; the farthest from it the other
        ways = MCP_Geometric(cost)
        far, _ = ways.find_costs([start])
        far[~thin] = -1
        start = tuple(np.unravel_index(far.argmax(), far.shape))
    return np.array(ways.traceback(start), float)


def drawn(path: NDArray[np.float64], jitter: float, rng: np.random.Generator) -> list[tuple]:
    """Return a path as a hand draws it: off by some px, smoothly."""
    off = ndimage.gaussian_filter1d(rng.normal(0, 1, path.shape), 8, axis=0, mode="nearest")
    off *= jitter / max(off.std(), 1e-6) if len(path) > 8 else 0
    shaky = path + off
    return [(float(x), float(y)) for y, x in shaky[:: max(1, len(shaky) // 200)]]


def strokes(image: NDArray, truth: NDArray, jitter: float, rng: np.random.Generator) -> Iterator:
    """Yield the mask after each stroke."""
    mask = np.zeros_like(truth)
    while True:
        missing = truth & ~ndimage.binary_dilation(mask, iterations=2)
        path = longest_path(missing if missing.any() else truth & ~mask)
        if len(path) > 1:
            mask = mask | snap(image, drawn(path, jitter, rng))
        yield mask


def clicks(predictor: Predictor, truth: NDArray) -> Iterator:
    """Yield the mask after each click."""
    proposal, prompt = None, None
    while True:
        x, y, sign = next_click(None if proposal is None else proposal.mask, truth)
        prompt = Prompt([(x, y)], [sign]) if prompt is None else prompt.add_point(x, y, sign)
        proposal = predictor.propose(prompt, proposal, refiners=REFINERS)
        proposal = predictor.look_closer(proposal, refiners=REFINERS) or proposal
        yield proposal.mask


def worth(masks: Iterator, truth: NDArray) -> tuple[float, float, int]:
    """Return IoU and score after one action, and actions to the goal (one more than most: never)."""
    first: tuple[float, float] | None = None
    for number, mask in enumerate(masks, start=1):
        now = score(mask, truth)
        first = first or (iou(mask, truth), now)
        if now >= GOAL or number == MOST or (mask == truth).all():
            return *first, number if now >= GOAL else MOST + 1
    raise AssertionError("masks go on")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--jitter", type=float, default=2.0, help="standard deviation, in px")
    parser.add_argument("--starts", default="", help="of the names of the images meant")
    arguments = parser.parse_args()
    predictor = Predictor.from_checkpoint("starter", "cpu")
    rng = np.random.default_rng(0)
    files = sorted(p for p in arguments.images.iterdir() if p.name.startswith(arguments.starts))
    rng.shuffle(files)
    found: dict[str, list] = {"strokes": [], "clicks": []}
    for file in files:
        truths = read_image(arguments.masks / f"{file.stem}.png")
        image = to_rgb8(read_image(file))
        predictor.set_image(image)
        for number in np.unique(truths[truths > 0])[:3]:
            truth = truths == number
            if truth.sum() < 40 or len(found["clicks"]) >= arguments.objects:
                continue
            ways: dict[str, Callable[[], Iterator]] = {
                "strokes": lambda t=truth, i=image: strokes(i, t, arguments.jitter, rng),
                "clicks": lambda t=truth: clicks(predictor, t),
            }
            for name, way in ways.items():
                found[name].append(worth(way(), truth))
    table = Table("by", "objects", "IoU after 1", "score after 1", "to .80, mean", "never in 10")
    for name, rows in found.items():
        values = np.array(rows)
        never = int((values[:, 2] > MOST).sum())
        means = [f"{v:.2f}" for v in values.mean(axis=0)]
        table.add_row(name, str(len(values)), *means, str(never))
    Console().print(table)


if __name__ == "__main__":
    main()
