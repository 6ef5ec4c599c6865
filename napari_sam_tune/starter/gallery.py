"""Pictures for the model card: best, middling and worst answers on fresh synthetic images."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage
from segment_anything import SamPredictor

from napari_sam_tune.core import scoring
from napari_sam_tune.starter.evaluate import Answer, answers
from napari_sam_tune.starter.images import make_image
from napari_sam_tune.starter.weights import load_starter

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.starter.defects import Mask

IMAGES: Final = 40
SIDE: Final = 256
CLICKS: Final = 3
COLUMNS: Final = 5
"""Pictures in each of the three rows."""
GALLERY_SEED: Final = 20_000
TRUE: Final = (60, 220, 90)
ANSWERED: Final = (255, 140, 0)
ADDING: Final = (80, 160, 255)
REMOVING: Final = (255, 60, 60)

Colour = npt.NDArray[np.uint8]


def _outlined(picture: Colour, mask: Mask, colour: tuple[int, int, int]) -> None:
    """Draw the border of `mask` into an (H, W, 3) picture."""
    picture[mask & ~ndimage.binary_erosion(mask)] = colour


def _drawn(picture: Colour, truth: Mask, answer: Answer) -> Colour:
    """The picture with both outlines and the clicks."""
    drawn = picture.copy()
    _outlined(drawn, truth, TRUE)
    _outlined(drawn, answer.mask, ANSWERED)
    for (x, y), label in zip(answer.points, answer.labels, strict=True):
        rows, cols = slice(max(0, int(y) - 2), int(y) + 3), slice(max(0, int(x) - 2), int(x) + 3)
        drawn[rows, cols] = ADDING if label else REMOVING
    return drawn


def write_gallery(path: Path, *, weights: Path | None = None, seed: int = GALLERY_SEED) -> None:
    """Write a sheet of three rows, best, middling and worst, of answers after three clicks.

    Truth is outlined in green, the answer in orange; blue clicks add, red ones take away.
    """
    torch.set_num_threads(1)
    sam = load_starter(weights)
    predictor = SamPredictor(sam)
    sheets: list[tuple[float, Colour]] = []
    for index in range(IMAGES):
        picture, defects = make_image(np.random.default_rng([seed, index]), SIDE)
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        colour, truth = np.ascontiguousarray(colour), defects[0].mask
        predictor.set_image(colour)
        answer = list(itertools.islice(answers(predictor, truth), CLICKS))[-1]
        sheets.append((scoring.iou(answer.mask, truth), _drawn(colour, truth, answer)))
    sheets.sort(key=lambda sheet: -sheet[0])
    middle = (IMAGES - COLUMNS) // 2
    rows = [sheets[:COLUMNS], sheets[middle : middle + COLUMNS], sheets[-COLUMNS:]]
    sheet = np.concatenate([np.concatenate([p for _, p in row], axis=1) for row in rows], axis=0)
    Image.fromarray(sheet).save(path, optimize=True)
