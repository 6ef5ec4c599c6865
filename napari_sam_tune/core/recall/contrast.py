"""The local contrast of an image, in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.geometry.windows import clipped, grown, hull, shape_of
from napari_sam_tune.core.recall.registration import MARGIN, local_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.recall.grey import Grey

    Floats = NDArray[np.float32]

SPARE: Final = 24
"""Px that are worked out around a window, as the next one may be of the same object on another
photograph."""


class ContrastOf:
    """The local contrast of an image; a window inside the last one is not worked out again.

    Masks on several photographs of one part are looked for at the same place of the open one.

    Args:
        grey: the image.
        spare: px that are worked out around a window.

    """

    def __init__(self, grey: Grey, spare: int = 0) -> None:
        self._grey, self._spare = grey, spare
        self.shape: Shape = grey.shape
        self._last: tuple[Window, Floats] | None = None

    def part(self, window: Window, scale: float) -> Floats:
        """Return a window at a scale, as if all of the image were seen.

        Args:
            window: (y0, x0, y1, x1); it lies inside.
            scale: up to 1.

        """
        if scale != 1:
            return self._made(window, scale)
        y0, x0, y1, x1 = window
        if self._last is None or hull([window, self._last[0]]) != self._last[0]:
            larger = clipped(grown(window, self._spare), self.shape)
            self._last = larger, self._made(larger, scale)
        (top, left, _, _), contrast = self._last
        return contrast[y0 - top : y1 - top, x0 - left : x1 - left]

    def _made(self, window: Window, scale: float) -> Floats:
        margin = int(np.ceil(MARGIN / scale))
        seen = clipped(grown(window, margin), self.shape)
        contrast = local_contrast(self._grey.part(seen, scale))
        top, left = round((window[0] - seen[0]) * scale), round((window[1] - seen[1]) * scale)
        height, width = (max(1, round(side * scale)) for side in shape_of(window))
        cut = contrast[top : top + height, left : left + width]
        # the seen part and the window were rounded each by itself
        return np.pad(cut, ((0, height - cut.shape[0]), (0, width - cut.shape[1])), mode="edge")
