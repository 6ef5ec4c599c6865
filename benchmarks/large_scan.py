"""A line scan of 30,000 × 30,000 px searched for similar objects: memory from tile to tile.

The search is left off now and then by what raises in it, as a click does, and goes on. Asked:
memory does not grow with what was looked at; no tile is looked at twice or left out.

    python benchmarks/large_scan.py [--side 30000] [--seconds 240] [--kind similar]

Takes .9 GB of disk, and stops after so many seconds of searching. Of tiles beside the bare encoder
`scan.py` tells.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from large import LineScan
from scan import TILE, placed_things
from scan import _mask as mask_of

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.images.opening import open_image

ACCEPTED = 12
EVERY = 25
"""Tiles between two lines of the table."""


class Interrupted(Exception):
    """Stands for a click that comes in between."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--side", type=int, default=30_000)
    parser.add_argument("--density", type=float, default=0.7, help="objects in a tile")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--kind", choices=["similar", "everything"], default="similar")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scan = LineScan(options.side, 0, 0)
    scan.things = placed_things(
        options.side, round(options.density * (options.side / TILE) ** 2), seed=0
    )
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "scan.tif"
        scan.write_tiff(file)
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with Session(Project.open(Path(name) / "p"), predictor, recall=False) as session:
            session.open_image(open_image(file), "scan", path=file)
            for thing in scan.things[:: max(1, len(scan.things) // ACCEPTED)][:ACCEPTED]:
                session.adopt(mask_of(thing, (options.side, options.side)), "pore")
            session.answerer.settle()
            search(session, options.kind, options.seconds)


def search(session: Session, kind: str, most: float) -> None:
    """Search until the time is over, interrupted at every seventh tile."""
    process, random = psutil.Process(), np.random.default_rng(0)
    looked, interruptions, until = 0, 0, time.monotonic() + most
    print("tiles | resident MiB | finds | processor s | interrupted")

    def checkpoint() -> None:
        if random.random() < 1 / 7:
            raise Interrupted

    done = 0
    while time.monotonic() < until:
        before = session.review.scanning("scan")
        try:
            found = session.review.find(
                "similar" if kind == "similar" else "everything", "scan", checkpoint, seconds=0
            )
        except Interrupted:
            interruptions += 1
            after = session.review.scanning("scan")
            if before is not None and after is not None and after.done < before.done:
                raise RuntimeError(f"{before.done} tiles were done, {after.done} are") from None
            continue
        looked += 1
        progress = session.review.scanning("scan")
        if progress is None:
            print(f"all {looked} tiles")
            break
        done = progress.done
        if done % EVERY == 1:
            held, seconds = process.memory_info().rss / 2**20, time.process_time()
            print(
                f"{done} of {progress.total} | {held:,.0f} | {len(found)} | {seconds:.0f} |"
                f" {interruptions}",
                flush=True,
            )
    print(f"{looked} tiles looked at, {done} done, {interruptions} interruptions")


if __name__ == "__main__":
    main()
