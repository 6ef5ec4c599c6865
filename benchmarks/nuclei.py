r"""A real line whose surface stays the same: a field of nuclei cut into sixteen photographs.

The photograph and its labels are those that StarDist ships in its source package (from the 2018
Data Science Bowl; Caicedo et al. 2019). Unpack https://pypi.org/project/stardist/0.9.2/#files, cut
the photograph, and let the robot label it:

    python benchmarks/nuclei.py stardist-0.9.2/stardist/data/images N
    napari-sam-tune simulate --images N/images --masks N/masks --frozen --no-instant --no-recall \
        --out frozen.json
    napari-sam-tune simulate --images N/images --masks N/masks --no-recall --out learning.json
    python benchmarks/line_chart.py clicks_line.png frozen=frozen.json learning=learning.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skimage.io import imread, imsave

SIDE = 128
SMALLEST = 40
"""Nuclei of fewer px in a photograph, or less than half in it, are not asked about."""


def main() -> None:
    """Cut img2d.tif and mask2d.tif."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with img2d.tif and mask2d.tif")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    image = imread(given.folder / "img2d.tif").astype(float)
    labels = imread(given.folder / "mask2d.tif")
    image = (image / np.percentile(image, 99.9) * 255).clip(0, 255).astype(np.uint8)
    areas = np.bincount(labels.ravel())
    for name in ("images", "masks"):
        (given.out / name).mkdir(parents=True, exist_ok=True)
    for top in range(0, image.shape[0], SIDE):
        for left in range(0, image.shape[1], SIDE):
            window = np.s_[top : top + SIDE, left : left + SIDE]
            here = np.bincount(labels[window].ravel(), minlength=len(areas))
            asked = np.flatnonzero((here >= SMALLEST) & (here > areas / 2))
            numbers = np.zeros(len(areas), np.uint16)
            numbers[asked[asked > 0]] = np.arange(1, np.count_nonzero(asked) + 1)
            name = f"n{top // SIDE}{left // SIDE}.png"
            imsave(given.out / "images" / name, image[window], check_contrast=False)
            imsave(given.out / "masks" / name, numbers[labels[window]], check_contrast=False)


if __name__ == "__main__":
    main()
