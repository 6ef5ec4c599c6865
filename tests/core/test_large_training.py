"""Rounds learn from windows of large images, and are judged by them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam_tune import Predictor, Project, TrainConfig
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.training.fit import fit
from napari_sam_tune.core.training.job import TrainingJob
from napari_sam_tune.core.training.setup import set_up
from napari_sam_tune.core.training.syllabus import draw_up

SIDE = 2000
"""More than is looked at whole, by a starter that sees 128 px."""
FAST = TrainConfig(steps=3, batch_size=4, look_every=2, robot_clicks=2, look_objects=2)


@pytest.fixture(scope="module")
def scan(tmp_path_factory, at_128_px):
    """A project with one large image on which twelve discs are accepted, and the jobs' base."""
    rng = np.random.default_rng(0)
    image = rng.integers(110, 130, (SIDE, SIDE), np.uint8)
    project = Project.open(tmp_path_factory.mktemp("scan") / "p")
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    line = np.arange(-20, 21)
    disc = np.hypot(line[:, None], line[None]) <= 18
    boxes = [(y, x, y + 41, x + 41) for y in (120, 960, 1840) for x in (40, 600, 1240, 1955)]
    for y0, x0, y1, x1 in boxes:
        image[y0:y1, x0:x1][disc] = 220
    project.register(image, "scan")
    for box in boxes:
        mask = PlacedMask.in_window(disc, box, image.shape)
        project.add(NewAnnotation("scan", mask, "disc"))
    return project, predictor.ref


def job_of(scan):
    project, base = scan
    names = tuple(annotation.id for annotation in project.annotations())
    return TrainingJob(str(project.path), base, "base", names[:9], names[9:], FAST, "cpu")


def end_of(steps):
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_what_is_looked_at_is_a_window_that_holds_the_mask(scan):
    syllabus = end_of(draw_up(set_up(job_of(scan), None, lambda: None)))
    examples = [e for step in syllabus.schedule for call in step for e in call]
    for example in [*examples, *syllabus.judging]:
        y0, x0, y1, x1 = example.frame.window
        assert max(y1 - y0, x1 - x0) <= 256
        top, left, bottom, right = example.annotation.bbox
        assert y0 <= top < bottom <= y1
        assert x0 <= left < right <= x1
        assert example.target.any()


def test_a_round_learns_from_a_large_image_and_is_judged_on_it(scan):
    candidate = end_of(fit(job_of(scan)))
    assert candidate.masks == 9
    assert {score.image_id for score in candidate.scores} == {"scan"}
    assert max(score.candidate for score in candidate.scores) > 0.5
