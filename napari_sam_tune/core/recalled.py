"""What earlier masks say of an object, as the model's logits are said; see `recall`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

from napari_sam_tune.core.views import shape_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.views import View, Window

CAP: Final = 10.0
"""Logit of what is surely inside; its negative outside."""
_MODEL_SHARE: Final = 0.7
"""What the model's own logits count beside those recalled, which count whole."""


@dataclass(frozen=True, eq=False)
class Recalled:
    """What earlier masks say about the object in question.

    Attributes:
        annotations: ids of the masks it is the average of, the best match first.
        window: the part of the open image it is about; what lies outside is surely outside.
        field: (h, w) float32 logits, `window` at any scale.

    """

    annotations: tuple[str, ...]
    window: Window
    field: NDArray[np.float32]

    def logits(self, view: View, side: int, size: int) -> Tensor:
        """Return it as low-resolution logits of a view: (1, 1, size, size) float32.

        Args:
            view: a part of the open image.
            side: of the encoder's padded input, in px.
            size: of the low-resolution logits.

        """
        cells = (torch.arange(size, dtype=torch.float32) + 0.5) * (side / size)
        places = []
        for axis in (0, 1):
            # in px of the image, then from -1 to 1 along the window
            pixels = cells * (view.shape[axis] / view.input[axis]) + view.window[axis]
            start, length = self.window[axis], shape_of(self.window)[axis]
            places.append((pixels - start) / length * 2 - 1)
        grid = torch.stack(torch.meshgrid(places[1], places[0], indexing="xy"), dim=-1)
        # sampled as a height above what lies outside, which is then what padding means
        above = torch.from_numpy(self.field + CAP)[None, None]
        drawn = functional.grid_sample(above, grid[None], align_corners=False) - CAP
        return drawn.to(view.features.device)


def together(logits: Tensor, recalled: Tensor) -> Tensor:
    """Return the model's logits (1, K, h, h) and recalled ones (1, 1, h, h) as one answer.

    Both are log odds from different evidence, which add up, but that they are not independent.
    """
    return _MODEL_SHARE * logits + recalled
