"""Which OpenGL context deletes what was drawn of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget

if TYPE_CHECKING:
    import napari
    from napari.utils.events import Event


class OwnContext:
    """Makes the canvas's OpenGL context the current one before a layer is removed.

    napari deletes programs, buffers and textures of a removed layer at once (0.9:
    `VispyCanvas._clean_and_update_scenegraph`), in whichever context is current, and between two
    draws that is the one with which Qt puts the window together. Mesa's software renderer, which
    computers without a GPU draw with, crashes at a later draw then, of the background even. vispy
    knows of commands that reach another context than they are for (vispy/vispy#880).

    Args:
        viewer: whose layers are watched, until `close`.

    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        viewer.layers.events.removing.connect(self._make_current)

    def _make_current(self, _: Event) -> None:
        window = self._viewer.window._qt_window
        for canvas in window.centralWidget().findChildren(QOpenGLWidget):
            canvas.makeCurrent()

    def close(self) -> None:
        """Leave the viewer's layers alone."""
        self._viewer.layers.events.removing.disconnect(self._make_current)
