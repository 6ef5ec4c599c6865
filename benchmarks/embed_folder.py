"""Encoding a whole folder against a bare loop of the encoder over the same images.

Asked: at most 1.1 times as long. The loop reads nothing and keeps nothing: its images are in
memory, already of the encoder's size. Folders and loops alternate. Files are read on a second
thread, so this needs a core that is not busy with the encoder.

    python benchmarks/embed_folder.py [--images 12] [--side 1500] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project
from napari_sam_tune.core.batch.embed import embed_folder

ASKED = 1.1


def write_images(folder: Path, count: int, side: int) -> None:
    """Write `count` square RGB images of `side` px as PNG."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(folder / f"{number}.png")


def bare_loop(predictor: Predictor, count: int) -> float:
    """Seconds the encoder alone takes."""
    side = predictor.input_side
    pixels = [torch.randint(0, 255, (1, 3, side, side), dtype=torch.uint8) for _ in range(count)]
    began = time.perf_counter()
    with torch.inference_mode():
        for image in pixels:
            predictor.sam.image_encoder(predictor.sam.preprocess(image))
    return time.perf_counter() - began


def whole_folder(predictor: Predictor, project: Path, folder: Path) -> float:
    """Seconds from files to embeddings on disk."""
    opened = Project.open(project)
    began = time.perf_counter()
    if not all(step.encoded for step in embed_folder(opened, predictor, folder)):
        raise SystemExit("an image was not encoded")
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--side", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    predictor = Predictor.from_checkpoint(arguments.model, device="cpu")
    _ = predictor.weights.encoder_key  # hashed once a process
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        write_images(folder, arguments.images, arguments.side)
        bare_loop(predictor, 2)
        for number in range(arguments.rounds):
            bare.append(bare_loop(predictor, arguments.images))
            ours.append(whole_folder(predictor, Path(temporary) / f"p{number}", folder))
        again = time.perf_counter()
        opened = Project.open(Path(temporary) / "p0")
        if any(step.encoded for step in embed_folder(opened, predictor, folder)):
            raise SystemExit("an image was encoded twice")
        again = time.perf_counter() - again
    table = Table("what", "seconds", "ratio", title=f"{arguments.images} images, one torch thread")
    median = statistics.median
    table.add_row("bare encoder loop", f"{median(bare):.2f}", "1")
    table.add_row("whole folder", f"{median(ours):.2f}", f"{median(ours) / median(bare):.2f}")
    table.add_row("the same again, all cached", f"{again:.2f}", "")
    table.add_row("asked", "", f"≤ {ASKED}")
    Console().print(table)


if __name__ == "__main__":
    main()
