"""Looking closer: a crop around a small object is encoded as an image of its own.

At 512 px for a whole photograph a defect of ten pixels is two cells of the embedding. In a crop it
is drawn as finely as a large one, and the clicks that correct it are as far apart. The window is
chosen from what the coarse answer drew and what was clicked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.geometry.frame import LARGE
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import moved, shape_of, whole

if TYPE_CHECKING:
    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.prompts import Point, Prompt

ROOM: Final = 3.0
"""Sides of a window, in those of what is in it."""
MOST_MAGNIFIED: Final = 4
"""At most so many px of the encoder's input show one px of the image."""
LARGEST: Final = 0.45
"""Share of an image's longer side above which a window shows too little more than the image."""
DEFAULT_LEVEL: Final = 1
"""Doublings of the encoder's side at which a click is answered, where nobody says what is seen."""
AROUND: Final = 2
"""Sides of a first window, in those of what was said, at least."""
WIDER: Final = 4
"""Sides of a window, in those of one whose answer ran against its border."""
_AT_BORDER: Final = 0.01
"""Share of a window's side from its border at which an answer runs against it."""
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


def first_window(
    prompt: Prompt,
    shape: Shape,
    side: int,
    drawn: PlacedMask | None = None,
    seen: Window | None = None,
) -> Window:
    """Return where to look first: all of an image, or a window of a large one.

    Windows are of few sizes and lie on a grid, so that questions about neighbours share them.

    Args:
        prompt: what the person said.
        shape: (H, W) of the image.
        side: of the encoder's input, in px.
        drawn: what was drawn of the object before.
        seen: the part of the image on the screen; without a box the object is about so large.

    """
    mask = drawn if prompt.mask is None else place_mask(prompt.mask, shape)
    content = _content(PlacedMask.empty(shape) if mask is None else mask, prompt)
    if max(shape) <= LARGE * side or content is None:
        return whole(shape)
    extent = max(shape_of(content))
    least = int(np.ceil(np.log2(max(AROUND * extent / side, 1))))
    if seen is not None:
        level = round(np.log2(max(max(shape_of(seen)) / side, 1)))
    else:
        level = 0 if extent > 1 else DEFAULT_LEVEL
    return window_on_grid(content, side << max(least, level), shape)


def home_window(content: Window, shape: Shape, side: int) -> Window:
    """Return where an object is first seen whole: all of an image, or a window of a large one."""
    if max(shape) <= LARGE * side:
        return whole(shape)
    least = int(np.ceil(np.log2(max(AROUND * max(shape_of(content)) / side, 1))))
    return window_on_grid(content, side << max(least, DEFAULT_LEVEL), shape)


def wider_window(content: Window, current: Window, shape: Shape, side: int) -> Window:
    """Return a window of the grid around what runs against the border of another one."""
    wanted = max(AROUND * max(shape_of(content)), WIDER * max(shape_of(current)))
    return window_on_grid(content, side << int(np.ceil(np.log2(max(wanted / side, 1)))), shape)


def window_on_grid(content: Window, length: int, shape: Shape) -> Window:
    """Return the square of a side, by half of which squares lie apart, that is best for a content.

    At the image's border it lies against it; all of the image in place of much of it.

    Args:
        content: no larger than half of it.
        length: its side, in px.
        shape: (H, W) of the image.

    """
    if length > LARGEST * max(shape):
        return whole(shape)
    step = length // 2
    bounds = []
    for axis in (0, 1):
        middle = (content[axis] + content[axis + 2]) / 2
        low = round((middle - length / 2) / step) * step
        low = min(max(low, 0), max(shape[axis] - length, 0))
        bounds.append((low, min(low + length, shape[axis])))
    (y0, y1), (x0, x1) = bounds
    return y0, x0, y1, x1


def beside(window: Window, shape: Shape, side: int) -> list[Window]:
    """Return the windows of the grid half of one up, down, left and right; none beside others.

    Args:
        window: of the grid, see `window_on_grid`.
        shape: (H, W) of the image.
        side: of the encoder's input, in px.

    """
    length = max(shape_of(window))
    level = round(np.log2(length / side))
    if level < 0 or length != side << level:
        return []
    half = length // 2
    steps = ((-half, 0), (half, 0), (0, -half), (0, half))
    found = (window_on_grid(moved(window, step), length, shape) for step in steps)
    return [one for one in dict.fromkeys(found) if one != window and one != whole(shape)]


def runs_over(mask: PlacedMask, window: Window) -> bool:
    """Whether a mask drawn in a window goes on beyond it, as far as can be told."""
    if mask.bbox is None:
        return False
    near = _AT_BORDER * max(shape_of(window))
    return any(
        abs(mask.bbox[edge] - window[edge]) <= near and window[edge] != end
        for edge, end in enumerate((0, 0, *mask.shape))
    )


def is_one_click(prompt: Prompt) -> bool:
    """Whether a single place of the object was pointed at, and nothing else said."""
    return tuple(prompt.labels) == (1,) and prompt.box is None and prompt.mask is None


def holds(window: Window, prompt: Prompt) -> bool:
    """Whether all that a prompt points at lies in a window."""
    return all(lies_in(window, point) for point in _pointed_at(prompt))


def lies_in(window: Window, point: Point) -> bool:
    """Whether a place (x, y) lies in a window, up to the outer edges of its pixels."""
    (x, y), (y0, x0, y1, x1) = point, window
    return x0 - 0.5 <= x <= x1 - 0.5 and y0 - 0.5 <= y <= y1 - 0.5


def _pointed_at(prompt: Prompt) -> list[Point]:
    """Return the clicks and the corners of the box, (x, y)."""
    corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
    return [*prompt.points, *corners]


def _content(mask: PlacedMask, prompt: Prompt) -> Window | None:
    """Return the smallest window around a mask and what was said; None around nothing."""
    last = np.array(mask.shape) - 1  # what lies on the image's edge is in its outermost pixels
    said = np.array(_pointed_at(prompt)).reshape(-1, 2)[:, ::-1].round().astype(int).clip(0, last)
    if mask.bbox is not None:
        top, left, bottom, right = mask.bbox
        drawn = [[top, left], [bottom - 1, right - 1]]
        said = np.concatenate([said, np.array(drawn)])
    if len(said) == 0:
        return None
    (y0, x0), (y1, x1) = said.min(axis=0), said.max(axis=0) + 1
    return int(y0), int(x0), int(y1), int(x1)
