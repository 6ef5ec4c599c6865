"""What earlier masks say of an object, as the model's logits are said; see `recall`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch

from napari_sam_tune.core.geometry.windows import bounding_box, clipped, moved, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.geometry.windows import Shape, Window

CAP: Final = 10.0
"""Logit of what is surely inside; its negative outside."""
_MODEL_SHARE: Final = 0.7
"""What the model's own logits count beside those recalled, which count whole."""


class Learnt(Protocol):
    """What was learnt at every accept, about one image; see `Prior`."""

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return the model's logits and the classifier's."""

    def guide(self, frame: Frame) -> Tensor | None:
        """Return what is alike."""


@dataclass(frozen=True, eq=False)
class Recalled:
    """What earlier masks say about the object in question.

    Attributes:
        annotations: ids of the masks it is the average of, the best match first.
        window: the part of the open image it is about; what lies outside is surely outside.
        field: (h, w) float32 logits, `window` at any scale.
        score: how well the best match fits, from −1 to 1.
        label: the class that most of them have.

    """

    annotations: tuple[str, ...]
    window: Window
    field: NDArray[np.float32]
    score: float
    label: str

    def logits(self, frame: Frame) -> Tensor:
        """Return it as low-resolution logits: (1, 1, h, h) float32, on the CPU."""
        # sampled as a height above what lies outside, which is then what padding means
        above = torch.from_numpy(self.field + CAP)
        return frame.sample(above, self.window) - CAP

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return the model's logits (1, K, h, h) and what is recalled, together; see `Prior`."""
        return together(logits, self.logits(frame).to(logits.device))

    def guess(self, frame: Frame) -> Tensor:
        """Return what is recalled, as the mask input; see `Prior`."""
        return self.logits(frame)

    def guide(self, frame: Frame) -> None:
        """Masks of other photographs do not say what is alike; see `Prior`."""

    def inside(self, shape: Shape) -> tuple[float, float] | None:
        """Return the place (x, y) surest to be inside, in an image (H, W); None if none is."""
        lengths = shape_of(self.window)
        rows, columns = (
            self.window[axis]
            + (np.arange(self.field.shape[axis]) + 0.5) * (lengths[axis] / self.field.shape[axis])
            - 0.5
            for axis in (0, 1)
        )
        seen = np.outer((rows >= 0) & (rows < shape[0]), (columns >= 0) & (columns < shape[1]))
        surest = int(np.where(seen, self.field, -CAP).argmax())
        row, column = np.unravel_index(surest, self.field.shape)
        inside = bool(seen[row, column] and self.field[row, column] > 0)
        return (float(columns[column]), float(rows[row])) if inside else None

    def box(self, shape: Shape) -> Window:
        """Return (y0, x0, y1, x1) around what is likely inside, within an image (H, W).

        The field must have as many numbers as `window` has px.
        """
        seen = clipped(self.window, shape)
        top, left = seen[0] - self.window[0], seen[1] - self.window[1]
        height, width = shape_of(seen)
        return moved(
            bounding_box(self.field[top : top + height, left : left + width] > 0), seen[:2]
        )


@dataclass(frozen=True, eq=False)
class Carried:
    """What the model is told of an object of another plane, and the classifier adds; see `Prior`.

    Attributes:
        expected: where the object should be.
        learnt: what was learnt at every accept says of the image; None where it has no say.

    """

    expected: Recalled
    learnt: Learnt | None = None

    @property
    def annotations(self) -> tuple[str, ...]:
        """The mask it is carried on from."""
        return self.expected.annotations

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return the model's logits (1, K, h, h) and the classifier's, without what is expected."""
        return logits if self.learnt is None else self.learnt.add(logits, frame)

    def guess(self, frame: Frame) -> Tensor:
        """Return what is expected, as the mask input."""
        return self.expected.guess(frame)

    def guide(self, frame: Frame) -> Tensor | None:
        """Return what the classifier takes for alike."""
        return None if self.learnt is None else self.learnt.guide(frame)


def together(logits: Tensor, recalled: Tensor) -> Tensor:
    """Return the model's logits (1, K, h, h) and recalled ones (1, 1, h, h) as one answer.

    Both are log odds from different evidence, which add up, but that they are not independent.
    """
    return _MODEL_SHARE * logits + recalled
