"""The starter's architecture: segment-anything's own `Sam` around a compact encoder of ours.

The prompt encoder, the two-way transformer and the mask decoder are segment-anything 1.0's
(Kirillov et al., "Segment Anything", 2023), only narrower. The image encoder is a plain residual
convolution stem, global attention blocks at stride 16 and a fusion back up to stride 8: at
stride 16 most real cracks are thinner than one cell and cannot be drawn at all.

Nothing in the encoder depends on the input's size, and the prompt encoder's positional Gaussian is
scale free, so one state dict serves every `image_size`: it is trained mostly at 256 px and used
at 512 px.
"""

from __future__ import annotations

from typing import Final

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn
from torch.nn import functional

ARCHITECTURE: Final = "starter-conv-attention"
ARCHITECTURE_VERSION: Final = 1

IMAGE_SIZE: Final = 512
"""Longest side of the encoder's input, in px."""
STRIDE: Final = 8
"""Input px per embedding cell."""
EMBED_DIM: Final = 128
"""Channels of the image embedding and width of the mask decoder."""
STAGE_WIDTHS: Final = (32, 64, 128, 256)
"""Channels at strides 2, 4, 8 and 16."""
STAGE_DEPTHS: Final = (1, 2, 3, 1)
"""Residual blocks at strides 2, 4, 8 and 16."""
ATTENTION_BLOCKS: Final = 3
ATTENTION_HEADS: Final = 4

QKV_LAYERS: Final = tuple(f"image_encoder.blocks.{i}.attn.qkv" for i in range(ATTENTION_BLOCKS))
"""Names of the fused projections, where LoRA goes: the same place as in segment-anything's ViT."""
NECK: Final = "image_encoder.neck"
PIXEL_MEAN: Final = (123.675, 116.28, 103.53)
PIXEL_STD: Final = (58.395, 57.12, 57.375)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) tensor; a free permute in channels-last."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Pre-norm residual block of two plain 3×3 convolutions, (B, C, H, W) to the same shape.

    One norm per block and ReLU: on a CPU the elementwise passes cost as much as the convolutions.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        out: Tensor = x + self.conv2(functional.relu(self.conv1(self.norm(x))))
        return out


def _stage(before: int, width: int, depth: int) -> nn.Sequential:
    """Halve the resolution, then `depth` residual blocks."""
    down = nn.Conv2d(before, width, 3, stride=2, padding=1)
    return nn.Sequential(down, *(ResidualBlock(width) for _ in range(depth)))


class StarterEncoder(nn.Module):
    """Image to embedding: (B, 3, S, S) float, normalised, to (B, EMBED_DIM, S / 8, S / 8).

    `img_size` is what `Sam.preprocess` pads to; it must be a multiple of 16 and changes no weight.
    """

    def __init__(self, img_size: int = IMAGE_SIZE) -> None:
        super().__init__()
        if img_size < 64 or img_size % 16:
            raise ValueError(f"image size must be a multiple of 16 and at least 64, not {img_size}")
        self.img_size = img_size
        half, quarter, eighth, deep = STAGE_WIDTHS
        self.stage2 = _stage(3, half, STAGE_DEPTHS[0])
        self.stage4 = _stage(half, quarter, STAGE_DEPTHS[1])
        self.stage8 = _stage(quarter, eighth, STAGE_DEPTHS[2])
        self.stage16 = _stage(eighth, deep, STAGE_DEPTHS[3])
        self.blocks = nn.ModuleList(Block(deep, ATTENTION_HEADS) for _ in range(ATTENTION_BLOCKS))
        self.context = nn.Sequential(ChannelNorm(deep), nn.Conv2d(deep, eighth, 1))
        self.fuse = ResidualBlock(eighth)
        self.neck = nn.Sequential(
            nn.Conv2d(eighth, EMBED_DIM, 1, bias=False),
            LayerNorm2d(EMBED_DIM),
            nn.Conv2d(EMBED_DIM, EMBED_DIM, 3, padding=1, bias=False),
            LayerNorm2d(EMBED_DIM),
        )
        self._initialise()

    def _initialise(self) -> None:
        """He initialisation, residual branches damped so that depth does not add variance."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.data.mul_(0.3)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        fine = self.stage8(self.stage4(self.stage2(image)))
        tokens = self.stage16(fine).permute(0, 2, 3, 1)
        for block in self.blocks:
            tokens = block(tokens)
        context = self.context(tokens.permute(0, 3, 1, 2))
        context = functional.interpolate(context, scale_factor=2.0, mode="nearest")
        embedding: Tensor = self.neck(self.fuse(fine + context))
        return embedding


def build_starter(image_size: int = IMAGE_SIZE) -> Sam:
    """An untrained starter in eval mode; every `image_size` shares one state dict.

    `image_size` is the longest side in px; prompts are given in that frame, as (x, y).
    """
    cells = image_size // STRIDE
    sam = Sam(
        image_encoder=StarterEncoder(image_size),
        prompt_encoder=PromptEncoder(
            embed_dim=EMBED_DIM,
            image_embedding_size=(cells, cells),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=EMBED_DIM, mlp_dim=512, num_heads=8
            ),
            transformer_dim=EMBED_DIM,
            iou_head_depth=3,
            iou_head_hidden_dim=128,
        ),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    )
    return sam.eval()


def set_image_size(sam: Sam, image_size: int) -> None:
    """Let a starter work at another input size (px, longest side); no weight changes."""
    cells = image_size // STRIDE
    sam.image_encoder.img_size = image_size
    sam.prompt_encoder.input_image_size = (image_size, image_size)
    sam.prompt_encoder.image_embedding_size = (cells, cells)
    sam.prompt_encoder.mask_input_size = (4 * cells, 4 * cells)


def parameter_count(module: nn.Module) -> int:
    """How many numbers `module` holds."""
    return sum(parameter.numel() for parameter in module.parameters())


def empty_state(image_size: int = IMAGE_SIZE, seed: int = 0) -> dict[str, Tensor]:
    """A freshly initialised state dict, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state: dict[str, Tensor] = build_starter(image_size).state_dict()
    return state
