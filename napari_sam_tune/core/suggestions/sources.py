"""Objects proposed without a click: by a trained head, by SAM everywhere, by earlier masks.

"Segment everything" is segment-anything's own `SamAutomaticMaskGenerator` (Kirillov et al. 2023)
with the weights in use, on the embedding that is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam_tune.core.answers.zoom import home_window
from napari_sam_tune.core.exchange.labelled_images import SMALLEST_OBJECT
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import clipped, resized_shape
from napari_sam_tune.core.pixel_classifier.finder import Finder
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.storage.embeddings import Embedding
from napari_sam_tune.core.suggestions.strictness import LEAST
from napari_sam_tune.core.suggestions.suggestion import (
    Suggestion,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from napari_sam_tune.core.answers.chain import AnswerChain
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.pixel_classifier.finder import ClassMaps
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.recall.recalled import Recalled


_LARGEST = 0.4
"""Share of the image above which a mask is the background or the part, not a defect."""
_ISLAND = 0.1
"""Share of a mask's largest part below which another part is a slip of the decoder."""
_MOST_PLACES = 40
"""Places asked about when all like what was accepted is looked for."""
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)

# A point costs the starter about 70 ms on one thread of a CPU: 64 of them are five seconds.
_POINTS_PER_SIDE_CPU, _POINTS_PER_SIDE = 8, 24
# A search can be interrupted between two calls of the decoder: on a CPU a click waits .3 s.
_POINTS_AT_ONCE_CPU, _POINTS_AT_ONCE = 4, 16
_WORKING_SIDE = 1024
"""Masks of larger images are made at this size: the decoder draws no finer than 1 : 4 of 1024."""
# segment-anything's own .88 and .95 suit ViT-H on photographs. On eight magnetic tiles the starter
# proposed at .7 and .85 one object in all (a true one), at .5 and .7 twelve (three true ones).
_LEAST_IOU, _LEAST_STABILITY = 0.5, 0.7


def suggest_with_head(
    model: PromptlessModel, image: ArrayLike, image_hash: str | None = None
) -> list[Suggestion]:
    """Return the 8-connected regions a head finds likelier than not, class by class.

    A region's score is the mean probability in it, its uncertainty how close to .5 that
    probability is on average: 1 − 2 · mean |p − .5|. Specks of a few pixels are left out.

    Args:
        model: the trained head.
        image: (H, W[, C]) array as `to_rgb8` takes it.
        image_hash: its `content_hash`, where that is known already.

    Raises:
        ImageError: not an image.

    """
    found = []
    for label, probability in zip(model.classes, model.predict(image, image_hash), strict=True):
        regions, _ = ndimage.label(probability > 0.5, structure=_EIGHT_NEIGHBOURS)
        for number, window in enumerate(ndimage.find_objects(regions), start=1):
            mask = regions[window] == number
            if np.count_nonzero(mask) < SMALLEST_OBJECT:
                continue
            inside = probability[window][mask]
            rows, columns = window
            found.append(
                Suggestion(
                    mask=mask,
                    bbox=(rows.start, columns.start, rows.stop, columns.stop),
                    shape=(probability.shape[0], probability.shape[1]),
                    label=label,
                    score=float(inside.mean()),
                    uncertainty=float(1 - 2 * np.abs(inside - 0.5).mean()),
                    source="head",
                    weights_version=model.version,
                )
            )
    return found


