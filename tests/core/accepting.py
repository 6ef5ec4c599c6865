"""A process that accepts masks in a project, and says so only when `add` has returned.

    python accepting.py PROJECT FIRST LAST

Prints "<number> <annotation id>" a line. Every fifth mask is followed by a promotion.

    python accepting.py

Waits for lines "PROJECT<tab>FIRST<tab>LAST<tab>FIFO", forks a process for each, which does the same
but says it into the FIFO, and prints that process's id: it is there at once, for what is slow about
starting is what is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
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


def main(path: Path, first: int, last: int) -> None:
    project = open_project(path)
    for number in range(first, last):
        kept = project.add(NewAnnotation("a.png", mask_number(number), str(number)))
        if number % 5 == 0:
            project.promote("base", report={"number": number})
        sys.stdout.write(f"{number} {kept.id}\n")
        sys.stdout.flush()


def fork_for_every_line() -> None:
    """Be the parent of processes that somebody else kills."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets them by itself
    for line in sys.stdin:
        path, first, last, fifo = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            with Path(fifo).open("w", encoding="utf-8") as said, redirect_stdout(said):
                main(Path(path), int(first), int(last))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # what a process wrote outlives it, flushed or not; waiting for the disk takes most of the time
    os.fsync = lambda _: None

if __name__ == "__main__" and len(sys.argv) == 1:
    fork_for_every_line()
elif __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
