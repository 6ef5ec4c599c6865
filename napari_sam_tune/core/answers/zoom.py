"""Looking closer: a crop around a small object is encoded as an image of its own.

At 512 px for a whole photograph a defect of ten pixels is two cells of the embedding. In a crop it
is drawn as finely as a large one, and the clicks that correct it are as far apart. The window is
chosen from what the coarse answer drew and what was clicked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.geometry.windows import shape_of, whole

if TYPE_CHECKING:
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.prompts import Point, Prompt

ROOM: Final = 3.0
"""Sides of a window, in those of what is in it."""
MOST_MAGNIFIED: Final = 4
"""At most so many px of the encoder's input show one px of the image."""
LARGEST: Final = 0.45
"""Share of an image's longer side above which a window shows too little more than the image."""
_MARGIN: Final = 0.12
"""Share of a window that must stay free around its content, or another one is chosen."""
_LOOSE: Final = 1.8
"""Times the side of the best window at which one in use is given up."""


def window_around(content: Window, shape: Shape, side: int) -> Window | None:
    """Return the window in which to look closer at `content`, or None where that is no use.

    Args:
        content: what must be in it.
        shape: (H, W) of the image.
        side: of the encoder's input, in px.

    """
    wanted = max(ROOM * max(shape_of(content)), side / MOST_MAGNIFIED)
    if wanted > LARGEST * max(shape):
        return None
    length = int(np.ceil(wanted))
    bounds = []
    for axis in (0, 1):
        middle = (content[axis] + content[axis + 2]) / 2
        low = int(np.clip(middle - length / 2, 0, max(shape[axis] - length, 0)))
        bounds.append((low, min(low + length, shape[axis])))
    (y0, y1), (x0, x1) = bounds
    return y0, x0, y1, x1


def window_for(mask: PlacedMask, prompt: Prompt, side: int, current: Window) -> Window:
    """Return where to look at an object: in a window, or in the whole image.

    Args:
        mask: what the model drew.
        prompt: what the person said.
        side: of the encoder's input, in px.
        current: where it was looked at; kept as long as it fits, as it is encoded already.

    """
    shape = mask.shape
    content = _content(mask, prompt)
    if content is None:
        return current
    best = window_around(content, shape, side)
    if best is None:
        return whole(shape)
    if current == whole(shape) or max(shape_of(current)) > _LOOSE * max(shape_of(best)):
        return best
    free = _MARGIN * max(shape_of(current))
    fits = all(
        content[axis] - current[axis] >= (free if current[axis] > 0 else 0)
        and current[axis + 2] - content[axis + 2] >= (free if current[axis + 2] < end else 0)
        for axis, end in enumerate(shape)
    )
    return current if fits else best


def holds(window: Window, prompt: Prompt) -> bool:
    """Whether all that a prompt points at lies in a window."""
    y0, x0, y1, x1 = window
    return all(x0 <= x <= x1 - 1 and y0 <= y <= y1 - 1 for x, y in _pointed_at(prompt))


def _pointed_at(prompt: Prompt) -> list[Point]:
    """Return the clicks and the corners of the box, (x, y)."""
    corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
    return [*prompt.points, *corners]


def _content(mask: PlacedMask, prompt: Prompt) -> Window | None:
    """Return the smallest window around a mask and what was said; None around nothing."""
    said = np.array(_pointed_at(prompt)).reshape(-1, 2)[:, ::-1].round().astype(int)
    if mask.bbox is not None:
        top, left, bottom, right = mask.bbox
        drawn = [[top, left], [bottom - 1, right - 1]]
        said = np.concatenate([said, np.array(drawn)])
    if len(said) == 0:
        return None
    (y0, x0), (y1, x1) = said.min(axis=0), said.max(axis=0) + 1
    return int(y0), int(x0), int(y1), int(x1)
