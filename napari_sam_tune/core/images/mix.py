"""How the channels of a plane become one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.picture import Pixels

MOST_MIXED: Final = 3
"""Channels of a mix: more than three make no picture."""
_ENDS: Final = (0.1, 99.9)
"""Percentiles that become black and white."""


@dataclass(frozen=True)
class Mix:
    """How channels become one picture.

    Attributes:
        channels: one, shown grey, or two or three, shown as red, green and blue.
        ranges: of each, what becomes black and what white; the same in all planes, so that these
            can be compared.

    Raises:
        ImageError: no channel or more than three, or not one range for each.

    """

    channels: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.channels) <= MOST_MIXED or len(self.ranges) != len(self.channels):
            raise ImageError(tr("One, two or three channels make a picture, each with its range."))

    def of(self, channels: Pixels) -> NDArray[np.uint8]:
        """Return the picture that channels (h, w, C) make: (h, w), or (h, w, 3) uint8."""
        parts = [
            _stretched(channels[..., number], *ends)
            for number, ends in zip(self.channels, self.ranges, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        blank = np.zeros_like(parts[0])
        return np.stack([*parts, *([blank] * (MOST_MIXED - len(parts)))], axis=-1)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"channels": list(self.channels), "ranges": [list(one) for one in self.ranges]}

    @classmethod
    def from_json(cls, said: object) -> Mix:
        """Read it from plain values.

        Raises:
            KeyError, TypeError, ValueError: they are none.

        """
        if not isinstance(said, Mapping):
            raise TypeError(f"a mix of channels was expected, not {said!r}")
        channels = tuple(int(one) for one in said["channels"])
        ranges = tuple((float(low), float(high)) for low, high in said["ranges"])
        if min(channels, default=0) < 0 or not np.isfinite(ranges).all():
            raise ValueError(f"{said!r} is no mix of channels")
        try:
            return cls(channels, ranges)
        except ImageError as error:
            raise ValueError(str(error)) from error


def _stretched(channel: Pixels, low: float, high: float) -> NDArray[np.uint8]:
    wide = np.nan_to_num(channel.astype(np.float64), nan=low, posinf=high, neginf=low)
    share = (wide.clip(low, high) - low) / (high - low) if high > low else np.full_like(wide, 0.5)
    return np.rint(255 * share).astype(np.uint8)


def range_of(channels: Sequence[Pixels]) -> tuple[float, float]:
    """Return what becomes black and what white of a channel, of some of its planes."""
    values = np.concatenate([channel.ravel().astype(np.float64) for channel in channels])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = np.percentile(values, _ENDS, method="nearest")
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)
