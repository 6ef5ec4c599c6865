"""The starter's architecture: segment-anything's own `Sam` around a compact encoder of ours.

The two-way transformer and the mask decoder are segment-anything 1.0's (Kirillov et al., "Segment
Anything", 2023), only narrower, and so are all weights of the prompt encoder, which also draws
clicks and boxes into the mask input (`PaintingPromptEncoder`). The image encoder is a plain
residual convolution stem, global attention blocks at stride 16 and a fusion back up to stride 8:
at stride 16 most real cracks are thinner than one cell and cannot be drawn at all.

Nothing in the encoder depends on the input's size, and the prompt encoder's positional Gaussian is
scale free, so one state dict serves every `image_size`: it is trained mostly at 256 px and used
at 512 px.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.models.mask_decoder import QuickMaskDecoder
from napari_sam_tune.core.models.modeling import (
    Attention,
    Block,
    LayerNorm2d,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from napari_sam_tune.core.models.trunk import Halves, TrunkOutput

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

NECK: Final = "image_encoder.neck"
PIXEL_MEAN: Final = (123.675, 116.28, 103.53)
PIXEL_STD: Final = (58.395, 57.12, 57.375)


CLICK_RADIUS: Final = 2.0
"""Of the disc that a click draws into the mask input, in px of the logits."""
CLICK_LOGIT: Final = 10.0
"""What it draws: this inside the object, its negative outside."""
BOX_LOGIT: Final = -4.0
"""What a box draws around itself, as long as there is no earlier answer."""


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


class FusedAttention(Attention):  # type: ignore[misc]
    """segment-anything's attention without relative positions, as one fused operation.

    Weights and answers are the same to rounding; no matrix of all tokens by all tokens is kept
    (FlashAttention, Dao et al. 2022). With it and channels-last a CPU encodes an image in two
    thirds of the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to the same shape."""
        batch, height, width, channels = x.shape
        qkv = self.qkv(x).reshape(batch, height * width, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, H·W, C / heads)
        seen = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(seen.transpose(1, 2).reshape(batch, height, width, channels))
        return out


def attention_block(width: int, heads: int) -> Block:
    """segment-anything's block with `FusedAttention` in it."""
    block = Block(width, heads)
    block.attn = FusedAttention(width, heads)
    return block


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
        self.blocks = nn.ModuleList(
            attention_block(deep, ATTENTION_HEADS) for _ in range(ATTENTION_BLOCKS)
        )
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
        whole = Halves(self, 0)
        return whole.after(whole.before(image))

    def before_blocks(self, image: Tensor) -> TrunkOutput:
        """Run the convolution stem: tokens, and details (B, C, S / 8, S / 8), in channels-last."""
        image = image.contiguous(memory_format=torch.channels_last)
        fine: Tensor = self.stage8(self.stage4(self.stage2(image)))
        return self.stage16(fine).permute(0, 2, 3, 1), fine

    def after_blocks(self, trunk: TrunkOutput) -> Tensor:
        """Fuse details with the tokens' context, and run the neck."""
        tokens, fine = trunk
        context = self.context(tokens.permute(0, 3, 1, 2))
        context = functional.interpolate(context, scale_factor=2.0, mode="nearest")
        embedding: Tensor = self.neck(self.fuse(fine + context))
        return embedding


