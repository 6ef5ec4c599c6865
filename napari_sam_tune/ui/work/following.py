"""What is drawn after a moment: masks of large images as the view moves, and thumbnails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.work.object_words import too_far_to_paint

if TYPE_CHECKING:
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.workplace import Workplace

_REST_MS = 80
_PAUSE_MS = 250
"""After the last mask, until its thumbnail is drawn."""
_FILL_SECONDS = 0.5
"""So long is read before the view is drawn anew."""


class Following(QObject):
    """Follows the camera over a large image, reads on what is seen from afar, draws thumbnails."""

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._background = Background(self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._follow)
        self._thumbnails = QTimer(self)
        self._thumbnails.setSingleShot(True)
        self._thumbnails.setInterval(_PAUSE_MS)
        self._thumbnails.timeout.connect(place.layers.draw_thumbnails)
        place.layers.thumbnails_are_old.connect(self._on_thumbnails_old)
        opening.leaving.connect(self._on_leaving)
        opening.opened.connect(self._on_opened)
        place.viewer.scene.camera.events.connect(self._on_view_moved)

    def close(self) -> None:
        """Follow nothing any more."""
        self._rest.stop()
        self._thumbnails.stop()
        self._place.layers.thumbnails_are_old.disconnect(self._on_thumbnails_old)
        self._place.viewer.scene.camera.events.disconnect(self._on_view_moved)
        self._background.close()

    def _on_thumbnails_old(self) -> None:
        self._thumbnails.start()  # again, while one mask follows another

    def _on_view_moved(self, _: object) -> None:
        # a timer that is started again while it runs would wait for the end of the movement
        if self._place.layers.is_open and not self._rest.isActive():
            self._rest.start()

    def _follow(self) -> None:
        layers = self._place.layers
        was_painting = layers.is_open and str(layers.proposal.mode) != "pan_zoom"
        layers.follow_view()
        if was_painting and (far := too_far_to_paint(layers)):
            self._place.tell(far)

    def _on_leaving(self) -> None:
        self._background.forget("fill")

    def _on_opened(self, read: ReadImage) -> None:
        if isinstance(read.pixels, LargeImage):
            self._fill(read.pixels)

    def _fill(self, image: LargeImage) -> None:
        work = partial(image.fill, _FILL_SECONDS)
        self._background.submit("fill", work, partial(self._on_filled, image), self._on_failed)

    def _on_filled(self, image: LargeImage, is_whole: bool) -> None:
        layers = self._place.layers
        if layers.is_open and layers.image.data_level > 0:  # what is seen in full is as it was
            layers.image.refresh(extent=False)
        if not is_whole:
            self._fill(image)

    def _on_failed(self, error: Exception) -> None:
        self._place.complain(error)
