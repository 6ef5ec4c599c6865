"""What an image's accepted masks say of its pixels, as sums that can be added and taken back.

Of every cell that is known to belong to an object or to the background, the features x go into
A = Σ w · x · xᵀ and, class by class, into p = Σ w · x over the cells of its objects. Objects of an
image weigh as much as its background, but no cell more than thirty of the background's; an image
weighs 1 in all.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch
from scipy import ndimage

from napari_sam_tune.core.pixel_classifier.cells import coverage_in_part
from napari_sam_tune.core.pixel_classifier.features import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.pixel_classifier.features import PixelFeatures
    from napari_sam_tune.core.prompts import Mask, Prompt

    Numbers = NDArray[np.float64]

SIZE: Final = CHANNELS + 1
"""Of the vector of a cell; its last number is 1."""
UNKNOWN: Final = -1
BACKGROUND: Final = 0
_HEAVIEST: Final = 30.0
"""Weight of an object's cell, of that of a cell of the background, at most."""
_COVERED: Final = 0.5
"""Share of a cell from which it is the object's; cells that are less so are nobody's."""
_RING: Final = (1.5, 8.0)
"""Cells from a mask within which an image that is not done is background."""
_SAMPLE: Final = 150
"""Cells of objects, and as many of the background, that are kept of an image to calibrate by."""


class PromptedMask(Protocol):
    """An accepted mask, as far as it is learnt from."""

    @property
    def bbox(self) -> BoundingBox:
        """(y0, x0, y1, x1) in px of what the features are of, ends excluded."""
        ...

    @property
    def cropped_mask(self) -> Mask:
        """Bool, cut to `bbox`."""
        ...

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What was said of it; the last one counts."""
        ...


@dataclass(frozen=True, eq=False)
class MaskInCells:
    """What an accepted mask says of the cells of an image; small, whatever the mask's size in px.

    Attributes:
        covered: the part of the grid that it touches.
        share: float32, of that part, what of each cell it covers.
        refused: (row, column) of the cells that were clicked as not its own.

    """

    covered: tuple[slice, slice]
    share: NDArray[np.float32]
    refused: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, annotation: PromptedMask, features: PixelFeatures) -> MaskInCells:
        """Return what a mask says.

        Args:
            annotation: the mask.
            features: of its image; says where the cells are.

        """
        height, width = features.cell_size
        prompt = annotation.prompts[-1] if annotation.prompts else None
        clicks = () if prompt is None else zip(prompt.points, prompt.labels, strict=True)
        cells = [
            (int((y + 0.5) / height), int((x + 0.5) / width)) for (x, y), sign in clicks if not sign
        ]
        rows, columns = features.cells
        refused = tuple((r, c) for r, c in cells if r < rows and c < columns)
        return cls(*covered_part(annotation.cropped_mask, annotation.bbox, features), refused)


@dataclass(frozen=True, eq=False)
class KnownCells:
    """Which cells of an image are known to be what.

    Attributes:
        labels: (rows, columns) int; `UNKNOWN`, `BACKGROUND`, or 1 + the number of its class.
        classes: names, in the order of their numbers.

    """

    labels: NDArray[np.int16]
    classes: tuple[str, ...]


def known_cells(
    features: PixelFeatures,
    masks: Sequence[tuple[str, MaskInCells]],
    *,
    is_done: bool,
    rejected: Iterable[tuple[Mask, BoundingBox]] = (),
    unknown: Iterable[MaskInCells] = (),
) -> KnownCells:
    """Tell what is known of an image's cells.

    Args:
        features: of the image; says where its cells are.
        masks: its accepted masks, each with its class.
        is_done: nothing else on it is an object; else only what lies around the masks, was clicked
            as not theirs, or was proposed and rejected is known not to be one.
        rejected: masks, each cut to its box.
        unknown: nothing is known of what they cover and no accepted mask does.

    """
    labels, classes = _cells_of_masks(features, masks, is_done=is_done, rejected=rejected)
    for mask in unknown:
        under = labels[mask.covered]
        under[(mask.share > 0) & (under == BACKGROUND)] = UNKNOWN
    return KnownCells(labels, classes)


def _cells_of_masks(
    features: PixelFeatures,
    masks: Sequence[tuple[str, MaskInCells]],
    *,
    is_done: bool,
    rejected: Iterable[tuple[Mask, BoundingBox]],
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Return what accepted and rejected masks say; see `known_cells`."""
    classes = tuple(sorted({label for label, _ in masks}))
    most = np.zeros(features.cells, np.float32)
    labels = np.full(features.cells, UNKNOWN, np.int16)
    for label, mask in masks:
        more = mask.share > most[mask.covered]
        most[mask.covered][more] = mask.share[more]
        labels[mask.covered][more & (mask.share >= _COVERED)] = 1 + classes.index(label)
    outside = most == 0
    if is_done:
        labels[outside] = BACKGROUND
        return labels, classes
    if masks:
        distance = ndimage.distance_transform_edt(outside)
        labels[outside & (distance >= _RING[0]) & (distance <= _RING[1])] = BACKGROUND
    for crop, box in rejected:
        covered, share = covered_part(crop, box, features)
        labels[covered][outside[covered] & (share >= _COVERED)] = BACKGROUND
    for _, mask in masks:
        for cell in mask.refused:
            if outside[cell]:
                labels[cell] = BACKGROUND
    return labels, classes


