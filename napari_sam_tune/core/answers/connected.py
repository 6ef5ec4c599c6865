"""Showing only what somebody pointed at: connected parts, and no growth far from a click.

A model, and a classifier even more, draws specks that lie elsewhere than the object in question. Of
an answer only the parts are kept that a positive click, the box or a painted mask touches. And who
clicks inside the mask confirms it: nothing far from that click may come in by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.answers.links import Asked

_EIGHT_NEIGHBOURS: Final = np.ones((3, 3), dtype=bool)
_LEAST: Final = 1.0
"""Logit, below zero, that a part left out has at most."""
_BESIDE: Final = 1
"""Cells beside a part at which a click still touches it."""
_NEAR: Final = 18 / 256
"""Distance from a confirming click up to which a mask may grow, in sides of the logits."""


class KeepConnected:
    """Leaves out the parts of an answer that no positive click, box or painted mask touches."""

    def refine(self, logits: Tensor, asked: Asked) -> Tensor:
        """See `Refiner.refine`; where nothing is touched, or pointed at, all stays."""
        left_out = np.zeros(logits.shape, bool)
        for number, candidates in enumerate((logits > 0).cpu().numpy()):
            pointed = _pointed_at(logits.shape[-1], asked, number)
            if pointed.any():
                left_out[number] = [_untouched(candidate, pointed) for candidate in candidates]
        mask = torch.from_numpy(left_out).to(logits.device)
        return torch.where(mask, -logits.clamp(min=_LEAST), logits)


class StayNear:
    """Lets a mask grow only near a positive click that lies inside it."""

    def refine(self, logits: Tensor, asked: Asked) -> Tensor:
        """See `Refiner.refine`."""
        before = asked.corrected
        if before is None or asked.clicks.shape[1] == 0:
            return logits
        size = logits.shape[-1]
        is_click = (asked.labels == 0) | (asked.labels == 1)
        last = is_click.shape[1] - 1 - is_click.flip(1).int().argmax(1)
        rows = torch.arange(len(last), device=logits.device)
        x, y = _cells(asked, size)[rows, last].T  # (N,) each
        column, row = (at.round().long().clamp(0, size - 1) for at in (x, y))
        inside = before[rows, 0, row, column] > 0
        confirms = inside & (asked.labels[rows, last] == 1)
        line = torch.arange(size, device=logits.device)
        squared = (line[:, None] - y[:, None, None]) ** 2 + (line - x[:, None, None]) ** 2
        far = (squared > (_NEAR * size) ** 2) & confirms[:, None, None]
        return torch.where(far[:, None] & (before <= 0) & (logits > 0), before, logits)


def _cells(asked: Asked, size: int) -> Tensor:
    """Where the clicks are, (N, T, 2) as (column, row) of the logits, also between cells."""
    return (asked.clicks.float() + 0.5) * (size / asked.side) - 0.5


def _pointed_at(size: int, asked: Asked, number: int) -> NDArray[np.bool_]:
    """Cells that a positive click, the box or a painted mask of a prompt covers."""
    pointed = np.zeros((size, size), bool)
    cells, labels = _cells(asked, size)[number].tolist(), asked.labels[number].tolist()
    for (x, y), label in zip(cells, labels, strict=True):
        if label == 1:
            column, row = (min(max(round(at), 0), size - 1) for at in (x, y))
            rows, columns = (slice(max(at - _BESIDE, 0), at + _BESIDE + 1) for at in (row, column))
            pointed[rows, columns] = True
    if asked.box is not None and bool(asked.box[number].isfinite().all()):
        x0, y0, x1, y1 = ((asked.box[number] + 0.5) * (size / asked.side)).tolist()
        rows, columns = (
            slice(max(int(y0), 0), int(np.ceil(y1))),
            slice(max(int(x0), 0), int(np.ceil(x1))),
        )
        pointed[rows, columns] = True
    if asked.painted is not None:
        pointed |= (asked.painted[number, 0] > 0).cpu().numpy()
    return pointed


def _untouched(mask: NDArray[np.bool_], pointed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of the 8-connected parts of a mask that are not pointed at; none if all are such."""
    parts, count = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    touched = np.zeros(count + 1, bool)
    touched[parts[pointed]] = True
    touched[0] = True
    if not touched[1:].any():
        return np.zeros_like(mask)
    untouched: NDArray[np.bool_] = ~touched[parts]
    return untouched
