"""The sample images shipped with the plugin: parts of one production line, with true masks."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from napari_sam_tune.core.storage.durable import make_folder
from napari_sam_tune.starter.plates import make_plate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam_tune.starter.surfaces import Rng

SAMPLE_SEED: Final = 1
"""Seed of the samples that are shipped."""
PARTS: Final = (*("pit", "scratch", "scratch", "stain", "scratch") * 2, "pit", "scratch", "scratch")
"""What is wrong with each part, in the order of their numbers."""
AGAIN: Final = 2
"""The number of the part that was photographed twice."""

Picture = npt.NDArray[np.uint8]


def make_sample(seed: int, part: int, kind: str) -> tuple[Picture, Picture]:
    """Photograph part `part` of the line: a grey picture and its label image (k is object k)."""
    return make_plate(np.random.default_rng([seed, part]), kind, f"CP-{400 + part:04d}")


def photographed_again(rng: Rng, image: Picture, labels: Picture) -> tuple[Picture, Picture]:
    """The same part under another lamp, lying a little elsewhere."""
    shift = rng.integers(5, 10, 2) * rng.choice([-1, 1], 2)
    picture = ndimage.shift(image.astype(np.float32), shift, order=0, mode="mirror")
    rows, cols = (np.linspace(-1, 1, side, dtype=np.float32) for side in image.shape)
    light = rng.uniform(0.8, 1.1) + 0.1 * rng.choice([-1, 1]) * (rows[:, None] + cols[None, :])
    picture = picture * light + 2 * rng.standard_normal(image.shape, dtype=np.float32)
    moved = ndimage.shift(labels, shift, order=0, mode="constant")
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8), moved


def write_samples(
    folder: Path, seed: int = SAMPLE_SEED, parts: Sequence[str] = PARTS
) -> list[Path]:
    """Write `images/`, `masks/` and `manifest.csv` (stem, class, group) under `folder`."""
    for name in ("images", "masks"):
        make_folder(folder / name, "The samples")
    written, rows = [], []
    for part, kind in enumerate(parts, start=1):
        photographs = {f"plate_{part:02d}": make_sample(seed, part, kind)}
        if part == AGAIN:
            (first,) = photographs.values()
            again = photographed_again(np.random.default_rng([seed, part, 1]), *first)
            photographs[f"plate_{part:02d}_again"] = again
        for stem, (image, labels) in photographs.items():
            path = folder / "images" / f"{stem}.png"
            Image.fromarray(image).save(path, optimize=True)
            Image.fromarray(labels).save(folder / "masks" / f"{stem}.png", optimize=True)
            rows.append((stem, kind, f"plate_{part:02d}"))
            written.append(path)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("stem", "class", "group"), *rows])
    return written
