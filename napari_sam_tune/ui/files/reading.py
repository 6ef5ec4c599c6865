"""napari's readers: a project, or a COCO file beside its images, as layers with a slider."""

from __future__ import annotations

import mmap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.utils.notifications import show_warning

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import read_image
from napari_sam_tune.core.images.large_image import LARGE_PIXELS
from napari_sam_tune.core.prompts import rowcol_from_xy
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import BOX_COLOUR, NEGATIVE, POSITIVE
from napari_sam_tune.ui.files.stack import ImageStack, ShownImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.formats.coco import CocoImage
    from napari_sam_tune.ui.files.stack import LayerData

    Reader = Callable[[str], list[LayerData]]

# Parts of the frame's longer side: what is drawn looks alike on small images and on large ones.
_CLICK_SIZE, _BOX_WIDTH = 1 / 50, 1 / 400
_COCO_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_IMAGE_FOLDERS: Final = (".", "images", "../images")


def get_project_reader(path: str | list[str]) -> Reader | None:
    """Return a reader for a project's folder, or its `project.json`; None for anything else."""
    if not isinstance(path, str):
        return None
    from napari_sam_tune.core.project.folder import is_project

    place = Path(path)
    if place.name == "project.json" and place.is_file():
        place = place.parent
    return (lambda _: project_layers(place)) if is_project(place) else None


def get_coco_reader(path: str | list[str]) -> Reader | None:
    """Return a reader for a COCO "instances" file; None for anything else."""
    if not isinstance(path, str) or not _mentions(Path(path), _COCO_KEYS):
        return None
    return lambda _: coco_layers(Path(path))


def _mentions(file: Path, words: Sequence[bytes]) -> bool:
    """Look for words without parsing: the file may be large, and of another kind."""
    try:
        with (
            file.open("rb") as opened,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return all(content.find(word) >= 0 for word in words)
    except (OSError, ValueError):  # ValueError: it is empty
        return False


def project_layers(path: Path) -> list[LayerData]:
    """Return a project's images, masks, clicks and boxes.

    Raises:
        ProjectError: it is damaged or has no image.

    """
    from napari_sam_tune.core.project.project import Project

    project = Project.open(path, create=False)
    of_image: dict[str, list[Annotation]] = {record.id: [] for record in project.images()}
    for annotation in project.annotations():
        of_image[annotation.image_id].append(annotation)
    shown = [r for r in project.images() if r.shape[0] * r.shape[1] <= LARGE_PIXELS]
    name = path.resolve().name.removesuffix(".project")
    images = [
        ShownImage(
            record.id,
            record.shape,
            [a.label for a in of_image[record.id]],
            partial(project.read_image, record.id),
            partial(_crops, of_image[record.id]),
        )
        for record in shown
    ]
    if not images and of_image:
        raise SamTuneError(_too_large(of_image))
    if len(images) < len(of_image):
        shown_here = {image.name for image in images}
        show_warning(_too_large([one for one in of_image if one not in shown_here]))
    if not images:
        raise SamTuneError(
            tr("The project {name} has no image yet. Open its images in the dock.", name=name)
        )
    every = [of_image[image.name] for image in images]
    features = {"record": [a.id for accepted in every for a in accepted]}
    stack = ImageStack(name, images, project.classes(), features)
    return [*stack.layers(), *_prompt_layers(stack, every)]


def _too_large(names: Iterable[str]) -> str:
    return tr(
        "Too large to be shown as a plane of a stack: {names}. Open the project in the dock, which "
        "shows large images in parts.",
        names=", ".join(names),
    )


def _crops(annotations: Sequence[Annotation]) -> list[tuple[Mask, tuple[int, int]]]:
    return [(a.cropped_mask, a.bbox[:2]) for a in annotations]


def _prompt_layers(stack: ImageStack, every: Sequence[Sequence[Annotation]]) -> list[LayerData]:
    """Make layers of the last prompt of each object: the clicks, and the boxes."""
    points, signs, of_point = [], [], []
    boxes, of_box = [], []
    for number, of_image in enumerate(every):
        for annotation in of_image:
            if not annotation.prompts:
                continue
            prompt = annotation.prompts[-1]
            points += [stack.at(number, rowcol_from_xy(xy)) for xy in prompt.points]
            signs += list(prompt.labels)
            of_point += [annotation.label] * len(prompt.points)
            if prompt.box is not None:
                x0, y0, x1, y1 = prompt.box
                corners = ((y0, x0), (y0, x1), (y1, x1), (y1, x0))
                boxes.append(np.array([stack.at(number, corner) for corner in corners]))
                of_box.append(annotation.label)
    clicks = {
        "name": tr("{name} clicks", name=stack.name),
        "ndim": stack.ndim,
        "size": stack.side * _CLICK_SIZE,
        "face_color": [POSITIVE if sign else NEGATIVE for sign in signs] or POSITIVE,
        "symbol": ["cross" if sign else "hbar" for sign in signs] or "cross",
        "features": {"class": of_point, "inside": [bool(sign) for sign in signs]},
    }
    drawn = {
        "name": tr("{name} boxes", name=stack.name),
        "ndim": stack.ndim,
        "shape_type": "rectangle",
        "face_color": "transparent",
        "edge_color": BOX_COLOUR,
        "edge_width": stack.side * _BOX_WIDTH,
        "features": {"class": of_box},
    }
    return [
        (np.array(points).reshape(-1, stack.ndim), clicks, "points"),
        (boxes, drawn, "shapes"),
    ]


def coco_layers(path: Path) -> list[LayerData]:
    """Return a COCO file's images and masks.

    Images are looked for beside the file, in `images` there, and in `images` one folder up.

    Raises:
        SamTuneError: it is malformed, or an image is missing; names the entry.

    """
    from napari_sam_tune.core.exchange.left_out import OBJECT, LeftOut
    from napari_sam_tune.core.images.header import image_shape

    images, left_out = [], LeftOut()
    for listed in _found_beside(path):
        shape = image_shape(listed.path)
        listed.check(shape)
        image = listed.with_sound_objects(shape, left_out)
        if left_out:  # the viewer has no place to say what is missing
            raise SamTuneError(left_out.reasons[OBJECT][0])
        labels = image.classes
        read = partial(read_image, image.path)
        images.append(ShownImage(image.name, shape, labels, read, partial(_masks, image, shape)))
    return ImageStack(path.stem, images, {}, {}).layers()


def _found_beside(path: Path) -> Sequence[CocoImage]:
    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.formats.registry import format_named

    known = format_named("coco")
    found: list[Any] = []
    for place in _IMAGE_FOLDERS:
        folder = (path.parent / place).resolve()
        if not folder.is_dir():
            continue
        found.append(known.read(Location(path=path, images=folder)).images)
        if found[-1][0].path.is_file():
            return found[-1]
    return found[0]  # whose first image is missing, which will be said


def _masks(image: CocoImage, shape: tuple[int, int]) -> list[tuple[Mask, tuple[int, int]]]:
    return [(found.mask, (0, 0)) for found in image.objects(shape)]
