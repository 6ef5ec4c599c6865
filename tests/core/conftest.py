"""What tests of several files share: what takes long to make, and that none of them changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    """For all that is not about how good a starter's answers are: see `starters_at`."""
    from smaller import starters_at

    with starters_at(128):
        yield


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """A head that knows pits and bumps; copy the project to change it."""
    from disc_project import fill, small_starter, train

    project, predictor = fill(tmp_path_factory.mktemp("taught") / "p"), small_starter()
    return Taught(project.path, predictor, train(project, predictor))
