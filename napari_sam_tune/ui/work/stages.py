"""How far the opening of an image is, said where it takes longer than a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from napari_sam_tune.ui.views.notice import NoticeBar

# What is quicker than this goes by without a word.
_MOMENT_MS = 400
READING = mark("Reading the image…")
_LOOKING = mark(
    "Looking at the image ({step} of {count}). Click already: the mask comes by itself."
)


class Stages(QObject):
    """Shows one stage after the other; says nothing over what else is to be read."""

    _looked = Signal(int, int)

    def __init__(self, bar: NoticeBar, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bar = bar
        self._stage: Notice | None = None
        self._moment = QTimer(self)
        self._moment.setSingleShot(True)
        self._moment.setInterval(_MOMENT_MS)
        self._moment.timeout.connect(self._show)
        self._looked.connect(self._on_looked, Qt.ConnectionType.QueuedConnection)

    def begin(self) -> None:
        """The image is being read."""
        self._go_on(Notice(tr(READING), busy=True))
        self._moment.start()

    def look(self, step: int, count: int) -> None:
        """The model is at this step, from 1, of so many; may be called on any thread."""
        self._looked.emit(step, count)

    def end(self) -> None:
        """The image is ready, or will not be."""
        self._moment.stop()
        if self._bar.notice is self._stage:
            self._bar.show_notice(None)
        self._stage = None

    def _on_looked(self, step: int, count: int) -> None:
        if self._stage is not None:
            text = tr(_LOOKING, step=step, count=count)
            self._go_on(Notice(text, busy=True, done=(step - 1) / count))

    def _go_on(self, stage: Notice) -> None:
        was_shown = self._stage is not None and self._bar.notice is self._stage
        self._stage = stage
        if was_shown:
            self._bar.show_notice(stage)

    def _show(self) -> None:
        if self._stage is not None and self._bar.notice is None:
            self._bar.show_notice(self._stage)
