"""What tests of several files share: what takes long to make, and that none of them changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from disc_project import fill, small_starter, train

from napari_sam_tune.core.models import checkpoints
from napari_sam_tune.core.models.starter import set_image_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.promptless.fit import TrainedHead


@dataclass(frozen=True)
class Taught:
    """A promptless head, what it was trained on, and a predictor on whose features."""

    project: Path
    predictor: Predictor
    head: TrainedHead


@pytest.fixture(scope="module")
def at_128_px() -> Iterator[None]:
    """Every starter loaded in this process sees images at 128 px, at a sixteenth of the cost.

    For all that is not about how good its answers are. Processes that a test starts know nothing
    of it.
    """
    build = checkpoints.build_model

    def build_small(architecture: str, *how: object) -> Sam:
        sam = build(architecture, *how)
        if architecture.startswith(checkpoints.STARTER):
            set_image_size(sam, 128)
        return sam

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "build_model", build_small)
        yield


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """A head that knows pits and bumps; copy the project to change it."""
    project, predictor = fill(tmp_path_factory.mktemp("taught") / "p"), small_starter()
    return Taught(project.path, predictor, train(project, predictor))
