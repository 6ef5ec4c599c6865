"""Where a training runs for a while: on which device, with how many threads."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segment_anything.modeling import Sam


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Give torch so many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def on_device(sam: Sam, device: torch.device, *, encoder: bool) -> Iterator[None]:
    """Have the decoder on a device for a while, and the encoder too only if it is needed."""
    home = torch.device(sam.device)
    parts = [sam] if encoder else [sam.prompt_encoder, sam.mask_decoder]
    moved = [] if home == device else parts
    try:
        for module in moved:
            module.to(device)
        yield
    finally:
        for module in moved:
            module.to(home)
