"""The things of a stack as one array of numbers, each plane painted when it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array
import numpy as np
from dask.delayed import delayed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.stacks import Stack


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
