"""What a decoder is asked to be good at: the masks, and knowing how good they are.

20 · focal (γ 2; Lin et al. 2017) + dice (Milletari et al. 2016) of the best of the masks offered,
and |IoU predicted − IoU true| of all of them, as in sam2's `loss_fns` (Ravi et al. 2024). The loss
is taken on logits, never on a thresholded mask, whose gradient is zero.

Focal's α is .5 and not sam2's .25, which counts a missed pixel a third of a wrong one: in a short
round on few images that shrinks large, faint objects. One round of 40 × 6 prompts, magnetic tiles,
first starter, 30 held-out objects, change of the mean score: α .25 blowhole +.27, crack +.18,
fray −.16, uneven −.08 (all +.06, spread over objects .18); α .5 blowhole +.20, crack +.12,
fray −.05, uneven −.01 (all +.06, spread .11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

FOCAL_WEIGHT = 20.0
_ALPHA, _GAMMA = 0.5, 2.0


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean focal loss over pixels.

    Args:
        logits: (..., h, w).
        targets: (..., h, w), from 0 to 1.

    Returns:
        (...).

    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    probability = logits.sigmoid()
    agreement = probability * targets + (1 - probability) * (1 - targets)
    alpha = _ALPHA * targets + (1 - _ALPHA) * (1 - targets)
    return (alpha * (1 - agreement) ** _GAMMA * cross_entropy).mean(dim=(-2, -1))


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return 1 − dice, smoothed by one pixel; shapes as in `focal_loss`."""
    probability = logits.sigmoid()
    overlap = (probability * targets).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + targets.sum(dim=(-2, -1))
    return 1 - (2 * overlap + 1) / (total + 1)


def true_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the IoU of the mask drawn and the cells at least half covered; shapes as above."""
    drawn, wanted = logits > 0, targets >= 0.5
    overlap = (drawn & wanted).sum(dim=(-2, -1))
    return overlap / (drawn | wanted).sum(dim=(-2, -1)).clamp(min=1)


def prompt_loss(logits: Tensor, ious: Tensor, targets: Tensor, ambiguous: Tensor) -> Tensor:
    """Return the loss of each prompt.

    Args:
        logits: (N, 4, h, w) of all mask tokens, cropped to the image's part of the grid.
        ious: (N, 4) predicted.
        targets: (N, h, w), from 0 to 1, none of them empty.
        ambiguous: (N,) bool, where the three masks of a single point were offered; elsewhere only
            token 0 was.

    Returns:
        (N,).

    """
    # bf16, which autocast may have left, is too coarse for sums over a whole image
    logits, ious = logits.float(), ious.float()
    losses = logits.new_zeros(len(logits))
    for several, tokens in ((True, slice(1, None)), (False, slice(0, 1))):
        rows = torch.nonzero(ambiguous == several)[:, 0]
        if len(rows):
            chosen = _best_of(logits[rows, tokens], ious[rows, tokens], targets[rows])
            losses = losses.index_copy(0, rows, chosen)
    return losses


def _best_of(logits: Tensor, ious: Tensor, targets: Tensor) -> Tensor:
    """Return (N,) from logits (N, K, h, w), ious (N, K) and targets (N, h, w)."""
    wanted = targets[:, None].expand_as(logits)
    drawing = FOCAL_WEIGHT * focal_loss(logits, wanted) + dice_loss(logits, wanted)
    # the one shown first learns beside the best: the person's meaning is no longer a guess
    shown = drawing.gather(1, ious.argmax(dim=1, keepdim=True))[:, 0]
    # the masks that were not the best still learn to say so
    knowing = (ious - true_iou(logits.detach(), wanted)).abs()
    return (drawing.amin(dim=1) + shown) / 2 + knowing.mean(dim=1)
