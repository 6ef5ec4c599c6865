"""What the mouse means on the canvas: a click, a box, or napari's own business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari.components import ViewerModel

LEFT, RIGHT, MIDDLE = 1, 2, 3
# A hand is not still: below so many screen pixels a press and release is a click.
_CLICK_PIXELS = 5.0


class Listener(Protocol):
    """Who gets the gestures; positions are in world coordinates."""

    def on_click(self, world: Sequence[float], *, negative: bool) -> None:
        """The canvas was clicked."""

    def on_box_drawing(self, start: Sequence[float], end: Sequence[float]) -> None:
        """A box is being drawn."""

    def on_box(self, start: Sequence[float], end: Sequence[float]) -> None:
        """A box was drawn."""


class Drawer(Protocol):
    """Who gets strokes; paths are of positions in world coordinates."""

    is_on: bool

    def on_path_drawing(self, path: Sequence[Sequence[float]]) -> None:
        """A stroke is being drawn."""

    def on_path(self, path: Sequence[Sequence[float]]) -> None:
        """A stroke was drawn."""


class Gestures:
    """A mouse callback for `viewer.mouse_drag_callbacks`.

    Args:
        listener: who gets clicks and boxes.
        drawer: who gets strokes instead of boxes, while it is on.
        is_prompting: whether the mouse is ours now, and not the brush's or another layer's.
        pick: gets the place of a click with Ctrl held, which selects a mask.

    Attributes:
        drag_draws_box: a plain drag draws a box; else it moves the view and Ctrl + drag draws one.
        is_panning: the pan key is held.
        is_dropped: what is being drawn is not wanted any more; the next press begins anew.

    """

    def __init__(
        self,
        listener: Listener,
        drawer: Drawer,
        is_prompting: Callable[[], bool],
        pick: Callable[[Sequence[float]], None],
    ) -> None:
        self._listener, self._drawer = listener, drawer
        self._is_prompting, self._pick = is_prompting, pick
        self.drag_draws_box = True
        self.is_panning = self.is_dropped = False

    def __call__(self, viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        """Follow one press of a mouse button to its release."""
        if event.button == MIDDLE:
            yield from _move_view(viewer, event)
            return
        ours = event.button in (LEFT, RIGHT) and "Alt" not in event.modifiers
        if self.is_panning or not ours or not self._is_prompting():
            return
        plain = "Control" not in event.modifiers
        strokes = event.button == LEFT and plain and self._drawer.is_on
        draws = strokes or (event.button == LEFT and self.drag_draws_box == plain)
        if draws and viewer.scene.camera.mouse_pan:
            viewer.scene.camera.mouse_pan = False
            try:
                yield from self._follow(event, draws, strokes)
            finally:
                viewer.scene.camera.mouse_pan = True
        else:
            yield from self._follow(event, draws, strokes)

    def _follow(self, event: Any, draws: bool, strokes: bool) -> Generator[None, None, None]:
        press, start = np.array(event.pos, float), tuple(event.position)
        negative = event.button == RIGHT or "Shift" in event.modifiers
        moved = self.is_dropped = False
        path = [start]
        yield
        while event.type == "mouse_move":
            moved = moved or _distance(event, press) > _CLICK_PIXELS
            path.append(tuple(event.position))
            if moved and strokes and not self.is_dropped:
                self._drawer.on_path_drawing(path)
            elif moved and draws and not self.is_dropped:
                self._listener.on_box_drawing(start, tuple(event.position))
            yield
        if self.is_dropped:
            return
        if not moved and _distance(event, press) <= _CLICK_PIXELS:
            if event.button == LEFT and "Control" in event.modifiers:
                self._pick(start)
            else:
                self._listener.on_click(start, negative=negative)
        elif strokes:
            self._drawer.on_path([*path, tuple(event.position)])
        elif draws:
            self._listener.on_box(start, tuple(event.position))


def _distance(event: Any, press: Any) -> float:
    return float(np.linalg.norm(np.array(event.pos, float) - press))


def _move_view(viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
    start = np.array(event.position)
    yield
    while event.type == "mouse_move":
        displayed = list(viewer.dims.displayed)
        by = (start - np.array(event.position))[displayed]
        center = np.array(viewer.scene.camera.center, float)
        center[-len(displayed) :] += by
        viewer.scene.camera.center = tuple(center)
        yield
