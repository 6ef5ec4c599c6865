"""What goes into the training of a head in the background, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.base import BaseRef


@dataclass(frozen=True)
class HeadJob:
    """One training of a head; plain values that cross a process boundary.

    Attributes:
        project: path of the project's folder.
        base: the base model the project was begun with.
        config: how to train.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    """

    project: str
    base: BaseRef
    config: TrainConfig
    device: str = "auto"


@dataclass(frozen=True)
class KeptHead:
    """A head that was trained and lies in its project.

    Attributes:
        file: where.
        images: how many it learnt from.
        held_out: mean IoU over classes on held-out images, from 0 to 1; None without any.
        seconds: the whole training.

    """

    file: str
    images: int
    held_out: float | None
    seconds: float
