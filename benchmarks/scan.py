"""A large image searched for all like what was accepted, beside the bare encoder over its tiles.

A line scan is made as in `large.py`, with objects of 12 to 300 px, .7 of them in a tile of
1024 px, every third across a seam or a corner of the tiles. Some are accepted, and the rest is
looked for, tile by tile; before each tile the bare encoder encodes the same one. Asked: at most
1.15 times the encoder, and no object cut in two at a seam.

    python benchmarks/scan.py [--side 8192] [--density 0.7] [--accepted 12]

Once as it is, and once with every object encoded anew from close by, and with none: what that is
worth in IoU, by the objects' size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from large import LineScan, Thing, window_of

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.suggestions import scan as scanning
from napari_sam_tune.core.suggestions.scan import tiles_for_similar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window

TILE = 1024
SMALLEST, LARGEST = 12, 300
APART = 24
"""Px between objects, at least."""
_CUT = 0.75
"""Share of an object's px up to which a find shows part of it."""
_PART = 0.2
"""Share of a find, or of an object, from which one shows the other."""
_ON_SEAM = 3
"""Every so many-th object lies across a seam."""


@dataclass
class Figures:
    """What one search came to: seconds of both (`_now`), and of each object size, IoU, found."""

    scan: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    bare: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    tiles: int = 0
    encoded: int = 0
    finds: int = 0
    false: int = 0
    cut: int = 0
    rows: list[tuple[int, float, bool]] = field(default_factory=list)


