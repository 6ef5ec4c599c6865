"""One training step: an image is encoded once and clicked on many times.

The recipe is SAM's (Kirillov et al. 2023, appendix A): focal and dice loss, squared error of the
predicted IoU; a first point or box, then corrections with the previous logits as mask input. The
three candidates of a lone point learn levels (whole, part) as well as whatever suits them best.
Every round is backpropagated on its own into the embedding, which is backpropagated into the
encoder once.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.starter import prompting

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

    from napari_sam_tune.starter.batches import Batch
    from napari_sam_tune.starter.prompting import Prompts

FOCAL_WEIGHT: Final = 10.0
QUALITY_WEIGHT: Final = 5.0
"""Of the squared error of the predicted IoU. The absolute error (sam2) teaches the median, and the
IoU of a first click is near 0 or near 1: the head then chose one candidate for nearly every image,
.08 to .10 worse than the best of the three."""
RANKING_WEIGHT: Final = 0.2
"""Of the cross entropy that names the best candidate of a lone point: the error of the predicted
IoU hardly changes with the order of three masks that are nearly as good."""
RANKING_SCALE: Final = 10.0
"""Turns predicted IoU into the logits of that cross entropy."""
BEST_WEIGHT: Final = 0.5
"""Of the best candidate's loss, beside the one whose level the target has."""
FOCAL_ALPHA: Final = 0.5
"""SAM's .25 lets a px outside weigh three times a px inside: large faint defects came out ragged
and far too small. From the same weights, 200 steps of the decoder with .5 in its place: IoU from a
box .54 against .47, first click .40 against .37 (56 objects on magnetic tiles)."""
FOCAL_GAMMA: Final = 2.0
MASK_INPUT_CHANCE: Final = 0.85
"""Share of correction rounds that see the previous logits."""
BOX_CHANCE: Final = 0.4
AUXILIARY_WEIGHT: Final = 1.0
LOGIT_LIMIT: Final = 20.0
"""Previous logits are clamped to this, so that one certain px cannot drown the mask encoder."""


@dataclasses.dataclass(frozen=True)
class StepRecord:
    """What one step did: mean losses, IoU (not differentiable) after each trained round."""

    loss: float
    auxiliary: float
    first_iou: float
    last_iou: float
    rounds: int
    seconds: float


class DefectMap(nn.Module):
    """A training-only head: the union of all defects, straight from the embedding.

    (B, C, S / 8, S / 8) to (B, S / 2, S / 2) logits. It gives the encoder a dense gradient from
    the first step, long before the decoder has learnt to read a click; it is not shipped.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, 16, 1)
        if self.project.bias is not None:
            nn.init.constant_(self.project.bias, -2.0)  # most px are sound

    def forward(self, embedding: Tensor) -> Tensor:
        """See the class."""
        return functional.pixel_shuffle(self.project(embedding), 4)[:, 0]


def normalise(sam: Sam, images: Tensor, sizes: Tensor) -> Tensor:
    """As `Sam.preprocess`: normalise the content, keep the padding at 0."""
    scaled: Tensor = (images.float() - sam.pixel_mean) / sam.pixel_std
    place = torch.arange(images.shape[-1], device=images.device)
    rows = place[None, :] < sizes[:, :1]
    cols = place[None, :] < sizes[:, 1:]
    return scaled * (rows[:, None, :, None] & cols[:, None, None, :])


def iou(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU (N, M) of thresholded logits (N, M, G, G) with truth (N, G, G); 1 if both are empty."""
    predicted, truth = logits > 0, truth[:, None]
    union = (predicted | truth).sum((2, 3))
    return torch.where(union == 0, 1.0, (predicted & truth).sum((2, 3)) / union.clamp(min=1))


def mask_losses(logits: Tensor, truth: Tensor, balance: float = 0.0) -> Tensor:
    """Focal and dice loss of each of M masks, (N, M).

    `balance` from 0 to 1 puts cross entropy with equal weight inside and outside in the focal
    term's place: focal loss alone first teaches that every mask is empty.
    """
    target = truth[:, None].float().expand_as(logits)
    probability = logits.sigmoid()
    cross = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    miss = probability + target - 2 * probability * target
    alpha = FOCAL_ALPHA * target + (1 - FOCAL_ALPHA) * (1 - target)
    dense = (1 - balance) * FOCAL_WEIGHT * (alpha * cross * miss**FOCAL_GAMMA).mean((2, 3))
    if balance > 0:
        inside = (cross * target).sum((2, 3)) / target.sum((2, 3)).clamp(min=1)
        outside = (cross * (1 - target)).sum((2, 3)) / (1 - target).sum((2, 3)).clamp(min=1)
        dense = dense + balance * (inside + outside) / 2
    overlap = 2 * (probability * target).sum((2, 3))
    dice = 1 - (overlap + 1) / (probability.sum((2, 3)) + target.sum((2, 3)) + 1)
    return dense + dice


