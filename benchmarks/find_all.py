"""How long it takes to tell what is to be found on a folder of images whose features are cached.

Asked: 100 images in 10 s, memory flat. Once with images of the project, once with files that have
to be read to know which images they are; one thread.

    python benchmarks/find_all.py [--images 100] [--side 1024]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.images.files import content_hash, read_image, to_rgb8
from napari_sam_tune.core.pixel_classifier.features import KEY
from napari_sam_tune.core.pixel_classifier.survey import Unread
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.starter.materials import FAMILIES, make_sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LABELLED = 5
DIFFERENT = 8
"""Images with features of their own; the others get those of one of them."""


def picture(number: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A piece of cloth of side × side px, and one of its flaws."""
    image, labels = make_sample(np.random.default_rng([3, number % DIFFERENT]), FAMILIES[2], 0)
    rgb = np.array(Image.fromarray(to_rgb8(image)).resize((side, side)))
    flaw = np.array(Image.fromarray(labels == 1).resize((side, side)))
    rgb[0, 0] = number, number >> 8, 0  # no two are the same image
    return rgb, flaw


def prepare(session: Session, folder: Path, images: int, side: int) -> list[Unread]:
    """Label five images, and have features of the others in the cache; returns the others."""
    unread, kept = [], {}
    for number in range(images + LABELLED):
        path = folder / f"{number}.png"
        rgb, flaw = picture(number, side)
        Image.fromarray(rgb).save(path)
        key = content_hash(rgb)
        extractor = session.answerer.instant.extractor
        packed = kept.get(number % DIFFERENT) or extractor.extract(rgb).packed()
        kept[number % DIFFERENT] = packed
        session.answerer.embeddings.put(KEY, key, packed)
        if number < LABELLED:
            session.project.register(rgb, path.name, path=path)
            session.project.add(NewAnnotation(image_id=path.name, mask=flaw, label="flaw"))
            session.mark_done(path.name)
        else:
            unread.append(Unread(path.name, partial(read_image, path)))
    session.answerer.learn()
    session.answerer.settle(most=0)
    return unread


def measured(session: Session, images: Iterable[Unread] | None) -> tuple[float, float, float, int]:
    """Seconds, those of them on a core, MB that memory grew by after the tenth image, finds."""
    process = psutil.Process()
    began, worked = time.perf_counter(), time.process_time()
    sizes = [process.memory_info().rss for _ in session.survey(images)]
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    grown = (max(sizes[10:]) - max(sizes[:10])) / 1e6
    return seconds, worked, grown, sum(session.review.expected_finds.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--side", type=int, default=1024)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    table = Table("what", "seconds", "on a core", "asked", "memory grows by, MB", "finds")
    with tempfile.TemporaryDirectory() as name:
        project = Project.open(f"{name}/p")
        with Session(project, predictor, recall=False) as session:
            unread = prepare(session, Path(name), asked.images, asked.side)
            files = measured(session, unread)
            for image in unread:
                session.project.register(image.read(), image.id, path=Path(name) / image.id)
            known = measured(session, None)
    for what, (seconds, worked, grown, finds) in (
        ("files, read to know them", files),
        ("images of the project", known),
    ):
        table.add_row(what, f"{seconds:.1f}", f"{worked:.1f}", "10", f"{grown:.1f}", str(finds))
    Console().print(table)


if __name__ == "__main__":
    main()
