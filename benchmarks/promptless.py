"""Tutorial D: the promptless head from a few images, measured on all the others.

    python benchmarks/promptless.py DATA [--share 0.08] [--steps 500] [--size 256] [--seed 0]
    python benchmarks/promptless.py DATA --group-column group --unet [--share 0.08] [--size 512]

DATA is a folder with images/, masks/ and manifest.csv (columns stem, class and one of groups). The
share is taken of each class, from its smallest groups; the test is all groups that nothing was
taken from. With `--unet` whole groups are drawn at random until the test has 17 % of the images; a
U-Net (`unet.py`) trains on all others, the head on the share of them, and both draw the same test.
Nothing is chosen by the test: the last weights are taken.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from unet import iou_of_unet, train_unet

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
    parser.add_argument("--group-column", default="tile", help="Of manifest.csv.")
    parser.add_argument("--unet", action="store_true", help="Compare with a U-Net on 83 %%.")
    parser.add_argument("--unet-steps", type=int, default=800)
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
        group_column=arguments.group_column,
    )
    project = Project.open(folder)
    fill(project, pairs)
    if arguments.unet:
        pool, test = draw_test(project.images(), arguments.seed)
        train = take_share(pool, arguments.share, len(pool) + len(test))
    else:
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
    print(f"train: {len(train)} images of {groups(train)} groups; {seconds:.0f} s")
    print(f"test:  {len(test)} images of {groups(test)} groups")
    seen, total = 0, 0.0
    for stratum in sorted({str(record.stratum) for record in test}):
        records = [record for record in test if record.stratum == stratum]
        own = measure(model, project, parts_of(project, records, predictor.input_side))
        print(f"{stratum:10} {own.images:4} images, IoU {own.image_iou:.3f}", flush=True)
        seen, total = seen + own.images, total + own.images * own.image_iou
    print(f"all        {seen:4} images, IoU {total / seen:.3f}")
    print(f"file {file.stat().st_size / 1e6:.1f} MB, loss at the end {trained.losses[-1]:.3f}")
    if arguments.unet:
        began = perf_counter()
        unet = train_unet(
            project, pool, steps=arguments.unet_steps, side=arguments.size, seed=arguments.seed
        )
        seconds = perf_counter() - began
        mean = float(np.mean([iou_of_unet(unet, project, r, arguments.size) for r in test]))
        print(f"U-Net, {len(pool)} images, {seconds:.0f} s: IoU {mean:.3f}", flush=True)


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


def draw_test(
    records: list[ImageRecord], seed: int, share: float = 0.17
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """Draw whole groups until the test has its share of the images; the rest is to learn from."""
    names = sorted({str(record.group) for record in records})
    np.random.default_rng(seed).shuffle(names)
    sizes = Counter(str(record.group) for record in records)
    chosen: set[str] = set()
    while sum(sizes[name] for name in chosen) < share * len(records):
        chosen.add(names.pop())
    test = [record for record in records if str(record.group) in chosen]
    return [record for record in records if str(record.group) not in chosen], test


def take_share(pool: list[ImageRecord], share: float, of: int) -> list[ImageRecord]:
    """Take evenly spaced images of the pool, as many as the share of all images is."""
    count = max(1, round(share * of))
    return [pool[i * len(pool) // count] for i in range(count)]


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
