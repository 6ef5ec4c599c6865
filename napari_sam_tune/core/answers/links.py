"""The links of the chain of answers: what a prior and a refiner are, and what they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_tune.core.geometry.frame import Frame


class Prior(Protocol):
    """What is known of an object before the model is asked.

    Attributes:
        annotations: ids of the accepted masks it brings back; an answer made with it then comes
            first and the model's own after it. Empty for what bears on every answer alike.

    """

    @property
    def annotations(self) -> tuple[str, ...]:
        """See the class."""

    def add(self, logits: Tensor, frame: Frame) -> Tensor:
        """Return the model's logits and what is known, together.

        Args:
            logits: (1, K, h, h) float, the model's own.
            frame: where the part of the open image lies that they are of.

        """

    def guess(self, frame: Frame) -> Tensor | None:
        """Return (1, 1, h, h) logits that may go in as the mask input; None: nothing does."""

    def guide(self, frame: Frame) -> Tensor | None:
        """Return (1, 1, h, h) numbers that differ by less than 1 where places are alike.

        None: it has no idea.
        """


@dataclass(frozen=True, eq=False)
class Asked:
    """What refiners know of N prompts; the predictor asks one at a time, training several.

    Attributes:
        side: of the encoder's padded input, in px.
        clicks: (N, T, 2) middles (x, y) of the pixels clicked, in px of that input.
        labels: (N, T), 1 inside the object and 0 outside; any other value is no click.
        box: (N, 4) as (x0, y0, x1, y1) in px of that input, NaN where there is none; or None.
        painted: (N, 1, h, h) logits of masks all of whose parts are meant, or None: painted ones,
            those an object was begun with, those of other photographs.
        corrected: (N, 1, h, h) logits of the answers that the last clicks correct, or None.
        guide: (N, C, h, h) numbers that differ by less than 1 where places are alike, or None.

    """

    side: int
    clicks: Tensor
    labels: Tensor
    box: Tensor | None = None
    painted: Tensor | None = None
    corrected: Tensor | None = None
    guide: Tensor | None = None


class Refiner(Protocol):
    """What an answer must keep to."""

    def refine(self, logits: Tensor, asked: Asked) -> Tensor:
        """Return logits (N, K, h, h) that keep to it; they may be the ones given."""
