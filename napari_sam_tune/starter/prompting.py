"""Simulated people: where they click, which box they draw, what they correct.

Everything is batched on the device. Masks are (N, G, G) bool at the logits' resolution, points are
(x, y) in px of the encoder's input. Prompts are kept as tokens of one layout, so that objects
started with a point and objects started with a box share a batch: a point and segment-anything's
padding token, or the two corners of a box, and then one more token for each correction.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn import functional

from napari_sam_tune.starter.batches import LOGIT_STRIDE

if TYPE_CHECKING:
    from segment_anything.modeling import PromptEncoder

PADDING: Final = -1
NEGATIVE: Final = 0
POSITIVE: Final = 1
TOP_LEFT: Final = 2
BOTTOM_RIGHT: Final = 3
BOX_NOISE: Final = 0.1
BOX_NOISE_PX: Final = 20.0
TIGHT: Final = 0.4
"""Share of boxes whose noise is a tenth of that: people who draw carefully."""
LOOSE: Final = 0.3
"""Share of boxes that are made larger by up to `LOOSENESS` of their sides."""
LOOSENESS: Final = 0.3
CENTRED: Final = 0.5
"""Share of clicks in the middle of a region, as careful people click; the rest fall anywhere."""
CONFIRMING: Final = 0.1
"""Share of corrections that click where the answer is right already: it must not get worse."""
SCALES: Final = (3, 7, 15, 31, 63)


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Tokens of N objects: `coords` (N, T, 2) as (x, y) px and `labels` (N, T) as above."""

    coords: Tensor
    labels: Tensor

    def with_clicks(self, coords: Tensor, labels: Tensor) -> Prompts:
        """One more click for each object: `coords` (N, 2), `labels` (N,)."""
        return Prompts(
            torch.cat([self.coords, coords[:, None]], dim=1),
            torch.cat([self.labels, labels[:, None]], dim=1),
        )


def depth(region: Tensor) -> Tensor:
    """How deep inside `region` (N, G, G) each px lies: mean filled share of boxes of all sizes.

    A batched stand-in for the distance transform, from one integral image. Borders count as
    outside; px outside the region get 0.
    """
    filled = region.float()
    size = region.shape[-1]
    most = max(SCALES) // 2
    table = functional.pad(filled, (most + 1, most, most + 1, most)).cumsum(1).cumsum(2)
    total = torch.zeros_like(filled)
    for scale in SCALES:
        low, high = most - scale // 2, most + scale // 2 + 1
        rows = table[:, high : high + size] - table[:, low : low + size]
        box = rows[:, :, high : high + size] - rows[:, :, low : low + size]
        total.add_(box, alpha=1 / scale**2)
    return total * filled


def _draw(weights: Tensor, generator: torch.Generator) -> Tensor:
    """One px index into the flattened (N, G·G) `weights` for each object, in proportion."""
    mass = weights.flatten(1).float().cumsum(1)
    share = torch.rand(len(mass), 1, generator=generator).clamp(1e-6, 1 - 1e-6).to(mass.device)
    index = torch.searchsorted(mass, share * mass[:, -1:])
    return index[:, 0].clamp(max=mass.shape[1] - 1)


def _pixel_centre(index: Tensor, size: int) -> Tensor:
    """Flat logit px index (N,) to (x, y) input px (N, 2), the centre of that logit px."""
    column, row = index % size, index // size
    return torch.stack([column, row], dim=1).float() * LOGIT_STRIDE + (LOGIT_STRIDE - 1) / 2


def _pick(region: Tensor, weight: Tensor, generator: torch.Generator) -> Tensor:
    """A px index in each `region`: the deepest by `weight` or, now and then, any."""
    anywhere = _draw(region, generator)
    middle = weight.flatten(1).argmax(1)
    careful = torch.rand(len(region), generator=generator) < CENTRED
    return torch.where(careful.to(region.device), middle, anywhere)


