"""An encoder in two halves: what stays frozen runs once an image, what learns runs in every step.

The trunk is the encoder up to the first block that learns; after all blocks comes SAM's neck. So
late LoRA reruns a few blocks, and training the neck, or a head on it, reruns the neck alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor

from napari_sam_tune.core.models.modeling import ImageEncoderViT

if TYPE_CHECKING:
    from collections.abc import Iterable

TrunkOutput = tuple[Tensor, ...]
"""Tokens (B, h, w, C), and what else a kind of encoder needs later on."""
NECK: Final = "image_encoder.neck."
"""What the names of the neck's parameters begin with in the SAM."""

_BLOCK = re.compile(r"^image_encoder\.blocks\.(\d+)\.")


class _SamViT:
    """segment-anything's own encoder, with the methods that encoders of ours with blocks have."""

    def __init__(self, encoder: ImageEncoderViT) -> None:
        self._encoder, self.blocks = encoder, encoder.blocks

    def before_blocks(self, image: Tensor) -> TrunkOutput:
        """Run preprocessed pixels up to the first block."""
        tokens: Tensor = self._encoder.patch_embed(image)
        if self._encoder.pos_embed is not None:
            tokens = tokens + self._encoder.pos_embed
        return (tokens,)

    def after_blocks(self, trunk: TrunkOutput) -> Tensor:
        """Run what comes after the last block, the neck too."""
        embedding: Tensor = self._encoder.neck(trunk[0].permute(0, 3, 1, 2))
        return embedding


@dataclass(frozen=True, eq=False)
class Halves:
    """An encoder, cut.

    Attributes:
        encoder: with a row of `blocks`, `before_blocks` and `after_blocks`.
        depth: blocks in the first half.

    """

    encoder: Any
    depth: int

    def before(self, image: Tensor) -> TrunkOutput:
        """Run (B, 3, S, S) preprocessed pixels up to the cut; tensors with the batch first."""
        tokens, *kept = self.encoder.before_blocks(image)
        for block in self.encoder.blocks[: self.depth]:
            tokens = block(tokens)
        return tokens, *kept

    def after(self, trunk: TrunkOutput) -> Tensor:
        """Run what comes after the cut: (B, C, h, w) features."""
        tokens, *kept = trunk
        for block in self.encoder.blocks[self.depth :]:
            tokens = block(tokens)
        features: Tensor = self.encoder.after_blocks((tokens, *kept))
        return features


def in_halves(encoder: Any, learning: Iterable[str]) -> Halves | None:
    """Cut an encoder behind as many blocks as stay frozen, from the first on.

    Args:
        encoder: of a SAM.
        learning: names of the parameters that learn, in the SAM.

    Returns:
        None where something before the blocks learns, or beside them, or the encoder has no row of
        blocks: then nothing can be kept.

    """
    if isinstance(encoder, ImageEncoderViT):
        encoder = _SamViT(encoder)
    if not hasattr(encoder, "before_blocks"):
        return None
    depth = len(encoder.blocks)
    for name in learning:
        if not name.startswith("image_encoder.") or name.startswith(NECK):
            continue
        block = _BLOCK.match(name)
        if block is None:
            return None
        depth = min(depth, int(block[1]))
    return Halves(encoder, depth)
