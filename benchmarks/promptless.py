"""Tutorial D: the promptless head from a few images, measured on all the others.

    python benchmarks/promptless.py DATA [--share 0.08] [--steps 500] [--size 256] [--seed 0]

DATA is a folder with images/, masks/ and manifest.csv (columns stem, class, tile). The share is
taken of each class, from its smallest tiles; the test is all tiles that nothing was taken from.
Nothing is chosen by the test: the last weights are taken.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import HeadConfig, TrainConfig
from napari_sam_tune.core.exchange.labelled_images import LabelledImage, read_pairs, true_objects
from napari_sam_tune.core.images.files import content_hash, read_image, spatial_shape
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.project.project import ImageRecord, NewAnnotation, Project
from napari_sam_tune.core.promptless.fit import (
    TrainedHead,
    fit_head,
    measure,
)
from napari_sam_tune.core.promptless.labelled import parts_of
from napari_sam_tune.core.promptless.store import keep_head, read_head


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--share", type=float, default=0.08)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=256, help="Of the encoder's input, in px.")
    parser.add_argument("--classes", action="store_true", help="One channel for each class.")
    parser.add_argument("--project", type=Path, help="Kept between runs, with its features.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        run(arguments, arguments.project or Path(scratch))


def run(arguments: argparse.Namespace, folder: Path) -> None:
    pairs = read_pairs(
        arguments.data / "images",
        arguments.data / "masks",
        manifest=arguments.data / "manifest.csv",
        class_column="class",
        group_column="tile",
    )
    project = Project.open(folder)
    fill(project, pairs)
    train, test = split_by_group(project.images(), arguments.share)
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    set_image_size(predictor.sam, arguments.size)
    config = TrainConfig.for_a_run().model_copy(
        update={
            "steps": arguments.steps,
            "seed": arguments.seed,
            "head": HeadConfig(single_class=not arguments.classes),
        }
    )
    began = perf_counter()
    trained = drive(project, predictor, config, [record.id for record in train])
    seconds = perf_counter() - began
    file = keep_head(project, trained.tensors, trained.info)
    model = read_head(predictor, file)
    print(f"train: {len(train)} images of {groups(train)} tiles; {seconds:.0f} s")
    print(f"test:  {len(test)} images of {groups(test)} tiles")
    seen, total = 0, 0.0
    for stratum in sorted({str(record.stratum) for record in test}):
        records = [record for record in test if record.stratum == stratum]
        own = measure(model, project, parts_of(project, records, predictor.input_side))
        print(f"{stratum:10} {own.images:4} images, IoU {own.image_iou:.3f}", flush=True)
        seen, total = seen + own.images, total + own.images * own.image_iou
    print(f"all        {seen:4} images, IoU {total / seen:.3f}")
    print(f"file {file.stat().st_size / 1e6:.1f} MB, loss at the end {trained.losses[-1]:.3f}")


def fill(project: Project, pairs: list[LabelledImage]) -> None:
    known = {record.id for record in project.images()}
    for pair in pairs:
        if pair.image.name in known:
            continue
        pixels = read_image(pair.image)
        shape = spatial_shape(pixels)
        project.add_image(
            pair.image.name,
            shape=shape,
            content_hash=content_hash(pixels),
            path=pair.image,
            group=pair.group,
            stratum=pair.label,
        )
        for target in true_objects(pair, shape):
            project.add(NewAnnotation(pair.image.name, target.mask, pair.label, source="robot"))


def split_by_group(
    records: list[ImageRecord], share: float
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """Take a share of each class from its smallest groups; no group taken from is in the test."""
    sizes = Counter(record.group for record in records)
    train: list[ImageRecord] = []
    for stratum in sorted({str(record.stratum) for record in records}):
        alike = [record for record in records if record.stratum == stratum]
        alike.sort(key=lambda record: (sizes[record.group], record.group, record.id))
        train += alike[: max(1, round(share * len(alike)))]
    touched = {record.group for record in train}
    return train, [record for record in records if record.group not in touched]


def groups(records: list[ImageRecord]) -> int:
    return len({record.group for record in records})


def drive(
    project: Project, predictor: Predictor, config: TrainConfig, train_ids: list[str]
) -> TrainedHead:
    rounds = fit_head(project, predictor, config, train_ids=train_ids, judge_ids=[])
    while True:
        try:
            progress = next(rounds)
        except StopIteration as end:
            return end.value
        if progress.step % 100 == 0:
            print(progress.phase, progress.step, progress.loss, progress.seconds_left, flush=True)


if __name__ == "__main__":
    main()
