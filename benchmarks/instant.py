"""What learning at every accept costs, one thread: features, sums and one solve, the map.

Asked: features at most .6 times the encoding; after an accept 50 ms; the map of an image 20 ms;
settling is for idle moments and only said.

    python benchmarks/instant.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.scoring import next_click
from napari_sam_tune.starter.materials import FAMILIES, make_sample

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = 12


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of some repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Project.open(f"{folder}/p"), predictor, recall=False)
        instant = session.answerer.instant
        learning: list[float] = []
        for number in range(IMAGES):
            image, labels = make_sample(np.random.default_rng(number), FAMILIES[2], 0)
            session.open_image(image, f"{number}.png")
            for value in range(1, int(labels.max()) + 1):
                x, y, _ = next_click(None, labels == value)
                session.propose(Prompt([(x, y)], [1]))
                session.accept(mask=labels == value)
                began = time.perf_counter()
                session.answerer.learn()
                instant._classifier.solve()
                learning.append(time.perf_counter() - began)
            session.mark_done()
        rgb = to_rgb8(image)
        encoding = timed(lambda: predictor.encode(rgb), repeats)
        features = timed(lambda: instant.extractor.extract(rgb), repeats)
        began = time.perf_counter()
        session.answerer.learn()
        session.answerer.settle(most=0)
        settling = time.perf_counter() - began

        def draw_map() -> None:
            instant._maps.clear()
            instant.class_maps()

        mapping = timed(draw_map, 4 * repeats)
        session.close()
    table = Table("what", "seconds", "asked")
    table.add_row("encoding an image", f"{encoding:.3f}", "")
    table.add_row("its features", f"{features:.3f} ({features / encoding:.2f}x)", "0.6x")
    table.add_row("after an accept", f"{statistics.median(learning):.3f}", "0.050")
    table.add_row("the map of an image", f"{mapping:.4f}", "0.020")
    table.add_row(f"settling, {IMAGES} images", f"{settling:.3f}", "idle")
    Console().print(table)


if __name__ == "__main__":
    main()
