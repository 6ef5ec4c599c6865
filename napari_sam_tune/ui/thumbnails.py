"""Small pictures for lists: made when they are first painted, by a thread of their own, and kept.

The viewer's thread asks and never waits. What was asked for last is made first, for that is what
is in view now; what has scrolled out of view long ago is not made at all.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QColor, QImage
from scipy import ndimage

from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.large_image import LargeImage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.prompts import Mask

SIDE = 96
"""Of the largest thumbnail, in pixels."""
_MOST_KEPT = 2000
_MOST_WAITING = 80
_MARGIN = 0.35
"""Of an object's larger side, shown around it."""
_LEAST_MARGIN = 6
_log = logging.getLogger(__name__)


class Thumbnails(QObject):
    """Makes thumbnails and keeps those shown last.

    Attributes:
        made: emitted with the key of a thumbnail that is there now.

    """

    made = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Hashable, QImage] = OrderedDict()
        self._waiting: OrderedDict[Hashable, Callable[[], NDArray[np.uint8]]] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="sam-tune thumbnails", daemon=True)
        self._thread.start()

    def get(self, key: Hashable, make: Callable[[], NDArray[np.uint8]]) -> QImage | None:
        """Return a thumbnail, or None and have it made.

        Args:
            key: names it, and whatever it depends on.
            make: returns it, (H, W, 3); called on the other thread.

        """
        with self._changed:
            image = self._kept.get(key)
            if image is not None:
                self._kept.move_to_end(key)
                return image
            self._waiting[key] = make
            self._waiting.move_to_end(key)
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
            self._changed.notify()
        return None

    def close(self) -> None:
        """Make no more; ends after the one that is being made."""
        with self._changed:
            self._is_closing = True
            self._waiting.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            key, make = job
            try:
                image = as_qimage(make())
            except Exception:
                # An image that cannot be read says so when it is opened; a list is no place for it.
                _log.debug("no thumbnail of %s", key, exc_info=True)
                image = QImage()
            with self._changed:
                if self._is_closing:
                    return
                self._kept[key] = image
                if len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            self.made.emit(key)

    def _next(self) -> tuple[Hashable, Callable[[], NDArray[np.uint8]]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing or self._waiting)
            return None if self._is_closing else self._waiting.popitem(last=True)


def as_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """Return (H, W, 3) pixels as an image of Qt's own."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels)
    return QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def thumbnail_of_image(pixels: NDArray[Any] | LargeImage, side: int = SIDE) -> NDArray[np.uint8]:
    """Return any image that `to_rgb8` takes made small, RGB, at most `side` pixels each way."""
    if isinstance(pixels, LargeImage):
        return _small(pixels.glance(2 * side), side)
    return _small(_channels_last(pixels), side)


def thumbnail_of_object(
    pixels: NDArray[Any] | LargeImage, mask: Mask, bbox: BoundingBox, colour: str, side: int = SIDE
) -> NDArray[np.uint8]:
    """Return an object in its surroundings, with its outline in a colour.

    Args:
        pixels: its image, of any shape `to_rgb8` takes.
        mask: cut to `bbox`.
        bbox: (y0, x0, y1, x1).
        colour: "#rrggbb".
        side: of the thumbnail, at most.

    """
    image = pixels if isinstance(pixels, LargeImage) else _channels_last(pixels)
    y0, x0, y1, x1 = bbox
    height, width = image.shape[:2]
    margin = max(_LEAST_MARGIN, round(_MARGIN * max(y1 - y0, x1 - x0)))
    top, left = max(0, y0 - margin), max(0, x0 - margin)
    bottom, right = min(height, y1 + margin), min(width, x1 + margin)
    if isinstance(image, LargeImage):
        picture = _small(image.rgb((top, left, bottom, right), 2 * side), side)
    else:
        picture = _small(image[top:bottom, left:right], side)
    # where each pixel of the thumbnail lies in the mask
    rows = (np.arange(picture.shape[0]) + 0.5) * (bottom - top) / picture.shape[0] + top - y0
    columns = (np.arange(picture.shape[1]) + 0.5) * (right - left) / picture.shape[1] + left - x0
    inside = np.zeros(picture.shape[:2], bool)
    is_row, is_column = (rows >= 0) & (rows < y1 - y0), (columns >= 0) & (columns < x1 - x0)
    cut = mask[np.ix_(rows[is_row].astype(int), columns[is_column].astype(int))]
    inside[np.ix_(is_row, is_column)] = cut
    outline = ndimage.binary_dilation(inside) & ~inside
    picture[outline] = QColor(colour).getRgb()[:3]
    return picture


def _small(pixels: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """Return (H, W) or (H, W, C) pixels as RGB of `side` along the longer side."""
    step = max(1, max(pixels.shape[:2]) // (2 * side))  # so that a large image costs little
    picture = Image.fromarray(to_rgb8(pixels[::step, ::step]))
    return np.array(ImageOps.contain(picture, (side, side), Image.Resampling.BILINEAR))


def _channels_last(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return any image that `to_rgb8` takes as (H, W) or (H, W, C)."""
    is_first = pixels.ndim == 3 and pixels.shape[-1] > 4
    return np.moveaxis(pixels, 0, -1) if is_first else pixels
