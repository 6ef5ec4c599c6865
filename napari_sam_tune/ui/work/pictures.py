"""Thumbnails of a project's images and masks; images are read on the thread that makes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.project.class_colours import CLASS_COLOURS
from napari_sam_tune.ui.thumbnails import Thumbnails, thumbnail_of_image, thumbnail_of_object

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qtpy.QtGui import QImage

    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.ui.views.rows import ListRow
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.workplace import Workplace


class Pictures(QObject):
    """What the rows of the lists show on the left.

    Attributes:
        made: emitted when one is there that was not.

    """

    made = Signal(object)

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project, self._queue = place.session.project, place.queue
        self._thumbnails = Thumbnails(self)
        self._thumbnails.made.connect(self.made)
        self._open: ReadImage | None = None
        self._last: tuple[str, NDArray[Any] | LargeImage] | None = (
            None  # read for masks of other images
        )
        opening.opened.connect(self._on_image_opened)

    def close(self) -> None:
        """Make no more."""
        self._thumbnails.close()

    def of_image(self, row: ListRow) -> QImage | None:
        """Return an image's thumbnail, or None and have it made."""
        return self._thumbnails.get(("image", row.id), partial(self._make_image, row.id))

    def of_mask(self, row: ListRow) -> QImage | None:
        """Return a mask's thumbnail, or None and have it made."""
        colour = row.colour or CLASS_COLOURS[0]
        return self._thumbnails.get((row.id, colour), partial(self._make_mask, row.id, colour))

    def _make_image(self, image_id: str) -> NDArray[np.uint8]:
        read = self._open
        if read is not None and read.record.id == image_id:
            return thumbnail_of_image(read.pixels)
        queued = self._queue.find(image_id)
        return thumbnail_of_image(self._pixels(image_id) if queued is None else queued.read())

    def _make_mask(self, annotation_id: str, colour: str) -> NDArray[np.uint8]:
        mask = self._project.annotation(annotation_id)
        pixels = self._pixels(mask.image_id)
        return thumbnail_of_object(pixels, mask.cropped_mask, mask.bbox, colour)

    def _pixels(self, image_id: str) -> NDArray[Any] | LargeImage:
        read = self._open
        if read is not None and read.record.id == image_id:
            return read.pixels
        if self._last is None or self._last[0] != image_id:
            self._last = image_id, self._project.open_image(image_id)
        return self._last[1]

    def _on_image_opened(self, read: ReadImage) -> None:
        self._open = read
