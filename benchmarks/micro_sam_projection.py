"""Stacks carried from plane to plane by micro-sam's projection, with the same starter and masks.

In an environment that has napari-sam-tune and micro-sam (`pip install micro_sam`, which brings
much; its 3-D module alone needs bioimage-cpp, elf, nifty, torch-em, scikit-learn, xxhash and
kornia). Each object of the stacks of `stacks.py` is accepted once in the middle plane, by the
robot; from that mask ours goes on as in the product, and micro-sam's `segment_mask_in_volume` by
each of its projections, up to the ends of the stack (`iou_threshold=0`) and until two planes have
less than half in common (.5, as in its annotator).

    python benchmarks/micro_sam_projection.py [--seeds 0 1 2 3] [--objects 2]
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from micro_sam.multi_dimensional_segmentation import segment_mask_in_volume
from rich.console import Console
from rich.table import Table
from segment_anything import SamPredictor
from stacks import PLANES, Sample, measure, objects_in

from napari_sam_tune.core.scoring import iou
from napari_sam_tune.starter.weights import load_starter

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROJECTIONS = ("mask", "box", "points", "points_and_mask")
THRESHOLDS = (0.0, 0.5)


def encode(predictor: SamPredictor, planes: NDArray[np.uint8]) -> dict[str, object]:
    """Return the embeddings of (Z, H, W) planes as micro-sam keeps those of a volume."""
    features = []
    for plane in planes:
        predictor.set_image(np.repeat(plane[:, :, None], 3, axis=2))
        features.append(predictor.features.clone())
    return {
        "features": torch.stack(features),
        "input_size": predictor.input_size,
        "original_size": predictor.original_size,
    }


def project(
    predictor: SamPredictor,
    embeddings: dict[str, object],
    start: NDArray[np.bool_],
    things: NDArray[np.bool_],
) -> dict[str, float]:
    """Return the mean IoU a plane of each projection and threshold, the middle plane left out."""
    z0 = PLANES // 2
    there = [z for z in range(PLANES) if z != z0 and things[z].any()]
    found = {}
    for projection in PROJECTIONS:
        for threshold in THRESHOLDS:
            volume = np.zeros(things.shape, np.uint8)
            volume[z0] = start
            segment_mask_in_volume(
                volume, predictor, embeddings, np.array([z0]), False, False, threshold, projection
            )
            scores = [iou(volume[z] > 0, things[z]) for z in there]
            found[f"micro-sam, {projection}, {threshold}"] = float(np.mean(scores))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--objects", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    console, rows = Console(), []
    theirs = SamPredictor(load_starter())
    encoded: tuple[Sample, dict[str, object]] | None = None
    for name, sample, session, things in objects_in(options.seeds, options.objects):
        if encoded is None or encoded[0] is not sample:
            encoded = sample, encode(theirs, sample.planes)
        ours = measure(session, things, clicks=False)
        [start] = session.project.annotations()  # the mask that all of them begin with
        rows.append(
            {
                "carried": ours.carried,
                "carried, nothing after a stop": ours.kept,
                "last mask as the next prompt": ours.plain,
            }
            | project(theirs, encoded[1], start.mask, things)
        )
        console.print(name, rows[-1], highlight=False)
    table = Table("way", f"mean IoU a plane, {len(rows)} objects")
    for way in rows[0]:
        table.add_row(way, f"{np.mean([row[way] for row in rows]):.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
