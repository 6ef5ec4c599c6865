"""The quick mask decoder beside segment-anything's: one call, without and with gradients.

Same weights, same inputs; the two take turns and the fastest of each counts. One torch thread.

    python benchmarks/mask_decoder.py [--calls 15] [--tokens 5]
"""

from __future__ import annotations

import argparse
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.table import Table
from segment_anything import sam_model_registry
from segment_anything.modeling import MaskDecoder

from napari_sam_tune.core.models.mask_decoder import QuickMaskDecoder
from napari_sam_tune.core.models.starter import build_starter

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_anything.modeling import Sam
    from torch import Tensor

PROMPTS = 2


def seconds(predict: Callable[[], tuple[Tensor, Tensor]], *, learning: bool) -> float:
    """Time one call, with its way back if it learns."""
    began = perf_counter()
    with torch.set_grad_enabled(learning):
        masks, ious = predict()
        if learning:
            (masks.sigmoid().mean() + ious.mean()).backward()
    return perf_counter() - began


def measured(sam: Sam, tokens: int, calls: int, *, learning: bool) -> tuple[float, float]:
    """Return the fastest call of segment-anything's decoder and of ours, in seconds."""
    encoder = sam.prompt_encoder
    width, grid = encoder.embed_dim, encoder.image_embedding_size
    ours = QuickMaskDecoder.of(sam.mask_decoder)
    ways = MaskDecoder.predict_masks, QuickMaskDecoder.predict_masks
    given = {
        "image_embeddings": torch.randn(1, width, *grid, requires_grad=learning),
        "image_pe": encoder.get_dense_pe().detach(),
        "sparse_prompt_embeddings": torch.randn(PROMPTS, tokens, width),
        "dense_prompt_embeddings": torch.randn(PROMPTS, width, *grid),
    }
    pairs = [
        tuple(seconds(partial(way, ours, **given), learning=learning) for way in ways)
        for _ in range(calls)
    ]
    return min(a for a, _ in pairs), min(b for _, b in pairs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=5, help="of each prompt")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    table = Table("shape", "call", "segment-anything's", "ours", "ratio")
    for name, sam in (("starter", build_starter()), ("vit_b", sam_model_registry["vit_b"]())):
        for learning in (False, True):
            own, ours = measured(sam, given.tokens, given.calls, learning=learning)
            what = "forward and back" if learning else "forward"
            row = (f"{own * 1e3:.0f} ms", f"{ours * 1e3:.0f} ms", f"{ours / own:.2f}")
            table.add_row(name, what, *row)
    Console().print(table)


if __name__ == "__main__":
    main()