def covered_part(
    mask: Mask, box: BoundingBox, features: PixelFeatures
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Return the cells that a mask touches and what of each it covers.

    One that is smaller than a cell covers one whole.

    Args:
        mask: (h, w) bool, cut to its box.
        box: (y0, x0, y1, x1) in px of the image.
        features: of the image.

    """
    part, own = coverage_in_part(mask, box, features.cell_size, features.cells)
    most = own.max(initial=0.0)
    return part, own / most if 0 < most < _COVERED else own


@dataclass(frozen=True, eq=False)
class Sample:
    """Some cells of an image, to calibrate by.

    Attributes:
        cells: (n, SIZE) float16.
        is_object: (n,), which of them lie in an object.
        weights: (n,), how much each stands for.

    """

    cells: NDArray[np.float16] = field(repr=False)
    is_object: NDArray[np.bool_] = field(repr=False)
    weights: Numbers = field(repr=False)


@dataclass(frozen=True, eq=False)
class Contribution(Sample):
    """What one image says.

    Attributes:
        gram: (SIZE, SIZE), Σ w · x · xᵀ.
        positives: by class, (SIZE,), Σ w · x over its objects.

    """

    gram: Numbers
    positives: Mapping[str, Numbers]

    def renamed(self, old: str, new: str) -> Contribution:
        """Return it with a class that is called otherwise."""
        return replace(self, positives=renamed_sums(self.positives, old, new))

    def sample(self) -> Sample:
        """Return the sample alone, which is small."""
        return Sample(self.cells, self.is_object, self.weights)


def renamed_sums(sums: Mapping[str, Numbers], old: str, new: str) -> dict[str, Numbers]:
    """Return sums by class with one called otherwise; it joins one that is called so already."""
    named = {name: vector for name, vector in sums.items() if name != old}
    if old in sums:
        named[new] = named[new] + sums[old] if new in named else sums[old]
    return named


def contribution_of(features: PixelFeatures, known: KnownCells, image_hash: str) -> Contribution:
    """Sum up what is known of an image; the same sums whenever it is asked for the same.

    Args:
        features: of the image.
        known: its cells.
        image_hash: the image's `content_hash`; seeds the sample.

    """
    labels = known.labels.ravel()
    certain = labels != UNKNOWN
    vectors = torch.from_numpy(features.vectors().reshape(-1, SIZE)[certain])
    labels = labels[certain]
    objects = labels > BACKGROUND
    count, others = int(objects.sum()), int((~objects).sum())
    heavy = min(_HEAVIEST, max(others, 1) / max(count, 1))
    # an image without objects, or without background, has half of the weight of one with both
    total = heavy * count + others if count and others else 2.0 * max(heavy * count, others, 1)
    weights = np.where(objects, heavy, 1.0) / total
    weighted = vectors * torch.from_numpy(np.sqrt(weights).astype(np.float32))[:, None]
    gram = (weighted.T @ weighted).double().numpy()
    by_class = {
        name: (vectors[torch.from_numpy(labels == 1 + number)].double().sum(0) * heavy / total)
        for number, name in enumerate(known.classes)
    }
    rng = np.random.default_rng(zlib.crc32(image_hash.encode()))
    chosen, stands_for = [], []
    for inside in (objects, ~objects):
        places = np.flatnonzero(inside)
        some = rng.choice(places, min(_SAMPLE, len(places)), replace=False)
        chosen.append(some)
        stands_for.append(weights[some] * (len(places) / max(len(some), 1)))
    rows = np.concatenate(chosen)
    return Contribution(
        gram=gram,
        positives={name: vector.numpy() for name, vector in by_class.items()},
        cells=vectors.numpy()[rows].astype(np.float16),
        is_object=objects[rows],
        weights=np.concatenate(stands_for),
    )
