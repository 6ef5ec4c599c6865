"""What a person is told while the model runs on a server: that it is gone, and that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from napari_sam_tune.ui.work.workplace import Workplace

LOOK_MS: Final = 5000
"""Between two looks at whether a server that was gone is back."""


class Serving(QObject):
    """Listens to the connection, which speaks on whichever thread asked.

    Args:
        place: with a predictor whose encoder may be on a server.

    """

    _reached = Signal(bool)

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._shown: Notice | None = None
        self._connection = place.connection
        self._reached.connect(self._on_reached, Qt.ConnectionType.QueuedConnection)
        self._background = Background(self)
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self._look)
        if self._connection is not None:
            self._connection.reached.connect(self._reached.emit)

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            self._connection.reached.disconnect(self._reached.emit)
        self._looking.stop()
        self._background.close()

    def _look(self) -> None:
        """Ask whether the server is back; where it is, the connection says so."""
        if self._connection is not None:
            self._background.submit("look", self._connection.describe, _ignore, _ignore)

    def _on_reached(self, is_reached: bool) -> None:
        bar = self._place.panel.notice
        if is_reached:
            self._looking.stop()
            if self._shown is not None and bar.notice is self._shown:
                bar.show_notice(None)
            self._shown = None
            return
        text = tr(
            "The server does not answer. You can go on: until it is back, images are prepared on "
            "this computer, which may take longer, and fine-tuning waits for it."
        )
        self._shown = Notice(text, "warning", stays=True)
        bar.show_notice(self._shown)
        self._looking.start()


def _ignore(_: object) -> None:
    """Whether the server answered is told by the connection."""
