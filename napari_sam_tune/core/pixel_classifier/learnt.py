"""What learning at every accept is worth, in numbers a person can check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEAST_IMAGES: Final = 3
"""Accepted images before the classifier has a say."""


@dataclass(frozen=True)
class Learnt:
    """What learning at every accept is worth, by leaving images out.

    Attributes:
        masks: accepted masks learnt from.
        images: on so many images.
        judged: first clicks that it was judged by; 0 while there are too few images.
        without: mean score of the model's own answers to them, from 0 to 1.
        with_it: the same with the classifier, which had not seen their images.
        weight: of the classifier in answers.
        lift: added to all logits, see `Mixture`; where nothing helps, both are 0.
        precision: see `Calibration`.

    """

    masks: int = 0
    images: int = 0
    judged: int = 0
    without: float = 0.0
    with_it: float = 0.0
    weight: float = 0.0
    lift: float = 0.0
    precision: float = 0.0
