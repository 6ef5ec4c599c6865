"""Blocks on a regular grid over an image too large to be read whole: what it is known by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.images.large_source import Source
    from napari_sam_tune.core.images.picture import Pixels

DIGITS: Final = 40
"""Of a name; names that `images.files.content_hash` gives are shorter."""
_BLOCKS, _BLOCK = 16, 64
"""So many along either axis, of so many px a side."""


def blocks_of(source: Source) -> list[Pixels]:
    """Return 16 × 16 blocks of 64 × 64 px, edges included; fewer and smaller of narrow images."""
    starts = []
    bottom, right = source.shapes[0]
    for side in (bottom, right):
        last = max(0, side - _BLOCK)
        evenly = (round(n * last / (_BLOCKS - 1)) for n in range(_BLOCKS - 1))
        # so that most lie within one tile of a file
        starts.append(sorted({*(at - at % _BLOCK for at in evenly), last}))
    found = []
    for y in starts[0]:
        end = min(y + _BLOCK, bottom)
        if source.units[0][1] >= right:  # a strip is unpacked whole: once for all
            band = source.read(0, (y, 0, end, right))
            found += [band[:, x : x + _BLOCK].copy() for x in starts[1]]
        else:
            found += [source.read(0, (y, x, end, min(x + _BLOCK, right))) for x in starts[1]]
    return found


def name_of_blocks(
    blocks: Sequence[Pixels], shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> str:
    """Return the SHA-256 of shape, type and blocks, in hex digits."""
    digest = hashlib.sha256(f"blocks {shape} {dtype.newbyteorder('<').str}".encode())
    for block in blocks:
        one = block.astype(np.uint8) if block.dtype == np.bool_ else block
        digest.update(np.ascontiguousarray(one, one.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:DIGITS]


def sample_of(blocks: Sequence[Pixels]) -> Pixels:
    """Return all colours of blocks as an image, (n, 1, C) without opacity."""
    channels = blocks[0].shape[2:] or (1,)
    sample = np.concatenate([block.reshape((-1, 1, *channels)) for block in blocks])
    return sample[..., : 1 if channels[0] < 3 else 3]
