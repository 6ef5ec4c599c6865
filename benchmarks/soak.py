"""Many accepts in one session: what it takes in memory, and whether it gets slower.

Asked: memory flat after the first two hundred accepts, and no step slower at the end than at first.

    python benchmarks/soak.py [--accepts 1500] [--images 60] [--busy]

A person looks at an image before the first click, in which time the dock's thread for the model
gives holes of the heap back; so does this before an image's first click, unless with `--busy`.

Times are those of the processor, in all threads, so that what else runs on the computer counts for
little; what it still counts for, caches that are shared, is seen in a fixed computation done beside
every image, by whose time the ratios at the end are divided.
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
from napari_sam_tune.core.storage.heap_holes import HeapHoles

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
    """Milliseconds of the processor that an action takes."""
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1e3


def reference() -> None:
    """Compute something that is always the same."""
    with torch.inference_mode():
        torch.nn.functional.conv2d(torch.ones(1, 64, 64, 64), torch.ones(64, 64, 3, 3))
    sorted(range(20_000), key=lambda number: -number)


def work(
    session: Session, accepts: int, images: int, look: Callable[[], object]
) -> Iterator[tuple[int, dict[str, float]]]:
    """Accept so many masks; yields how many there are and the median ms of each kind of step.

    `look` is what happens while the person looks at an image that has just been opened.
    """
    opened, taken = None, defaultdict[str, list[float]](list)
    for number, (image, (x, y)) in enumerate(places(accepts, images), start=1):
        if image != opened:
            pixels, opened = discs(image)[0], image
            name = f"{image}.png"
            taken["open"].append(timed(lambda p=pixels, n=name: session.open_image(p, n)))
            taken["reference"].append(timed(reference))
            look()
        prompt, mask = Prompt([(x, y)], [1]), disc(x, y)
        taken["propose"].append(timed(lambda p=prompt: session.propose(p)))
        taken["accept"].append(timed(lambda m=mask: session.accept(m, "pit")))
        if number % EVERY == 0:
            yield number, {what: median(times) for what, times in taken.items()}
            taken.clear()


class Memory:
    """What the process takes, MiB: the most in these hundred accepts, and the least held.

    Args:
        is_busy: holes are never given back.

    """

    def __init__(self, *, is_busy: bool) -> None:
        self._process, self._holes = psutil.Process(), None if is_busy else HeapHoles()
        self.most = self.held = 0.0
        self.trims: list[float] = []

    def look(self) -> None:
        """Note what is taken now, and give holes back."""
        self.note()
        began = time.perf_counter()
        if self._holes is not None and self._holes.give_back():
            self.trims.append((time.perf_counter() - began) * 1e3)
            self.held = self._resident()

    def note(self) -> None:
        """Note what is taken now."""
        self.most = max(self.most, self._resident())

    def _resident(self) -> float:
        return float(self._process.memory_info().rss / 2**20)

    def row(self) -> tuple[float, float]:
        """Return the most since the last row, and what was held when holes were given back last."""
        self.note()
        most, self.most = self.most, 0.0
        return most, self.held


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accepts", type=int, default=1500)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--busy", action="store_true", help="no moment without work")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    memory, console = Memory(is_busy=arguments.busy), Console()
    steps = ("open", "propose", "accept", "reference")
    table = Table("accepts", "most, MiB", "held, MiB", *(f"{step}, ms" for step in steps))
    rows: list[tuple[float, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with Session(Project.open(folder), predictor) as session:
            done = work(session, arguments.accepts, arguments.images, memory.look)
            for number, taken in done:
                most, held = memory.row()
                rows.append((most, taken))
                row = [f"{taken[step]:.1f}" for step in steps]
                row = [f"{number}", f"{most:.0f}", f"{held:.0f}", *row]
                table.add_row(*row)
                console.print(*row)
    slower = {step: rows[-1][1][step] / rows[0][1][step] for step in steps}
    ratios = [f"{slower[step] / slower['reference']:.2f}×" for step in steps[:-1]]
    ratios.append(f"{slower['reference']:.2f}×")
    table.add_row("last / first", f"{rows[-1][0] - rows[0][0]:+.0f}", "", *ratios)
    console.print(table)
    trims = [f"{ms:.0f}" for ms in memory.trims]
    console.print(f"holes given back {len(trims)} times, ms:", *trims)


if __name__ == "__main__":
    main()
