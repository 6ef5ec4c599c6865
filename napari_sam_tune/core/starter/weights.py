"""The starter's weights on disk: one safetensors file that says what it is.

Large tensors are stored as float16 to keep the file small and come back as float32; small ones
(norms, biases, the positional Gaussian, on which clicks depend to a fraction of a px) stay exact.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .architecture import ARCHITECTURE, ARCHITECTURE_VERSION, IMAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "napari-sam-tune starter"
SMALL: Final = 4096
"""Tensors of at most this many numbers keep full precision."""


def starter_path() -> Path:
    """Where the packaged weights lie."""
    return Path(__file__).resolve().parents[2] / "resources" / "starter.safetensors"


def save_starter_state(
    state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write `state` to `path` in one step: a reader sees the old file or the new one, whole."""
    stored = {
        name: tensor.detach().cpu().contiguous().to(_stored_dtype(tensor)).clone()
        for name, tensor in state.items()
    }
    described = {
        "format": FORMAT,
        "architecture": ARCHITECTURE,
        "architecture_version": str(ARCHITECTURE_VERSION),
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
    """The state dict for `build_starter()`, float32 on the CPU.

    Raises FileNotFoundError where there is no file and ValueError where it is not a starter.
    """
    path = path or starter_path()
    described = starter_metadata(path)
    version = described.get("architecture_version")
    if described.get("architecture") != ARCHITECTURE or version != str(ARCHITECTURE_VERSION):
        raise ValueError(
            f"{path} holds {described.get('architecture')!r} version {version}, "
            f"not {ARCHITECTURE!r} version {ARCHITECTURE_VERSION}"
        )
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118


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
