"""Masks of images outside any project: from boxes and clicks, or from nothing but the image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.tuned import use
from napari_sam_tune.core.errors import ImageError, PromptError
from napari_sam_tune.core.exchange.left_out import IMAGE
from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.large_zarr import is_zarr
from napari_sam_tune.core.images.names import composed
from napari_sam_tune.core.images.opening import height_and_width, list_all_images
from napari_sam_tune.core.images.planes import Reading, images_of
from napari_sam_tune.core.images.rgb_source import rgb_source, shape_of_image
from napari_sam_tune.core.promptless.head import PromptlessModel
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.suggestions.in_tiles import everything_in_tiles, head_in_tiles
from napari_sam_tune.core.suggestions.scan import TileScan
from napari_sam_tune.core.suggestions.sources import suggest_everything, suggest_with_head

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.exchange.left_out import LeftOut
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.images.planes import ImageInFile
    from napari_sam_tune.core.prompts import Mask, Proposal
    from napari_sam_tune.core.suggestions.suggestion import Suggestion

_ANSWER: Final = re.compile(r"(.+?)(?:_base)?_(?:mask|overlay)\.(?:png|tif)")
_POINTS_PER_SIDE: Final = 12
"""Of the grid: more than in the dock, where a person waits."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A mask and how good the model thinks it is.

    Attributes:
        asked: what was asked, in words.
        placed: the mask, in its box.
        iou: the model's own estimate; of a head, the mean probability in the mask.

    """

    asked: str
    placed: PlacedMask
    iou: float

    @property
    def mask(self) -> Mask:
        """The mask, (H, W) bool; drawn each time, and as large as the image."""
        return self.placed.draw()


def parse_box(text: str) -> Prompt:
    """Read a box "x0,y0,x1,y1" in image px.

    Raises:
        PromptError: not four numbers, or reversed.

    """
    x0, y0, x1, y1 = _numbers("box", text, ("x0", "y0", "x1", "y1"))
    if x0 > x1 or y0 > y1:
        raise PromptError(
            f"The box {text} is reversed: x0 must be left of x1 and y0 above y1, as in "
            f"{min(x0, x1):g},{min(y0, y1):g},{max(x0, x1):g},{max(y0, y1):g}."
        )
    return Prompt(box=(x0, y0, x1, y1))


def parse_point(text: str) -> Prompt:
    """Read a click "x,y" in image px.

    Raises:
        PromptError: not two numbers.

    """
    x, y = _numbers("point", text, ("x", "y"))
    return Prompt(points=((x, y),), labels=(1,))


def _numbers(kind: str, text: str, names: Sequence[str]) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(names):
        count = {2: "two", 4: "four"}[len(names)]
        raise PromptError(f"The {kind} {text!r} is not {count} numbers {','.join(names)}.")
    return numbers


def find_images(
    given: Sequence[Path], out: Path, left_out: LeftOut, reading: Reading | None = None
) -> list[ImageInFile]:
    """Return the images named, and those in the folders named, in natural order.

    Args:
        given: images, and folders of them.
        out: where the masks go; those of an earlier run, if they lie there, are no images to ask.
        left_out: told of those that share a name without suffix, so that their masks would too,
            and of stacks of which nobody says what they are.
        reading: how stacks are read; None: as they say themselves.

    Raises:
        ImageError: there is none, none can be told from the others, or a folder cannot be read.

    """
    files = [file for path in given for file in _files_of(path)]
    every = left_out.take(
        IMAGE, dict.fromkeys(files), lambda path: images_of(path, reading or Reading())
    )
    listed = [image for images in every for image in images]
    stems = {composed(image.stem) for image in listed}
    found = [image for image in listed if not _is_answer(image.path, out, stems)]
    if not found:
        raise ImageError(f"There is no image in {', '.join(str(path) for path in given)}.")
    by_stem: dict[str, list[ImageInFile]] = {}
    for image in found:
        by_stem.setdefault(composed(image.stem), []).append(image)

    def alone(image: ImageInFile) -> ImageInFile:
        others = [other for other in by_stem[composed(image.stem)] if other != image]
        if others:
            raise ImageError(
                f"{image.path} and {others[0].path} would get the same name for their masks; "
                "rename one, or give them to two commands."
            )
        return image

    return left_out.take(IMAGE, found, alone)


def _files_of(path: Path) -> list[Path]:
    return list_all_images(path) if path.is_dir() and not is_zarr(path) else [path]


def _is_answer(path: Path, out: Path, stems: Collection[str]) -> bool:
    """Whether a file is what an earlier run drew of one of the images."""
    drawn = _ANSWER.fullmatch(path.name)
    is_drawn = drawn is not None and composed(drawn[1]) in stems
    return is_drawn and path.parent.resolve() == out.resolve()


def answerable(
    images: Sequence[ImageInFile], prompts: Sequence[Prompt], left_out: LeftOut
) -> list[ImageInFile]:
    """Return the images that can be read and in which all prompts lie.

    Raises:
        ImageError: no image can be read.
        PromptError: in no image that can be read do all prompts lie; names both.

    """

    def checked(image: ImageInFile) -> ImageInFile:
        pixels = image.open()
        shape = height_and_width(pixels)
        for prompt in prompts:
            prompt.clipped(shape)
        return image

    return left_out.take(IMAGE, images, checked, lambda image: image.name)


def predict(
    predictor: Predictor,
    models: Sequence[TunedWeights | PromptlessModel | None],
    image: NDArray[np.generic] | LargeImage,
    prompts: Sequence[Prompt] | None,
) -> list[list[Prediction]]:
    """Answer about one image with each of several models.

    Args:
        predictor: the base model.
        models: weights to answer with, or a promptless head; None is the base model.
        image: (H, W[, C]) array as `to_rgb8` takes it, or what many pixels are read by: it is
            looked at in windows, as in the dock.
        prompts: each about an object of its own; None finds objects by itself.

    Returns:
        For each model a list of objects: one a prompt, or all that were found, largest first.

    Raises:
        ImageError: not an image.
        PromptError: a prompt lies outside the image, or a promptless head is prompted.

    """
    predictions = []
    for model in models:
        if isinstance(model, PromptlessModel):
            if prompts is not None:
                raise PromptError(
                    "These weights are a promptless head, which takes no box or point: give --auto."
                )
            predictions.append(_found(_drawn_by_head(predictor, model, image)))
            continue
        use(predictor, model)
        if prompts is None:
            predictions.append(find_objects(predictor, image))
            continue
        predictor.set_image(image)
        proposals = [_answered(predictor, prompt) for prompt in prompts]
        predictions.append([Prediction(_said(p.prompt), p.placed, p.iou) for p in proposals])
    return predictions


def _answered(predictor: Predictor, prompt: Prompt, seen: Window | None = None) -> Proposal:
    """Answer a prompt about the open image, of a large one in a window that holds the object."""
    proposal = predictor.propose(prompt, seen=seen)
    return predictor.look_wider(proposal) or proposal


def _drawn_by_head(
    predictor: Predictor, model: PromptlessModel, image: NDArray[np.generic] | LargeImage
) -> list[Suggestion]:
    source = rgb_source(image)
    shape, side = shape_of_image(source), predictor.input_side
    if isinstance(image, np.ndarray) and not is_large(shape, side):
        return suggest_with_head(model, image)
    look, tiles = head_in_tiles(model, source, side)
    scan = TileScan(shape, tiles)
    scan.go_on(look, lambda: None)
    return scan.found


def find_objects(predictor: Predictor, image: NDArray[np.generic] | LargeImage) -> list[Prediction]:
    """Find objects without a prompt, by asking the weights in use at a grid of points.

    Args:
        predictor: with the weights to ask.
        image: as in `predict`; of a large one there is a grid in each tile.

    Returns:
        The objects, largest first.

    Raises:
        ImageError: not an image.

    """
    if isinstance(image, np.ndarray) and not is_large(spatial_shape(image), predictor.input_side):
        return _found(suggest_everything(predictor, image, points_per_side=_POINTS_PER_SIDE))
    predictor.set_image(image)
    answer = partial(_answered, predictor)
    look, tiles = everything_in_tiles(predictor, answer, points_per_side=_POINTS_PER_SIDE)
    scan = TileScan(predictor.image_shape, tiles)
    scan.go_on(look, lambda: None)
    return _found(scan.found)


def _found(suggestions: Sequence[Suggestion]) -> list[Prediction]:
    ordered = sorted(suggestions, key=lambda one: -one.area)
    return [
        Prediction(f"found {number}{_as_class(one)}", one.placed, one.score)
        for number, one in enumerate(ordered, start=1)
    ]


def _as_class(one: Suggestion) -> str:
    return "" if one.label is None else f" ({one.label})"


def _said(prompt: Prompt) -> str:
    kind, numbers = ("box", prompt.box) if prompt.box else ("point", prompt.points[0])
    return f"{kind} {','.join(f'{number:g}' for number in numbers)}"
