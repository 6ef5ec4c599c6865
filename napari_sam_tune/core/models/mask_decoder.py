"""segment-anything's mask decoder, the same answers in half the time.

Its two-way transformer (Kirillov et al. 2023) lets a few tokens and thousands of cells of the image
look at each other. segment-anything projects every cell to queries, keys and values, takes these
apart by heads and puts them together again: on a CPU most of the time goes into moving them about.
Matrix products may be taken in another order. Here the projections are applied to the tokens, of
which there are few, and cells are looked at as they are:

    (q Wqᵀ)(c Wkᵀ)ᵀ = ((q Wqᵀ) Wk) cᵀ        (a (c Wvᵀ)) = (a c) Wvᵀ

Cells stay rows of a matrix, channels last, up to the masks. A transposed convolution of stride 2
with a 2 × 2 kernel is then a linear layer whose outputs are the four pixels a cell becomes.
Parameters are segment-anything's by name and shape; logits differ by rounding.
`benchmarks/mask_decoder.py` says what it saves, also where there are many tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional

from napari_sam_tune.core.models.lora import LoraLinear
from napari_sam_tune.core.models.modeling import MaskDecoder

if TYPE_CHECKING:
    from segment_anything.modeling import TwoWayTransformer
    from segment_anything.modeling.transformer import Attention
    from torch import Tensor, nn


class QuickMaskDecoder(MaskDecoder):  # type: ignore[misc]
    """A `MaskDecoder` with its layers, state dict and calls, but quicker."""

    @classmethod
    def of(cls, decoder: MaskDecoder) -> Self:
        """Make one of segment-anything's decoder; the two share their layers."""
        quick = cls.__new__(cls)
        quick.__dict__.update(decoder.__dict__)
        return quick

    def predict_masks(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `MaskDecoder.predict_masks`; each prompt may also have an image of its own.

        Args:
            image_embeddings: (1, C, h, w), or (N, C, h, w).
            image_pe: (1, C, h, w).
            sparse_prompt_embeddings: (N, T, C).
            dense_prompt_embeddings: (N, C, h, w), or (1, C, h, w).

        Returns:
            Logits (N, K, 4h, 4w) and predicted IoU (N, K) of all K mask tokens.

        """
        count = len(sparse_prompt_embeddings)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(count, -1, -1), sparse_prompt_embeddings], dim=1)
        image = image_embeddings + dense_prompt_embeddings
        height, width = image.shape[-2:]
        cells = _rows(image).expand(count, -1, -1)
        tokens, cells = _transformed(self.transformer, tokens, cells, _rows(image_pe))
        kernels = torch.stack(
            [mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        pixels = self._upscaled(cells).flatten(1, 3)
        # by cell; index_select is several times faster than a permutation of as many axes
        logits = (kernels @ pixels.transpose(1, 2)).flatten(0, 1)
        logits = logits.index_select(1, _order(height, width, logits.device))
        return (
            logits.view(count, -1, 4 * height, 4 * width),
            self.iou_prediction_head(tokens[:, 0]),
        )

    def _upscaled(self, cells: Tensor) -> Tensor:
        """Make each of (N, S, C) cells 4 × 4 pixels: (N, S, 4, 4, C'), a quarter after another."""
        first, norm, activation, second, last_activation = self.output_upscaling
        quarters = _quartered(first, cells)
        shape, eps = quarters.shape[-1:], norm.eps
        quarters = functional.layer_norm(quarters, shape, norm.weight, norm.bias, eps)
        pixels: Tensor = last_activation(_quartered(second, activation(quarters)))
        return pixels


def _rows(maps: Tensor) -> Tensor:
    """(N, C, h, w) maps as (N, h · w, C) rows that lie one after the other."""
    return maps.flatten(2).transpose(1, 2).contiguous()


def _quartered(layer: nn.ConvTranspose2d, cells: Tensor) -> Tensor:
    """Apply a transposed convolution, 2 × 2 with stride 2, to (…, C) cells: (…, 4, C')."""
    weight = layer.weight.permute(2, 3, 1, 0).flatten(0, 2)
    quarters = functional.linear(cells, weight).view(*cells.shape[:-1], 4, -1)
    return quarters if layer.bias is None else quarters + layer.bias


def _order(height: int, width: int, device: torch.device) -> Tensor:
    """Where each pixel (4h · 4w,) of a map is among the pixels of all cells, twice quartered."""
    row = torch.arange(4 * height, device=device)[:, None]
    col = torch.arange(4 * width, device=device)
    cell = row // 4 * width + col // 4
    quarter = row % 4 // 2 * 2 + col % 4 // 2
    return ((cell * 4 + quarter) * 4 + row % 2 * 2 + col % 2).flatten()


def _transformed(
    transformer: TwoWayTransformer, prompt: Tensor, cells: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """As `TwoWayTransformer.forward`: tokens (N, T, C) and cells (N, S, C)."""
    tokens = prompt
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            tokens = layer.self_attn(q=tokens, k=tokens, v=tokens)
        else:
            placed = tokens + prompt
            tokens = tokens + layer.self_attn(q=placed, k=placed, v=tokens)
        tokens = layer.norm1(tokens)
        placed_cells = cells + positions
        looked = _look(layer.cross_attn_token_to_image, tokens + prompt, placed_cells, cells)
        tokens = layer.norm2(tokens + looked)
        tokens = layer.norm3(tokens + layer.mlp(tokens))
        attention = layer.cross_attn_image_to_token
        cells = layer.norm4(_told(attention, cells, placed_cells, tokens + prompt, tokens))
    attention = transformer.final_attn_token_to_image
    looked = _look(attention, tokens + prompt, cells + positions, cells)
    return transformer.norm_final_attn(tokens + looked), cells


def _is_plain(attention: Attention) -> bool:
    """Whether the projections are matrices; an adapter's dropout wants to see the inputs."""
    layers = (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj)
    return not any(isinstance(layer, LoraLinear) and layer.dropout for layer in layers)


def _heads(attention: Attention, projected: Tensor) -> Tensor:
    """(N, T, D) as (N, heads, T, D / heads)."""
    count, tokens, _ = projected.shape
    return projected.view(count, tokens, attention.num_heads, -1).transpose(1, 2)


def _look(attention: Attention, queries: Tensor, keys: Tensor, cells: Tensor) -> Tensor:
    """Let tokens look at cells: `attention(queries, keys, cells)`, (N, T, C)."""
    if not _is_plain(attention):
        return attention(q=queries, k=keys, v=cells)  # type: ignore[no-any-return]
    heads = attention.num_heads
    asking = _heads(attention, attention.q_proj(queries))
    asking = asking * asking.shape[-1] ** -0.5
    # the keys' bias adds as much to every cell, which a softmax does not notice
    folded = asking @ attention.k_proj.weight.unflatten(0, (heads, -1))  # (N, heads, T, C)
    shares = (folded.flatten(1, 2) @ keys.transpose(1, 2)).softmax(-1)
    seen = (shares @ cells).unflatten(1, (heads, -1))
    values = attention.v_proj.weight.unflatten(0, (heads, -1)).transpose(1, 2)
    bias = attention.v_proj.bias.view(heads, 1, -1)
    looked: Tensor = attention.out_proj((seen @ values + bias).transpose(1, 2).flatten(2))
    return looked


def _told(
    attention: Attention, cells: Tensor, queries: Tensor, keys: Tensor, tokens: Tensor
) -> Tensor:
    """Let cells look at tokens: `cells + attention(queries, keys, tokens)`, (N, S, C)."""
    if not _is_plain(attention):
        return cells + attention(q=queries, k=keys, v=tokens)  # type: ignore[no-any-return]
    heads = attention.num_heads
    asked = _heads(attention, attention.k_proj(keys))
    asked = asked * asked.shape[-1] ** -0.5
    folded = asked @ attention.q_proj.weight.unflatten(0, (heads, -1))  # (N, heads, T, C)
    bias = asked @ attention.q_proj.bias.view(heads, -1, 1)
    scores = folded.flatten(1, 2) @ queries.transpose(1, 2) + bias.flatten(1, 2)
    # along the tokens of each head, beside each other in memory for all cells
    shares = scores.unflatten(1, (heads, -1)).softmax(2).flatten(1, 2)
    values = _heads(attention, attention.v_proj(tokens))
    outputs = attention.out_proj.weight.unflatten(1, (heads, -1)).permute(1, 2, 0)
    # the shares of each head add up to one, so that of its bias comes to the whole
    saying = values @ outputs + attention.out_proj.bias / heads
    told: Tensor = cells + shares.transpose(1, 2) @ saying.flatten(1, 2)
    return told
