"""A shared project is exchanged with its other copies while somebody works in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer

from napari_sam_tune.core.errors import ShareInUse, ShareUnreachable
from napari_sam_tune.core.project.share_link import read_link
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.sharing.exchange import Exchange, Exchanged
    from napari_sam_tune.ui.views.notice import Level
    from napari_sam_tune.ui.work.workplace import Workplace

LOOK_MS: Final = 2000
"""Between two exchanges."""
AGAIN_MS: Final = 15_000
"""Before one that failed is tried again."""
_IMAGES: Final = 1.0
"""Seconds for image files before masks have their turn again."""


class Sharing(QObject):
    """Exchanges beside the viewer's thread, and says what is in the way.

    Args:
        place: with the project.
        taken_in: called when masks of others have come.

    """

    def __init__(
        self, place: Workplace, taken_in: Callable[[], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._place, self._taken_in = place, taken_in
        self._exchange: Exchange | None = None
        self._shown: Notice | None = None
        self._background = Background(self)
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.timeout.connect(self._start)
        if read_link(place.session.project.path) is not None:
            self._waiting.start(0)

    def close(self) -> None:
        """Exchange no more; what is under way comes to its end by itself."""
        self._waiting.stop()
        self._background.close()

    def _start(self) -> None:
        self._background.submit("exchange", self._run, self._on_done, self._on_failed)

    def _run(self) -> Exchanged:
        if self._exchange is None:
            from napari_sam_tune.core.sharing.exchange import Exchange  # takes a while

            self._exchange = Exchange(self._place.session.project)
        return self._exchange.run(seconds=_IMAGES)

    def _on_done(self, done: Exchanged) -> None:
        bar = self._place.panel.notice
        if self._shown is not None and bar.notice is self._shown:
            bar.show_notice(None)
        self._shown = None
        if done.masks_in:
            self._taken_in()
        self._waiting.start(LOOK_MS if done.is_all else 0)

    def _on_failed(self, error: Exception) -> None:
        self._waiting.start(AGAIN_MS)
        if isinstance(error, ShareInUse):
            return  # `share --watch`, or another window, does it
        text = explain(error)
        if isinstance(error, ShareUnreachable):
            text = join_sentences(
                text,
                tr(
                    "You can go on: what you accept is safe on this computer, and is exchanged "
                    "with the others once the shared place is back."
                ),
            )
        if self._shown is None or self._shown.text != text:
            level: Level = "warning" if isinstance(error, ShareUnreachable) else "error"
            self._shown = Notice(text, level, stays=True)
            self._place.panel.notice.show_notice(self._shown)
