"""Starters that see images at fewer px, here and in processes that are started meanwhile."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from segment_anything.modeling import Sam

SIDE = "SAM_TUNE_STARTERS_AT"
"""Name of the variable that tells a process (`sitecustomize`) how many px."""


@contextmanager
def starters_at(size: int) -> Iterator[None]:
    """Let every starter loaded in this process see images at so many px; it costs by the square.

    So do Python processes started meanwhile.
    """
    import pytest

    from napari_sam_tune.core.models import checkpoints

    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "build_model", smaller(checkpoints.build_model, size))
        patch.setenv(SIDE, str(size))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
        yield


def smaller(build: Callable[..., Sam], size: int) -> Callable[..., Sam]:
    """Return a `build_model` whose starters see images at so many px."""

    def build_small(architecture: str, *how: object) -> Sam:
        from napari_sam_tune.core.models.catalogue import STARTER
        from napari_sam_tune.core.models.starter import set_image_size

        sam = build(architecture, *how)
        if architecture.startswith(STARTER):
            set_image_size(sam, size)
        return sam

    return build_small


def shrink(checkpoints: ModuleType) -> None:
    """Make smaller what a process loads that was told to."""
    checkpoints.build_model = smaller(checkpoints.build_model, int(os.environ[SIDE]))
