"""What a loss is taken on: the logits' own cells, or points of the image itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.training.examples import Example

_ABOUT = 0.5
"""Share of the points about the object, within its box grown by half; the rest lie anywhere."""


def on_cells(examples: Sequence[Example], device: torch.device) -> Tensor:
    """Return what the logits' cells that see the image should say, (N, rows, columns) from 0 to 1.

    Raises:
        TrainingError: a mask is empty there.

    """
    targets = np.stack([example.target for example in examples])
    for example, target in zip(examples, targets, strict=True):
        if not target.any():
            raise TrainingError(
                tr(
                    "The mask {id} on {image} is empty: nothing could be learnt from it. Delete "
                    "it, or accept it again.",
                    id=example.annotation.id,
                    image=example.annotation.image_id,
                )
            )
    return torch.from_numpy(targets).to(device).float()


def at_points(
    logits: Tensor, examples: Sequence[Example], count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Sample logits and masks at pixels of the images (PointRend, Kirillov et al. 2020).

    Args:
        logits: (N, K, grid, grid).
        examples: N objects of one view.
        count: pixels for each, P.
        rng: draws them.

    Returns:
        (N, K, 1, P) logits, interpolated, and (N, 1, P) targets, 0 or 1.

    """
    places, wanted = zip(*(_points(example, count, rng) for example in examples), strict=True)
    side = examples[0].frame.side
    # grid_sample's −1 and 1 are the outer edges of the first and the last cell
    grid = torch.from_numpy(np.stack(places) + 0.5) * (2 / side) - 1
    sampled = functional.grid_sample(
        logits.float(),
        grid[:, None].to(logits.device, torch.float32),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    targets = torch.from_numpy(np.stack(wanted)[:, None]).to(logits.device, torch.float32)
    return sampled, targets


def _points(
    example: Example, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (P, 2) middles (x, y) of pixels, in input px, and (P,) whether the object is there."""
    mask, (y0, x0, y1, x1) = example.shown
    top, left, bottom, right = example.frame.window
    near = round(_ABOUT * count)
    about = []
    for low, high, start, end in ((y0, y1, top, bottom), (x0, x1, left, right)):
        margin = (high - low) // 4 + 2
        close = rng.integers(max(low - margin, start), min(high + margin, end), near)
        about.append(np.concatenate([close, rng.integers(start, end, count - near)]))
    rows, columns = about
    inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
    wanted = np.zeros(count, bool)
    wanted[inside] = mask[rows[inside] - y0, columns[inside] - x0]
    if not wanted.any():  # thinner than chance: no dice without a pixel of it
        row, column = np.argwhere(mask)[rng.integers(np.count_nonzero(mask))]
        rows[0], columns[0], wanted[0] = row + y0, column + x0, True
    at = example.frame.to_input(np.stack([columns, rows], axis=-1)) + example.frame.half_pixel
    return at.astype(np.float32), wanted
