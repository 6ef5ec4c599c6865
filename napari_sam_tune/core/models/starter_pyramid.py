"""The second starter's architecture: EfficientNet-Lite0's features, a pyramid, attention, SAM.

ImageNet's features (`efficientnet`) tell defects from surfaces far better than what made-up
pictures teach in days. A feature pyramid (Lin et al. 2017) brings strides 32 and 16 together, a few
of segment-anything's own attention blocks look across the whole image there, and details of strides
8 and 4 join on the way to an embedding at stride 8. Prompt encoder, two-way transformer and mask
decoder are those of the first starter (`models.starter`), weight for weight the same shapes.

While the trunk keeps its ImageNet weights (it is *frozen*), weights files leave it out: it comes
with the dependency, and its features are those the pixel classifier learns on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.models import efficientnet
from napari_sam_tune.core.models.modeling import LayerNorm2d
from napari_sam_tune.core.models.starter import (
    ATTENTION_BLOCKS,
    ATTENTION_HEADS,
    EMBED_DIM,
    IMAGE_SIZE,
    STAGE_WIDTHS,
    ChannelNorm,
    ResidualBlock,
    attention_block,
    sam_around,
)
from napari_sam_tune.core.models.trunk import Halves, TrunkOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segment_anything.modeling import Sam

ARCHITECTURE: Final = "starter-efficientnet-pyramid"
ARCHITECTURE_VERSION: Final = 1
TRUNK: Final = "image_encoder.trunk."
"""Names of the trunk's parameters in the SAM begin so."""
SIDE_BY_SIDE: Final = (
    4 * efficientnet.CHANNELS[4],
    efficientnet.CHANNELS[8],
    efficientnet.CHANNELS[16],
)
"""Channels of the trunk's features of strides 4, 8 and 16, brought to stride 8."""
_FINE, _DEEP = STAGE_WIDTHS[2:]


class PyramidEncoder(nn.Module):
    """Image to embedding: (B, 3, S, S) float to (B, EMBED_DIM, S / 8, S / 8).

    The input is normalised as EfficientNet-Lite wants it. `img_size` is what `Sam.preprocess` pads
    to, a multiple of 32; no weight depends on it.
    """

    def __init__(self, img_size: int = IMAGE_SIZE) -> None:
        super().__init__()
        if img_size < 64 or img_size % 32:
            raise ValueError(f"image size must be a multiple of 32 and at least 64, not {img_size}")
        self.img_size = img_size
        channels = efficientnet.CHANNELS
        self.trunk = efficientnet.EfficientNetLite0()
        self.lateral32 = _lateral(channels[32], _DEEP)
        self.lateral16 = _lateral(channels[16], _DEEP)
        self.blocks = nn.ModuleList(
            attention_block(_DEEP, ATTENTION_HEADS) for _ in range(ATTENTION_BLOCKS)
        )
        self.context = nn.Sequential(ChannelNorm(_DEEP), nn.Conv2d(_DEEP, _FINE, 1))
        self.lateral8 = _lateral(channels[8], _FINE)
        # four cells of stride 4 beside each other are one of stride 8
        self.lateral4 = nn.Sequential(
            ChannelNorm(channels[4]), nn.Conv2d(channels[4], _FINE, 4, stride=2, padding=1)
        )
        self.fuse = nn.Sequential(ResidualBlock(_FINE), ResidualBlock(_FINE))
        self.neck = nn.Sequential(
            nn.Conv2d(_FINE, EMBED_DIM, 1, bias=False),
            LayerNorm2d(EMBED_DIM),
            nn.Conv2d(EMBED_DIM, EMBED_DIM, 3, padding=1, bias=False),
            LayerNorm2d(EMBED_DIM),
        )
        self._initialise()

    def _initialise(self) -> None:
        """He initialisation outside the trunk, residual branches damped."""
        for name, module in self.named_modules():
            if name.startswith("trunk."):
                continue
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, ResidualBlock):
                module.conv2.weight.data.mul_(0.3)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return self.embed(self.features(image))

    def features(self, image: Tensor) -> dict[int, Tensor]:
        """Run the trunk: its features by stride, see `EfficientNetLite0`."""
        found: dict[int, Tensor] = self.trunk(image)
        return found

    def embed(self, features: dict[int, Tensor]) -> Tensor:
        """Embedding of an image whose features are known."""
        return Halves(self, 0).after(self._gathered(features))

    def side_by_side(self, image: Tensor, trunk: Mapping[str, Tensor]) -> Tensor:
        """Features of strides 4, 8 and 16 at stride 8, one after the other: (B, C, S / 8, S / 8).

        Four cells of stride 4 beside each other are one of stride 8; stride 16 is repeated.
        `trunk` holds tensors by name to use in place of the trunk's own.
        """
        found = torch.func.functional_call(self.trunk, dict(trunk), (image,))
        fine = functional.pixel_unshuffle(found[4], 2)
        deep = functional.interpolate(found[16], scale_factor=2.0, mode="nearest")
        return torch.cat([fine, found[8], deep], dim=1)

    def before_blocks(self, image: Tensor) -> TrunkOutput:
        """Run the trunk, and what gathers its features."""
        return self._gathered(self.features(image))

    def _gathered(self, features: dict[int, Tensor]) -> TrunkOutput:
        """Tokens (B, S / 16, S / 16, C) for the attention blocks, and details (B, C', S / 8, …)."""
        deep = functional.interpolate(
            self.lateral32(features[32]), size=features[16].shape[-2:], mode="nearest"
        )
        tokens = (self.lateral16(features[16]) + deep).permute(0, 2, 3, 1)
        return tokens, self.lateral8(features[8]) + self.lateral4(features[4])

    def after_blocks(self, trunk: TrunkOutput) -> Tensor:
        """Fuse details with the tokens' context, and run the neck."""
        tokens, fine = trunk
        context = self.context(tokens.permute(0, 3, 1, 2))
        context = functional.interpolate(context, size=fine.shape[-2:], mode="nearest")
        embedding: Tensor = self.neck(self.fuse(fine + context))
        return embedding


def _lateral(before: int, after: int) -> nn.Sequential:
    """Bring a stage's features, whose scales differ tenfold, to a common width and scale."""
    return nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, 1))


def build_pyramid_starter(image_size: int = IMAGE_SIZE) -> Sam:
    """An untrained second starter in eval mode, its trunk not read yet.

    `image_size` is the longest side in px; prompts are given in that frame, as (x, y).
    """
    return sam_around(
        PyramidEncoder(image_size),
        pixel_mean=[efficientnet.MEAN] * 3,
        pixel_std=[efficientnet.DEVIATION] * 3,
    )


def trunk_state() -> dict[str, Tensor]:
    """The ImageNet trunk by its names in the SAM.

    Raises:
        CheckpointMissing, CheckpointError: see `efficientnet.imagenet_state`.

    """
    return {TRUNK + name: tensor for name, tensor in efficientnet.imagenet_state().items()}


def with_trunk(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete a state dict that leaves the ImageNet trunk out; one that has a trunk stays.

    Raises:
        CheckpointMissing, CheckpointError: see `efficientnet.imagenet_state`.

    """
    if any(name.startswith(TRUNK) for name in state):
        return dict(state)
    return {**state, **{name: tensor.clone() for name, tensor in trunk_state().items()}}


def has_imagenet_trunk(state: Mapping[str, Tensor]) -> bool:
    """Whether a second starter's trunk, by its names in the SAM, is as ImageNet made it."""
    return all(
        torch.equal(state[name].cpu().float(), tensor) for name, tensor in trunk_state().items()
    )
