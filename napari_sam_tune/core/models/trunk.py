"""An encoder in two halves: what stays frozen runs once an image, what learns runs in every step.

The trunk is the encoder up to the first block that learns; after all blocks comes SAM's neck. So
late LoRA reruns a few blocks, and training the neck, or a head on it, reruns the neck alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from segment_anything.modeling import ImageEncoderViT
from torch import Tensor

from napari_sam_tune.core.models.starter import StarterEncoder
from napari_sam_tune.core.models.starter_pyramid import PyramidEncoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

TrunkOutput = tuple[Tensor, ...]
"""Tokens (B, h, w, C), and what else a kind of encoder needs later on."""
Encoder = ImageEncoderViT | StarterEncoder | PyramidEncoder

_BLOCK = re.compile(r"^image_encoder\.blocks\.(\d+)\.")
_NECK = "image_encoder.neck."


def depth_of_trunk(encoder: nn.Module, learning: Iterable[str]) -> int | None:
    """Return how many blocks of an encoder stay frozen, from the first on.

    Args:
        encoder: of a SAM.
        learning: names of the parameters that learn, in the SAM.

    Returns:
        None where something before the blocks learns, or beside them, or the encoder is of another
        kind than the two known here: then nothing can be kept.

    """
    if not isinstance(encoder, Encoder):
        return None
    depth = len(encoder.blocks)
    for name in learning:
        if not name.startswith("image_encoder.") or name.startswith(_NECK):
            continue
        block = _BLOCK.match(name)
        if block is None:
            return None
        depth = min(depth, int(block[1]))
    return depth


def before(encoder: Any, pixels: Tensor, depth: int) -> TrunkOutput:
    """Run (B, 3, S, S) preprocessed pixels up to a block; tensors with the batch first."""
    kept: TrunkOutput = ()
    if isinstance(encoder, PyramidEncoder):
        tokens, fine = encoder.before_blocks(encoder.features(pixels))
        kept = (fine,)
    elif isinstance(encoder, StarterEncoder):
        fine = encoder.details(pixels)
        tokens, kept = encoder.stage16(fine).permute(0, 2, 3, 1), (fine,)
    else:
        tokens = encoder.patch_embed(pixels)
        if encoder.pos_embed is not None:
            tokens = tokens + encoder.pos_embed
    for block in encoder.blocks[:depth]:
        tokens = block(tokens)
    return tokens, *kept


def after(encoder: Any, trunk: TrunkOutput, depth: int) -> Tensor:
    """Run the blocks after a trunk, and the neck: (B, C, h, w) features."""
    tokens, *kept = trunk
    for block in encoder.blocks[depth:]:
        tokens = block(tokens)
    if isinstance(encoder, StarterEncoder | PyramidEncoder):
        joined = encoder.joined(kept[0], tokens)
    else:
        joined = tokens.permute(0, 3, 1, 2)
    features: Tensor = encoder.neck(joined)
    return features