def round_loss(
    logits: Tensor,
    quality: Tensor,
    truth: Tensor,
    parts: Tensor,
    ambiguous: Tensor,
    balance: float = 0.0,
) -> Tensor:
    """Loss of one round, a scalar.

    logits (N, 4, G, G) or (N, 1, G, G). The single mask always learns. Where `ambiguous` (N,), a
    lone point, so do the others, each at its own level of the hierarchy that SAM's three masks
    stand for: the first learns whole defects, the second `parts` (N,), and the best of the three
    learns again, which gives the third its niche. The IoU head learns on every mask, and which of
    the three is best.
    """
    losses = mask_losses(logits, truth, balance)
    total = losses[:, 0].mean()
    true = iou(logits.detach(), truth)
    total = total + QUALITY_WEIGHT * ((quality - true) ** 2).mean()
    if losses.shape[1] > 1:
        candidates, lone = losses[:, 1:], ambiguous / ambiguous.sum().clamp(min=1)
        own = torch.where(parts, candidates[:, 1], candidates[:, 0])
        ranking = functional.cross_entropy(
            RANKING_SCALE * quality[:, 1:], true[:, 1:].argmax(1), reduction="none"
        )
        best = candidates.min(1).values
        total = total + ((own + BEST_WEIGHT * best + RANKING_WEIGHT * ranking) * lone).sum()
    return total


def auxiliary_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Balanced cross entropy and dice of the defect map (B, G, G)."""
    target = truth.float()
    share = target.mean().clamp(0.02, 0.5)
    cross = functional.binary_cross_entropy_with_logits(logits, target, pos_weight=0.3 / share)
    probability = logits.sigmoid()
    overlap = 2 * (probability * target).sum((1, 2))
    dice = 1 - (overlap + 1) / (probability.sum((1, 2)) + target.sum((1, 2)) + 1)
    return cross + dice.mean()


def chosen(logits: Tensor, quality: Tensor, ambiguous: Tensor) -> Tensor:
    """The logits (N, G, G) a person is shown.

    Of a lone point the candidate with the best predicted IoU, else the single mask.
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    best = 1 + quality[:, 1:].argmax(1)
    index = torch.where(ambiguous, best, 0)
    return logits[torch.arange(len(logits), device=logits.device), index]


def train_step(
    sam: Sam,
    head: DefectMap,
    batch: Batch,
    generator: torch.Generator,
    *,
    corrections: int,
    bf16: bool,
    balance: float = 0.0,
) -> StepRecord:
    """Accumulate the gradients of one batch.

    The first round, the last and one in between are trained; the others only run forward, to reach
    the states that many clicks lead to.
    """
    began = time.monotonic()
    device = sam.device
    set_image_size(sam, batch.images.shape[-1])
    images = torch.from_numpy(batch.images).to(device)
    truth = torch.from_numpy(batch.targets).to(device)
    objects = truth.shape[1]
    truth = truth.flatten(0, 1)
    parts = torch.from_numpy(batch.parts).to(device).flatten()
    pixels = normalise(sam, images, torch.from_numpy(batch.sizes).to(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        encoded = sam.image_encoder(pixels)
    embedding = encoded.detach().float().requires_grad_()

    auxiliary = AUXILIARY_WEIGHT * auxiliary_loss(
        head(embedding), torch.from_numpy(batch.defects).to(device)
    )
    auxiliary.backward()  # type: ignore[no-untyped-call]

    prompts, boxed = _first_prompts(truth, generator)
    middle = int(torch.randint(1, corrections + 1, (1,), generator=generator)) if corrections else 0
    trained = {0, middle, corrections}
    previous: Tensor | None = None
    losses: list[float] = []
    first = last = 0.0
    for turn in range(corrections + 1):
        if previous is not None:
            prompts = prompts.with_clicks(*prompting.correction(previous > 0, truth, generator))
        seen = previous if float(torch.rand(1, generator=generator)) < MASK_INPUT_CHANCE else None
        with (
            torch.set_grad_enabled(turn in trained),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            logits, quality = answer(sam, embedding, objects, prompts, seen, 4 if turn == 0 else 1)
        if turn in trained:
            loss = round_loss(logits, quality, truth, parts, ~boxed, balance) / len(trained)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(float(loss.detach()))
        previous = chosen(logits.detach(), quality.detach(), ~boxed).clamp(
            -LOGIT_LIMIT, LOGIT_LIMIT
        )
        last = float(iou(previous[:, None], truth).mean())
        first = last if turn == 0 else first
    encoded.backward(embedding.grad.to(encoded.dtype))
    seconds = time.monotonic() - began
    return StepRecord(sum(losses), float(auxiliary.detach()), first, last, corrections, seconds)


def _first_prompts(truth: Tensor, generator: torch.Generator) -> tuple[Prompts, Tensor]:
    """A point or a box for each object (N, G, G), and which of them are boxes (N,)."""
    boxed = (torch.rand(len(truth), generator=generator) < BOX_CHANCE).to(truth.device)
    points = prompting.first_points(truth, generator)
    return prompting.mixed(points, prompting.first_boxes(truth, generator), boxed), boxed


def answer(
    sam: Sam, embedding: Tensor, objects: int, prompts: Prompts, seen: Tensor | None, masks: int
) -> tuple[Tensor, Tensor]:
    """Logits (N, masks, G, G) and predicted IoU (N, masks) of one round.

    embedding (B, C, h, w) with `objects` prompts each, N = B·objects; `seen` (N, G, G) are the
    previous logits or None.
    """
    encoder = sam.prompt_encoder
    sparse = prompting.embed(encoder, prompts)
    mask_input = None if seen is None else seen[:, None]
    dense = encoder.dense(prompts.coords, prompts.labels, mask_input)
    logits, quality = sam.mask_decoder.predict_masks(
        image_embeddings=embedding.repeat_interleave(objects, dim=0),
        image_pe=encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )
    return logits[:, :masks].float(), quality[:, :masks].float()