def suggest_everything(
    predictor: Predictor,
    image: ArrayLike | Embedding | None = None,
    *,
    points_per_side: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> list[Suggestion]:
    """Return what SAM draws at a grid of points, with the weights in use.

    Masks it is not sure of, doubles, specks and what fills much of the image are left out. The
    score is the model's own estimate of the IoU, the uncertainty 1 − score · stability, where
    stability is how little the mask changes with the threshold.

    Args:
        predictor: its open image is asked about where no other is given.
        image: (H, W[, C]) array as `to_rgb8` takes it, which is encoded; or its embedding.
        points_per_side: of the grid; the time goes with its square. None takes what a device
            does in seconds.
        checkpoint: called every few points; may raise to stop.

    Raises:
        SamTuneError: no image is open and none was given.
        ImageError: not an image.

    """
    if isinstance(image, Embedding):
        embedding = image
    else:
        embedding = (predictor.view if image is None else predictor.encode(image)).embedding
    shape = embedding.original_size
    working = resized_shape(shape, min(max(shape), _WORKING_SIDE))
    on_cpu = predictor.device.type == "cpu"
    if points_per_side is None:
        points_per_side = _POINTS_PER_SIDE_CPU if on_cpu else _POINTS_PER_SIDE
    # imports torchvision, which nothing else here needs
    from napari_sam_tune.core.suggestions.automatic_masks import MaskGenerator

    generator = MaskGenerator(
        predictor.sam,
        embedding,
        checkpoint,
        points_per_side=points_per_side,
        points_per_batch=_POINTS_AT_ONCE_CPU if on_cpu else _POINTS_AT_ONCE,
        pred_iou_thresh=_LEAST_IOU,
        stability_score_thresh=_LEAST_STABILITY,
    )
    # its pixels are not looked at any more, only its size
    blank = np.broadcast_to(np.uint8(0), (*working, 3))
    found = [_from_everything(drawn, shape, predictor) for drawn in generator.generate(blank)]
    return [suggestion for suggestion in found if suggestion is not None]


def suggest_recalled(
    chain: AnswerChain,
    predictor: Predictor,
    recalled: Iterable[Recalled],
    checkpoint: Callable[[], None] = lambda: None,
) -> list[Suggestion]:
    """Return the objects of other photographs of the same part, as the model sees them here.

    Args:
        chain: answers as people get them.
        predictor: the chain's; the image is its open one.
        recalled: what is found again on it.
        checkpoint: called before each answer; may raise.

    """
    suggestions = []
    for one in recalled:
        checkpoint()
        shape = predictor.image_shape
        centre = one.inside(shape)
        if centre is None:  # it lies beside the image
            continue
        window = home_window(clipped(one.window, shape), shape, predictor.input_side)
        proposal = chain.ask(Prompt((centre,), (1,)), prior=one, window=window)
        if proposal.placed.area >= SMALLEST_OBJECT:
            suggestions.append(
                Suggestion(
                    **_cut(proposal.placed),
                    label=one.label,
                    score=one.score,
                    uncertainty=1 - one.score,
                    source="recalled",
                    weights_version=predictor.weights.version,
                )
            )
    return suggestions


def suggest_similar(
    chain: AnswerChain,
    shape: tuple[int, int],
    maps: ClassMaps,
    known: Iterable[tuple[Mask, BoundingBox]],
    version: str,
    checkpoint: Callable[[], None] = lambda: None,
    *,
    label: str | None = None,
) -> list[Suggestion]:
    """Return objects like those accepted: the model's own masks where the classifier's map is high.

    The score is how likely a mask is one of those objects.

    Args:
        chain: answers as people get them, about the open image.
        shape: (H, W) of the open image.
        maps: what the classifier makes of it.
        known: masks, each cut to its box, of what was accepted or rejected there.
        version: of the weights in use.
        checkpoint: called before each answer; may raise.
        label: only objects of this one of the maps' classes; None: of any.

    """
    finder, found = Finder(maps, shape, label), list[Suggestion]()
    for mask, box in known:
        finder.cover(mask, box)
    for _ in range(_MOST_PLACES):
        place = finder.next_place()
        if place is None:
            break
        checkpoint()
        proposal = chain.answer(Prompt((place,), (1,)))
        height, width = shape
        if not SMALLEST_OBJECT <= proposal.placed.area <= _LARGEST * height * width:
            continue
        cut = _cut(proposal.placed)
        score = finder.likeness(cut["mask"], cut["bbox"])
        likeliest = finder.class_of(cut["mask"], cut["bbox"])
        finder.cover(cut["mask"], cut["bbox"])
        if score >= LEAST and label in (None, likeliest):
            found.append(
                Suggestion(
                    **cut,
                    label=likeliest,
                    score=score,
                    uncertainty=1 - score,
                    source="similar",
                    weights_version=version,
                )
            )
    return found


def _from_everything(
    drawn: dict[str, Any], shape: tuple[int, int], predictor: Predictor
) -> Suggestion | None:
    mask = _without_islands(_at_size(drawn["segmentation"], shape))
    if not SMALLEST_OBJECT <= np.count_nonzero(mask) <= _LARGEST * mask.size:
        return None
    score = float(np.clip(drawn["predicted_iou"], 0, 1))
    return Suggestion(
        **_cut(PlacedMask.of(mask)),
        label=None,
        score=score,
        uncertainty=float(1 - score * np.clip(drawn["stability_score"], 0, 1)),
        source="everything",
        weights_version=predictor.weights.version,
    )


class _Cut(TypedDict):
    mask: Mask
    bbox: BoundingBox
    shape: tuple[int, int]


def _cut(mask: PlacedMask) -> _Cut:
    """Return a mask that is not empty as a suggestion has it."""
    bbox = mask.bbox or (0, 0, 0, 0)
    return {"mask": mask.cropped, "bbox": bbox, "shape": mask.shape}


def _without_islands(mask: Mask) -> Mask:
    """Keep the largest 8-connected part and those that are not small beside it."""
    parts, _ = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    kept: Mask = (areas >= _ISLAND * areas.max()) & (areas > 0)
    return kept[parts]


def _at_size(mask: Mask, shape: tuple[int, int]) -> Mask:
    if mask.shape == shape:
        return mask
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(grey.resize(shape[::-1], Image.Resampling.BILINEAR)) >= 128