def first_points(masks: Tensor, generator: torch.Generator) -> Prompts:
    """One point inside each mask, and the padding token."""
    index = _pick(masks, depth(masks), generator)
    points = _pixel_centre(index, masks.shape[-1])
    coords = torch.stack([points, torch.zeros_like(points)], dim=1)
    labels = torch.tensor([POSITIVE, PADDING], device=masks.device).expand(len(masks), 2)
    return Prompts(coords, labels.clone())


def boxes_of(masks: Tensor) -> Tensor:
    """Tight boxes (N, 4) as (x0, y0, x1, y1) in input px of masks that are not empty."""
    size = masks.shape[-1]
    place = torch.arange(size, device=masks.device).float()
    sides = []
    for axis in (1, 2):  # any over rows leaves columns: x first
        seen = masks.any(dim=axis)
        low = torch.where(seen, place, size).amin(1)
        high = torch.where(seen, place, -1).amax(1)
        sides.append((low * LOGIT_STRIDE, (high + 1) * LOGIT_STRIDE - 1))
    return torch.stack([sides[0][0], sides[1][0], sides[0][1], sides[1][1]], dim=1)


def first_boxes(masks: Tensor, generator: torch.Generator) -> Prompts:
    """A box around each mask: tight, noisy (a tenth of its sides, at most 20 px), or loose."""
    box = boxes_of(masks)
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    spread = (sides * BOX_NOISE).clamp(1.0, BOX_NOISE_PX)
    kind = torch.rand(len(box), 1, generator=generator)
    noise = torch.randn(box.shape, generator=generator).clamp(-2, 2)
    noise = torch.where(kind < TIGHT, 0.1 * noise, noise).to(box.device)
    outwards = sides.new_tensor([-1.0, -1.0, 1.0, 1.0]) * sides * LOOSENESS
    share = torch.rand(box.shape, generator=generator) * (kind > 1 - LOOSE)
    limit = masks.shape[-1] * LOGIT_STRIDE - 1
    box = (box + noise * spread + outwards * share.to(box.device)).clamp(0, limit)
    labels = torch.tensor([TOP_LEFT, BOTTOM_RIGHT], device=masks.device)
    return Prompts(box.view(-1, 2, 2), labels.expand(len(masks), 2).clone())


def mixed(points: Prompts, boxes: Prompts, boxed: Tensor) -> Prompts:
    """`boxes` where `boxed` (N,) is true, `points` elsewhere."""
    coords = torch.where(boxed[:, None, None], boxes.coords, points.coords)
    return Prompts(coords, torch.where(boxed[:, None], boxes.labels, points.labels))


def correction(
    predicted: Tensor, truth: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The next click of each object: coords (N, 2) and labels (N,).

    In the middle of the largest error, missed or wrong, or anywhere in the error; where there is
    none, and now and then elsewhere, anywhere in what was found of the object.
    """
    missed, wrong = truth & ~predicted, predicted & ~truth
    error = missed | wrong
    perfect = ~error.flatten(1).any(1)
    found = truth & predicted
    confirming = torch.rand(len(truth), generator=generator).to(truth.device) < CONFIRMING
    perfect = perfect | (confirming & found.flatten(1).any(1))
    error = torch.where(perfect[:, None, None], found, error)
    index = _pick(error, depth(missed) + depth(wrong), generator)
    index = torch.where(perfect, _draw(error, generator), index)
    label = truth.flatten(1).gather(1, index[:, None])[:, 0].long()
    return _pixel_centre(index, truth.shape[-1]), label


def embed(encoder: PromptEncoder, prompts: Prompts) -> Tensor:
    """Sparse embeddings (N, T, C): what `PromptEncoder` makes of the same points and boxes."""
    embedded: Tensor = encoder.pe_layer.forward_with_coords(
        prompts.coords + 0.5, encoder.input_image_size
    )
    labels = prompts.labels[..., None]
    embedded = torch.where(labels == PADDING, encoder.not_a_point_embed.weight[0], embedded)
    for kind, layer in enumerate(encoder.point_embeddings):
        embedded = embedded + (labels == kind) * layer.weight[0]
    return embedded
