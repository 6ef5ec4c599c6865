"""The classifier's word in an answer: its logits, weighted, on top of the model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from napari_sam_tune.core.views import sample_in_view

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.views import View

CAP: Final = 6.0
"""Logits of the classifier are clipped to ± this: it is never surer than a click."""
LIFT: Final = 0.5
"""Added to its logits, because a click was made here: objects are rarer elsewhere."""


@dataclass(frozen=True, eq=False)
class PixelPrior:
    """What was learnt from accepted masks says about the open image.

    Attributes:
        logits: (rows, columns) float32, of each cell.
        window: (y0, x0, y1, x1) in image px that the cells cover.
        weight: of it beside the model's logits.
        annotations: none, see `Prior`.

    """

    logits: NDArray[np.float32]
    window: tuple[float, float, float, float]
    weight: float
    annotations: tuple[str, ...] = ()

    def add(self, logits: Tensor, view: View, side: int) -> Tensor:
        """Return (1, K, h, h): the model's logits and the classifier's; see `Prior`."""
        field = torch.from_numpy(np.clip(self.logits, -CAP, CAP))
        size = logits.shape[-1]
        known = sample_in_view(field, self.window, view, side, size, beyond="border")
        return logits + self.weight * (known + LIFT)

    def guess(self, view: View, side: int, size: int) -> None:
        """Nothing goes in as the mask input; see `Prior`."""
