"""Encoding a folder on a cluster of local processes against one process of one torch thread.

Asked on two cores: at least 1.7 times the images a second, and the same bytes in the cache. Both
are timed when models are loaded: each first encodes a few images of another folder, as a folder of
thousands would hide what starting takes; that is printed as well. The two alternate.

    python benchmarks/cluster.py [--images 32] [--side 1000] [--rounds 3] [--processes 2]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from embed_folder import write_images
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project
from napari_sam_tune.core.batch.embed import embed_folder, embed_folder_on
from napari_sam_tune.core.cluster.cluster import open_cluster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.batch.embed import EmbedStep

ASKED = 1.7


def seconds_of(steps: Iterable[EmbedStep]) -> float:
    """Time of encoding all of a folder."""
    began = time.perf_counter()
    if not all(step.encoded for step in steps):
        raise SystemExit("an image was not encoded")
    return time.perf_counter() - began


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    predictor = Predictor.from_checkpoint(arguments.model, device="cpu")
    ratios, alone, shared = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        at = Path(temporary)
        write_images(at / "first", 2 * arguments.processes, arguments.side // 2)
        write_images(at / "images", arguments.images, arguments.side)
        began = time.perf_counter()
        with open_cluster(f"local:{arguments.processes}") as cluster:
            up = time.perf_counter() - began
            for number in range(arguments.rounds):
                one, many = (Project.open(at / f"{name}{number}") for name in ("one", "many"))
                seconds_of(embed_folder(one, predictor, at / "first"))
                alone.append(seconds_of(embed_folder(one, predictor, at / "images")))
                seconds_of(embed_folder_on(cluster, many, predictor.ref, at / "first"))
                images = at / "images"
                shared.append(seconds_of(embed_folder_on(cluster, many, predictor.ref, images)))
                ratios.append(alone[-1] / shared[-1])
                if contents(one.embeddings_path) != contents(many.embeddings_path):
                    raise SystemExit("the cluster made other embeddings")
        size = sum(map(len, contents(one.embeddings_path).values()))
    a_second = [arguments.images / statistics.median(times) for times in (alone, shared)]
    kept = size / (arguments.images + 2 * arguments.processes)
    load = f"load average {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    table = Table("what", "seen", title=f"{arguments.images} images of {arguments.side} px, {load}")
    table.add_row("one process, images a second", f"{a_second[0]:.2f}")
    table.add_row(f"local:{arguments.processes}, images a second", f"{a_second[1]:.2f}")
    table.add_row("ratio, median of rounds", f"{statistics.median(ratios):.2f}")
    table.add_row("ratios", ", ".join(f"{ratio:.2f}" for ratio in ratios))
    table.add_row("asked", f"≥ {ASKED}")
    table.add_row("processes up, seconds", f"{up:.1f}")
    table.add_row("embedding and features, bytes an image", f"{kept:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
