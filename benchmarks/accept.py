"""Accepting a mask until it is durable, and opening a project, at 10 and at 10,000 records.

Asked: p95 at most 20 ms and flat (at most 1.5×) from 10 to 10,000 records; opening 10,000 in at
most 2 s. Accepts into both projects and the bare operation (two small files written, flushed, and
renamed as one folder) alternate in one run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.clock import new_id
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Effort, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (1024, 1400)
FEW, MANY, TIMES = 10, 10_000, 300


def an_object(rng: np.random.Generator) -> NewAnnotation:
    """A ring-shaped defect about 100 px wide, three answered proposals, some paint."""
    y, x = rng.integers(100, SHAPE[0] - 100), rng.integers(100, SHAPE[1] - 100)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(rows - y, columns - x)
    mask = (distance < 50) & (distance > 12)
    points = [(float(x + 30), float(y)), (float(x), float(y)), (float(x - 60), float(y))]
    labels = [1, 0, 0]
    return NewAnnotation(
        "a.png",
        mask,
        "blowhole",
        prompts=tuple(Prompt(points[:n], labels[:n]) for n in (1, 2, 3)),
        proposal_mask=distance < 52,
        predicted_iou=0.9,
        locked=distance < 12,
        effort=Effort(clicks=3, strokes=1, painted_pixels=440, seconds=7.5),
    )


def a_project(path: Path, records: int, objects: list[NewAnnotation]) -> Project:
    """A project of one image and so many accepted masks; copies stand for all but the first."""
    project = Project.open(path)
    pixels = np.zeros(SHAPE, np.uint8)
    project.add_image("a.png", shape=SHAPE, content_hash=content_hash(pixels), array=pixels)
    accepted = [project.add(new) for new in objects]
    now = time.time_ns() // 1000
    for number in track(range(records - len(objects)), f"Writing {records} records"):
        store = path / "annotations.zarr"
        shutil.copytree(store / accepted[number % len(objects)].id, store / new_id(now + number))
    return Project.open(path)


def write_bare(folder: Path, metadata: bytes, chunk: bytes) -> None:
    """What a durable record costs at the least."""
    built, final = folder / "pending", folder / str(time.time_ns())
    built.mkdir()
    for name, content in (("zarr.json", metadata), ("c.0.0", chunk)):
        with (built / name).open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
    flush(built)
    built.rename(final)
    flush(folder)


def flush(folder: Path) -> None:
    """Force a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def read_bare(folder: Path) -> None:
    """Read what opening has to read, and do nothing with it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                (Path(entry.path) / "zarr.json").read_bytes()


def timed(action: Callable[[], object]) -> float:
    """Milliseconds an action takes."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    objects = [an_object(rng) for _ in range(FEW)]
    with tempfile.TemporaryDirectory(dir=os.environ.get("SAM_TUNE_BENCH_DIR")) as name:
        folder = Path(name)
        few, many = (a_project(folder / str(n), n, objects) for n in (FEW, MANY))
        sample = next((folder / str(FEW) / "annotations.zarr").glob("2*"))
        metadata, chunk = (sample / "zarr.json").read_bytes(), (sample / "c.0.0").read_bytes()
        (folder / "bare").mkdir()
        runs: dict[str, list[float]] = {"bare": [], "few": [], "many": []}
        for turn in track(range(TIMES), "Accepting"):
            new = objects[turn % len(objects)]
            runs["bare"].append(timed(lambda: write_bare(folder / "bare", metadata, chunk)))
            runs["few"].append(timed(lambda new=new: few.add(new)))
            runs["many"].append(timed(lambda new=new: many.add(new)))
            if turn % 20 == 19:  # keep "few" few
                for kept in few.annotations()[FEW:]:
                    few.delete(kept.id)
        opening = [timed(lambda: Project.open(many.path)) for _ in range(5)]
        reading = [timed(lambda: read_bare(many.path / "annotations.zarr")) for _ in range(5)]
        listing = [timed(lambda: many.annotations("a.png")) for _ in range(20)]
        mask = [timed(lambda a=a: a.mask) for a in many.annotations()[:200]]
    report(runs, opening, reading, listing, mask)


def report(runs: dict[str, list[float]], *rest: list[float]) -> None:
    """Print the table."""
    table = Table("what", "median ms", "p95 ms", "asked")
    titles = {
        "bare": ("bare: write, flush and rename two files", ""),
        "few": (f"accept at {FEW} records and upwards", "p95 ≤ 20 ms"),
        "many": (f"accept at {MANY} records", "p95 ≤ 20 ms"),
    }
    rows = [(*titles[key], times) for key, times in runs.items()]
    rows += [
        (f"open a project of {MANY} records", "≤ 2000 ms", rest[0]),
        ("bare: read every record's metadata", "", rest[1]),
        (f"list {MANY} annotations again", "", rest[2]),
        ("read one mask", "", rest[3]),
    ]
    for title, asked, times in rows:
        median, p95 = np.percentile(times, (50, 95))
        table.add_row(title, f"{median:.2f}", f"{p95:.2f}", asked)
    console = Console()
    console.print(table)
    ratios = [np.percentile(runs["many"], q) / np.percentile(runs["few"], q) for q in (50, 95)]
    console.print(
        f"{MANY} against {FEW}: {ratios[0]:.2f}× median, {ratios[1]:.2f}× p95, asked ≤ 1.5×"
    )


if __name__ == "__main__":
    main()
