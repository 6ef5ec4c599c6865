"""A person of their own process: accepts masks in a copy and exchanges it until stopped.

python sharing_writer.py COPY IMAGE SEED COUNT; says the id of every mask on a line of its own once
it was accepted, and "exchanged" after every exchange.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.sharing.exchange import Exchange


def main(copy: str, image: str, seed: str, count: str) -> None:
    random = np.random.default_rng(int(seed))
    project = Project.open(Path(copy), create=False)
    exchange = Exchange(project)
    height, width = project.image(image).shape
    for _ in range(int(count)):
        mask = np.zeros((height, width), bool)
        y, x = random.integers(0, height - 6), random.integers(0, width - 6)
        mask[y : y + 5, x : x + 5] = True
        accepted = project.add(NewAnnotation(image, mask, "pore"))
        print(accepted.id, flush=True)
        exchange.run()
        print("exchanged", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
