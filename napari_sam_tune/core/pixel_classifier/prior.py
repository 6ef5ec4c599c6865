"""The classifier's word in an answer: its logits, weighted, on top of the model's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.frame import Frame

CAP: Final = 6.0
"""Logits of the classifier are clipped to ± this: it is never surer than a click."""
_ALIKE: Final = 1.5
"""Its logits of places that are alike differ by less than this."""


@dataclass(frozen=True)
class Mixture:
    """How answers are mixed of the model's logits and the classifier's.

    Attributes:
        weight: of the classifier's.
        lift: added to the sum: where masks are accepted wider than the model draws them it is
            positive, where closer negative.

    """

    weight: float = 0.0
    lift: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether answers stay the model's own."""
        return self.weight == 0 and self.lift == 0

    def of(self, own: Tensor, known: Tensor) -> Tensor:
        """Return the model's logits mixed with the classifier's, of any shape."""
        return own + self.weight * known + self.lift


@dataclass(frozen=True, eq=False)
class PixelPrior:
    """What was learnt from accepted masks says about the open image.

    Attributes:
        logits: (rows, columns) float32, of each cell.
        window: (y0, x0, y1, x1) in image px that the cells cover.
        mixture: of it and the model's logits.
        annotations: none, see `Prior`.

    """

    logits: NDArray[np.float32]
    window: tuple[float, float, float, float]
    mixture: Mixture = field(default_factory=Mixture)
    annotations: tuple[str, ...] = ()

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return (1, K, h, h): the model's logits and the classifier's; see `Prior`."""
        return self.mixture.of(logits, self.known(frame).to(logits.device))

    def known(self, frame: Frame) -> Tensor:
        """Return (1, 1, h, h) logits of the classifier, as they lie in a frame; on the CPU."""
        logits = torch.from_numpy(np.clip(self.logits, -CAP, CAP))
        return frame.sample(logits, self.window, beyond="border")

    def guess(self, frame: Frame) -> None:
        """Nothing goes in as the mask input; see `Prior`."""

    def guide(self, frame: Frame) -> Tensor:
        """Return the classifier's logits, scaled: what it takes for the same is alike."""
        return self.known(frame) / _ALIKE
