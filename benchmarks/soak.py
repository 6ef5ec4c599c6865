"""Many accepts in one session: what it takes in memory, and whether it gets slower.

Asked: memory flat after the first two hundred accepts, and no step slower at the end than at first.

    python benchmarks/soak.py [--accepts 1500] [--images 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

SHAPE = (240, 320)
RADIUS = 8
IN_A_ROW = 10
"""Masks accepted on an image before the next one is opened."""
EVERY = 100
"""Accepts a row of the table is about."""


def discs(number: int) -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """Return a noisy image with dark discs, and their middles (x, y)."""
    rng = np.random.default_rng(number)
    pixels = rng.normal(150, 8, SHAPE)
    middles = [(x, y) for x in range(20, SHAPE[1] - 10, 30) for y in range(20, SHAPE[0] - 10, 30)]
    rng.shuffle(middles)
    for x, y in middles:
        pixels[disc(x, y)] -= 60
    return pixels.clip(0, 255).astype(np.uint8), middles


def disc(x: int, y: int) -> NDArray[np.bool_]:
    """Return a mask of the image."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 < RADIUS**2


def places(accepts: int, images: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the image and the place on it for every accept; images come by again and again."""
    for number in range(accepts):
        turn = number // IN_A_ROW
        image, visit = turn % images, turn // images
        middles = discs(image)[1]
        yield image, middles[(visit * IN_A_ROW + number % IN_A_ROW) % len(middles)]


def timed(action: Callable[[], object]) -> float:
    """Milliseconds an action takes."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e3


def work(session: Session, accepts: int, images: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Accept so many masks; yields how many there are and the median ms of each kind of step."""
    opened, taken = None, defaultdict[str, list[float]](list)
    for number, (image, (x, y)) in enumerate(places(accepts, images), start=1):
        if image != opened:
            pixels, opened = discs(image)[0], image
            name = f"{image}.png"
            taken["open"].append(timed(lambda p=pixels, n=name: session.open_image(p, n)))
        prompt, mask = Prompt([(x, y)], [1]), disc(x, y)
        taken["propose"].append(timed(lambda p=prompt: session.propose(p)))
        taken["accept"].append(timed(lambda m=mask: session.accept(m, "pit")))
        if number % EVERY == 0:
            yield number, {what: median(times) for what, times in taken.items()}
            taken.clear()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accepts", type=int, default=1500)
    parser.add_argument("--images", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    me, console = psutil.Process(), Console()
    table = Table("accepts", "RSS, MiB", "open, ms", "propose, ms", "accept, ms")
    rows: list[tuple[float, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with Session(Project.open(folder), predictor) as session:
            for number, taken in work(session, arguments.accepts, arguments.images):
                memory = me.memory_info().rss / 2**20
                rows.append((memory, taken))
                times = [f"{taken[what]:.0f}" for what in ("open", "propose", "accept")]
                table.add_row(f"{number}", f"{memory:.0f}", *times)
                console.print(number, f"{memory:.0f} MiB", *times)
    ratios = [f"{rows[-1][1][what] / rows[0][1][what]:.2f}×" for what in rows[0][1]]
    table.add_row("last / first", f"{rows[-1][0] - rows[0][0]:+.0f}", *ratios)
    console.print(table)


if __name__ == "__main__":
    main()
