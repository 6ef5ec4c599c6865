"""The projects labelled last: remembered while one is open, and offered where none is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from time import time
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer
from qtpy.QtGui import QImage

from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.recent import (
    Recent,
    forget_recent,
    load_recent,
    save_picture,
    save_recent,
)
from napari_sam_tune.ui.servers import PREFIX

if TYPE_CHECKING:
    from napari_sam_tune.ui.views.start import Choices, StartView
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.work import Work

MOMENT_MS = 400
"""What takes longer than this is said to be going on."""


class GoingOn(QObject):
    """Fills the list on the start view; the disk is asked beside the viewer's thread.

    Args:
        view: has the list.
        parent: whoever owns it.

    """

    def __init__(self, view: StartView, parent: QObject) -> None:
        super().__init__(parent)
        self._view, self._background = view, Background(self)
        self._now: tuple[Work, Recent] | None = None
        self._moment = QTimer(self)
        self._moment.setSingleShot(True)
        self._moment.timeout.connect(partial(view.show_reading, True))
        view.recent_forgotten.connect(self._on_forgotten)

    def show(self) -> None:
        """Offer what was labelled last."""
        self._moment.start(MOMENT_MS)
        self._background.submit("load", _load_with_pictures, self._on_loaded, self._on_not_loaded)

    def _on_loaded(self, recent: list[tuple[Recent, QImage]]) -> None:
        self._on_not_loaded()
        self._view.show_recent(recent)

    def _on_not_loaded(self, _: object = None) -> None:
        self._moment.stop()
        self._view.show_reading(False)

    def follow(self, work: Work, choices: Choices) -> None:
        """Remember a project that was opened just now."""
        project, folder = work.place.session.project, work.place.queue.folder
        self._now = work, Recent(project.path, folder, choices.model, choices.device)
        self._remember()
        work.opening.opened.connect(self._on_opened)

    def leave(self) -> None:
        """Remember how much there is in a project that is being closed."""
        self._remember()
        self._now = None

    def close(self) -> None:
        """Offer nothing any more."""
        self._moment.stop()
        self._background.close()

    def _remember(self) -> None:
        if self._now is not None:
            work, recent = self._now
            connection = work.place.connection
            if connection is not None:  # it may have been given anew meanwhile
                recent = replace(recent, device=PREFIX + connection.address)
            masks = len(work.place.session.project.annotations())
            save_recent(replace(recent, masks=masks, when=time()))

    def _on_opened(self, read: ReadImage) -> None:
        if self._now is not None:
            picture = partial(save_picture, self._now[1], read.pixels)
            self._background.submit("picture", picture, _pass_over, _pass_over)

    def _on_forgotten(self, recent: Recent) -> None:
        forget_recent(recent)
        self.show()


def _load_with_pictures() -> list[tuple[Recent, QImage]]:
    """Return the projects, each with its thumbnail, which is null where there is none."""
    return [(recent, QImage(str(recent.picture))) for recent in load_recent()]


def _pass_over(_: object) -> None:
    """A convenience only: that there is no list, or no picture in it, bothers nobody."""
