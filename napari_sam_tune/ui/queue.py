"""The images to be labelled, in order: files of a folder, or layers of the viewer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.large_zarr import is_zarr
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.opening import list_all_images
from napari_sam_tune.core.project.image_files import is_there
from napari_sam_tune.core.project.stack_files import known_stack
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import OWN
from napari_sam_tune.ui.queued_image import (
    QueuedImage,
    file_of,
    others_in_file,
    planes_in_queue,
    queued_file,
    queued_layer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel

    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.ui.stack_queue import StackInQueue

PROJECT_NAME = "sam-tune.project"
# Not taken from `napari_sam_tune.demo`: that imports torch, which must not happen in this thread.
SAMPLE_IMAGES = Path(str(files("napari_sam_tune"))) / "resources" / "samples" / "images"


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

    def go_to_plane(self, plane: tuple[int, ...]) -> bool:
        """Move to another plane of the stack that is open; False if it is not here."""
        now = self.current
        for position, image in enumerate(self.images):
            if image.layer is now.layer and image.stack is now.stack and image.plane == plane:
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
        here: dict[Path | None, list[QueuedImage]] = {}
        for image in self.images:
            here.setdefault(image.path, []).append(image)
        self.join([image for path in paths for image in here.get(path) or queued_file(path)])

    def know(self, image: QueuedImage, image_id: str) -> None:
        """Call an image what the project calls it."""
        if image.id != image_id and image in self.images:
            known = replace(image, id=image_id)
            if image.stack is not None:
                image.stack.call(image.plane, image_id)
            self.images = tuple(known if other is image else other for other in self.images)

    def lay_out(self, stack: StackInQueue, more: Sequence[QueuedImage] = ()) -> None:
        """Have the planes of a stack in the queue as its axes are now, in their place.

        Args:
            stack: whose.
            more: images of the same file that are none of its planes.

        """
        old = [image for image in self.images if image.stack is stack]
        place = self.images.index(old[0]) if old else len(self.images)
        plane = self.current.plane if self.current.stack is stack else None
        planes = [*planes_in_queue(stack), *more]
        left = [image for image in self.images if image.stack is not stack]
        at = sum(image.stack is not stack for image in self.images[:place])
        current = self.current
        self.images = (*left[:at], *planes, *left[at:])
        if plane is None:
            self.position = self.images.index(current)
        else:
            self.position = at
            self.go_to_plane(plane)

    def follow(self, project: Project) -> None:
        """Have stacks as they were said in a project."""
        for stack in dict.fromkeys(image.stack for image in self.images if image.stack is not None):
            known = known_stack(project, stack.file)
            if known is not None:
                stack.change(replace(stack.file, axes=known.axes, mix=known.mix))
                for name, plane in known.planes.items():
                    stack.call(plane, name)
                self.lay_out(stack, others_in_file(project, stack))

    def neighbours(self) -> list[QueuedImage]:
        """The images likely to be opened next, likeliest first."""
        order = (1, 2, -1)
        places = [self.position + by for by in order]
        return [self.images[p] for p in places if 0 <= p < len(self.images)]


def folder_queue(folder: Path) -> ImageQueue:
    """Queue the images of a folder, or the planes of a `.zarr`.

    Raises:
        ImageError: the folder cannot be read or holds no image.

    """
    if is_zarr(folder):
        return ImageQueue(queued_file(folder), folder.parent / PROJECT_NAME)
    paths = list_all_images(folder)
    if not paths:
        raise ImageError(
            tr(
                "There is no image in {folder}. PNG, JPEG, TIFF, BMP, WebP and OME-Zarr are looked "
                "for; choose the folder they are in.",
                folder=folder,
            )
        )
    images = [image for path in paths for image in queued_file(path)]
    return ImageQueue(images, folder / PROJECT_NAME, folder)


def viewer_queue(layers: Sequence[Image], unsaved_home: Path) -> ImageQueue:
    """Queue layers of a viewer; a stack is queued plane by plane.

    Args:
        layers: see `image_layers`.
        unsaved_home: where the project goes if the images do not come from one folder.

    Raises:
        ImageError: there is no Image layer.

    """
    images = [queued for layer in layers for queued in queued_layer(layer)]
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
    images = [image for path in paths for image in queued_file(path)]
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
    images = [image for path in paths for image in queued_file(path)]
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
        if is_there(file) and record.plane is not None:
            there.add(file)
            images += queued_file(file)
        elif is_there(file):
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
    queue = ImageQueue(images, project.path, folder if paths else None, missing)
    queue.follow(project)
    return queue


def _home(images: Iterable[QueuedImage], unsaved_home: Path) -> Path:
    """Return where the project goes: beside images of one folder."""
    folders = {_folder_of(image) for image in images}
    folder = folders.pop() if len(folders) == 1 else None
    return unsaved_home if folder is None else folder / PROJECT_NAME


def _folder_of(image: QueuedImage) -> Path | None:
    """Return the folder of an image's file; None of a plane of a layer, whatever it shows."""
    return None if image.path is None or image.of_file is not None else image.path.parent


def viewer_home(viewer: ViewerModel, unsaved_home: Path) -> Path:
    """Return where the project of the images in a viewer goes; see `viewer_queue`."""
    return _home(
        [QueuedImage(layer.name, path=file_of(layer)) for layer in image_layers(viewer)],
        unsaved_home,
    )


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return the person's Image layers, from below."""
    return [x for x in viewer.layers if isinstance(x, Image) and OWN not in x.metadata]


def _free_name(name: str, taken: set[str]) -> str:
    free = (f"{name} ({n})" for n in count(2))
    return name if name not in taken else next(other for other in free if other not in taken)
