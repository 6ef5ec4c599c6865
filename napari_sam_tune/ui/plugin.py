"""What the manifest points to."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.garbage import collected_later
from napari_sam_tune.ui.translation import use_language
from napari_sam_tune.ui.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari

    from napari_sam_tune.ui.controller import Controller
    from napari_sam_tune.ui.views.panel import Panel

_LEAST_WIDTH, _GOOD_SIZE = 300, QSize(372, 600)
_TURN_S = 0.015
"""For how long the looks of widgets are worked out in one turn of the event loop."""


class LabelAndLearn(QWidget):
    """The dock; napari makes one from its menus.

    It is there at once and fills itself: its code, which takes a second, is imported beside the
    viewer's thread, and what Qt wants done in that thread is done in turns of the event loop.

    Args:
        napari_viewer: the viewer it is docked in.

    Attributes:
        panel, controller: what is in it and behind it; None until it has `opened`.
        opened: emitted with the controller when it can be used.

    """

    opened = Signal(object)

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        use_language()
        super().__init__()
        # napari hands plugins a proxy, whose layers are proxies too and never the same twice.
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.panel: Panel | None = None
        self.controller: Controller | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        # no bar that moves: each of its steps draws the whole window, and the import waits
        self._opening = QLabel(tr("Opening…"))
        self._opening.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column.addWidget(self._opening)
        self.setMinimumWidth(_LEAST_WIDTH)
        # else napari adds a stretch below, and the panel gets half the height
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._turns, self._background = Turns(self), Background(self)
        self.destroyed.connect(self._background.close)
        self._background.submit("code", _import_code, self._on_imported, self._on_failed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that the panel does not change when it comes."""
        return _GOOD_SIZE

    def event(self, event: QEvent) -> bool:
        """Notice being taken out of the dock; napari has no signal for it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._turns.drop()
            self._background.close()
            if self.panel is not None:
                self.panel.left.emit()
        return bool(super().event(event))

    def _on_imported(self, _: object) -> None:
        self._turns.begin(self._fill())

    def _on_failed(self, error: Exception) -> None:
        self._opening.hide()
        raise error  # napari shows it

    def _fill(self) -> Iterator[None]:
        """Make the panel and show it, in turns of the event loop."""
        from napari_sam_tune.ui.controller import Controller
        from napari_sam_tune.ui.views.panel import Panel

        yield
        panel = Panel(self, in_turns=True)
        panel.hide()
        yield from panel.filling
        yield
        panel.controller = Controller(self._viewer, panel)
        yield
        began = perf_counter()
        for widget in panel.findChildren(QWidget):
            widget.ensurePolished()
            if perf_counter() - began > _TURN_S:
                yield
                began = perf_counter()
        self._column.addWidget(panel)
        self._opening.hide()
        panel.show()
        self.panel, self.controller = panel, panel.controller
        self.opened.emit(self.controller)


def _import_code() -> None:
    """Import the dock, and read the settings, for which napari reads every plugin's manifest."""
    with collected_later():
        import napari_sam_tune.ui.controller  # noqa: F401 - which is the dock
        from napari_sam_tune.ui.preferences import PreferencesSource

        PreferencesSource()


def sample_images() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the sample images as napari layers, for File ▸ Open Sample."""
    from napari_sam_tune.core.images.files import list_images, read_image
    from napari_sam_tune.ui.canvas.looks import displayable
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    paths = list_images(SAMPLE_IMAGES)
    return [
        (displayable(read_image(path)), {"name": path.name, "visible": path == paths[0]}, "image")
        for path in paths
    ]
