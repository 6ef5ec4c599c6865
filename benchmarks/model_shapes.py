"""Models to time: the starter, or an official one's shape with random weights.

The official weights cannot be had everywhere; their shape is all that costs time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from segment_anything import sam_model_registry

from napari_sam_tune.core.models.catalogue import STARTER

if TYPE_CHECKING:
    from pathlib import Path


def model_of(name: str, folder: Path) -> str:
    """What `Predictor.from_checkpoint` loads: the starter, or a file written to `folder`."""
    if name == STARTER:
        return name
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(sam_model_registry[name]().state_dict(), path)
    return str(path)