def placed_things(side: int, count: int, seed: int) -> list[Thing]:
    """Return objects of log-uniform sizes, none near another, some on seams of the tiles."""
    random = np.random.default_rng(seed)
    things: list[Thing] = []
    for number, size in enumerate(np.geomspace(LARGEST, SMALLEST, count).round().astype(int)):
        for _ in range(1000):
            place = random.integers(size, side - size, 2)
            if number % _ON_SEAM == 0:  # one in three of these on a corner
                axes = (0, 1) if number % (3 * _ON_SEAM) == 0 else (int(random.integers(2)),)
                for axis in axes:
                    near = int(np.clip(round(place[axis] / TILE), 1, side // TILE - 1)) * TILE
                    place[axis] = near + random.integers(-size // 4, size // 4 + 1)
            thing = Thing(int(place[0]), int(place[1]), int(size), int(random.integers(1 << 30)))
            if not any(_meet(thing, other) for other in things):
                things.append(thing)
                break
    return things


def _meet(one: Thing, other: Thing) -> bool:
    apart = (one.size + other.size) / 2 + APART
    return abs(one.y - other.y) < apart and abs(one.x - other.x) < apart


def search(options: argparse.Namespace, least: float, folder: Path) -> Figures:
    """Accept some objects and look for the others; a small object is one of less than `least`."""
    scan = LineScan(options.side, 0, options.seed)
    count = round(options.density * (options.side / TILE) ** 2)
    scan.things = placed_things(options.side, count, options.seed)
    shape = (options.side, options.side)
    pixels = window_of(scan, (0, 0, *shape))
    truths = [_mask(thing, shape) for thing in scan.things]
    scanning.SMALL = least
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    figures = Figures()
    with Session(Project.open(folder), predictor, recall=False) as session:
        session.open_image(pixels, "scan")
        every = max(1, len(truths) // options.accepted)
        known = set(range(every // 2, len(truths), every))
        for number in sorted(known):
            session.adopt(truths[number], "pore")
        session.answerer.settle()
        tiles = tiles_for_similar(shape, predictor.input_side, [1])
        masks = _measure(session, tiles, figures)
    figures.finds = len(masks)
    for number, (thing, truth) in enumerate(zip(scan.things, truths, strict=True)):
        if number in known:
            continue
        shared = [((mask & truth).area, mask) for mask in masks]
        touching = [m for both, m in shared if both > _PART * min(m.area, truth.area)]
        best = max((_iou(mask, truth) for mask in touching), default=0.0)
        covered = max(((mask & truth).area / truth.area for mask in touching), default=0.0)
        is_cut = len(touching) > 1 or (bool(touching) and covered < _CUT and _on_seam(thing))
        figures.cut += is_cut
        figures.rows.append((thing.size, best, bool(touching)))
    figures.false = sum(not any((mask & truth).any() for truth in truths) for mask in masks)
    return figures


def _measure(session: Session, tiles: list[Window], figures: Figures) -> list[PlacedMask]:
    """Search tile by tile, each beside the bare encoder; the first one warms up."""
    found = []
    predictor = session.answerer.predictor
    encoder, source = predictor.encoder, predictor.opened.source
    counted = _Counted(predictor)
    for number, tile in enumerate(tiles):
        began = _now()
        encoder.encode(source, tile)
        bare = _now() - began
        counted.calls = 0
        began = _now()
        found = session.review.find("similar", "scan", seconds=0)
        here = _now() - began
        if number:
            figures.bare, figures.scan = figures.bare + bare, figures.scan + here
            figures.encoded += counted.calls
            figures.tiles += 1
        if session.review.scanning("scan") is None:
            break
    return [one.placed for one in found]


def _now() -> NDArray[np.float64]:
    """Return seconds by the clock, and of this process on a core, which others take nothing of."""
    return np.array([time.perf_counter(), time.process_time()])


class _Counted:
    """Counts how often an encoder is asked."""

    def __init__(self, predictor: Predictor) -> None:
        self.calls = 0
        encode = predictor.encoder.encode

        def counted(*given, **named):  # type: ignore[no-untyped-def]
            self.calls += 1
            return encode(*given, **named)

        predictor.encoder.encode = counted  # type: ignore[method-assign]
        go_on = predictor.encoder.go_on

        def gone_on(begun):  # type: ignore[no-untyped-def]
            self.calls += 1
            return go_on(begun)

        predictor.encoder.go_on = gone_on  # type: ignore[method-assign]


def _mask(thing: Thing, shape: tuple[int, int]) -> PlacedMask:
    return PlacedMask.in_window(thing.inside(thing.box), thing.box, shape)


def _iou(one: PlacedMask, other: PlacedMask) -> float:
    shared = (one & other).area
    return shared / (one.area + other.area - shared)


def _on_seam(thing: Thing) -> bool:
    half = thing.size // 2
    return any((at - half) // TILE != (at + half) // TILE for at in (thing.y, thing.x))


def main() -> None:
    """Search with and without a second look at objects, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--density", type=float, default=0.7, help="objects in a tile")
    parser.add_argument("--accepted", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--way", nargs="*", help="as it is, none anew, all anew; else all three")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ways = {"as it is": scanning.SMALL, "none anew": 0.0, "all anew": float("inf")}
    ways = {name: least for name, least in ways.items() if name in (options.way or ways)}
    seen: dict[str, Figures] = {}
    for name, least in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            seen[name] = search(options, least, Path(folder) / "p")
        report(name, seen[name])


def report(name: str, figures: Figures) -> None:
    """Print one way's figures."""
    print(f"\n{name}: {figures.tiles} tiles, encoded {figures.encoded} times")
    clock, core = figures.scan / figures.bare
    print(f"  beside the bare encoder  {clock:.2f} x by the clock, {core:.2f} x on a core")
    print("                           asked 1.15 x")
    print(f"  a tile of the bare encoder  {1e3 * figures.bare[1] / figures.tiles:.0f} ms on a core")
    print(f"  objects cut in two at seams {figures.cut}   asked 0")
    print(
        f"  found {sum(one[2] for one in figures.rows)} of {len(figures.rows)}, "
        f"{figures.finds} finds, {figures.false} of them of nothing"
    )
    for low, high in ((0, 24), (24, 48), (48, 96), (96, 192), (192, 400), (0, 400)):
        some = [iou for size, iou, is_found in figures.rows if low <= size < high and is_found]
        if some:
            mean = statistics.mean(some)
            print(f"  IoU, {low} to {high} px: {mean:.3f} ({len(some)})", flush=True)


if __name__ == "__main__":
    main()
