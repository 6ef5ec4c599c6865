"""Stacks with label volumes beside them: each plane an image, a number through planes one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.exchange.incoming import SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import (
    objects_of,
    require_shape,
    without_unlabelled,
)
from napari_sam_tune.core.exchange.tiled_labels import Changed, HeldPlane, numbered, tiles_of
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.images.axes_of_file import axes_of_file
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.planes import StackFile
from napari_sam_tune.core.project.stack_files import stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.tiled_labels import Plane
    from napari_sam_tune.core.images.axes import Axes
    from napari_sam_tune.core.images.planes import ImageInFile
    from napari_sam_tune.core.project.stacks import Stack


class Labels:
    """A label volume beside a stack.

    Args:
        path: a TIFF or an OME-Zarr of as many planes as the stack, without channels.
        axes: of the stack.

    Raises:
        ImageError: it is of other planes than the stack.

    """

    def __init__(self, path: Path, axes: Axes) -> None:
        self.path = path
        wanted = [axis for axis in axes if axis.role not in ("channels", "colours")]
        found = axes_of_file(path)
        if found.question is not None and found.shape == tuple(axis.size for axis in wanted):
            found = found.with_roles([axis.role for axis in wanted])
        self._file = StackFile(path, found)
        sizes = [[one.axes[place].size for place in one.along] for one in (axes, found)]
        if sizes[0] != sizes[1] or found.question is not None:
            raise ImageError(
                f"The masks {path.name} have the axes {_said(found)}, and their images "
                f"{_said(axes)}: they do not belong together."
            )
        self._are_numbers: bool | None = None

    def open(self, plane: tuple[int, ...]) -> Plane:
        """Return the labels of a plane, (H, W)."""
        found = self._file.image(plane).open()
        return found if isinstance(found, LargeImage) else HeldPlane(found)

    def are_numbers(self) -> bool:
        """Whether numbers name objects: there is more than one in the volume, and no fraction."""
        if self._are_numbers is None:
            seen: set[int | float] = set()
            for plane in self._file.axes.planes:
                for _, values in tiles_of(Changed(self.open(plane), without_unlabelled)):
                    seen |= set(np.unique(values).tolist()) - {0}
                    if len(seen) > 1:
                        break
                if len(seen) > 1:
                    break
            self._are_numbers = len(seen) > 1 and all(float(one).is_integer() for one in seen)
        return self._are_numbers


def _said(axes: Axes) -> str:
    return " × ".join(f"{axis.size} {axis.role or '?'}" for axis in axes)


@dataclass(frozen=True, kw_only=True)
class StackedImage(SourceImage):
    """A plane of a stack, with the labels of the same plane beside it.

    Attributes:
        image: the plane.
        at: where it is along `Axes.along`.
        size: (H, W).
        label: class of its objects.
        volume: of labels.

    """

    turns_itself: ClassVar[bool] = True

    image: ImageInFile
    at: tuple[int, ...]
    size: tuple[int, int]
    label: str
    volume: Labels

    def shape(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self.size

    def read(self) -> NDArray[Any] | LargeImage:
        """Return the plane's pixels, or what they are read by."""
        return self.image.open()

    def orientation(self) -> int:
        """Planes are never turned."""
        return UPRIGHT

    def check(self, shape: tuple[int, int]) -> None:
        """Leave that to `objects`: the volume's axes were compared."""

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give the objects of the plane; one number is one thing in all planes."""
        labels = self.volume.open(self.at)
        name = self.volume.path.name
        require_shape(self.volume.path, labels.shape, shape)
        if not self.volume.are_numbers():
            for found in objects_of(labels):
                yield SourceObject(
                    f"{name} [{self.image.said}]/{found.number}", found.placed, self.label
                )
            return
        for number, placed in numbered(Changed(labels, without_unlabelled)):
            thing = f"{name}/{number}"
            named = f"{name} [{self.image.said}]/{number}"
            yield SourceObject(named, placed, self.label, lasting=True, thing=thing)


def stacked_images(
    stack: StackFile, masks: Path, label: str, group: str | None
) -> list[SourceImage]:
    """Return the planes of a stack with the label volume beside it.

    Args:
        stack: with its axes, and its mix where it has channels.
        masks: the label volume.
        label: class of all objects.
        group: None: the planes of the stack are a group of their own.

    Raises:
        ImageError: the volume is of other planes.

    """
    volume = Labels(masks, stack.axes)
    sides = [axis.size for role in ("rows", "columns") if (axis := stack.axes.of(role)) is not None]
    known: Stack = stack_of(stack, stack.path.name)
    return [
        StackedImage(
            path=stack.path,
            name=image.name,
            labels=frozenset({label}),
            group=group or stack.path.name,
            plane=image.plane,
            stack=known,
            image=image,
            at=at,
            size=(sides[0], sides[1]),
            label=label,
            volume=volume,
        )
        for image, at in zip(stack.images(), stack.axes.planes, strict=True)
    ]
