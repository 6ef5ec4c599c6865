"""MobileSAM's image encoder: TinyViT-5M (Wu et al., "TinyViT", 2022) with SAM's neck.

Ours, and not timm's: there the last stage is strided, MobileSAM's is not ("Faster Segment
Anything", Zhang et al. 2023), so its embedding has SAM's own 64 × 64 cells. The parameters have
the names and shapes of `mobile_sam.pt`, its unused classifier included, so that a file goes in and
out whole.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.models.modeling import (
    LayerNorm2d,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

IMAGE_SIZE: Final = 1024
STRIDE: Final = 16
EMBED_DIM: Final = 256
WIDTHS: Final = (64, 128, 160, 320)
"""Channels of the four stages."""
DEPTHS: Final = (2, 2, 6, 2)
HEADS: Final = (2, 4, 5, 10)
WINDOWS: Final = (7, 7, 14, 7)
"""Side of an attention window, in cells; the first stage has no attention."""
DOWN: Final = (2, 2, 1)
"""By how much each stage but the last narrows at its end."""
_EXPANSION: Final = 4
_CLASSES: Final = 1000


class ConvNorm(nn.Sequential):
    """Convolution without bias, padded to keep the size, then batch norm; named as in TinyViT."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.add_module("c", conv)
        self.add_module("bn", nn.BatchNorm2d(after))


class PatchEmbed(nn.Module):
    """(B, 3, S, S) to (B, C, S / 4, S / 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.seq = nn.Sequential(ConvNorm(3, half, 3, 2), nn.GELU(), ConvNorm(half, width, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        embedded: Tensor = self.seq(x)
        return embedded


class InvertedResidual(nn.Module):
    """MobileNet's block, (B, C, H, W) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = _EXPANSION * width
        self.conv1 = ConvNorm(width, hidden, 1)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(x))))
        return functional.gelu(x + self.conv3(hidden))


class Merging(nn.Module):
    """To the next stage's width, and down by `stride`: (B, C, H, W) to (B, C', H', W')."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(before, after, 1)
        self.conv2 = ConvNorm(after, after, 3, stride, groups=after)
        self.conv3 = ConvNorm(after, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        merged: Tensor = self.conv3(functional.gelu(self.conv2(functional.gelu(self.conv1(x)))))
        return merged


class WindowAttention(nn.Module):
    """Attention with a learnt bias for each distance: (B, w · w, C) to the same shape."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        batch, cells, width = x.shape
        # unlike in SAM's ViT, q, k and v of one head lie together
        split = self.qkv(self.norm(x)).view(batch, cells, self.heads, -1).transpose(1, 2)
        q, k, v = split.chunk(3, dim=-1)
        bias = self.attention_biases[:, self._distances()]
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        projected: Tensor = self.proj(attended.transpose(1, 2).reshape(batch, cells, width))
        return projected

    def _distances(self) -> Tensor:
        """Which bias belongs to two cells: rows apart · window + columns apart, (w · w, w · w)."""
        place = torch.arange(self.window, device=self.attention_biases.device)
        rows, columns = place.repeat_interleave(self.window), place.repeat(self.window)
        apart = (rows[:, None] - rows).abs(), (columns[:, None] - columns).abs()
        return apart[0] * self.window + apart[1]


class Mlp(nn.Module):
    """Norm, and two layers with GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, _EXPANSION * width)
        self.fc2 = nn.Linear(_EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        changed: Tensor = self.fc2(functional.gelu(self.fc1(self.norm(x))))
        return changed


class AttentionBlock(nn.Module):
    """Attention in windows, a depthwise convolution and an MLP: (B, C, H, W) to the same shape."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.local_conv(x + self._attended(x)).permute(0, 2, 3, 1)
        mixed: Tensor = x + self.mlp(x)
        return mixed.permute(0, 3, 1, 2)

    def _attended(self, x: Tensor) -> Tensor:
        batch, width, height, length = x.shape
        side = self.window
        # windows at the lower and the right edge look at zeros, as they did in training
        padded = functional.pad(x, (0, -length % side, 0, -height % side))
        down, across = padded.shape[2] // side, padded.shape[3] // side
        cells = padded.reshape(batch, width, down, side, across, side).permute(0, 2, 4, 3, 5, 1)
        attended: Tensor = self.attn(cells.reshape(batch * down * across, side * side, width))
        cells = attended.reshape(batch, down, across, side, side, width).permute(0, 5, 1, 3, 2, 4)
        return cells.reshape(padded.shape)[:, :, :height, :length]


class Stage(nn.Module):
    """A stage's blocks, and what leads to the next one, if there is one."""

    def __init__(self, number: int) -> None:
        super().__init__()
        width = WIDTHS[number]
        self.blocks = nn.Sequential(
            *(
                AttentionBlock(width, HEADS[number], WINDOWS[number])
                if number
                else InvertedResidual(width)
                for _ in range(DEPTHS[number])
            )
        )
        last = number == len(WIDTHS) - 1
        self.downsample = None if last else Merging(width, WIDTHS[number + 1], DOWN[number])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        x = self.blocks(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViTEncoder(nn.Module):
    """Image to embedding: (B, 3, S, S) float, normalised, to (B, 256, S / 16, S / 16).

    Always in eval mode, whatever `train` is told: its batch norms must never learn from a batch of
    one. `img_size` is what `Sam.preprocess` pads to, a multiple of 16; it changes no weight.
    """

    def __init__(self, img_size: int = IMAGE_SIZE) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch_embed = PatchEmbed(WIDTHS[0])
        self.layers = nn.Sequential(*(Stage(number) for number in range(len(WIDTHS))))
        self.norm_head = nn.LayerNorm(WIDTHS[-1])
        self.head = nn.Linear(WIDTHS[-1], _CLASSES)
        self.neck = nn.Sequential(
            nn.Conv2d(WIDTHS[-1], EMBED_DIM, 1, bias=False),
            LayerNorm2d(EMBED_DIM),
            nn.Conv2d(EMBED_DIM, EMBED_DIM, 3, padding=1, bias=False),
            LayerNorm2d(EMBED_DIM),
        )
        self.eval()

    def train(self, mode: bool = True) -> TinyViTEncoder:
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        image = image.contiguous(memory_format=torch.channels_last)
        embedding: Tensor = self.neck(self.layers(self.patch_embed(image)))
        return embedding


def build_vit_t(image_size: int = IMAGE_SIZE) -> Sam:
    """An untrained MobileSAM in eval mode; its prompt encoder and decoder are SAM's own."""
    cells = image_size // STRIDE
    sam = Sam(
        image_encoder=TinyViTEncoder(image_size),
        prompt_encoder=PromptEncoder(
            embed_dim=EMBED_DIM,
            image_embedding_size=(cells, cells),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=EMBED_DIM, mlp_dim=2048, num_heads=8
            ),
            transformer_dim=EMBED_DIM,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )
    return sam.eval()
