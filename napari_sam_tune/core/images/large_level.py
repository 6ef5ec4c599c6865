"""One size of a large image, as the arrays are that viewers take."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.images.picture import Pixels


class ReadPart(Protocol):
    """How a level gets its pixels."""

    def __call__(self, window: Window, *, wait: bool) -> Pixels:
        """Return a window of it; of an overview all of it, or what was read so far."""


@dataclass(frozen=True)
class Form:
    """What pixels a level has.

    Attributes:
        shape: (h, w).
        channels: () or (C,), of the image.
        dtype: of the image.

    """

    shape: Shape
    channels: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def is_shown(self) -> bool:
        """Whether viewers show it as it is."""
        return not self.channels or (self.channels[0] in (3, 4) and self.dtype == np.uint8)


class Level:
    """A large image in one size: an array for viewers, read where it is sliced.

    Grey and 8-bit RGB(A) are as they are, all else is 8-bit RGB.

    Args:
        form: what it has.
        factor: (down, across), px of the image to one of its pixels.
        part: reads it.
        rgb8: makes 8-bit RGB of what viewers cannot show.

    Attributes:
        factor: see above.
        shape: (h, w) or (h, w, C).
        dtype: of the pixels as they are shown.

    """

    def __init__(
        self,
        form: Form,
        factor: tuple[float, float],
        part: ReadPart,
        rgb8: Callable[[Pixels], NDArray[np.uint8]],
    ) -> None:
        self.factor, self._part, self._rgb8, self._is_shown = factor, part, rgb8, form.is_shown
        channels = form.channels if self._is_shown else (3,)
        self.shape: tuple[int, ...] = (*form.shape, *channels)
        self.dtype = form.dtype if self._is_shown else np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        """2, or 3 with colours."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    def whole_window(self, window: Window) -> Pixels:
        """Return a window of it, of the image's own type, when all of it is read."""
        return self._part(window, wait=True)

    def __getitem__(self, key: Any) -> Pixels:
        """Return what numpy would for slices and numbers; of an overview what was read so far."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        (y0, y1, rows), (x0, x1, columns) = (
            _span(one, side) for one, side in zip(keys[:2], self.shape[:2], strict=True)
        )
        if y0 == y1 or x0 == x1:
            found = np.zeros((y1 - y0, x1 - x0, *self.shape[2:]), self.dtype)
        else:
            found = self._part((y0, x0, y1, x1), wait=False)
            found = found if self._is_shown else self._rgb8(found)
        return found[(rows, columns, *keys[2:])]

    def __array__(self, dtype: Any = None, **_: object) -> NDArray[Any]:
        """Return all of it; of the finest ones nobody should ask that."""
        return np.asarray(self[...], dtype)


def _span(key: Any, side: int) -> tuple[int, int, slice | int]:
    """Return what part of an axis a slice or a number touches, and what it is of that part."""
    if not isinstance(key, slice):
        at = range(side)[operator.index(key)]
        return at, at + 1, 0
    wanted = range(side)[key]
    if not wanted:
        return 0, 0, slice(None)
    low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
    return low, high, slice(None, None, wanted.step)
