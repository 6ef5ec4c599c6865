"""A hand that works in a real viewer, and a camera that sees its pointer."""

# ruff: noqa: TID251 - a script about the dock

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari
    from qtpy.QtWidgets import QWidget

    from napari_sam_tune.ui.views.panel import Panel
    from napari_sam_tune.ui.work.work import Work

    XY = tuple[float, float]

ARROW: Final = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))
LIGHT, DARK, RING = (255, 255, 255), (20, 20, 20), (255, 180, 84)
_STILL: Final = {"quality": 82, "method": 6}
_FILM: Final = {"quality": 60, "method": 4}
FILM_WIDTH: Final = 800


def spin(until: Callable[[], bool], seconds: float = 900) -> None:
    """Run the event loop until something is the case."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("the viewer did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def settle() -> None:
    """Let what is drawn late be drawn."""
    end = time.monotonic() + 0.4
    spin(lambda: time.monotonic() > end)


@dataclass
class Hand:
    """A person's mouse and keys on the canvas; positions are (x, y) pixels of the image.

    Attributes:
        truths: folder of the true masks of the images that are open.
        pointer: where the pointer is on the canvas.
        pressed: the key pressed last, until a frame has shown it.

    """

    viewer: napari.Viewer
    panel: Panel
    truths: Path
    pointer: QPoint | None = None
    pressed: str = ""

    @property
    def native(self) -> QWidget:
        """The canvas."""
        return self.viewer.window._qt_viewer.canvas.native

    @property
    def work(self) -> Work:
        """What stands behind the panel."""
        return self.panel.controller.work

    def at(self, xy: XY) -> QPoint:
        """Return where a pixel of the image is on the canvas."""
        image = self.work.place.layers.image
        plane = self.viewer.dims.current_step[: image.ndim - 2]
        world = image.data_to_world((*plane, xy[1], xy[0]))[-2:]
        view = self.viewer.window._qt_viewer.canvas.view
        where = (view.transform * view.scene.transform).map([world[1], world[0]])
        return QPoint(round(where[0]), round(where[1]))

    def point(self, xy: XY) -> None:
        """Move there, without a button."""
        self._move(QPointF(self.at(xy)), Qt.MouseButton.NoButton)

    def click(self, xy: XY, *, inside: bool = True) -> None:
        """Click, with the right button where it is not part of the object; wait for the mask."""
        button = Qt.MouseButton.LeftButton if inside else Qt.MouseButton.RightButton
        self.point(xy)
        QTest.mouseClick(self.native, button, Qt.KeyboardModifier.NoModifier, self.at(xy))
        self.wait()

    def trace(self, path: Sequence[XY], seen: Callable[[], None] = lambda: None) -> None:
        """Drag through places; `seen` is called at each."""
        none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
        self.point(path[0])
        QTest.mousePress(self.native, left, none, self.at(path[0]))
        for xy in path[1:]:
            self._move(QPointF(self.at(xy)), left)
            QTest.qWait(8)  # napari takes in a move at most every 5 ms
            seen()
        QTest.mouseRelease(self.native, left, none, self.at(path[-1]))
        self.wait()

    def press(self, key: str) -> None:
        """Press a key on the canvas, "Shift+S" or "Q"."""
        *shift, name = key.split("+")
        modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        code = {".": Qt.Key.Key_Period, "Esc": Qt.Key.Key_Escape}.get(name)
        QTest.keyClick(self.native, code or getattr(Qt.Key, f"Key_{name}"), modifier)
        self.pressed = key.replace("Shift+", "⇧")
        self.wait()

    def wait(self) -> None:
        """Wait for what was asked."""
        spin(lambda: not self.work.annotating.asking.is_asking)
        settle()

    def _move(self, to: QPointF, buttons: Qt.MouseButton) -> None:
        self.pointer, none = to.toPoint(), Qt.MouseButton.NoButton
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            to,
            QPointF(self.native.mapToGlobal(self.pointer)),
            none,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.native, event)
        QApplication.processEvents()


@dataclass
class Camera:
    """Takes pictures and films of the window, the hand's pointer and keys in them.

    Attributes:
        folder: where pictures go.
        suffix: added to the names of stills, such as "_dark".

    """

    hand: Hand
    folder: Path
    suffix: str = ""
    frames: list[Image.Image] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def still(self, name: str, *, pointer: bool = False, window: QWidget | None = None) -> None:
        """Keep a picture of the window, or of another one."""
        settle()
        picture = self._grabbed(window) if window is not None else self._seen(pointer=pointer)
        picture.save(self.folder / f"{name}{self.suffix}.webp", **_STILL)

    def begin(self) -> None:
        """Begin a film: what was pressed before it is not in it."""
        self.hand.pressed, self.frames, self.times = "", [], []

    def frame(self, milliseconds: int, *, ring: bool = False) -> None:
        """Add what is seen to the film, to be shown for so long."""
        QApplication.processEvents()
        picture = self._seen(pointer=True, ring=ring, key=self.hand.pressed)
        self.hand.pressed = ""
        height = round(picture.height * FILM_WIDTH / picture.width)
        self.frames.append(picture.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def way(self, start: XY, end: XY, steps: int = 6) -> None:
        """Film the pointer on its way."""
        for part in np.linspace(0, 1, steps + 1)[1:]:
            eased = part * part * (3 - 2 * part)
            self.hand.point(tuple(np.add(start, np.multiply(eased, np.subtract(end, start)))))
            self.frame(60)

    def film(self, name: str) -> None:
        """Keep what was filmed since it began."""
        first, *others = self.frames
        first.save(
            self.folder / f"{name}.webp",
            save_all=True,
            append_images=others,
            duration=self.times,
            loop=0,
            **_FILM,
        )

    def _seen(self, *, pointer: bool, ring: bool = False, key: str = "") -> Image.Image:
        seen = self.hand.viewer.screenshot(canvas_only=False, flash=False)
        picture = Image.fromarray(np.asarray(seen)[..., :3])
        draw = ImageDraw.Draw(picture)
        window = self.hand.viewer.window._qt_window
        if pointer and self.hand.pointer is not None:
            place = self.hand.native.mapTo(window, self.hand.pointer)
            x, y = place.x(), place.y()
            if ring:
                draw.ellipse((x - 14, y - 14, x + 14, y + 14), outline=RING, width=3)
            draw.polygon([(x + a, y + b) for a, b in ARROW], fill=LIGHT, outline=DARK)
        if key:
            corner = self.hand.native.mapTo(window, QPoint(16, self.hand.native.height() - 56))
            x, y, font = corner.x(), corner.y(), ImageFont.load_default(26)
            key = key.replace("⇧", "Shift ")
            width = draw.textlength(key, font=font) + 28
            draw.rounded_rectangle((x, y, x + width, y + 44), 8, fill=LIGHT, outline=DARK, width=2)
            draw.text((x + 14, y + 6), key, fill=DARK, font=font)
        return picture

    @staticmethod
    def _grabbed(window: QWidget) -> Image.Image:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder, "window.png"))
            window.grab().save(file)
            with Image.open(file) as picture:
                return picture.convert("RGB")
