"""A file with several planes, as the queue and the viewer have it: one for all its planes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import dask.array
import numpy as np
from napari.layers import Image

from napari_sam_tune.core.images.axes import letter_of
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.mix import MOST_MIXED, range_of
from napari_sam_tune.ui.canvas.looks import OWN, displayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam_tune.core.images.planes import StackFile

    Plane = tuple[int, ...]

_KEPT: Final = 8
"""Planes that were read last are kept, so that what is shown is not read again."""


class StackInQueue:
    """A file with several planes.

    Args:
        file: with its axes as the file or a person says, and the mix where one was chosen.
        names: what the project calls planes; others are called as in the file.

    Attributes:
        file: the same; of channels nobody chose, the first make the picture once it is read.
        layer: shows all planes; None while none of them is on the screen.

    """

    def __init__(self, file: StackFile, names: Mapping[Plane, str] | None = None) -> None:
        self.file = file
        self.layer: Image | None = None
        self._names = dict(names or {})
        self._read: dict[Plane, NDArray[Any] | LargeImage] = {}
        self._limits: tuple[float, float] | None = None
        self._lock = threading.Lock()  # of what is kept; never held while the file is read
        self._looking = threading.RLock()  # held while ranges of values are looked for

    def name_of(self, plane: Plane) -> str:
        """Return what a plane is called."""
        return self._names.get(plane) or self.file.image(plane).name

    def call(self, plane: Plane, name: str) -> None:
        """Call a plane what the project calls it."""
        self._names[plane] = name

    def planes(self) -> dict[str, Plane]:
        """Return where each plane is, by its name."""
        return {self.name_of(plane): plane for plane in self.file.axes.planes}

    def change(self, file: StackFile) -> None:
        """Have other axes or another mix; planes that lie elsewhere are named anew."""
        with self._lock:
            if file.axes.along != self.file.axes.along:
                self._names = {}
            self.file, self.layer, self._limits = file, None, None
            self._read.clear()

    def read(self, plane: Plane) -> NDArray[Any] | LargeImage:
        """Return the picture of a plane; (H, W) or (H, W, C), or what many pixels are read by.

        No thread waits for another one that reads a plane.

        Raises:
            ImageError: the file cannot be read.

        """
        file = self._mixed()
        with self._lock:
            kept = self._read.get(plane) if self.file is file else None
        if kept is not None:
            return kept
        found = file.image(plane).open()
        if not _is_large(found) and found.ndim == 2 and found.dtype != np.uint8:
            self.limits()  # here, and not where the viewer waits for it
        with self._lock:
            if self.file is file:
                self._read = {**dict(list(self._read.items())[1 - _KEPT :]), plane: found}
        return found

    def _mixed(self) -> StackFile:
        """Return the file as it is now, with a mix of its channels if it needs one."""
        while (file := self.file).needs_mix:
            with self._looking:
                if self.file is not file:
                    continue
                mixed = file.mixed(range(min(file.channels, MOST_MIXED)))
                with self._lock:
                    self.file = mixed if self.file is file else self.file
        return file

    def limits(self) -> tuple[float, float]:
        """Return what is shown black and what white: the same in all planes."""
        known = self._limits
        if known is not None:
            return known
        with self._looking:
            file, known = self.file, self._limits
            if known is None:
                some = file.axes.planes
                at = dict.fromkeys(some[round(i)] for i in np.linspace(0, len(some) - 1, 5))
                known = range_of([file.image(plane).read() for plane in at])
                with self._lock:
                    self._limits = known if self.file is file else self._limits
            return known

    def show(self, first: NDArray[Any]) -> Image:
        """Return a layer of all planes, each read when it is looked at.

        Args:
            first: one of them, (H, W) or (H, W, C).

        """
        like = displayable(first)
        sizes = [self.file.axes.axes[place].size for place in self.file.axes.along]
        chunks = (*((1,) * size for size in sizes), *((side,) for side in like.shape))
        # one layer of the graph for all planes: a layer for each makes every look at one slower
        data = dask.array.map_blocks(
            _Blocks(self),
            dtype=like.dtype,
            chunks=chunks,
            meta=np.empty((0,) * len(chunks), like.dtype),
        )
        limits = None
        if like.ndim == 2:
            limits = (0, 255) if like.dtype == np.uint8 else self.limits()
            limits = limits if limits[0] < limits[1] else (limits[0], limits[0] + 1)
        self.layer = Image(
            data,
            name=self.file.path.name,
            rgb=like.ndim > 2,
            contrast_limits=limits,
            scale=self._scale(),
            axis_labels=self._labels(),
            metadata={OWN: "image"},
            cache=False,
        )
        return self.layer

    def _scale(self) -> list[float]:
        """Return how far planes lie apart, in pixels, where the file says so."""
        axes = self.file.axes
        across = axes.of("columns")
        steps = [1.0] * len(axes.along)
        for number, place in enumerate(axes.along):
            axis = axes.axes[place]
            is_known = across is not None and across.step and axis.step and across.unit == axis.unit
            if is_known:
                steps[number] = axis.step / across.step  # type: ignore[operator, union-attr]
        return [*steps, 1.0, 1.0]

    def _labels(self) -> list[str]:
        axes = self.file.axes
        return [*(letter_of(axes.axes[place]) for place in axes.along), "y", "x"]


class _Blocks:
    """Planes as a layer shows them, whatever becomes of axes and mix while it is there.

    Args:
        stack: whose.

    """

    def __init__(self, stack: StackInQueue) -> None:
        self._stack, self._file = stack, stack.file

    def __call__(self, block_info: Mapping[Any, Any]) -> NDArray[Any]:
        """Return the plane of a chunk, (1, …, H, W) or (1, …, H, W, C)."""
        at = block_info[None]["chunk-location"][: len(self._file.axes.along)]
        plane = tuple(map(int, at))
        is_now = self._stack.file is self._file
        pixels = self._stack.read(plane) if is_now else self._file.image(plane).open()
        shown = displayable(pixels.whole() if isinstance(pixels, LargeImage) else pixels)
        return shown[(np.newaxis,) * len(plane)]


def _is_large(pixels: NDArray[Any] | LargeImage) -> bool:
    return isinstance(pixels, LargeImage)
