"""Making an answer agree with every click, by kriging what it lacks there.

SAM's decoder may leave a click unheeded: nothing ties the mask at the click to the click's sign,
and a correction seldom spreads to the pixels around it. Here the logits are taken as the mean of a
Gaussian process with a Gaussian covariance of the distance, and the clicks as observations of it;
the posterior mean (simple kriging; Rasmussen and Williams 2006, chapter 2) is the answer. Where
every click is heeded by a clear margin nothing changes. Of its kin, backpropagating refinement
(f-BRS, Sofiiuk et al. 2020) optimises features until clicks are heeded; this is closed, takes a
millisecond and knows no model. What it saves is in `docs/learning.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

SURE: Final = 6.0
"""Logit that a click asks for: this inside the object, its negative outside."""
REACH: Final = 9 / 256
"""Standard deviation of the covariance, in sides of the logits: a click speaks for so much."""
_DOUBT: Final = 0.05
"""Variance of what a click says, in variances of the process; keeps close clicks solvable."""


def heed_clicks(logits: Tensor, coords: Tensor, labels: Tensor, side: int) -> Tensor:
    """Return logits moved so that clicks lie on their own side of the border.

    Args:
        logits: (N, K, h, h) float, low-resolution answers to N prompts, K candidates each.
        coords: (N, T, 2) positions (x, y) in px of the encoder's padded input.
        labels: (N, T), 1 inside the object, 0 outside; any other value is no click.
        side: of the encoder's input, in px.

    Returns:
        (N, K, h, h); `logits` itself where nothing had to change.

    """
    size = logits.shape[-1]
    cells = ((coords.float() + 0.5) * (size / side) - 0.5).round().clamp(0, size - 1)
    clicked = (labels == 1) | (labels == 0)
    columns, rows = cells.long().unbind(-1)
    prompts = torch.arange(len(logits), device=logits.device)[:, None]
    said = logits[prompts, :, rows, columns].transpose(1, 2)  # (N, K, T)
    sign = torch.where(labels == 1, 1.0, -1.0)[:, None]
    lacking = sign * (SURE - sign * said).clamp(min=0) * clicked[:, None]
    # a click heeded by a clear margin is none of our business
    if not bool((lacking != 0).any()):
        return logits
    line = torch.arange(size, device=logits.device, dtype=torch.float32)
    scale = -0.5 / (REACH * size) ** 2
    across = (scale * (line - cells[..., :1]) ** 2).exp() * clicked[..., None]  # (N, T, h)
    down = (scale * (line - cells[..., 1:]) ** 2).exp()
    apart = ((cells[:, :, None] - cells[:, None]) ** 2).sum(-1)
    both = clicked[:, :, None] & clicked[:, None]
    covariance = (scale * apart).exp() * both + _DOUBT * torch.eye(cells.shape[1]).to(apart)
    weights = torch.linalg.solve(covariance, lacking.float().transpose(1, 2))  # (N, T, K)
    field = torch.einsum("ntk,nty,ntx->nkyx", weights, down, across)
    return logits + field.to(logits.dtype)
