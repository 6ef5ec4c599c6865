"""Many images with their objects as one set of layers with a slider, read when they are looked at.

Smaller images lie in the top left corner of the largest one's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.utils.notifications import show_warning

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.project.class_colours import free_colour
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import class_colours, displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask

LayerData = tuple[Any, dict[str, Any], str]
_NOTHING: Final = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True, eq=False)
class ShownImage:
    """An image with its objects.

    Attributes:
        name: of the image.
        shape: (H, W) in pixels.
        labels: the class of each object.
        read: returns the pixels, (H, W) or (H, W, C).
        masks: returns each object's mask, bool, and the (row, column) of its first pixel.

    """

    name: str
    shape: tuple[int, int]
    labels: Sequence[str]
    read: Callable[[], NDArray[Any]]
    masks: Callable[[], Sequence[tuple[Mask, tuple[int, int]]]]


class ImageStack:
    """Images as layers: one picture each for a single image, else one along a slider.

    Objects have numbers of their own over all images, so that each keeps its class and colour.

    Args:
        name: of the whole.
        images: at least one.
        classes: name to "#rrggbb", as far as colours were chosen.
        features: more columns for the table of objects.

    """

    def __init__(
        self,
        name: str,
        images: Sequence[ShownImage],
        classes: Mapping[str, str],
        features: Mapping[str, Sequence[object]],
    ) -> None:
        self.name, self._images = name, images
        self._frame = tuple(np.max([image.shape for image in images], axis=0).tolist())
        self._classes, self._features = dict(classes), features
        self._first = np.cumsum([1, *(len(image.labels) for image in images)])
        self._unread: set[str] = set()
        self.ndim = 2 if len(images) == 1 else 3
        read = (self._pixels(image) for image in images)
        self._sample = displayable(next((p for p in read if p is not None), _NOTHING))

    @property
    def side(self) -> int:
        """The longer side of the frame, in pixels."""
        return max(self._frame)

    def at(self, number: int, rowcol: Sequence[float]) -> tuple[float, ...]:
        """Return where a (row, column) of an image is in the layers' data."""
        return tuple(rowcol) if self.ndim == 2 else (number, *rowcol)

    def layers(self) -> list[LayerData]:
        """Return the pictures and the masks."""
        labels = [label for image in self._images for label in image.labels]
        for label in labels:
            if label not in self._classes:
                self._classes[label] = free_colour(self._classes)
        names = [image.name for image in self._images]
        table = {
            "index": np.arange(1, len(labels) + 1),
            "class": labels,
            "image": [image.name for image in self._images for _ in image.labels],
            **self._features,
        }
        metadata = {"images": names}
        pictures = {"name": self.name, "metadata": metadata, "rgb": self._sample.ndim == 3}
        if self._sample.ndim == 2:
            pictures["contrast_limits"] = _limits(self._sample)
        masks = {
            "name": tr("{name} masks", name=self.name),
            "metadata": metadata,
            "features": table,
            "colormap": class_colours([self._classes[label] for label in labels]),
            "opacity": 0.55,
        }
        return [
            (self._lazy(self._picture, self._sample), pictures, "image"),
            (self._lazy(self._labels, np.empty((0, 0), np.int32)), masks, "labels"),
        ]

    def _lazy(self, make: Callable[[int], NDArray[Any]], like: NDArray[Any]) -> Any:
        if self.ndim == 2:
            return make(0)
        import dask.array

        def block(block_info: Mapping[Any, Any]) -> NDArray[Any]:
            return make(block_info[None]["chunk-location"][0])[np.newaxis]

        chunks = ((1,) * len(self._images), *((side,) for side in (*self._frame, *like.shape[2:])))
        meta = np.empty((0,) * len(chunks), like.dtype)
        # One layer of the graph for all images: a layer for each makes every look at one slower.
        return dask.array.map_blocks(block, dtype=like.dtype, chunks=chunks, meta=meta)

    def _picture(self, number: int) -> NDArray[Any]:
        image = self._images[number]
        read = self._pixels(image)
        pixels = displayable(np.zeros(image.shape, np.uint8) if read is None else read)
        if (pixels.shape[2:], pixels.dtype) != (self._sample.shape[2:], self._sample.dtype):
            pixels = _of_kind(pixels, self._sample)
        framed = np.zeros((*self._frame, *pixels.shape[2:]), pixels.dtype)
        framed[: pixels.shape[0], : pixels.shape[1]] = pixels
        return framed

    def _pixels(self, image: ShownImage) -> NDArray[Any] | None:
        """Read an image; of one that cannot be read it is said once, and it is shown black."""
        try:
            return image.read()
        except SamTuneError as error:
            if image.name not in self._unread:
                self._unread.add(image.name)
                show_warning(str(error))
            return None

    def _labels(self, number: int) -> NDArray[np.int32]:
        """Paint the masks of one image, later over earlier."""
        painted = np.zeros(self._frame, np.int32)
        for value, (mask, (row, column)) in enumerate(
            self._images[number].masks(), start=int(self._first[number])
        ):
            painted[row : row + mask.shape[0], column : column + mask.shape[1]][mask] = value
        return painted


def _of_kind(pixels: NDArray[Any], sample: NDArray[Any]) -> NDArray[Any]:
    """Bring a picture to the channels and the type of the first one of the stack."""
    colour = to_rgb8(pixels)
    if sample.ndim == 2:
        grey = colour.mean(axis=2)
        return (grey * (_limits(sample)[1] / 255)).astype(sample.dtype)
    if sample.shape[2] == 4:
        opaque = np.full((*colour.shape[:2], 1), 255, np.uint8)
        colour = np.concatenate((colour, opaque), axis=2)
    return colour


def _limits(sample: NDArray[Any]) -> tuple[float, float]:
    """Return the contrast limits of a grey stack: 8 bits whole, others as far as the first goes."""
    if sample.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    return (low, high) if low < high else (low, low + 1.0)
