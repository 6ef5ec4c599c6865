"""Somebody who corrects the masks of an image again and again, until killed."""

from __future__ import annotations

import random
import sys

import numpy as np

from napari_sam_tune.core.project.project import NewAnnotation, Project


def main(path: str, seed: str) -> None:
    """Say "corrected" before every correction, and once more after the last one."""
    project, dice = Project.open(path), random.Random(int(seed))
    while True:
        sys.stdout.write("corrected\n")
        sys.stdout.flush()
        target = dice.choice(project.annotations("0.png"))
        if target.supersedes is not None and dice.random() < 0.5:
            project.exchange(delete=target.id, restore=target.supersedes)
            continue
        mask = np.zeros((40, 60), bool)
        row, column = dice.randrange(30), dice.randrange(50)
        mask[row : row + 4, column : column + 4] = True
        project.add(NewAnnotation("0.png", mask, target.label, supersedes=target.id))
