"""Making an answer agree with every click, by kriging what it lacks there.

SAM's decoder may leave a click unheeded: nothing ties the mask at the click to the click's sign,
and a correction seldom spreads to the pixels around it. Here the logits are taken as the mean of a
Gaussian process and the clicks as observations of it; the posterior mean (simple kriging;
Rasmussen and Williams 2006, chapter 2) is the answer. The covariance falls with the distance at
two scales (nested structures; Journel and Huijbregts 1978): most of what a click says is about its
surroundings, some about the whole object, whose outline is too tight or too loose all around. The
first clicks say about how much, the later ones exactly where: they are doubted less and less. A
click that is not clearly on its own side after that moves what lies next to it. Where every click
is heeded by a clear margin nothing changes. Where a guide says which places are alike, clicks also
speak, further off, for what is like the place clicked: the covariance of that part falls with the
distance and with the difference in the guide, as a bilateral filter's weights do (Tomasi and
Manduchi 1998). Guides are the image's grey values and what the pixel classifier makes of it.

Of its kin, backpropagating refinement (f-BRS, Sofiiuk et al. 2020) optimises features until clicks
are heeded; this is closed, takes a millisecond and knows no model. What it saves is in
`docs/en/explanation/trials.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_tune.core.answers.links import Asked

SURE: Final = 6.0
"""Logit that a click asks for: this inside the object, its negative outside."""
_STRUCTURES: Final = ((0.7, 9 / 256), (0.3, 36 / 256))
"""Variance, of 1 in all, and standard deviation, in sides of the logits, of each Gaussian in the
covariance: a click speaks for so much."""
_LIKE_IT: Final = (0.5, 36 / 256)
"""Variance of what a click says of places like its own; its standard deviation, in sides of the
logits."""
_LEAST: Final = 2.0
"""Logit that a click must have in the end, and with it what lies next to it."""
_NEXT_TO_IT: Final = ((1.0, 3 / 256),)
_HARDLY: Final = 0.02
"""Variance of the doubt about that; keeps close clicks solvable."""


@dataclass(frozen=True)
class HeedClicks:
    """What you click is in the mask, and what you take away is out of it.

    Attributes:
        is_guided: clicks also speak for what looks like their places.

    """

    is_guided: bool = True

    def refine(self, logits: Tensor, asked: Asked) -> Tensor:
        """See `Refiner.refine`."""
        if asked.clicks.shape[1] == 0:
            return logits
        guide = asked.guide if self.is_guided else None
        return heed_clicks(logits, asked.clicks, asked.labels, asked.side, guide)


def heed_clicks(
    logits: Tensor, coords: Tensor, labels: Tensor, side: int, guide: Tensor | None = None
) -> Tensor:
    """Return logits moved so that clicks lie on their own side of the border.

    Args:
        logits: (N, K, h, h) float, low-resolution answers to N prompts, K candidates each.
        coords: (N, T, 2) middles (x, y) of the pixels clicked, in px of the encoder's padded input.
        labels: (N, T), 1 inside the object, 0 outside; any other value is no click.
        side: of the encoder's input, in px.
        guide: (N, C, h, h), numbers of which C say what a place is like; those of places that are
            alike differ by less than 1.

    Returns:
        (N, K, h, h); `logits` itself where nothing had to change.

    """
    size = logits.shape[-1]
    cells = ((coords.float() + 0.5) * (size / side) - 0.5).clamp(0, size - 1)
    signs = (labels == 1).float() - (labels == 0).float()
    doubt = 1 / (1 + signs.abs().sum(dim=1))
    heeded = _kriged(logits, cells, signs, SURE, _STRUCTURES, doubt, guide)
    return _kriged(heeded, cells, signs, _LEAST, _NEXT_TO_IT, torch.full_like(doubt, _HARDLY))


def _kriged(
    logits: Tensor,
    cells: Tensor,
    signs: Tensor,
    asked: float,
    structures: tuple[tuple[float, float], ...],
    doubt: Tensor,
    guide: Tensor | None = None,
) -> Tensor:
    """Return the posterior mean (N, K, h, h), given clicks.

    Args:
        logits: (N, K, h, h), the mean.
        cells: (N, T, 2), where clicks are: (column, row), also between cells.
        signs: (N, T), 1 of clicks inside, -1 of those outside, 0 of what is no click.
        asked: logit of what a click says.
        structures: see `_STRUCTURES`.
        doubt: (N,), variance of what a click says.
        guide: see `heed_clicks`.

    """
    size = logits.shape[-1]
    # grid_sample's −1 and 1 are the middles of the first and the last cell
    places = cells[:, None] * (2 / (size - 1)) - 1
    said = functional.grid_sample(logits.float(), places, align_corners=True)[:, :, 0]  # (N, K, T)
    sign = signs[:, None]
    lacking = sign * (asked - sign * said).clamp(min=0)
    # a click heeded by a clear margin is none of our business
    if not bool((lacking != 0).any()):
        return logits
    line = torch.arange(size, device=logits.device, dtype=torch.float32)
    apart = ((cells[:, :, None] - cells[:, None]) ** 2).sum(-1)
    clicked = signs.abs()
    both = clicked[:, :, None] * clicked[:, None]
    covariance = doubt[:, None, None] * torch.eye(cells.shape[1]).to(apart)
    for variance, reach in structures:
        covariance = covariance + variance * _gaussian(apart, reach * size) * both
    like_variance, like_reach = _LIKE_IT
    if guide is not None:
        at = functional.grid_sample(guide.float(), places, align_corners=True)[:, :, 0]  # (N, C, T)
        alike = _gaussian(((at[..., :, None] - at[..., None, :]) ** 2).sum(1), 1.0)
        covariance = covariance + like_variance * _gaussian(apart, like_reach * size) * alike * both
    weights = torch.linalg.solve(covariance, lacking.float().transpose(1, 2))  # (N, T, K)
    field = torch.zeros_like(logits, dtype=torch.float32)
    for variance, reach in structures:
        across = _gaussian((line - cells[..., :1]) ** 2, reach * size) * clicked[..., None]
        down = _gaussian((line - cells[..., 1:]) ** 2, reach * size)  # (N, T, h)
        field = field + variance * torch.einsum("ntk,nty,ntx->nkyx", weights, down, across)
    if guide is not None:
        across = _gaussian((line - cells[..., :1]) ** 2, like_reach * size) * clicked[..., None]
        down = _gaussian((line - cells[..., 1:]) ** 2, like_reach * size)
        unlike = (at[..., None, None] - guide.float()[:, :, None]) ** 2  # (N, C, T, h, h)
        like = down[..., :, None] * across[..., None, :] * _gaussian(unlike.sum(1), 1.0)
        field = field + like_variance * torch.einsum("ntk,ntyx->nkyx", weights, like)
    return logits + field.to(logits.dtype)


def _gaussian(squares: Tensor, deviation: float) -> Tensor:
    """Return exp(-d² / 2σ²) of squared distances, in cells as the standard deviation is."""
    return (-0.5 / deviation**2 * squares).exp()
