"""Which base model weights build on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASE_VERSION: Final = "base"
"""The base model itself, where a version of weights is named."""


@dataclass(frozen=True)
class BaseRef:
    """The base model a project's weights build on.

    Attributes:
        name: "starter", "vit_b", … or a path.
        sha256: of the checkpoint file.

    """

    name: str
    sha256: str
