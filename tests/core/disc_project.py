"""A small project to train a promptless head on, and a starter that sees it at 128 px."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import HeadConfig, TrainConfig
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.promptless.fit import (
    TrainedHead,
    fit_head,
)

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (96, 128)
QUICK = TrainConfig.for_a_run().model_copy(
    update={"steps": 100, "batch_size": 2, "look_every": 20, "patience": None}
)


def small_starter() -> Predictor:
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    set_image_size(predictor.sam, 128)
    return predictor


def disc(x: int, y: int, radius: int = 12) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def draw(seed: int, defects: bool = True) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
    """A noisy grey image with a dark pit on the left and a bright bump on the right."""
    rng = np.random.default_rng(seed)
    image = rng.normal(128, 6, SHAPE)
    objects = []
    if defects:
        for label, low, by in (("pit", 16, -70), ("bump", 80, 70)):
            mask = disc(int(rng.integers(low, low + 32)), int(rng.integers(20, 76)))
            image[mask] += by
            objects.append((mask, label))
    return image.clip(0, 255).astype(np.uint8), objects


def fill(path: Path, images: int = 8) -> Project:
    """Images of two defects each, and a last one marked as having none."""
    project = Project.open(path)
    for seed in range(images):
        pixels, objects = draw(seed, defects=seed < images - 1)
        name = f"{seed}.png"
        project.add_image(name, shape=SHAPE, content_hash=content_hash(pixels), array=pixels)
        for mask, label in objects:
            project.add(NewAnnotation(name, mask, label))
        if not objects:
            project.mark_done(name, empty=True)
    return project


def train(project: Project, predictor: Predictor, **changes: object) -> TrainedHead:
    """Train a head; `flips` and `single_class` are its own settings, the rest a run's."""
    given = ("train_ids", "judge_ids", "run", "resume")
    options = {name: changes.pop(name) for name in given if name in changes}
    own = {name: changes.pop(name) for name in ("flips", "single_class") if name in changes}
    changes["head"] = HeadConfig(**own)
    rounds = fit_head(project, predictor, QUICK.model_copy(update=changes), **options)
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            return end.value