class PaintingPromptEncoder(PromptEncoder):  # type: ignore[misc]
    """segment-anything's prompt encoder that also draws clicks and boxes into the mask input.

    The position of a click reaches SAM's decoder only as Fourier features of long waves, and it
    takes millions of masks to learn to read them to the px. Drawn as discs, as in RITM (Sofiiuk et
    al. 2022), clicks are exact from the start. Weights, inputs and outputs are segment-anything's.
    """

    def forward(
        self,
        points: tuple[Tensor, Tensor] | None,
        boxes: Tensor | None,
        masks: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """As `PromptEncoder.forward`."""
        sparse, _ = super().forward(points, boxes, None)
        coords, labels = [], []
        if points is not None:
            coords.append(points[0])
            labels.append(points[1])
        if boxes is not None:
            coords.append(boxes.reshape(-1, 2, 2))
            labels.append(torch.tensor([[2, 3]], device=boxes.device).expand(len(boxes), -1))
        if not coords:
            return sparse, super().forward(None, None, masks)[1]
        return sparse, self.dense(torch.cat(coords, 1), torch.cat(labels, 1), masks)

    def dense(self, coords: Tensor, labels: Tensor, masks: Tensor | None) -> Tensor:
        """Dense embeddings (N, C, h, w) of prompts as tokens.

        coords: (N, T, 2) as (x, y) in px of the encoder's input; labels: (N, T), 1 and 0 for clicks
        inside and outside the object, 2 and 3 for a box's corners, -1 for padding; masks:
        (N, 1, 4h, 4w), (1, 1, 4h, 4w) or None.
        """
        painted = self._painted(coords, labels, masks)
        embedded: Tensor = self.mask_downscaling(painted)
        if masks is not None:
            return embedded
        # what is drawn matters, not that there was a blank to draw on
        blank = self.mask_downscaling(painted.new_zeros(1, 1, 4, 4))  # the same in every cell
        dense: Tensor = self.no_mask_embed.weight.reshape(1, -1, 1, 1) + embedded - blank
        return dense

    def dense_in_graph(
        self, coords: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> Tensor:
        """As `dense` of one prompt, without a loop over clicks or a choice by the mask.

        mask: (1, 1, 4h, 4w); has_mask: (1,), 1 where it counts, else 0.
        """
        rows, cols = self.grid(coords.device)
        below = has_mask * mask[:, 0] + (1 - has_mask) * self.boxed(coords, labels, rows, cols)
        across, down = cols - coords[..., :1], rows - coords[..., 1:]
        distance = down[..., :, None] ** 2 + across[..., None, :] ** 2
        clicked = ((labels == 1) | (labels == 0))[..., None, None]
        near = (distance <= self.click_radius**2) & clicked
        # of several clicks on a place the last one counts; 0 is none
        order = torch.arange(1, labels.shape[1] + 1, device=labels.device)
        last = (near * order[:, None, None]).amax(1)
        logits = torch.where(labels[0] == 1, CLICK_LOGIT, -CLICK_LOGIT)
        drawn = torch.cat([torch.zeros_like(logits[:1]), logits])[last]
        painted = torch.where(last > 0, drawn, below)[:, None]
        blank = self.mask_downscaling(torch.zeros_like(painted))
        unmasked = self.no_mask_embed.weight.reshape(1, -1, 1, 1) - blank
        embedded: Tensor = self.mask_downscaling(painted) + (1 - has_mask) * unmasked
        return embedded

    def _painted(self, coords: Tensor, labels: Tensor, masks: Tensor | None) -> Tensor:
        rows, cols = self.grid(coords.device)
        if masks is None:
            below = self.boxed(coords, labels, rows, cols)
        else:
            below = masks.expand(len(coords), -1, -1, -1)[:, 0]
        painted = below.flatten(1).clone()
        places, near = self._discs(coords, rows, cols)
        near = near & ((labels == 1) | (labels == 0))[..., None]
        logits = torch.where(labels == 1, CLICK_LOGIT, -CLICK_LOGIT).to(painted.dtype)
        for token in range(coords.shape[1]):  # of several clicks on a place the last one counts
            there = painted.gather(1, places[:, token])
            drawn = torch.where(near[:, token], logits[:, token, None], there)
            painted.scatter_(1, places[:, token], drawn)
        return painted.view_as(below)[:, None]

    def _discs(self, coords: Tensor, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        """Cells around (N, T, 2): flat indices of a square, and which of them are in the disc.

        Both are (N, T, P). The square lies in the grid whole, so that none comes twice.
        """
        height, width = self.mask_input_size
        x, y = coords[..., :1], coords[..., 1:]
        row = self._window(y, height)
        col = self._window(x, width)
        distance = ((rows[row] - y) ** 2)[..., :, None] + ((cols[col] - x) ** 2)[..., None, :]
        places = row[..., :, None] * width + col[..., None, :]
        return places.flatten(2), (distance <= self.click_radius**2).flatten(2)

    def _window(self, coords: Tensor, size: int) -> Tensor:
        """Cells along one side, of `size` in all, that a disc at (N, T, 1) px can reach."""
        stride = self.input_image_size[0] / self.mask_input_size[0]
        most = min(size, int(2 * CLICK_RADIUS) + 2)
        first = ((coords + 0.5) / stride - 0.5 - CLICK_RADIUS).floor().long()
        cells: Tensor = first.clamp(0, size - most) + torch.arange(most, device=coords.device)
        return cells

    @property
    def click_radius(self) -> float:
        """Of a click's disc, in px of the encoder's input."""
        stride: float = self.input_image_size[0] / self.mask_input_size[0]
        return CLICK_RADIUS * stride

    def grid(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where the mask input's rows (4h,) and columns (4w,) lie, in px of the encoder's input."""
        height, width = self.mask_input_size
        stride = self.input_image_size[0] / height
        rows = (torch.arange(height, device=device) + 0.5) * stride - 0.5
        cols = (torch.arange(width, device=device) + 0.5) * stride - 0.5
        return rows, cols

    @staticmethod
    def boxed(coords: Tensor, labels: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """Nothing but what lies outside the boxes: (N, 4h, 4w)."""
        none = torch.zeros((), device=coords.device)
        low = torch.where((labels == 2)[..., None], coords, none).sum(1)
        high = torch.where((labels == 3)[..., None], coords, none).sum(1)
        across = (cols >= low[:, :1]) & (cols <= high[:, :1])
        down = (rows >= low[:, 1:]) & (rows <= high[:, 1:])
        outside = ~(down[:, :, None] & across[:, None, :])
        boxed = (labels == 3).any(1)[:, None, None]
        return torch.where(outside & boxed, BOX_LOGIT, 0.0)


def build_starter(image_size: int = IMAGE_SIZE) -> Sam:
    """An untrained starter in eval mode; every `image_size` shares one state dict.

    `image_size` is the longest side in px; prompts are given in that frame, as (x, y).
    """
    return sam_around(
        StarterEncoder(image_size), pixel_mean=list(PIXEL_MEAN), pixel_std=list(PIXEL_STD)
    )


def sam_around(encoder: nn.Module, *, pixel_mean: list[float], pixel_std: list[float]) -> Sam:
    """Put the starters' prompt encoder and mask decoder, untrained, around an image encoder.

    `encoder.img_size` is its longest side in px, its embedding (B, EMBED_DIM, S / 8, S / 8).
    """
    image_size = int(encoder.img_size)  # type: ignore[arg-type]
    cells = image_size // STRIDE
    sam = Sam(
        image_encoder=encoder,
        prompt_encoder=PaintingPromptEncoder(
            embed_dim=EMBED_DIM,
            image_embedding_size=(cells, cells),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        ),
        mask_decoder=QuickMaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=EMBED_DIM, mlp_dim=512, num_heads=8
            ),
            transformer_dim=EMBED_DIM,
            iou_head_depth=3,
            iou_head_hidden_dim=128,
        ),
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
    )
    return sam.eval()


def set_image_size(sam: Sam, image_size: int) -> None:
    """Let a starter work at another input size (px, longest side); no weight changes."""
    cells = image_size // STRIDE
    sam.image_encoder.img_size = image_size
    sam.prompt_encoder.input_image_size = (image_size, image_size)
    sam.prompt_encoder.image_embedding_size = (cells, cells)
    sam.prompt_encoder.mask_input_size = (4 * cells, 4 * cells)
