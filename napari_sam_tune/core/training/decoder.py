"""Prompts as tokens, and what a SAM answers to many of them on one image, with gradients.

`SamPredictor.predict_torch` runs without gradients and takes prompts of one kind at a time. Here a
single point with segment-anything's padding token and a box's two corners are both two tokens, and
each further click is one more, so prompts of different kinds share a call of the decoder: order
does not matter to it, and the sparse embeddings equal `PromptEncoder`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_sam_tune.core.answers.chain import UNGUIDED
from napari_sam_tune.core.answers.links import Asked
from napari_sam_tune.core.models.network import BOTTOM_RIGHT, PADDING, POSITIVE, TOP_LEFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.models.network import Network


@dataclass(frozen=True, eq=False)
class Tokens:
    """One prompt in the encoder's input frame.

    Attributes:
        coords: (T, 2) float32, (x, y) in input pixels.
        kinds: (T,) int64: `PADDING`, `NEGATIVE`, `POSITIVE`, `TOP_LEFT` or `BOTTOM_RIGHT`.

    """

    coords: NDArray[np.float32]
    kinds: NDArray[np.int64]

    @classmethod
    def of_point(cls, xy: NDArray[np.float32], label: int = POSITIVE) -> Tokens:
        """Return a first click at (2,)."""
        return cls(np.stack([xy, np.zeros_like(xy)]), np.array([label, PADDING]))

    @classmethod
    def of_box(cls, corners: NDArray[np.float32]) -> Tokens:
        """Return a box from its corners (2, 2)."""
        return cls(corners, np.array([TOP_LEFT, BOTTOM_RIGHT]))

    def with_clicks(self, xy: NDArray[np.float32], labels: NDArray[np.int64]) -> Tokens:
        """Return the prompt with further clicks at (K, 2)."""
        return Tokens(np.concatenate([self.coords, xy]), np.concatenate([self.kinds, labels]))

    @property
    def start(self) -> Tokens:
        """The first click, or the box alone."""
        return self.up_to(0)

    def up_to(self, corrections: int) -> Tokens:
        """The prompt as it was after so many clicks beyond its start."""
        return Tokens(self.coords[: 2 + corrections], self.kinds[: 2 + corrections])

    @property
    def is_single_point(self) -> bool:
        """Whether this is one click and nothing more."""
        return len(self.kinds) == 2 and self.kinds[1] == PADDING


class Answer(NamedTuple):
    """What the decoder says to N prompts.

    Attributes:
        logits: (N, 4, grid, grid) of all mask tokens.
        ious: (N, 4), predicted.
        ambiguous: (N,) bool, where the three masks of a single point are on offer and token 0 is
            not; elsewhere only token 0 is.
        coords, kinds: the tokens of all prompts, (N, T, 2) and (N, T).
        corrected: (N, 1, grid, grid) logits of the answers they correct, or None.
        frame: where the image lies in the encoder's input.

    """

    logits: Tensor
    ious: Tensor
    ambiguous: Tensor
    coords: Tensor
    kinds: Tensor
    corrected: Tensor | None
    frame: Frame

    def chosen(self) -> Tensor:
        """Return the logits a person would see, (N, grid, grid).

        That is the best answer by predicted IoU, with all that answers must keep to.
        """
        best = torch.where(self.ambiguous, self.ious[:, 1:].argmax(dim=1) + 1, 0)
        answers = self.logits[torch.arange(len(best), device=best.device), best]
        middles = self.coords + self.coords.new_tensor(self.frame.half_pixel)
        asked = Asked(
            side=self.frame.side,
            clicks=middles,
            labels=self.kinds,
            box=self._boxes(),
            corrected=self.corrected,
        )
        answers = answers[:, None]
        for refiner in UNGUIDED:
            answers = refiner.refine(answers, asked)
        return answers[:, 0]

    def _boxes(self) -> Tensor:
        """Return (N, 4) boxes, NaN where a prompt has none."""
        first, last = (self.coords[:, :2][:, corner] for corner in (0, 1))
        boxed = (self.kinds[:, 1] == BOTTOM_RIGHT)[:, None]
        return torch.where(boxed, torch.cat([first, last], dim=1), torch.nan)


def answer(
    network: Network,
    features: Tensor,
    positions: Tensor,
    frame: Frame,
    prompts: Sequence[Tokens],
    mask_inputs: Tensor | None = None,
    has_mask: Tensor | None = None,
) -> Answer:
    """Answer prompts about one image as the predictor would, in one call of the decoder.

    Args:
        network: the model.
        features: (1, C, h, w) embedding of the image.
        positions: (1, C, h, w), `Network.positions`; constant, so computed once.
        frame: where the image lies in the encoder's input.
        prompts: N prompts of T tokens each.
        mask_inputs: (N, 1, grid, grid) logits of earlier answers, or None.
        has_mask: (N,) bool, which of them to use; None uses all.

    """
    coords = torch.from_numpy(np.stack([p.coords for p in prompts])).to(features.device)
    kinds = torch.from_numpy(np.stack([p.kinds for p in prompts])).to(features.device)
    single = torch.tensor([p.is_single_point for p in prompts], device=features.device)
    if mask_inputs is not None:
        # a mask settles what the click meant: the predictor asks for one mask then
        single = torch.zeros_like(single) if has_mask is None else single & ~has_mask
    logits, ious = network.decode_tokens(features, positions, coords, kinds, mask_inputs, has_mask)
    corrected = mask_inputs if has_mask is None else None
    return Answer(logits, ious, single, coords, kinds, corrected, frame)
