"""What a person is told while the model runs on a server: that it is gone, and that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.servers import check_server, load_servers, save_server
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.views.server_dialog import ServerDialog

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
    _refused = Signal(object)

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._shown: Notice | None = None
        self._refusal: str | None = None
        self._connection = place.connection
        self._reached.connect(self._on_reached, Qt.ConnectionType.QueuedConnection)
        self._refused.connect(self._on_refused, Qt.ConnectionType.QueuedConnection)
        self._background = Background(self)
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self._look)
        if self._connection is not None:
            self._connection.reached.connect(self._reached.emit)
            self._connection.refused.connect(self._refused.emit)
            if self._connection.is_reached is False:  # it was gone when the project was opened
                self._reached.emit(False)

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            self._connection.reached.disconnect(self._reached.emit)
            self._connection.refused.disconnect(self._refused.emit)
        self._looking.stop()
        self._background.close()

    def _look(self) -> None:
        """Ask whether the server is back; where it is, the connection says so."""
        if self._connection is not None:
            self._background.submit("look", self._connection.describe, _ignore, _ignore)

    def _on_reached(self, is_reached: bool) -> None:
        if is_reached:
            self._looking.stop()
            self._on_refused(self._refusal)
            return
        text = tr(
            "The server does not answer. You can go on: until it is back, images are prepared on "
            "this computer, which may take longer, and learning waits for it."
        )
        self._show_with_remedy(text)
        self._looking.start()

    def _on_refused(self, why: str | None) -> None:
        """Whoever works here can mend it: another token, or a server with the right model."""
        self._refusal = why
        if why is None:
            self._take_down()
            return
        go_on = tr("You can go on: until then, images are prepared on this computer.")
        self._show_with_remedy(join_sentences(why, go_on))

    def _ask_anew(self) -> None:
        connection = self._connection
        if connection is None:
            return
        before = self._shown
        dialog = ServerDialog(check_server, self._place.panel)
        dialog.show_server(connection.address, load_servers().get(connection.address, ""))
        if dialog.exec():
            save_server(dialog.address, dialog.token)
            connection.change(dialog.address, dialog.token)
            self._look()  # at once, so that the notice goes
        elif before is not None:
            self._place.panel.notice.show_notice(before)
        dialog.deleteLater()

    def _show_with_remedy(self, text: str) -> None:
        remedy = tr("Give the server anew…")
        notice = Notice(text, "warning", stays=True, remedy=remedy, act=self._ask_anew)
        self._shown = notice
        self._place.panel.notice.show_notice(notice)

    def _take_down(self) -> None:
        bar = self._place.panel.notice
        if self._shown is not None and bar.notice is self._shown:
            bar.show_notice(None)
        self._shown = None


def _ignore(_: object) -> None:
    """Whether the server answered is told by the connection."""
