"""A line scan of 30,000 × 30,000 px: opened, clicked, accepted, beside a small image.

The scan is made here: a surface that is nowhere the same twice, and on it 200 objects of 8 to
4,000 px whose masks are known, as a tiled TIFF and as OME-Zarr with levels. Asked: the first view
in 2 s; a click at native resolution at most 1.2 times one in a small image, once its window is
encoded; at most .5 GB of memory more than with a small image; masks as good as on crops cut by
hand (mean IoU ± .02); accepting at most 20 ms slower.

    python benchmarks/large.py [--side 30000] [--objects 200] [--asked 60] [--keep FOLDER]

Each figure is taken in a process of its own. With --side 30000 it takes 2.1 GB of disk, and gives
them back unless they are to be kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import tifffile
import torch
import zarr
from scipy import ndimage

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.geometry.windows import clipped
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.overview import averaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window

TILE, CHUNK = 512, 1024
SMALLEST, LARGEST = 8, 4000
SMALL = 1024
"""Side of the small image."""


@dataclass(frozen=True)
class Thing:
    """An object of the scan: (y, x) of its middle, its largest extent in px, its shape's seed."""

    y: int
    x: int
    size: int
    seed: int

    @property
    def box(self) -> Window:
        """Return what it lies in."""
        half = self.size // 2 + 1
        return self.y - half, self.x - half, self.y + half + 1, self.x + half + 1

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Return (h, w): what of a window it covers. Its radius waves with the angle."""
        random = np.random.default_rng(self.seed)
        waves = random.uniform(-0.12, 0.12, 4), random.uniform(0, 6.3, 4)
        rows = np.arange(window[0], window[2], dtype=np.float32)[:, None] - self.y
        columns = np.arange(window[1], window[3], dtype=np.float32)[None] - self.x
        angle, radius = np.arctan2(rows, columns), np.full((1, 1), 1.0, np.float32)
        for n, (height, phase) in enumerate(zip(*waves, strict=True), start=2):
            radius = radius + height / n * np.cos(n * angle + phase)
        return rows**2 + columns**2 <= (radius * self.size / 2.4) ** 2


class LineScan:
    """The scan: any window of it, and its objects."""

    def __init__(self, side: int, objects: int, seed: int) -> None:
        self.side, self._seed = side, seed
        random = np.random.default_rng(seed)
        largest = min(LARGEST, side // 6)
        sizes = np.geomspace(SMALLEST, largest, objects).round().astype(int)[::-1]
        self.things: list[Thing] = []
        for size in sizes.tolist():
            for _ in range(1000):
                y, x = random.integers(size, side - size, 2).tolist()
                thing = Thing(y, x, size, int(random.integers(1 << 30)))
                if not any(_near(thing, other) for other in self.things):
                    self.things.append(thing)
                    break
        # pieces of surface, which tiles take at places of their own
        grain = random.normal(0, 1, (3 * CHUNK, 3 * CHUNK)).astype(np.float32)
        smooth = ndimage.gaussian_filter(grain, 9)
        lines = ndimage.gaussian_filter1d(random.normal(0, 1, 3 * CHUNK), 2)[:, None]
        self._pool = 6 * grain + 8 * smooth / smooth.std() + 5 * (lines / lines.std())

    def pixels(self, window: Window) -> NDArray[np.uint8]:
        """Return (h, w) uint8 of a window within one chunk."""
        y0, x0, y1, x1 = window
        at = np.random.default_rng((self._seed, y0 // CHUNK, x0 // CHUNK))
        top, left = at.integers(0, 2 * CHUNK, 2).tolist()
        top, left = top + y0 % CHUNK, left + x0 % CHUNK
        grey = 118 + self._pool[top : top + y1 - y0, left : left + x1 - x0]
        for thing in self.things:
            a0, b0, a1, b1 = thing.box
            if a0 < y1 and a1 > y0 and b0 < x1 and b1 > x0:
                change = 55 if thing.seed % 2 else -55
                grey = grey + np.float32(change) * thing.inside(window)
        return grey.clip(0, 255).astype(np.uint8)

    def write_tiff(self, path: Path) -> None:
        """Write it tile by tile, uncompressed, without levels."""
        places = range(0, self.side, TILE)
        tiles = (
            _filled(self.pixels((y, x, min(y + TILE, self.side), min(x + TILE, self.side))))
            for y in places
            for x in places
        )
        tifffile.imwrite(
            path,
            tiles,
            shape=(self.side, self.side),
            dtype="uint8",
            tile=(TILE, TILE),
            photometric="minisblack",
            bigtiff=True,
        )

    def write_zarr(self, path: Path) -> None:
        """Write it as OME-Zarr 0.5 with levels, each half of the one before."""
        group, side, names = zarr.create_group(path, zarr_format=3), self.side, []
        before: Any = None
        while before is None or side > CHUNK:
            side = self.side if before is None else -(-side // 2)
            array = group.create_array(
                str(len(names)), shape=(side, side), chunks=(CHUNK, CHUNK), dtype="uint8"
            )
            for y in range(0, side, CHUNK):
                for x in range(0, side, CHUNK):
                    end, right = min(y + CHUNK, side), min(x + CHUNK, side)
                    array[y:end, x:right] = (
                        self.pixels((y, x, end, right))
                        if before is None
                        else averaged(np.asarray(before[2 * y : 2 * end, 2 * x : 2 * right]), 2)
                    )
            scale = [{"type": "scale", "scale": [2.0 ** len(names)] * 2}]
            names.append({"path": str(len(names)), "coordinateTransformations": scale})
            before = array
        axes = [{"name": name, "type": "space"} for name in "yx"]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": names}]}


def _near(one: Thing, other: Thing) -> bool:
    apart = (one.size + other.size) / 2 + 40
    return abs(one.y - other.y) < apart and abs(one.x - other.x) < apart


def _filled(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(tile, [(0, TILE - side) for side in tile.shape])


# ----------------------------------------------------------------- what is measured


def first_view(file: Path) -> dict[str, float]:
    """Seconds until there is something to see of all of it, as the dock opens it."""
    began = time.perf_counter()
    image = open_image(file)
    assert isinstance(image, LargeImage)
    assert image.content_hash
    image.glance(1)
    coarse = next(x for x in reversed(image.levels) if max(x.shape) >= min(1024, max(image.shape)))
    coarse[...]
    first = time.perf_counter() - began
    began = time.perf_counter()
    y, x = (side // 2 for side in image.shape[:2])
    image.levels[0][y : y + 800, x : x + 1200]
    native = time.perf_counter() - began
    began = time.perf_counter()
    while not image.fill(60):
        pass
    return {"first": first, "native": native, "rest": time.perf_counter() - began}


class Desk:
    """A session over an image, with somebody who clicks."""

    def __init__(self, folder: Path, image: NDArray[Any] | LargeImage, path: Path | None) -> None:
        self.session = Session(
            Project.open(folder),
            Predictor.from_checkpoint("starter", device="cpu"),
            recall=False,
        )
        self.image = image
        self.session.open_image(image, "scan", path=path)

    def click(self, x: int, y: int, seen: Window | None) -> float:
        """Click once; return ms."""
        prompt = Prompt([(float(x), float(y))], [1])
        began = time.perf_counter()
        self.session.propose(prompt, seen)
        return 1e3 * (time.perf_counter() - began)

    def accept(self) -> float:
        """Accept what is open; return ms."""
        began = time.perf_counter()
        self.session.accept()
        return 1e3 * (time.perf_counter() - began)


def work(scan: LineScan, file: Path | None, asked: int, folder: Path) -> dict[str, Any]:
    """Click and accept in the scan, or in a small piece of it; ms, and bytes in memory."""
    things = [thing for thing in scan.things if 20 <= thing.size <= 300][:asked]
    clicks, accepts = [], []
    shift = 0, 0
    first = np.zeros((SMALL, SMALL), np.uint8) if file is None else open_image(file)
    desk = Desk(folder / "p", first, file)
    for number, thing in enumerate(things):
        seen = _around(thing, SMALL, scan.side)
        if file is None:
            shift, pixels = seen[:2], window_of(scan, seen)
            desk.session.open_image(pixels, f"{number}")
            seen = 0, 0, SMALL, SMALL
        y, x = thing.y - shift[0], thing.x - shift[1]
        desk.click(x, y, seen)  # its window is encoded now
        desk.session.reject()
        clicks.append(desk.click(x, y, seen))
        if desk.session.open_object.placed is not None:
            accepts.append(desk.accept())
        else:
            desk.session.reject()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    held = psutil.Process().memory_info().rss
    return {"clicks": clicks, "accepts": accepts, "peak": peak, "held": held}


def quality(scan: LineScan, file: Path, asked: int, folder: Path) -> dict[str, Any]:
    """IoU after one click: in the scan, and on a crop cut by hand around each object."""
    every = max(1, len(scan.things) // asked)
    image = open_image(file)
    desk = Desk(folder / "p", image, file)
    rows = []
    for number, thing in enumerate(scan.things[::every]):
        seen = _around(thing, max(256, 2 * thing.size), scan.side)
        desk.click(thing.x, thing.y, seen)
        found = desk.session.open_object.placed
        in_scan = 0.0 if found is None else _iou(found.crop(seen), thing.inside(seen))
        desk.session.reject()
        pixels = window_of(scan, seen)
        crop = Desk(folder / f"c{number}", pixels, None)
        crop.click(thing.x - seen[1], thing.y - seen[0], (0, 0, *pixels.shape))
        cut = crop.session.open_object.placed
        in_crop = 0.0 if cut is None else _iou(cut.draw(), thing.inside(seen))
        rows.append((thing.size, in_scan, in_crop))
        crop.session.close()
        shutil.rmtree(folder / f"c{number}")
    return {"rows": rows}


def window_of(scan: LineScan, window: Window) -> NDArray[np.uint8]:
    """Put a window of the scan together from its chunks, without reading the file."""
    y0, x0, y1, x1 = window
    out = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for y in range(y0 - y0 % CHUNK, y1, CHUNK):
        for x in range(x0 - x0 % CHUNK, x1, CHUNK):
            a0, b0, a1, b1 = max(y, y0), max(x, x0), min(y + CHUNK, y1), min(x + CHUNK, x1)
            out[a0 - y0 : a1 - y0, b0 - x0 : b1 - x0] = scan.pixels((a0, b0, a1, b1))
    return out


def _around(thing: Thing, side: int, most: int) -> Window:
    half = side // 2
    y, x = (min(max(at, half), most - half) for at in (thing.y, thing.x))
    return clipped((y - half, x - half, y + half, x + half), (most, most))


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


# -------------------------------------------------------------------------- running


def alone(name: str, options: argparse.Namespace, file: Path | None) -> dict[str, Any]:
    """Take a figure in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--file", str(file or "")]
    for option in ("side", "objects", "asked", "seed"):
        command += [f"--{option}", str(getattr(options, option))]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def measure(options: argparse.Namespace) -> None:
    """Take one figure and print it."""
    torch.set_num_threads(1)
    scan = LineScan(options.side, options.objects, options.seed)
    file = Path(options.file) if options.file else None
    with tempfile.TemporaryDirectory() as folder:
        match options.measure, file:
            case "view", Path():
                found: dict[str, Any] = first_view(file)
            case "quality", Path():
                found = quality(scan, file, options.asked, Path(folder))
            case _:
                found = work(scan, file, options.asked, Path(folder))
    sys.stdout.write("\n" + json.dumps(found) + "\n")


