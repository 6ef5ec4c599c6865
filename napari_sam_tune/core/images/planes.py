"""One plane of a file with several, read by itself, its channels mixed into one picture.

What is read is only what the plane lies in: pages of a TIFF, chunks of an OME-Zarr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.axes_of_file import axes_of_file, opened_array
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.axes import Axes

    Pixels = NDArray[np.generic]
    Plane = tuple[int, ...]

_MOST_MIXED: Final = 3
_LOOKED_AT: Final = 8
"""Planes of a stack by which the range of a channel is found."""
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
        if not 1 <= len(self.channels) <= _MOST_MIXED or len(self.ranges) != len(self.channels):
            raise ImageError(tr("One, two or three channels make a picture, each with its range."))

    def of(self, channels: Pixels) -> NDArray[np.uint8]:
        """Return the picture that channels (C, H, W) make: (H, W), or (H, W, 3) uint8."""
        parts = [
            _stretched(channels[number], *ends)
            for number, ends in zip(self.channels, self.ranges, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        blank = np.zeros_like(parts[0])
        return np.stack([*parts, *([blank] * (_MOST_MIXED - len(parts)))], axis=-1)

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


class PlanesOfFile:
    """A file with several planes.

    Args:
        path: a TIFF or an OME-Zarr folder.
        axes: what its axes are where a person said so; None: as it says itself.

    Attributes:
        path: the file.
        axes: its axes.

    Raises:
        ImageError: it is missing, damaged or neither, or its axes are others than those given; or
            it does not say what they are (`Axes.question`).

    """

    def __init__(self, path: str | Path, axes: Axes | None = None) -> None:
        self.path, found = Path(path), axes_of_file(path)
        if axes is not None and axes.shape != found.shape:
            raise ImageError(
                tr(
                    "{path} is {now}, and was {before} when its axes were said. Put the original "
                    "back, or open it anew.",
                    path=path,
                    now=" × ".join(map(str, found.shape)),
                    before=" × ".join(map(str, axes.shape)),
                )
            )
        self.axes = found if axes is None else axes
        if self.axes.question is not None:
            raise ImageError(f"{self.path}: {self.axes.question}")

    @property
    def planes(self) -> list[Plane]:
        """Where each plane is along `Axes.along`, in the order of the file's axes."""
        return list(product(*(range(self.axes.axes[place].size) for place in self.axes.along)))

    @property
    def channels(self) -> int:
        """How many channels there are; 1 where it has none."""
        axis = self.axes.of("channels")
        return 1 if axis is None else axis.size

    def read_channels(self, plane: Sequence[int]) -> Pixels:
        """Read all channels of a plane.

        Returns:
            (C, H, W), or (C, H, W, S) where each has colours.

        Raises:
            ImageError: there is no such plane, or it cannot be read.

        """
        key: list[int | slice] = [slice(None)] * len(self.axes.axes)
        if len(plane) != len(self.axes.along):
            raise ImageError(tr("{path} has no plane {plane}.", path=self.path, plane=plane))
        for place, at in zip(self.axes.along, plane, strict=True):
            if not 0 <= at < self.axes.axes[place].size:
                raise ImageError(tr("{path} has no plane {plane}.", path=self.path, plane=plane))
            key[place] = at
        with opened_array(self.path) as array:
            cut = np.asarray(array[tuple(key)])
        left = [axis.role for i, axis in enumerate(self.axes.axes) if i not in self.axes.along]
        order = [left.index(r) for r in ("channels", "rows", "columns", "colours") if r in left]
        pixels = cut.transpose(order)
        return pixels if "channels" in left else pixels[None]

    def read(self, plane: Sequence[int], mix: Mix | None = None) -> Pixels:
        """Read a plane as a picture.

        Args:
            plane: where it is along `Axes.along`.
            mix: how its channels become one picture; None where there is but one, which stays as
                it is.

        Returns:
            (H, W) or (H, W, C).

        Raises:
            ImageError: as `read_channels`, or there are several channels and no mix.

        """
        channels = self.read_channels(plane)
        if mix is not None:
            if max(mix.channels) >= len(channels) or channels.ndim != 3:
                raise ImageError(tr("{path} has no such channels.", path=self.path))
            return mix.of(channels)
        if len(channels) > 1:
            raise ImageError(
                tr(
                    "{path} has {n} channels. Choose which make the picture, or which of them is "
                    "it.",
                    path=self.path,
                    n=len(channels),
                )
            )
        return np.ascontiguousarray(channels[0])

    def mix(self, channels: Sequence[int]) -> Mix:
        """Return a mix of channels, each with its own range over the whole stack.

        Up to 8 planes, evenly spread, are looked at.
        """
        planes = self.planes
        some = [planes[round(i)] for i in np.linspace(0, len(planes) - 1, _LOOKED_AT)]
        looked = [self.read_channels(plane) for plane in dict.fromkeys(some)]
        return Mix(tuple(channels), tuple(_range(looked, number) for number in channels))


def _range(planes: Sequence[Pixels], channel: int) -> tuple[float, float]:
    values = np.concatenate([plane[channel].ravel().astype(np.float64) for plane in planes])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = np.percentile(values, _ENDS, method="nearest")
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)
