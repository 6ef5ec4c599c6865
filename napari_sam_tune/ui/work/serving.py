"""What a person is told while the model runs on a server: that it is gone, and that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

from napari_sam_tune.core.wording import tr
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from napari_sam_tune.ui.work.workplace import Workplace


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
        if self._connection is not None:
            self._connection.reached.connect(self._reached.emit)

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            self._connection.reached.disconnect(self._reached.emit)

    def _on_reached(self, is_reached: bool) -> None:
        bar = self._place.panel.notice
        if is_reached:
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
