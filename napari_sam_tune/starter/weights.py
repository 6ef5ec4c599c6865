"""The starter's weights on disk: one safetensors file that says what it is.

Large tensors are stored as float16 to keep the file small and come back as float32; small ones
(norms, biases, the positional Gaussian, on which clicks depend to a fraction of a px) stay exact.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_sam_tune.core.models import starter as first
from napari_sam_tune.core.models import starter_pyramid as second
from napari_sam_tune.core.models.checkpoints import starter_path
from napari_sam_tune.core.models.starter import IMAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from segment_anything.modeling import Sam

FORMAT: Final = "napari-sam-tune starter"
SMALL: Final = 4096
"""Tensors of at most this many numbers keep full precision."""


def build_edition(architecture: str, image_size: int = IMAGE_SIZE) -> Sam:
    """An untrained starter of an edition, in eval mode, the trunk of the second as ImageNet's.

    Raises ValueError for an architecture that is none of ours.
    """
    if architecture == first.ARCHITECTURE:
        return first.build_starter(image_size)
    if architecture != second.ARCHITECTURE:
        raise ValueError(f"{architecture!r} is no starter's architecture")
    sam = second.build_pyramid_starter(image_size)
    sam.load_state_dict(second.trunk_state(), strict=False)
    sam.image_encoder.to(memory_format=torch.channels_last)
    return sam


def load_starter(path: Path | None = None, image_size: int = IMAGE_SIZE) -> Sam:
    """The starter that a weights file holds, in eval mode, float32 on the CPU.

    Raises as `load_starter_state`.
    """
    state = load_starter_state(path)
    sam = build_edition(starter_metadata(path)["architecture"], image_size)
    sam.load_state_dict(state)
    return sam


def save_starter(sam: Sam, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a starter to `path` in one step: a reader sees the old file or the new one, whole.

    A trunk that is still ImageNet's is left out, it comes with the dependency.
    """
    pyramid = isinstance(sam.image_encoder, second.PyramidEncoder)
    edition = second if pyramid else first
    left_out = second.TRUNK if pyramid and second.has_imagenet_trunk(sam.state_dict()) else None
    stored = {
        name: tensor.detach().cpu().contiguous().to(_stored_dtype(tensor)).clone()
        for name, tensor in sam.state_dict().items()
        if left_out is None or not name.startswith(left_out)
    }
    described = {
        "format": FORMAT,
        "architecture": edition.ARCHITECTURE,
        "architecture_version": str(edition.ARCHITECTURE_VERSION),
        "image_size": str(IMAGE_SIZE),
        **(metadata or {}),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(stored, temporary, metadata=described)
    temporary.chmod(0o644)  # safetensors makes files that only their owner can read
    temporary.replace(path)


def _stored_dtype(tensor: Tensor) -> torch.dtype:
    return torch.float16 if tensor.numel() > SMALL else torch.float32


def load_starter_state(path: Path | None = None) -> dict[str, Tensor]:
    """The state dict of a starter of the file's edition, float32 on the CPU.

    Raises FileNotFoundError where there is no file and ValueError where it is not a starter.
    """
    path = path or starter_path()
    described = starter_metadata(path)
    found = described.get("architecture"), described.get("architecture_version")
    known = [(e.ARCHITECTURE, str(e.ARCHITECTURE_VERSION)) for e in (first, second)]
    if found not in known:
        raise ValueError(f"{path} holds {found[0]!r} version {found[1]}, none of {known}")
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    return second.with_trunk(state) if found[0] == second.ARCHITECTURE else state


def starter_metadata(path: Path | None = None) -> dict[str, str]:
    """What the weights file says about itself: architecture, steps, seed, figures."""
    path = path or starter_path()
    if not path.is_file():
        raise FileNotFoundError(f"no starter weights at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
