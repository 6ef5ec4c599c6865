"""A process that accepts masks in a project, and says so only when `add` has returned.

    python accepting.py PROJECT FIRST LAST

Prints "<number> <annotation id>" a line. Every fifth mask is followed by a promotion.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.project import NewAnnotation, Project

SHAPE = (64, 64)
PIXELS = np.zeros(SHAPE, np.uint8)


def mask_number(number: int) -> np.ndarray:
    """A mask that tells which number it is: no other looks the same."""
    mask = np.zeros(SHAPE, bool)
    mask[5, 7:39] = np.unpackbits(np.array([number], ">u4").view(np.uint8))
    mask[9:20, 7:39] = True
    return mask


def open_project(path: Path) -> Project:
    project = Project.open(path)
    project.add_image("a.png", shape=SHAPE, content_hash=content_hash(PIXELS), array=PIXELS)
    return project


def main(path: str | Path, first: str | int, last: str | int) -> None:
    project = open_project(Path(path))
    for number in range(int(first), int(last)):
        kept = project.add(NewAnnotation("a.png", mask_number(number), str(number)))
        if number % 5 == 0:
            project.promote("base", report={"number": number})
        sys.stdout.write(f"{number} {kept.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # what a process wrote outlives it, flushed or not; waiting for the disk takes most of the time
    os.fsync = lambda _: None
    main(*sys.argv[1:])
