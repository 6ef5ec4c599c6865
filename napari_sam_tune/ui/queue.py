"""The images to be labelled, in order: files of a folder, or layers of the viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.files import list_images, read_image, read_like
from napari_sam_tune.ui.canvas.looks import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

PROJECT_NAME = "sam-tune.project"
# Not taken from `napari_sam_tune.demo`: that imports torch, which must not happen in this thread.
SAMPLE_IMAGES = Path(str(files("napari_sam_tune"))) / "resources" / "samples" / "images"


@dataclass(frozen=True, eq=False)
class QueuedImage:
    """One image of the queue.

    Attributes:
        id: its name in the project.
        path: its file, or None where it exists only in the viewer.
        layer: its layer, or None where it is read when its turn comes.
        plane: index of the plane shown, for layers of more than two dimensions.

    """

    id: str
    path: Path | None = None
    layer: Image | None = None
    plane: tuple[int, ...] = ()

    def read(self) -> NDArray[Any]:
        """Return the pixels, (H, W) or (H, W, C); may take a while.

        Raises:
            ImageError: the file cannot be read.

        """
        if self.layer is not None:
            data = self.layer.data[0] if self.layer.multiscale else self.layer.data
            pixels = np.asarray(data[self.plane] if self.plane else data)
            # napari's own readers turn no photograph upright
            return pixels if self.path is None else read_like(self.path, pixels)
        if self.path is None:
            raise ImageError(f"{self.id} has neither a file nor a layer.")
        return read_image(self.path)


class ImageQueue:
    """Images in order, and which one is open.

    Args:
        images: at least one.
        home: where the project goes unless another place is chosen.
        folder: the folder they are the images of, or None.

    """

    def __init__(
        self, images: Iterable[QueuedImage], home: Path, folder: Path | None = None
    ) -> None:
        self.images = tuple(images)
        self.home = home
        self.folder = folder
        self.position = 0

    @property
    def current(self) -> QueuedImage:
        """The open image."""
        return self.images[self.position]

    def find(self, image_id: str) -> QueuedImage | None:
        """Return an image by its id; None if it is not here."""
        return next((image for image in self.images if image.id == image_id), None)

    def go_to(self, image_id: str) -> bool:
        """Move to an image by its id; False if it is not here."""
        found = self.find(image_id)
        if found is None:
            return False
        self.position = self.images.index(found)
        return True

    def go_to_plane(self, layer: Image | None, plane: tuple[int, ...]) -> bool:
        """Move to a plane of a stack; False if it is not here."""
        for position, image in enumerate(self.images):
            if image.layer is layer and image.plane == plane:
                self.position = position
                return True
        return False

    def step(self, by: int) -> bool:
        """Move forward or back; False at the end."""
        if not 0 <= self.position + by < len(self.images):
            return False
        self.position += by
        return True

    def join(self, images: Sequence[QueuedImage]) -> None:
        """Move to the first of these images, putting those in the queue that are not."""
        new = [image for image in images if image not in self.images]
        names = {image.id for image in self.images}
        self.images += tuple(replace(image, id=_free_name(image.id, names)) for image in new)
        self.position = len(self.images) - len(new) if new else self.images.index(images[0])

    def know(self, image: QueuedImage, image_id: str) -> None:
        """Call an image what the project calls it."""
        if image.id != image_id and image in self.images:
            known = replace(image, id=image_id)
            self.images = tuple(known if other is image else other for other in self.images)

    def neighbours(self) -> list[QueuedImage]:
        """The images likely to be opened next, likeliest first."""
        order = (1, 2, -1)
        places = [self.position + by for by in order]
        return [self.images[p] for p in places if 0 <= p < len(self.images)]


def folder_queue(folder: Path) -> ImageQueue:
    """Queue the images of a folder.

    Raises:
        ImageError: the folder cannot be read or holds no image.

    """
    paths = list_images(folder)
    if not paths:
        raise ImageError(
            f"There is no image in {folder}. PNG, JPEG, TIFF, BMP and WebP files are looked for; "
            "choose the folder they are in."
        )
    images = [QueuedImage(path.name, path=path) for path in paths]
    return ImageQueue(images, folder / PROJECT_NAME, folder)


def viewer_queue(viewer: ViewerModel, unsaved_home: Path) -> ImageQueue:
    """Queue the Image layers of a viewer; a stack is queued plane by plane.

    Args:
        viewer: whose layers.
        unsaved_home: where the project goes if the images do not come from one folder.

    Raises:
        ImageError: there is no Image layer.

    """
    images = [queued for layer in image_layers(viewer) for queued in queued_layer(layer)]
    if not images:
        raise ImageError(
            "There is no image in the viewer. Drag one in, or choose a folder of images."
        )
    folders = {image.path.parent if image.path else None for image in images}
    folder = folders.pop() if len(folders) == 1 else None
    return ImageQueue(images, unsaved_home if folder is None else folder / PROJECT_NAME)


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return the person's Image layers, from below."""
    return [x for x in viewer.layers if isinstance(x, Image) and OWN not in x.metadata]


def queued_layer(layer: Image) -> list[QueuedImage]:
    """Return an Image layer as images of a queue, one for each plane."""
    path = Path(layer.source.path) if layer.source.path else None
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    leading = shape[: layer.ndim - 2]
    if not leading:
        is_file = path is not None and path.is_file()
        return [QueuedImage(layer.name, path=path if is_file else None, layer=layer)]
    # A plane of a stack is no file of its own: its pixels are copied into the project.
    return [
        QueuedImage(f"{layer.name} [{', '.join(map(str, index))}]", layer=layer, plane=index)
        for index in np.ndindex(*leading)
    ]


def _free_name(name: str, taken: set[str]) -> str:
    free = (f"{name} ({n})" for n in count(2))
    return name if name not in taken else next(other for other in free if other not in taken)
