"""Planes of a file with several: each an image, its channels mixed into one picture.

What is read is only what the plane lies in: pages of a TIFF, chunks of an OME-Zarr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.axes import ROLES, as_said, check_parts, letters_like
from napari_sam_tune.core.images.axes_of_file import axes_of_file
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.large_source import HeldSource
from napari_sam_tune.core.images.large_zarr import ZarrSource
from napari_sam_tune.core.images.mix import Mix, range_of
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.pictures import errors_told, open_picture
from napari_sam_tune.core.images.tiff_picture import TiffPicture
from napari_sam_tune.core.images.tiff_plane import TiffPlaneSource, read_plane
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.axes import Axes, Parts
    from napari_sam_tune.core.images.large_source import Source
    from napari_sam_tune.core.images.picture import Pixels

_LOOKED_AT = 8
"""Planes of a stack by which the range of a channel is found."""
_SAMPLED = 1024
"""Rows and columns of a plane that are looked at for that, at most."""
_STACKS = frozenset({".tif", ".tiff", ".zarr"})


@dataclass(frozen=True)
class PlaneOfFile:
    """Which plane of a file an image is, and how its channels became one picture.

    Attributes:
        parts: of each axis of the file's array, where the plane lies along it, or what the axis is
            in the plane: "rows", "columns", "channels" or "colours".
        mix: how its channels become one picture; None where there is but one.

    """

    parts: Parts
    mix: Mix | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        mix = {} if self.mix is None else {"mix": self.mix.to_json()}
        return {"parts": list(self.parts), **mix}

    @classmethod
    def from_json(cls, said: object) -> PlaneOfFile:
        """Read it from plain values.

        Raises:
            KeyError, TypeError, ValueError: they are none.

        """
        if not isinstance(said, Mapping):
            raise TypeError(f"a plane of a file was expected, not {said!r}")
        parts = tuple(_part(part) for part in said["parts"])
        roles = [part for part in parts if isinstance(part, str)]
        if len(set(roles)) < len(roles) or not {"rows", "columns"} <= set(roles):
            raise ValueError(f"{said!r} is no plane of a file")
        return cls(parts, None if said.get("mix") is None else Mix.from_json(said["mix"]))


def _part(said: object) -> Any:
    if said in ROLES or (type(said) is int and said >= 0):
        return said
    raise ValueError(f"{said!r} is neither a plane's place nor an axis of it")


def open_plane(path: str | Path, plane: PlaneOfFile) -> Pixels | LargeImage:
    """Open a plane of a file: its pixels, or what they are read by where they are many.

    Args:
        path: a TIFF or the folder of an OME-Zarr.
        plane: which.

    Returns:
        (H, W) or (H, W, C), as the file has it or mixed of its channels, of up to `LARGE_PIXELS`;
        else a `LargeImage`.

    Raises:
        ImageError: the file is missing, damaged or has no such plane, or there are several channels
            and no mix.

    """
    path = Path(path)
    if path.is_dir():
        with errors_told(str(path)):
            return _opened(_mixed(ZarrSource(path, plane.parts), plane, path), path)
    with open_picture(path, lazily=True) as picture:
        if not isinstance(picture, TiffPicture):
            raise ImageError(tr("{path} has no planes.", path=path))
        shape = tuple(map(int, picture.series.shape))
        check_parts(plane.parts, shape, str(path))
        sides = [shape[plane.parts.index(role)] for role in ("rows", "columns")]
        if sides[0] * sides[1] <= large_image.LARGE_PIXELS:
            held = HeldSource(read_plane(picture, plane.parts))
            return _opened(_mixed(held, plane, path), path)
    return _opened(_mixed(TiffPlaneSource(path, plane.parts), plane, path), path)


def _opened(source: Source, path: Path) -> Pixels | LargeImage:
    height, width = source.shapes[0]
    if height * width <= large_image.LARGE_PIXELS:
        return np.ascontiguousarray(source.read(0, whole((height, width))))
    return LargeImage(source, str(path))


def _mixed(source: Source, plane: PlaneOfFile, path: Path) -> Source:
    """Return the picture that channels make; without a mix there is but one."""
    count = source.channels[0] if "channels" in plane.parts and source.channels else 1
    if plane.mix is None:
        if count > 1 and (count != 3 or "colours" in plane.parts):
            raise ImageError(
                tr(
                    "{path} has {n} channels. Choose which make the picture, or which of them is "
                    "it.",
                    path=path,
                    n=count,
                )
            )
        return source
    if max(plane.mix.channels) >= count or "colours" in plane.parts:
        raise ImageError(tr("{path} has no such channels.", path=path))
    return MixedSource(source, plane.mix)


class MixedSource:
    """A picture that is mixed of channels as it is read.

    Args:
        source: of the channels, (h, w, C).
        mix: how.

    Attributes:
        shapes, channels, dtype, units: see `Source`.

    """

    def __init__(self, source: Source, mix: Mix) -> None:
        self._source, self._mix = source, mix
        self.shapes, self.units = source.shapes, source.units
        self.channels: tuple[int, ...] = () if len(mix.channels) == 1 else (3,)
        self.dtype = np.dtype(np.uint8)

    def read(self, level: int, window: Window) -> NDArray[np.uint8]:
        """Return a window of a level, mixed."""
        found = self._source.read(level, window)
        return self._mix.of(found if found.ndim > 2 else found[..., None])


# ---------------------------------------------------------------------- files


@dataclass(frozen=True)
class Reading:
    """What a person says of how stacks are read.

    Attributes:
        axes: letters as `axes.as_said` takes them; None: as each file says.
        channels: which make the picture, counted from 0; None where nobody said.

    """

    axes: str | None = None
    channels: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ImageInFile:
    """An image on disk: a file, or one plane of it.

    Attributes:
        path: the file, or the folder of a `.zarr`.
        plane: which plane; None where the file is the image.
        said: the plane as people read it, "z 3, t 0"; "" of a file.

    """

    path: Path
    plane: PlaneOfFile | None = None
    said: str = ""

    @property
    def name(self) -> str:
        """What a project calls it: "cells.tif [z 3]"."""
        return named(self.path, self.said)

    @property
    def stem(self) -> str:
        """The same without suffix, as files that are made of it are called: "cells [z 3]"."""
        return named(Path(self.path.stem), self.said)

    def open(self) -> Pixels | LargeImage:
        """Open it; raises as `open_image` and `open_plane` do."""
        return open_image(self.path) if self.plane is None else open_plane(self.path, self.plane)

    def read(self) -> Pixels:
        """Read all its pixels; raises as `open`, or where they are more than may be held."""
        image = self.open()
        return image.whole() if isinstance(image, LargeImage) else image


def named(path: Path, said: str) -> str:
    """Return what an image is called that is a file, or a plane of it."""
    return f"{path.name} [{said}]" if said else path.name


@dataclass(frozen=True)
class StackFile:
    """A file with several planes.

    Attributes:
        path: a TIFF or the folder of an OME-Zarr.
        axes: what its axes are.
        mix: how channels become one picture; None where there is but one, or nobody chose.

    """

    path: Path
    axes: Axes
    mix: Mix | None = None

    @property
    def channels(self) -> int:
        """How many channels make a picture; 1 where there are none."""
        axis = self.axes.of("channels")
        return 1 if axis is None else axis.size

    @property
    def needs_mix(self) -> bool:
        """Whether somebody has to say which channels make the picture."""
        return self.channels > 1 and self.mix is None

    def image(self, plane: Sequence[int]) -> ImageInFile:
        """Return the image of a plane; where it is along `Axes.along`."""
        of_file = PlaneOfFile(self.axes.parts_of(plane), self.mix)
        return ImageInFile(self.path, of_file, self.axes.name_of(plane))

    def images(self) -> list[ImageInFile]:
        """Return the images of all planes, in the order of the file's axes."""
        return [self.image(plane) for plane in self.axes.planes]

    def mixed(self, channels: Sequence[int]) -> StackFile:
        """Return it with a mix of channels, each with its own range over the whole stack.

        Up to 8 planes, evenly spread, are looked at.

        Raises:
            ImageError: there are no such channels, or a plane cannot be read.

        """
        if not channels or max(channels) >= self.channels or min(channels) < 0:
            raise ImageError(
                tr(
                    "{path} has no channel {channels}: there are {n}, counted from 0.",
                    path=self.path,
                    channels=", ".join(map(str, channels)),
                    n=self.channels,
                )
            )
        planes = self.axes.planes
        some = [planes[round(i)] for i in np.linspace(0, len(planes) - 1, _LOOKED_AT)]
        ranges = []
        for channel in channels:
            looked = [self._sample(plane, channel) for plane in dict.fromkeys(some)]
            ranges.append(range_of(looked))
        return replace(self, mix=Mix(tuple(channels), tuple(ranges)))

    def _sample(self, plane: Sequence[int], channel: int) -> Pixels:
        parts = tuple(channel if part == "channels" else part for part in self.axes.parts_of(plane))
        pixels = open_plane(self.path, PlaneOfFile(parts))
        step = max(1, max(pixels.shape[:2]) // _SAMPLED)
        if isinstance(pixels, LargeImage):
            return pixels.read(whole((pixels.shape[0], pixels.shape[1])), step)
        return pixels[::step, ::step]


def stack_of_file(path: Path) -> StackFile | None:
    """Return a file as a stack; None where it is one image, or cannot be read at all.

    Axes of which it says nothing are open, see `Axes.question`.
    """
    if path.suffix.lower() not in _STACKS:
        return None
    try:
        axes = axes_of_file(path)
    except ImageError:
        return None  # said by whoever opens it
    if not axes.is_stack or (path.is_dir() and axes.of("colours") is None and _is_rgba(axes)):
        return None
    return StackFile(path, axes)


def _is_rgba(axes: Axes) -> bool:
    """Whether a zarr's only planes are four channels, which are taken for colours."""
    channels = axes.of("channels")
    return (
        channels is not None
        and channels.size == 4
        and not any(axes.axes[place].size > 1 for place in axes.along)
    )


def images_of(path: Path, reading: Reading) -> list[ImageInFile]:
    """Return the images of a file: itself, or its planes.

    Raises:
        ImageError: it is a stack and neither the file nor anybody says what its axes are, or which
            of several channels make the picture.

    """
    stack = stack_as_said(path, reading)
    return [ImageInFile(path)] if stack is None else stack.images()


def stack_as_said(path: Path, reading: Reading) -> StackFile | None:
    """Return a file as a stack, its axes and mix as they were said; None where it is one image.

    Raises:
        ImageError: as `images_of`.

    """
    stack = stack_of_file(path)
    return None if stack is None else settled(stack, reading)


def settled(stack: StackFile, reading: Reading) -> StackFile:
    """Return a stack as it was said that it is; see `images_of`."""
    path = stack.path
    if reading.axes is not None:
        stack = replace(stack, axes=as_said(stack.axes, reading.axes), mix=None)
    if stack.axes.question is not None:
        raise ImageError(
            tr(
                "{path}: {question} Say it by --axes, a letter for each axis, as in --axes {like}.",
                path=path,
                question=stack.axes.question,
                like=letters_like(stack.axes),
            )
        )
    if stack.needs_mix or (stack.channels > 1 and reading.channels is not None):
        if reading.channels is None:
            raise ImageError(
                tr(
                    "{path} has {n} channels. Say by --channels which make the picture, as in "
                    "--channels 0,1, or have each as an image of its own, by Q in the place of C "
                    "in --axes.",
                    path=path,
                    n=stack.channels,
                )
            )
        stack = stack.mixed(reading.channels)
    return stack
