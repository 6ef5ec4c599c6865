"""Seeing small things: outlines, masks out of the way, more contrast, close to the object.

All of it is for the eye: the model is never shown anything else than the image.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer
from scipy import ndimage

from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.looks import OWN, place_window
from napari_sam_tune.ui.inference import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.workplace import Workplace

# An object fills this part of the view; a small one is shown with this much around it.
_FILLS, _LEAST_SIDE = 0.5, 48.0
# Contrast is evened out over this part of what is seen, in at most so many pixels a side.
_EVEN_OVER, _MOST_SIDE = 16, 1600
_REST_MS = 150


class Seeing(QObject):
    """What keys change about how the image is seen.

    Attributes:
        actions: what can be done by key, by name.
        held: what is so while a key is held, by name.

    """

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._pixels: NDArray[np.generic] | LargeImage | None = None
        self._contrast: Image | None = None
        self._view_before: tuple[tuple[float, ...], float] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._even_out)
        self.actions: dict[str, Callable[[], None]] = {
            "outlines": self._switch_outlines,
            "markers": self._switch_markers,
            "contrast": self._switch_contrast,
            "zoom": self._zoom,
        }
        self.held: dict[str, Callable[[bool], None]] = {"hide_masks": self._hide_masks}
        opening.leaving.connect(self._on_leaving)
        opening.opened.connect(self._on_opened)
        place.viewer.scene.camera.events.connect(self._on_view_moved)

    def close(self) -> None:
        """Show all as it is."""
        self._place.viewer.scene.camera.events.disconnect(self._on_view_moved)
        self._take_contrast_away()

    def _on_leaving(self) -> None:
        self._pixels = self._view_before = None
        self._place.inference.forget(Kind.CONTRAST)  # it is the contrast of what is left

    def _on_opened(self, read: ReadImage) -> None:
        self._pixels = read.pixels
        if self._is_evened:
            self._even_out()

    # ----------------------------------------------------------------- masks

    def _hide_masks(self, hidden: bool) -> None:
        if self._place.layers.is_open:
            self._place.layers.hide_masks(hidden)

    def _switch_outlines(self) -> None:
        if self._place.layers.is_open:
            self._place.layers.switch_outlines()

    def _switch_markers(self) -> None:
        if self._place.layers.is_open and not self._place.layers.switch_markers():
            key = self._place.panel.keys.get("markers", "")
            self._place.tell(tr("Clicks and boxes are hidden. {key} shows them again.", key=key))

    # -------------------------------------------------------------- contrast

    def _switch_contrast(self) -> None:
        if not self._place.layers.is_open:
            return
        if self._is_evened or self._place.inference.busy(Kind.CONTRAST):
            self._take_contrast_away()
            return
        self._even_out()
        key = self._place.panel.keys.get("contrast", "")
        self._place.tell(
            tr("More contrast, for the eye alone. {key} shows the image as it is.", key=key)
        )

    @property
    def _is_evened(self) -> bool:
        """Whether the layer is there; whoever throws it away does not want it."""
        return self._contrast is not None and self._contrast in self._place.viewer.layers

    def _even_out(self) -> None:
        """Show what is seen with an even contrast; found on the thread beside this one."""
        if self._pixels is None or not self._place.layers.is_open:
            return
        window = self._place.layers.seen_window()
        work = partial(even_contrast, self._pixels, window)
        done = partial(self._show_contrast, window)
        self._place.inference.submit(Kind.CONTRAST, work, done, self._place.complain)

    def _show_contrast(self, window: tuple[int, int, int, int], grey: NDArray[np.uint8]) -> None:
        layers, viewer = self._place.layers, self._place.viewer
        if not layers.is_open or 0 in grey.shape:
            return
        if self._contrast is None or self._contrast not in viewer.layers:
            active = viewer.layers.selection.active
            self._contrast = Image(grey, name=tr("contrast"), metadata={OWN: "contrast"})
            self._contrast.contrast_limits = (0, 255)
            viewer.layers.insert(viewer.layers.index(layers.image) + 1, self._contrast)
            viewer.layers.selection.active = active
        self._contrast.data = grey
        place_window(self._contrast, layers.image, window, _step(window))

    def _take_contrast_away(self) -> None:
        layer, self._contrast = self._contrast, None
        self._place.inference.forget(Kind.CONTRAST)
        if layer is not None and layer in self._place.viewer.layers:
            self._place.viewer.layers.remove(layer)

    def _on_view_moved(self, _: object) -> None:
        if self._is_evened:
            self._rest.start()

    # ------------------------------------------------------------------ zoom

    def _zoom(self) -> None:
        """Come close to the object in progress or the accepted one under the mouse, and back."""
        layers, camera = self._place.layers, self._place.viewer.scene.camera
        if not layers.is_open:
            return
        if self._view_before is not None:
            camera.center, camera.zoom = self._view_before
            self._view_before = None
            return
        box = layers.box_of_object(self._place.viewer.cursor.position)
        if box is None:
            self._place.tell(tr("Click on a defect or point at an accepted mask, then zoom to it."))
            return
        self._view_before = tuple(camera.center), camera.zoom
        y0, x0, y1, x1 = box
        side = max(y1 - y0, x1 - x0, _LEAST_SIDE) * float(np.abs(layers.image.scale[-1]))
        plane = self._place.queue.current.plane
        middle = layers.image.data_to_world((*plane, (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2))
        camera.center = (*camera.center[:-2], *middle[-2:])
        camera.zoom = min(self._place.viewer.canvas.size) * _FILLS / side


def even_contrast(
    pixels: NDArray[np.generic] | LargeImage, window: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """Return a window of an image, grey, its contrast the same in every part.

    Each pixel is seen against the mean and the spread of what lies around it.

    Args:
        pixels: (H, W) or (H, W, C), or what many are read by.
        window: (y0, x0, y1, x1), ends excluded.

    """
    y0, x0, y1, x1 = window
    step = _step(window)
    if isinstance(pixels, LargeImage):
        if y0 >= y1 or x0 >= x1:
            return np.zeros((0, 0), np.uint8)
        side = -(-max(y1 - y0, x1 - x0) // step)
        seen: NDArray[np.generic] = pixels.rgb((y0, x0, y1, x1), side)
    else:
        seen = pixels[y0:y1:step, x0:x1:step]
    if 0 in seen.shape:
        return np.zeros(seen.shape[:2], np.uint8)
    grey = to_rgb8(seen).mean(axis=-1, dtype=np.float32)
    around = max(3, max(grey.shape) // _EVEN_OVER)
    mean = ndimage.uniform_filter(grey, around)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(grey * grey, around) - mean * mean, 0))
    # what is even is noise: it is not blown up to black and white
    even = (grey - mean) / (spread + 2.0) * 45 + 128
    return even.clip(0, 255).astype(np.uint8)


def _step(window: tuple[int, int, int, int]) -> int:
    y0, x0, y1, x1 = window
    return -(-max(y1 - y0, x1 - x0, 1) // _MOST_SIDE)
