"""The things of a stack in three dimensions: one array of numbers, each plane painted when seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array
import numpy as np
from dask.delayed import delayed
from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.ui.work.workplace import Workplace


def things_volume(project: Project, stack: Stack, shape: tuple[int, int]) -> dask.array.Array:
    """Return the numbers of things, with the axes along which there are planes before (H, W).

    Args:
        project: whose.
        stack: of it.
        shape: (H, W) of a plane.

    Returns:
        uint32; 0 where there is none, and in planes that nobody opened.

    """
    numbers: dict[str, int] = {}
    on_plane: dict[tuple[int, ...], list[Annotation]] = {}
    for thing, masks in project.things().items():
        for mask in masks:
            if mask.image_id in stack.planes:
                numbers.setdefault(thing, len(numbers) + 1)
                on_plane.setdefault(stack.planes[mask.image_id], []).append(mask)
    ids = {m.id: n for thing, n in numbers.items() for m in project.things().get(thing, ())}
    sizes = tuple(stack.axes.axes[place].size for place in stack.axes.along)
    planes = [
        dask.array.from_delayed(
            delayed(_painted)(on_plane.get(at, ()), ids, shape), shape, dtype=np.uint32
        )
        for at in np.ndindex(*sizes)
    ]
    return dask.array.stack(planes).reshape((*sizes, *shape))


def _painted(
    masks: Sequence[Annotation], numbers: Mapping[str, int], shape: tuple[int, int]
) -> NDArray[np.uint32]:
    painted = np.zeros(shape, np.uint32)
    for mask in masks:
        y0, x0, y1, x1 = mask.bbox
        painted[y0:y1, x0:x1][mask.cropped_mask] = numbers[mask.id]
    return painted


class In3D(QObject):
    """Shows the things of the open stack while the viewer shows three dimensions."""

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._volume: Labels | None = None
        self._hidden: list[Layer] = []
        place.viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    def close(self) -> None:
        """Take the layer away and stop listening."""
        self._place.viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        self._hide_volume()

    def _stack(self) -> Stack | None:
        session = self._place.session
        image_id = session.state.image_id
        return None if image_id is None else session.project.stack_of(image_id)

    def switch(self) -> None:
        """Show the things of the stack in three dimensions, or go back to planes."""
        dims = self._place.viewer.dims
        dims.ndisplay = 2 if dims.ndisplay == 3 else 3

    def _on_ndisplay(self, _: object) -> None:
        """However the person got there: show objects in 3-D, and lines and points only in planes.

        napari draws two-dimensional lines wrongly once three dimensions are shown.
        """
        self._hide_volume()
        stack, layers = self._stack(), self._place.layers
        if self._place.viewer.dims.ndisplay != 3 or stack is None or not layers.is_open:
            return
        self._hidden = [layer for layer in layers.all_own if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        data = things_volume(self._place.session.project, stack, layers.shape)
        self._volume = Labels(
            data,
            name=tr("Objects of the stack"),
            scale=self._scale(stack, data.ndim),
            metadata={OWN: "volume"},
        )
        self._place.viewer.layers.append(self._volume)

    def _hide_volume(self) -> None:
        if self._volume is not None and self._volume in self._place.viewer.layers:
            self._place.viewer.layers.remove(self._volume)
        for layer in self._hidden:
            layer.visible = True
        self._volume, self._hidden = None, []

    def _scale(self, stack: Stack, ndim: int) -> list[float]:
        """Return the image's scale, with slices as far apart as the file says."""
        image = self._place.layers.image
        if image is None or image.ndim != ndim:
            return [1.0] * ndim
        scale, across = list(image.scale), stack.axes.of("columns")
        for place, number in enumerate(stack.axes.along):
            axis = stack.axes.axes[number]
            is_known = across is not None and across.step and axis.step and across.unit == axis.unit
            if is_known and scale[place] == 1:
                scale[place] = axis.step / across.step * scale[-1]  # type: ignore[operator, union-attr]
        return scale
