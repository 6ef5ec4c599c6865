"""Label defects by clicking while SAM learns from every accepted mask.

The names below are imported on first use, so that importing the package loads neither torch nor
napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_tune.core.answers.predictor import Predictor as Predictor
    from napari_sam_tune.core.config import TrainConfig as TrainConfig
    from napari_sam_tune.core.errors import SamTuneError as SamTuneError
    from napari_sam_tune.core.project.project import Project as Project
    from napari_sam_tune.core.prompts import Prompt as Prompt
    from napari_sam_tune.core.prompts import Proposal as Proposal
    from napari_sam_tune.core.session.session import Session as Session

__version__ = "0.1.0"

_HOME = {
    "Predictor": "core.answers.predictor",
    "Project": "core.project.project",
    "Prompt": "core.prompts",
    "Proposal": "core.prompts",
    "SamTuneError": "core.errors",
    "Session": "core.session.session",
    "TrainConfig": "core.config",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
