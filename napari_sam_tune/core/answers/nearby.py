"""Clicks on what was drawn: the mask changes near the click, and nowhere else.

A stroke's mask is as fine as the image, and a model that is asked about it draws all of it anew, as
fine as its grid. So the model is asked in a window around the click, and of its answer that part is
taken that the click points at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.answers.zoom import lies_in, window_around
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import clipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.prompts import Point, Prompt

NEAR: Final = 48
"""How far from a click a mask changes, in px."""
# How far from a click what it points at may begin, and what changes at least, in px.
_AT, _LEAST = 2.0, 1.0
_EIGHT_NEIGHBOURS: Final = np.ones((3, 3), bool)


def corrects_a_stroke(prompt: Prompt) -> bool:
    """Whether all that a prompt asks is what its clicks mean on what was drawn."""
    return bool(prompt.strokes and prompt.points) and prompt.box is None


def clicks_to_heed(mask: PlacedMask, prompt: Prompt) -> Iterator[tuple[Point, bool]]:
    """Yield the clicks that a mask does not follow yet, and whether they add; else the last one."""
    clicks = [
        (point, bool(label)) for point, label in zip(prompt.points, prompt.labels, strict=True)
    ]
    height, width = mask.shape
    inside = [mask.covers(_pixel(y, height), _pixel(x, width)) for (x, y), _ in clicks]
    is_heeded = [is_in == adds for is_in, (_, adds) in zip(inside, clicks, strict=True)]
    yield from [c for c, heeded in zip(clicks, is_heeded, strict=True) if not heeded] or clicks[-1:]


def window_near(click: Point, shape: Shape, side: int) -> Window | None:
    """Return where to look for what a click means; None where all of the image shows it as well.

    Args:
        click: (x, y) in px.
        shape: (H, W) of the image.
        side: of the encoder's input, in px.

    """
    return window_around(_around(click, shape), shape, side)


def said_within(prompt: Prompt, window: Window) -> tuple[tuple[Point, ...], tuple[int, ...]]:
    """Return the clicks of a prompt that lie in a window, and their labels."""
    inside = [
        (point, label)
        for point, label in zip(prompt.points, prompt.labels, strict=True)
        if lies_in(window, point)
    ]
    return tuple(point for point, _ in inside), tuple(label for _, label in inside)


def changed_near(mask: PlacedMask, answer: PlacedMask, click: Point, *, adds: bool) -> PlacedMask:
    """Return a mask with what an answer has otherwise where a click points at it.

    Args:
        mask: that was drawn.
        answer: of the model.
        click: (x, y) in px.
        adds: it says "part of the object"; else that what is there is not.

    """
    y0, x0, y1, x1 = window = _around(click, mask.shape)
    before, now = mask.crop(window), answer.crop(window)
    rows, columns = np.ogrid[y0:y1, x0:x1]
    away = np.hypot(columns - click[0], rows - click[1])
    other = (now & ~before if adds else before & ~now) & (away <= NEAR)
    parts, _ = ndimage.label(other, _EIGHT_NEIGHBOURS)
    pointed_at = np.unique(parts[other & (away <= _AT)])
    changes = np.isin(parts, pointed_at[pointed_at > 0]) | (away <= _LEAST)
    changed = PlacedMask.in_window(changes, window, mask.shape)
    return mask | changed if adds else mask - changed


def _around(click: Point, shape: Shape) -> Window:
    column, row = (round(at) for at in click)
    return clipped((row - NEAR, column - NEAR, row + NEAR + 1, column + NEAR + 1), shape)


def _pixel(at: float, length: int) -> int:
    return min(max(round(at), 0), length - 1)
