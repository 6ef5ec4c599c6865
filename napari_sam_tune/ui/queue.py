"""The images to be labelled, in order: files of a folder, or layers of the viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

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
from napari_sam_tune.core.project.image_files import is_there, list_all_images
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import OWN
from napari_sam_tune.ui.stacks import axes_of_layer, former_name, plane_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.project import Project

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
        read_kept: reads the pixels of an image that the project keeps; None of all others.
        former: what the first releases called a plane.

    """

    id: str
    path: Path | None = None
    layer: Image | None = None
    plane: tuple[int, ...] = ()
    read_kept: Callable[[], NDArray[Any] | LargeImage] | None = None
    former: str = ""

    def read(self) -> NDArray[Any] | LargeImage:
        """Return the pixels, (H, W) or (H, W, C), or what many are read by; may take a while.

        Raises:
            ImageError: the file cannot be read.

        """
        if self.read_kept is not None:
            return self.read_kept()
        if self.layer is not None:
            large = self._large_layer(self.layer)
            if large is not None:
                return large
            data = self.layer.data[0] if self.layer.multiscale else self.layer.data
            pixels = np.asarray(data[self.plane] if self.plane else data)
            # napari's own readers turn no photograph upright
            return pixels if self.path is None else read_like(self.path, pixels)
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
        if self.path is not None:
            image = open_image(self.path)
            if isinstance(image, LargeImage) and image.shape == shape:
                return image
        if isinstance(levels[0], np.ndarray):
            return as_large(levels[0][self.plane])
        return LargeImage(SlicedSource(levels, self.plane, shape[2:]), layer.name)


class ImageQueue:
    """Images in order, and which one is open.

    Args:
        images: at least one.
        home: where the project goes unless another place is chosen.
        folder: the folder they are the images of, or None.
        missing: ids of the project's images that are not where they were.

    """

    def __init__(
        self,
        images: Iterable[QueuedImage],
        home: Path,
        folder: Path | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        self.images = tuple(images)
        self.home = home
        self.folder = folder
        self.missing = tuple(missing)
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
        for image in new:
            free = _free_name(image.id, names)
            names.add(free)
            self.images += (replace(image, id=free),)
        self.position = len(self.images) - len(new) if new else self.images.index(images[0])

    def join_files(self, paths: Sequence[Path]) -> None:
        """Move to the first of these files, putting those in the queue that are not."""
        here = {image.path: image for image in self.images if image.path is not None}
        self.join([here.get(path) or QueuedImage(path.name, path=path) for path in paths])

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
    paths = list_all_images(folder)
    if not paths:
        raise ImageError(
            tr(
                "There is no image in {folder}. PNG, JPEG, TIFF, BMP, WebP and OME-Zarr are looked "
                "for; choose the folder they are in.",
                folder=folder,
            )
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
            tr("There is no image in the viewer. Drag one in, or choose a folder of images.")
        )
    return ImageQueue(images, _home(images, unsaved_home))


def file_queue(paths: Sequence[Path], unsaved_home: Path) -> ImageQueue:
    """Queue files, at least one.

    Args:
        paths: of images; two may have one name.
        unsaved_home: where the project goes if they do not come from one folder.

    """
    images = [QueuedImage(path.name, path=path) for path in paths]
    queue = ImageQueue((), _home(images, unsaved_home))
    queue.join(images)
    queue.position = 0
    return queue


def project_queue(project: Project, folder: Path | None) -> ImageQueue:
    """Queue a project's images where they are; may take a while.

    Args:
        project: whose.
        folder: whose other images are queued too, or None. A project under its usual name needs
            none: its images are those it lies beside.

    Raises:
        ImageError: there is none.

    """
    beside = project.path.parent if project.path.name == PROJECT_NAME else None
    folder = folder or beside
    paths = list_all_images(folder) if folder is not None and folder.is_dir() else []
    images = [QueuedImage(path.name, path=path) for path in paths]
    there, missing = {absolute(path) for path in paths}, []
    names = {image.id for image in images}
    for record in project.images():
        if record.path is None:
            kept = partial(project.open_image, record.id)
            images.append(QueuedImage(record.id, read_kept=kept))
            continue
        file = absolute(project.path / record.path)
        if file in there or record.id in names:
            continue
        if is_there(file):
            images.append(QueuedImage(record.id, path=file))
        else:
            missing.append(record.id)
    if not images:
        raise ImageError(
            tr(
                "None of the images of {path} is where it was. Choose the folder they are in now: "
                "they are known by what is on them.",
                path=project.path,
            )
            if missing
            else tr(
                "There is no image in {path} yet. Choose the folder of your images: their masks "
                "will be kept in it.",
                path=project.path,
            )
        )
    return ImageQueue(images, project.path, folder if paths else None, missing)


def _home(images: Iterable[QueuedImage], unsaved_home: Path) -> Path:
    """Return where the project goes: beside images of one folder."""
    folders = {image.path.parent if image.path else None for image in images}
    folder = folders.pop() if len(folders) == 1 else None
    return unsaved_home if folder is None else folder / PROJECT_NAME


def viewer_home(viewer: ViewerModel, unsaved_home: Path) -> Path:
    """Return where the project of the images in a viewer goes; see `viewer_queue`."""
    return _home(
        [QueuedImage(layer.name, path=_file_of(layer)) for layer in image_layers(viewer)],
        unsaved_home,
    )


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return the person's Image layers, from below."""
    return [x for x in viewer.layers if isinstance(x, Image) and OWN not in x.metadata]


def queued_layer(layer: Image) -> list[QueuedImage]:
    """Return an Image layer as images of a queue, one for each plane."""
    if layer.ndim == 2:
        return [QueuedImage(layer.name, path=_file_of(layer), layer=layer)]
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    leading = shape[: layer.ndim - 2]
    axes = axes_of_layer(layer)
    return [
        QueuedImage(
            plane_name(layer, axes, index),
            layer=layer,
            plane=index,
            former=former_name(layer, index),
        )
        for index in np.ndindex(*leading)
    ]


def _file_of(layer: Image) -> Path | None:
    """Return the file that a layer shows; None of a stack, a plane of which is no file of its own.

    The pixels of what has no file are copied into the project.
    """
    path = Path(layer.source.path) if layer.source.path and layer.ndim == 2 else None
    return path if path is not None and is_there(path) else None


def _free_name(name: str, taken: set[str]) -> str:
    free = (f"{name} ({n})" for n in count(2))
    return name if name not in taken else next(other for other in free if other not in taken)
