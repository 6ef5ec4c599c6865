"""Masks that somebody else accepts in the same project come into view without opening it anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer

from napari_sam_tune.ui.background import Background

if TYPE_CHECKING:
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.ui.work.workplace import Workplace

LOOK_MS: Final = 2000
"""Between two looks at what others have written."""


class Others(QObject):
    """Looks for what other programs wrote into the project, beside the viewer's thread."""

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = place.session
        self._background = Background(self)
        self._seen: tuple[object, ...] | None = None
        self._session.annotations_changed.connect(self._on_own_change)
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self._look)
        self._looking.start()

    def close(self) -> None:
        """Look no more."""
        self._looking.stop()
        self._session.annotations_changed.disconnect(self._on_own_change)
        self._background.close()

    def _on_own_change(self, _: str) -> None:
        self._seen = None  # what follows from it is shown already

    def show(self) -> None:
        """Show what has come, as it is known that something has."""
        if (image_id := self._session.state.image_id) is not None:
            self._session.annotations_changed.emit(image_id)

    def _look(self) -> None:
        look = partial(_state_of, self._session.project)
        self._background.submit("look", look, self._on_looked, _pass_over)

    def _on_looked(self, state: tuple[object, ...]) -> None:
        before, self._seen = self._seen, state
        image_id = self._session.state.image_id
        if before not in {None, state} and image_id is not None:
            self._session.annotations_changed.emit(image_id)
            self._seen = state


def _state_of(project: Project) -> tuple[object, ...]:
    """Return what changes whenever masks of the project do."""
    living = project.annotations()
    return len(living), living[-1].id if living else None


def _pass_over(_: Exception) -> None:
    """A project that cannot be read just now is looked at again; whoever works in it is told."""
