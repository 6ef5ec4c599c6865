"""The part of a large image over which masks are shown: what is seen, in pixels as large as there.

Mask layers hold an array of all of a small image. Of a large one they hold the pane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.geometry.windows import area, clipped, grown, shape_of, whole
from napari_sam_tune.core.images import large_image

if TYPE_CHECKING:
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.ui.canvas.painted import AcceptedObject

_AROUND: Final = 0.4
"""Of what is seen, on each side: so far the view moves before the pane follows."""


@dataclass(frozen=True)
class Pane:
    """A part of an image in pixels of its own, each `step` × `step` of the image's.

    Attributes:
        window: (y0, x0, y1, x1) in px of the image.
        step: a power of two.

    """

    window: Window
    step: int = 1

    @property
    def shape(self) -> Shape:
        """(h, w) of an array of it."""
        height, width = shape_of(self.window)
        return -(-height // self.step), -(-width // self.step)

    def shows(self, seen: Window, step: int) -> bool:
        """Whether it will do for what is seen now."""
        y0, x0, y1, x1 = self.window
        return (
            self.step == step
            and y0 <= seen[0]
            and x0 <= seen[1]
            and seen[2] <= y1
            and seen[3] <= x1
        )

    def part(self, mask: Mask, corner: tuple[int, int]) -> tuple[Mask, tuple[int, int]]:
        """Return what lies in it of a mask that is cut to a box, and the corner of that.

        A pixel of it is inside where any of the image's is, so that nothing small goes missing.

        Args:
            mask: (h, w) bool.
            corner: (row, column) of its first pixel in the image.

        """
        (top, left), (height, width), step = corner, mask.shape, self.step
        y0, x0 = max(top, self.window[0]), max(left, self.window[1])
        y1, x1 = min(top + height, self.window[2]), min(left + width, self.window[3])
        if y0 >= y1 or x0 >= x1:
            return np.zeros((0, 0), bool), (0, 0)
        part = mask[y0 - top : y1 - top, x0 - left : x1 - left]
        down, right = y0 - self.window[0], x0 - self.window[1]
        at = down // step, right // step
        if step == 1:
            return part, at
        before = down - at[0] * step, right - at[1] * step
        after = (-(before[0] + y1 - y0) % step, -(before[1] + x1 - x0) % step)
        even = np.pad(part, [(before[0], after[0]), (before[1], after[1])])
        # rows first: together they would take twenty times as long
        fewer = np.asarray(even.reshape(-1, step, even.shape[1]).any(axis=1))
        return np.asarray(fewer.reshape(len(fewer), -1, step).any(axis=2)), at

    def part_of(self, shown: AcceptedObject) -> AcceptedObject:
        """Return an accepted object as it lies in an array of it; empty where it does not."""
        mask, corner = self.part(shown.mask, shown.corner)
        return replace(shown, mask=mask, corner=corner)

    def drawn(self, placed: PlacedMask | None) -> Mask:
        """Return a mask of the image as an array of it."""
        out = np.zeros(self.shape, bool)
        if placed is not None and placed.bbox is not None:
            mask, (row, column) = self.part(placed.cropped, placed.bbox[:2])
            out[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
        return out


def is_whole(shape: Shape) -> bool:
    """Whether mask layers hold an array of all of an image."""
    return shape[0] * shape[1] <= large_image.LARGE_PIXELS


def step_for(screen_pixel: float) -> int:
    """Return how coarse a pane need be where a pixel of the screen is so many of the image's."""
    return 1 << max(0, int(np.floor(np.log2(max(screen_pixel, 1.0)))))


def pane_for(shape: Shape, seen: Window, screen_pixel: float) -> Pane:
    """Return the pane for what is seen of an image of (H, W), and some around it."""
    if is_whole(shape):
        return Pane(whole(shape))
    step = step_for(screen_pixel)
    around = round(_AROUND * max(shape_of(seen))) + step
    y0, x0, y1, x1 = clipped(grown(seen, around), shape)
    window = y0 - y0 % step, x0 - x0 % step, y1, x1
    return Pane(window if area(window) else (0, 0, min(step, shape[0]), min(step, shape[1])), step)
