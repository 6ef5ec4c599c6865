"""Masks that somebody else accepts in the same project come into view without opening it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.ui.background import Background

if TYPE_CHECKING:
    from napari_sam_tune.ui.work.workplace import Workplace

LOOK_MS: Final = 2000
"""Between two looks at what others have written."""
_FIRST: Final = 1
"""Priority of a listener that is called before those that draw."""


class Others(QObject):
    """Looks for what other programs wrote into the project, beside the viewer's thread."""

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = place.session
        self._background = Background(self)
        self._shown: tuple[int, int, int] | None = None
        self._session.annotations_changed.connect(self._on_change, priority=_FIRST)
        self._on_change()  # nothing is drawn yet
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self._look)
        self._looking.start()

    def close(self) -> None:
        """Look no more."""
        self._looking.stop()
        self._session.annotations_changed.disconnect(self._on_change)
        self._background.close()

    def _on_change(self, *_: object) -> None:
        """Note what there is before it is drawn: what comes from now on may be missing there."""
        try:
            self._shown = self._session.project.masks_as_of_now()
        except SamTuneError:  # whoever draws it is told
            self._shown = None

    def show(self) -> None:
        """Show what has come, as it is known that something has."""
        if (image_id := self._session.state.image_id) is not None:
            self._session.annotations_changed.emit(image_id)

    def _look(self) -> None:
        look = self._session.project.masks_as_of_now
        self._background.submit("look", look, self._on_looked, _pass_over)

    def _on_looked(self, there: tuple[int, int, int]) -> None:
        if there != self._shown:
            self.show()


def _pass_over(_: Exception) -> None:
    """A project that cannot be read just now is looked at again; whoever works in it is told."""
