"""The figures of the model card: a robot clicks through a folder of labelled photographs.

One object per connected component of a mask (or per label of an integer mask), clicked by
`scoring.next_click` as in the interactive-segmentation protocol, answered by segment-anything's
own `SamPredictor`, so that the figures hold for anyone who loads the weights.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import torch
from segment_anything import SamPredictor

from napari_sam_tune.core import scoring
from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.exchange.labelled_images import SMALLEST_OBJECT, read_pairs, true_objects
from napari_sam_tune.core.models.starter import IMAGE_SIZE
from napari_sam_tune.starter.classical import clicks_without_a_model
from napari_sam_tune.starter.photographs import read_rgb
from napari_sam_tune.starter.weights import load_starter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Mask = npt.NDArray[np.bool_]
CLICKS: Final = 20
COMPARED_AT: Final = 0.70
"""Score to which methods without a neural model are timed in clicks."""


@dataclasses.dataclass(frozen=True)
class ObjectResult:
    """One object: IoU and score (IoU, or tolerant F1 where it is thin) after each click, from 1."""

    stem: str
    kind: str
    ious: tuple[float, ...]
    scores: tuple[float, ...]
    box_iou: float
    predicted: tuple[float, ...]
    """Predicted IoU of the three candidates of the first click."""
    true: tuple[float, ...]
    """Their true IoU."""
    without_a_model: dict[str, int] = dataclasses.field(default_factory=dict)
    """Clicks to `COMPARED_AT` by each method of `classical`, where they were compared."""


def _box(mask: Mask) -> npt.NDArray[np.int64]:
    """The tight box (x0, y0, x1, y1) of a mask."""
    rows, cols = np.nonzero(mask)
    return np.asarray([cols.min(), rows.min(), cols.max(), rows.max()])


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the model showed after some clicks.

    mask: (H, W); candidates: (1 or 3, H, W) masks and predicted: their predicted IoU.
    """

    mask: Mask
    candidates: Mask
    predicted: npt.NDArray[np.float32]


def answers(predictor: SamPredictor, truth: Mask) -> Iterator[Answer]:
    """A robot clicks on one object of the image that `predictor` holds; ends where it is perfect.

    The first click takes the candidate of the best predicted IoU, each next one feeds the previous
    logits back.
    """
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    shown: Mask | None = None
    logits = None
    while shown is None or not np.array_equal(shown, truth):
        x, y, label = scoring.next_click(shown, truth)
        points, labels = (*points, (x, y)), (*labels, label)
        candidates, predicted, low = predictor.predict(
            np.asarray(points),
            np.asarray(labels),
            mask_input=logits,
            multimask_output=len(points) == 1,
        )
        best = int(predicted.argmax())
        shown, logits = candidates[best], low[best : best + 1]
        yield Answer(shown, candidates, predicted)


def click_through(
    predictor: SamPredictor, truth: Mask, clicks: int = CLICKS, *, stem: str = "", kind: str = ""
) -> ObjectResult:
    """Click `clicks` times on one object of the image that `predictor` holds, and box it once."""
    thin = scoring.is_thin(truth)
    seen = list(itertools.islice(answers(predictor, truth), clicks))
    ious = [scoring.iou(answer.mask, truth) for answer in seen]
    scores = [scoring.score(answer.mask, truth, thin=thin) for answer in seen]
    spare = clicks - len(seen)  # perfect before the cap
    boxed, _, _ = predictor.predict(box=_box(truth), multimask_output=False)
    return ObjectResult(
        stem,
        kind,
        tuple(ious + ious[-1:] * spare),
        tuple(scores + scores[-1:] * spare),
        scoring.iou(boxed[0], truth),
        tuple(float(value) for value in seen[0].predicted),
        tuple(scoring.iou(candidate, truth) for candidate in seen[0].candidates),
    )


def clicks_to(result: ObjectResult, target: float) -> int:
    """How many clicks reached the target score; the cap where none did."""
    for click, score in enumerate(result.scores, start=1):
        if score >= target:
            return click
    return len(result.scores)


def summarise(results: list[ObjectResult]) -> dict[str, Any]:
    """Means over objects, as the figures of the model card."""
    ious = np.asarray([result.ious for result in results])
    shown = list(range(1, min(10, ious.shape[1]) + 1))
    predicted = np.concatenate([result.predicted for result in results])
    true = np.concatenate([result.true for result in results])
    first = [r.true[int(np.argmax(r.predicted))] == max(r.true) for r in results]
    varied = predicted.std() > 0 and true.std() > 0
    figures = {
        "objects": len(results),
        "iou_at": {click: round(float(ious[:, click - 1].mean()), 4) for click in shown},
        "clicks_to_70": round(float(np.mean([clicks_to(r, 0.70) for r in results])), 2),
        "clicks_to_80": round(float(np.mean([clicks_to(r, 0.80) for r in results])), 2),
        "box_iou": round(float(np.mean([r.box_iou for r in results])), 4),
        "iou_correlation": round(float(np.corrcoef(predicted, true)[0, 1]), 4) if varied else 0.0,
        "first_is_best": round(float(np.mean(first)), 4),
    }
    for method in results[0].without_a_model:
        clicks = np.mean([r.without_a_model[method] for r in results])
        figures[f"clicks_to_70_{method}"] = round(float(clicks), 2)
    return figures


def evaluate(
    images: Path,
    masks: Path,
    *,
    weights: Path | None = None,
    manifest: Path | None = None,
    clicks: int = CLICKS,
    limit: int | None = None,
    seed: int = 0,
    image_size: int = IMAGE_SIZE,
    threads: int = 1,
    compare: bool = False,
    progress: Callable[[ObjectResult], None] | None = None,
) -> dict[str, Any]:
    """Measure the starter on a folder of photographs and masks.

    `limit` takes that many images, shuffled by `seed`. With `compare` the same robot also clicks
    with random walker, flood fill and GrabCut (seconds per object). Returns the figures over all
    objects, and under `classes` those of each class of the manifest.
    """
    torch.set_num_threads(threads)
    predictor = SamPredictor(load_starter(weights, image_size))
    found = read_pairs(images, masks, manifest=manifest, class_column="class" if manifest else None)
    if limit is not None:
        order = np.random.default_rng(seed).permutation(len(found))
        found = [found[i] for i in order[:limit]]
    results = []
    for pair in found:
        image = read_rgb(pair.image)
        predictor.set_image(image)
        for truth in true_objects(pair, (image.shape[0], image.shape[1])):
            result = click_through(predictor, truth.mask, clicks, stem=pair.stem, kind=pair.label)
            if compare:
                others = clicks_without_a_model(image, truth.mask, COMPARED_AT, clicks)
                result = dataclasses.replace(result, without_a_model=others)
            results.append(result)
            if progress:
                progress(result)
    if not results:
        raise MaskError(f"No mask in {masks} holds an object of {SMALLEST_OBJECT} px or more.")
    named = sorted({result.kind for result in results})
    by_class = {name: summarise([r for r in results if r.kind == name]) for name in named}
    return summarise(results) | {"classes": by_class if len(named) > 1 else {}}
