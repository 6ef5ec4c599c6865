"""One image of the queue: a file, a plane of one, or what a layer of the viewer shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.files import read_like
from napari_sam_tune.core.images.large_image import (
    LARGE_PIXELS,
    LargeImage,
    as_large,
)
from napari_sam_tune.core.images.large_source import SlicedSource
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.planes import stack_of_file
from napari_sam_tune.core.project.image_files import is_there
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.stack_queue import StackInQueue
from napari_sam_tune.ui.stacks import (
    axes_of_layer,
    file_of_layer,
    former_name,
    plane_name,
    plane_of_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.axes import Axes
    from napari_sam_tune.core.images.planes import PlaneOfFile
    from napari_sam_tune.core.project.project import Project


@dataclass(frozen=True, eq=False)
class QueuedImage:
    """One image of the queue.

    Attributes:
        id: its name in the project.
        path: its file, or None where it exists only in the viewer.
        layer: its layer, or None where it is read when its turn comes.
        plane: index of the plane shown, for layers of more than two dimensions.
        read_kept: reads the pixels of an image that the project keeps; None of all others.
        former: what the first releases called a plane.
        stack: the file with several planes that it is one of; `plane` is where it lies along
            `Axes.along`. None of all others.
        of_file: of a layer's plane, which plane of the file `path` it should be.
        layer_axes: of a layer's plane, what the axes of the layer are.

    """

    id: str
    path: Path | None = None
    layer: Image | None = None
    plane: tuple[int, ...] = ()
    read_kept: Callable[[], NDArray[Any] | LargeImage] | None = None
    former: str = ""
    stack: StackInQueue | None = None
    of_file: PlaneOfFile | None = None
    layer_axes: Axes | None = None

    @property
    def file_plane(self) -> PlaneOfFile | None:
        """Which plane of the file it is; None of an image that is all of a file."""
        return self.of_file if self.stack is None else self.stack.file.image(self.plane).plane

    @property
    def group(self) -> str | None:
        """What of the project trains or judges together with it: planes of a file do."""
        return None if self.path is None or self.file_plane is None else self.path.name

    def read(self) -> NDArray[Any] | LargeImage:
        """Return the pixels, (H, W) or (H, W, C), or what many are read by; may take a while.

        Raises:
            ImageError: the file cannot be read.

        """
        if self.read_kept is not None:
            return self.read_kept()
        if self.stack is not None:
            return self.stack.read(self.plane)
        if self.layer is not None:
            large = self._large_layer(self.layer)
            if large is not None:
                return large
            data = self.layer.data[0] if self.layer.multiscale else self.layer.data
            pixels = np.asarray(data[self.plane] if self.plane else data)
            if self.path is None or self.of_file is not None:
                return pixels
            # napari's own readers turn no photograph upright
            return read_like(self.path, pixels)
        if self.path is None:
            raise ImageError(tr("{id} has neither a file nor a layer.", id=self.id))
        return open_image(self.path)

    def _large_layer(self, layer: Image) -> LargeImage | None:
        """Return what a layer of many pixels is read by; its file, where that is the same."""
        levels = list(layer.data) if layer.multiscale else [layer.data]
        rows = len(self.plane)
        shape = tuple(levels[0].shape[rows:])
        if shape[0] * shape[1] <= LARGE_PIXELS:
            return None
        if self.path is not None and self.of_file is None:
            image = open_image(self.path)
            if isinstance(image, LargeImage) and image.shape == shape:
                return image
        if isinstance(levels[0], np.ndarray):
            return as_large(levels[0][self.plane])
        return LargeImage(SlicedSource(levels, self.plane, shape[2:]), layer.name)


def queued_file(path: Path) -> list[QueuedImage]:
    """Return a file as images of a queue: itself, or its planes."""
    file = stack_of_file(path)
    if file is None or any(file.axes.place(role) is None for role in ("rows", "columns")):
        return [QueuedImage(path.name, path=path)]
    return planes_in_queue(StackInQueue(file))


def planes_in_queue(stack: StackInQueue) -> list[QueuedImage]:
    """Return the planes of a file with several as images of a queue."""
    path = stack.file.path
    return [
        QueuedImage(name, path=path, plane=plane, stack=stack)
        for name, plane in stack.planes().items()
    ]


def others_in_file(project: Project, stack: StackInQueue) -> list[QueuedImage]:
    """Return images of a stack's file with masks that are none of its planes, as they are now.

    Such as each channel by itself, before channels made one picture.
    """
    parts = {stack.file.axes.parts_of(plane) for plane in stack.file.axes.planes}
    known = {stack.name_of(plane) for plane in stack.file.axes.planes}
    return [
        QueuedImage(
            record.id, path=stack.file.path, read_kept=partial(project.open_image, record.id)
        )
        for record in project.annotated_images()
        if record.plane is not None
        and record.path is not None
        and record.id not in known
        and record.plane.parts not in parts
        and absolute(project.path / record.path) == absolute(stack.file.path)
    ]


def queued_layer(layer: Image) -> list[QueuedImage]:
    """Return an Image layer as images of a queue, one for each plane.

    The head of its file is read, which may take a while: beside the viewer's thread.
    """
    if layer.ndim == 2:
        return [QueuedImage(layer.name, path=file_of(layer), layer=layer)]
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    leading = shape[: layer.ndim - 2]
    axes, file = axes_of_layer(layer), file_of_layer(layer)
    return [
        QueuedImage(
            plane_name(layer, axes, index),
            path=None if file is None else file[0],
            of_file=None if file is None else plane_of_file(file[1], layer, index),
            layer=layer,
            plane=index,
            former=former_name(layer, index),
            layer_axes=axes,
        )
        for index in np.ndindex(*leading)
    ]


def file_of(layer: Image) -> Path | None:
    """Return the file that a layer shows; None of a stack, a plane of which is no file of its own.

    The pixels of what has no file are copied into the project.
    """
    path = Path(layer.source.path) if layer.source.path and layer.ndim == 2 else None
    return path if path is not None and is_there(path) else None