def main() -> None:
    """Make the scan, take the figures, print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=30_000)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--asked", type=int, default=60, help="objects that are clicked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where the scan is made, and stays")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        files = {"TIFF": folder / "scan.tif", "OME-Zarr": folder / "scan.zarr"}
        need = 2.5 * options.side**2
        if shutil.disk_usage(folder).free < need + 5e9:
            sys.exit(f"{folder} has no room for {need / 1e9:.1f} GB.")
        scan = LineScan(options.side, options.objects, options.seed)
        if not files["TIFF"].exists():
            scan.write_tiff(files["TIFF"])
        if not files["OME-Zarr"].exists():
            scan.write_zarr(files["OME-Zarr"])
        report(options, files)


def report(options: argparse.Namespace, files: dict[str, Path]) -> None:
    """Take all figures and print them, each when it is there."""
    small = alone("work", options, None)
    for kind, file in files.items():
        view = alone("view", options, file)
        say(f"{kind}: first view", f"{view['first']:.2f} s", "≤ 2 s")
        say(f"{kind}: 800 × 1200 px in full", f"{view['native']:.2f} s")
        say(f"{kind}: all of the overview, beside", f"{view['rest']:.1f} s")
        large = alone("work", options, file)
        here, there = (statistics.median(one["clicks"]) for one in (large, small))
        said = f"{here / there:.2f} × ({here:.0f} ms, small {there:.0f} ms)"
        say(f"{kind}: click, window encoded", said, "≤ 1.2 ×")
        more = (large["peak"] - small["peak"]) / 1e9
        say(f"{kind}: memory more, at most", f"{more:.2f} GB", "≤ .5 GB")
        here, there = (statistics.median(one["accepts"]) for one in (large, small))
        said = f"{here - there:+.1f} ms ({here:.1f} ms, small {there:.1f} ms)"
        say(f"{kind}: accept until durable", said, "≤ + 20 ms")
    rows = alone("quality", options, files["TIFF"])["rows"]
    for low, high in ((0, 32), (32, 256), (256, 5000), (0, 5000)):
        some = [row for row in rows if low <= row[0] < high]
        if some:
            here, there = (float(np.mean([row[n] for row in some])) for n in (1, 2))
            said = f"{here - there:+.3f} ({here:.3f}, by hand {there:.3f}; {len(some)} objects)"
            asked = "± .02" if (low, high) == (0, 5000) else ""
            say(f"IoU after a click, {low} to {high} px", said, asked)


def say(what: str, seen: str, asked: str = "") -> None:
    """Print a figure beside what is asked of it."""
    print(f"{what:<36} {seen:<50} {asked}", flush=True)


if __name__ == "__main__":
    main()
