"""A fixed synthetic examination: how good the answers are after 1, 3 and 5 clicks and for a box."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.starter import prompting
from napari_sam_tune.starter.batches import Batch, BatchSpec, make_batch
from napari_sam_tune.starter.rounds import LOGIT_LIMIT, answer, chosen, iou, normalise

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

VALIDATION_SEED: Final = 987_654_321
"""Far from any training seed: the images of the examination are never trained on."""
BATCHES: Final = 12
REAL_SIZE: Final = 512
"""Px of the real half of the examination: what photographs are shown at."""
CLICKS: Final = 5


@functools.lru_cache(maxsize=4)
def _examination(image_size: int, real: tuple[str, ...]) -> tuple[Batch, ...]:
    """96 images with one object each, the same for every run."""
    images = round(8 * (image_size / 256) ** 2)  # eight a batch, whatever the size
    spec = BatchSpec(
        max(1, images),
        1,
        (image_size,),
        VALIDATION_SEED,
        easing=False,
        real=real,
        real_share=1.0,
        judging=True,
    )
    return tuple(make_batch(spec, index) for index in range(BATCHES))


@torch.no_grad()
def validate(sam: Sam, image_size: int, real: tuple[str, ...] = ()) -> dict[str, float]:
    """Mean IoU at the logits' resolution: `iou_1`, `iou_3`, `iou_5`, `iou_box`.

    `first_best` is how often the candidate of the best predicted IoU is the best of the three, and
    `first_lost` by how much IoU the best of the three beats it. With folders of `real` photographs
    the same of those that never train, at `REAL_SIZE`, as `real_iou_1` and so on.
    """
    figures = _examined(sam, image_size, ())
    if real:
        of_real = _examined(sam, REAL_SIZE, real)
        figures |= {f"real_{name}": value for name, value in of_real.items()}
    return figures


def _examined(sam: Sam, image_size: int, real: tuple[str, ...]) -> dict[str, float]:
    set_image_size(sam, image_size)
    generator = torch.Generator().manual_seed(0)
    rows = [_examine(sam, batch, generator) for batch in _examination(image_size, real)]
    return {
        name: round(float(torch.cat([row[name] for row in rows]).mean()), 4) for name in rows[0]
    }


def _examine(sam: Sam, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    device = sam.device
    truth = torch.from_numpy(batch.targets).to(device).flatten(0, 1)
    images = torch.from_numpy(batch.images).to(device)
    pixels = normalise(sam, images, torch.from_numpy(batch.sizes).to(device))
    with torch.autocast(device.type, torch.bfloat16):
        embedding = sam.image_encoder(pixels).float()
    result: dict[str, Tensor] = {}
    lone = torch.ones(len(truth), dtype=torch.bool, device=device)
    boxes = prompting.first_boxes(truth, generator)
    logits, _ = answer(sam, embedding, 1, boxes, None, 1)
    result["iou_box"] = iou(logits, truth)[:, 0]
    prompts = prompting.first_points(truth, generator)
    shown: Tensor | None = None
    for click in range(1, CLICKS + 1):
        if shown is not None:
            prompts = prompts.with_clicks(*prompting.correction(shown > 0, truth, generator))
        logits, quality = answer(sam, embedding, 1, prompts, shown, 4 if click == 1 else 1)
        shown = chosen(logits, quality, lone).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        if click == 1:
            true = iou(logits[:, 1:], truth)
            taken = quality[:, 1:].argmax(1)
            result["first_best"] = (true.argmax(1) == taken).float()
            result["first_lost"] = true.amax(1) - true.gather(1, taken[:, None])[:, 0]
        if click in (1, 3, 5):
            result[f"iou_{click}"] = iou(shown[:, None], truth)[:, 0]
    return result
