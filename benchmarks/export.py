"""Every format out of a project of 10,000 objects over 1,000 images: seconds, and memory.

Asked: seconds for each format, and memory that does not grow with the number of objects. Each
export runs in a process of its own; memory is its peak above what it had before it began.

    python benchmarks/export.py [--images 1000] [--side 512] [--format coco yolo]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from scipy import ndimage

from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.clock import new_id
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import FORMATS, format_named

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

OBJECTS = 10


def objects(side: int) -> list[NewAnnotation]:
    """Ten blobs of about 40 px, some with holes or in parts, of three classes."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(OBJECTS):
        mask = np.zeros((side, side), bool)
        y, x = rng.integers(0, side - 64, 2)
        smooth = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 6)
        mask[y : y + 64, x : x + 64] = smooth > np.quantile(smooth, 0.7)
        effort = Effort(clicks=2, seconds=3)
        found.append(NewAnnotation("0.png", mask, f"class {number % 3}", effort=effort))
    return found


def a_project(folder: Path, images: int, side: int) -> Project:
    """A project whose records but the first ten are copies of these, for other images."""
    project = Project.open(folder / "project")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (images, side // 16, side // 16), np.uint8)
    for number in track(range(images), "Writing images"):
        path = folder / "images" / f"{number}.png"
        picture = Image.fromarray(coarse[number]).resize((side, side))
        picture.save(path)
        digest = content_hash(np.asarray(picture))
        project.add_image(path.name, shape=(side, side), content_hash=digest, path=path)
    accepted = [project.add(new) for new in objects(side)]
    store, now = project.path / "annotations.zarr", time.time_ns() // 1000
    for number in track(range(OBJECTS, OBJECTS * images), "Writing records"):
        copy = store / new_id(now + number)
        shutil.copytree(store / accepted[number % OBJECTS].id, copy)
        said = json.loads((copy / "zarr.json").read_bytes())
        said["attributes"]["image_id"] = f"{number // OBJECTS}.png"
        (copy / "zarr.json").write_text(json.dumps(said))
    return Project.open(project.path)


def measure(form: str, path: Path, out: Path, answer: Connection) -> None:
    """Export in this process, and tell seconds, seconds of the processor, and megabytes."""
    project = Project.open(path)
    chosen = selection(project)
    next(images_out(project)).objects[0]  # imports zarr
    known = format_named(form)
    known.load_writer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, busy = time.perf_counter(), time.process_time()
    report = export(known, images_out(project), chosen.classes, out)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((seconds, busy, (after - before) / 1024, report.objects))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512)
    every = [known.name for known in FORMATS.values() if known.writer]
    parser.add_argument("--format", nargs="*", default=every, choices=every)
    arguments = parser.parse_args()
    console = Console()
    console.print(f"{arguments.images} images of {arguments.side} px, {OBJECTS} objects each")
    console.print("format           seconds  of CPU  MB more")
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project = a_project(folder, arguments.images, arguments.side)
        for form in arguments.format:
            here, there = spawn.Pipe()
            out = folder / f"out-{form}"
            child = spawn.Process(target=measure, args=(form, project.path, out, there))
            child.start()
            there.close()
            seconds, busy, megabytes, count = here.recv()
            child.join()
            if count != OBJECTS * arguments.images:
                raise SystemExit(f"{form} wrote {count} objects")
            console.print(f"{form:15} {seconds:8.1f} {busy:7.1f} {megabytes:8.0f}", highlight=False)
            shutil.rmtree(out) if out.is_dir() else out.unlink()


if __name__ == "__main__":
    main()
