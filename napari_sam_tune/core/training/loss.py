"""What a decoder is asked to be good at: the masks, and knowing how good they are.

A loss is a sum of terms (`config.LOSSES`). The default is 20 · focal (γ 2; Lin et al. 2017) + dice
(Milletari et al. 2016) of the best of the masks offered, and |IoU predicted − IoU true| of all of
them, as in sam2's `loss_fns` (Ravi et al. 2024). The loss is taken on logits, never on a
thresholded mask, whose gradient is zero.

Focal's α is .5 and not sam2's .25, which counts a missed pixel a third of a wrong one: in a short
round on few images that shrinks large, faint objects. One round of 40 × 6 prompts, magnetic tiles,
first starter, 30 held-out objects, change of the mean score: α .25 blowhole +.27, crack +.18,
fray −.16, uneven −.08 (all +.06, spread over objects .18); α .5 blowhole +.20, crack +.12,
fray −.05, uneven −.01 (all +.06, spread .11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from napari_sam_tune.core.config import Term

_ALPHA, _GAMMA = 0.5, 2.0
_SURE: Final = 6.0
"""The logit that squared differences aim at, inside; its negative outside: a mask as sure as SAM's
own are. Squared differences of thresholded or squashed logits have no gradient where a mask is
missed altogether, those of the logits have one everywhere."""
_SURER: Final = 0.01
"""What a squared difference counts where a logit is surer than that, and right: the background's
reach −60 far from an object, and to unlearn them would be nearly all of the loss."""


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


def cross_entropy_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean binary cross entropy over pixels; shapes as in `focal_loss`."""
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return losses.mean(dim=(-2, -1))


def squared_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared difference to sure logits, of which 1 is a coin toss; shapes above.

    Least squares, as in LSGAN (Mao et al. 2017), but that being too sure of what is right hardly
    counts.
    """
    wanted = 2 * targets - 1
    difference = logits / _SURE - wanted
    weights = torch.where(difference * wanted > 0, _SURER, 1.0)
    return (weights * difference.square()).mean(dim=(-2, -1))


_DRAWING: Final[Mapping[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "focal": focal_loss,
    "dice": dice_loss,
    "cross_entropy": cross_entropy_loss,
    "squared": squared_loss,
}


def prompt_loss(
    logits: Tensor,
    ious: Tensor,
    targets: Tensor,
    ambiguous: Tensor,
    terms: Mapping[Term, float],
) -> Tensor:
    """Return the loss of each prompt.

    Args:
        logits: (N, 4, h, w) of all mask tokens, where the image is.
        ious: (N, 4) predicted.
        targets: (N, h, w), from 0 to 1, none of them empty.
        ambiguous: (N,) bool, where the three masks of a single point were offered; elsewhere only
            token 0 was.
        terms: weight of each term, `TrainConfig.loss_terms`.

    Returns:
        (N,).

    """
    # bf16, which autocast may have left, is too coarse for sums over a whole image
    logits, ious = logits.float(), ious.float()
    losses = logits.new_zeros(len(logits))
    for several, tokens in ((True, slice(1, None)), (False, slice(0, 1))):
        rows = torch.nonzero(ambiguous == several)[:, 0]
        if len(rows):
            chosen = _best_of(logits[rows, tokens], ious[rows, tokens], targets[rows], terms)
            losses = losses.index_copy(0, rows, chosen)
    return losses


def _best_of(logits: Tensor, ious: Tensor, targets: Tensor, terms: Mapping[Term, float]) -> Tensor:
    """Return (N,) from logits (N, K, h, w), ious (N, K) and targets (N, h, w)."""
    wanted = targets[:, None].expand_as(logits)
    drawing = logits.new_zeros(logits.shape[:2])
    for term, weight in terms.items():
        if term != "iou" and weight:
            drawing = drawing + weight * _DRAWING[term](logits, wanted)
    # the one shown first learns beside the best: the person's meaning is no longer a guess
    shown = drawing.gather(1, ious.argmax(dim=1, keepdim=True))[:, 0]
    # the masks that were not the best still learn to say so
    knowing = (ious - true_iou(logits.detach(), wanted)).abs().mean(dim=1)
    return (drawing.amin(dim=1) + shown) / 2 + terms.get("iou", 0.0) * knowing
