"""A small project with accepted masks, and jobs on it; as a script, an application that trains.

    python labelled_project.py PROJECT

The script has no `if __name__ == "__main__":` on purpose. It starts a long round in each of two
worker processes, and once they train, stops the second as for a click, prints the process ids of
both and of a fork of itself (which holds all its pipes), and waits to be killed.
"""

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import file_sha256, starter_path
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.rounds.runners import ProcessRunner
from napari_sam_tune.core.training.job import TrainingJob

CENTRES = [(16, 16), (48, 16), (16, 48), (48, 48)]


def accept_masks(path: Path) -> Project:
    """Two images of four dark discs each, all accepted."""
    project = Project.open(path)
    rows, columns = np.mgrid[:64, :64]
    for name in ("a.png", "b.png"):
        discs = [(columns - x) ** 2 + (rows - y) ** 2 < 49 for x, y in CENTRES]
        image = np.where(np.any(discs, axis=0), 60, 170).astype(np.uint8) + len(project.images())
        image = image.astype(np.uint8)
        project.add_image(name, shape=(64, 64), content_hash=content_hash(image), array=image)
        for disc in discs:
            project.add(NewAnnotation(name, disc, "pore"))
    return project


def job_on(project: Project, steps: int = 2, **changes: object) -> TrainingJob:
    """A round that learns from all masks but two and is judged by those."""
    ids = [annotation.id for annotation in project.annotations()]
    config = {"batch_size": 2, "prompts_per_image": 2, "look_objects": 0, "robot_clicks": 2}
    config |= {"corrections": 1}
    config |= {"parts": ("mask_decoder",), "prompts_per_mask": 1e9}  # quick steps, as many as asked
    return TrainingJob(
        project=str(project.path),
        base=changes.pop("base", BaseRef("starter", file_sha256(starter_path()))),
        parent="base",
        train_ids=tuple(ids[:-2]),
        judge_ids=tuple(ids[-2:]),
        config=TrainConfig(steps=steps, **{**config, **changes}),
        device="cpu",
        threads=1,
    )


if sys.argv[0] == __file__:
    opened = accept_masks(Path(sys.argv[1]))
    ProcessRunner.PATIENCE_SECONDS = 1e9  # it is to stand still for as long as this process lives
    runners = [ProcessRunner(), ProcessRunner()]
    training = [threading.Event(), threading.Event()]

    def note(message: object, trains: threading.Event) -> None:
        if getattr(message, "phase", "") == "training" and message.step == 1:
            trains.set()

    for runner, trains in zip(runners, training, strict=True):
        runner.start(job_on(opened, steps=5_000), partial(note, trains=trains))
    for trains in training:
        trains.wait()
    fork = os.fork()
    if not fork:
        signal.pause()
    at_work, aside = runners
    with aside.stepping_aside():
        os.waitid(os.P_PID, aside.worker_pid, os.WSTOPPED | os.WNOWAIT)
        sys.stdout.write(f"{at_work.worker_pid} {aside.worker_pid} {fork}\n")
        sys.stdout.flush()
        at_work.wait()
