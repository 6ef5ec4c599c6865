"""The page of the keys and the tour: how a person finds out what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_sam_tune.ui.views.keys_dialog import KeysDialog
from napari_sam_tune.ui.work.tour import Tour

if TYPE_CHECKING:
    from napari_sam_tune.ui.controller import Controller
    from napari_sam_tune.ui.preferences import PreferencesSource
    from napari_sam_tune.ui.work.work import Work


class Guiding(QObject):
    """Shows the keys when asked, offers the tour once, and takes a person through it.

    Args:
        controller: opens the samples for the tour.
        preferences: say whether the tour was offered before, and what the keys do.

    """

    def __init__(self, controller: Controller, preferences: PreferencesSource) -> None:
        super().__init__(controller)
        self._controller, self._preferences = controller, preferences
        self._panel, self._card = controller.panel, controller.panel.tour
        self._tour: Tour | None = None
        self._is_tour_wanted = False
        self._panel.keys_asked.connect(self.show_keys)
        # napari binds no "?", which is another key on every keyboard; Qt knows it by what it writes
        QShortcut(QKeySequence("?"), self._panel).activated.connect(self.show_keys)
        self._card.taken.connect(self.take_tour)
        self._card.left.connect(self._card.hide)
        controller.opened.connect(self._on_work_opened)
        if preferences.read().offer_tour:
            self._card.show_offer()
            preferences.save_tour_offered()

    def show_keys(self) -> None:
        """Open the page of the keys."""
        dialog = KeysDialog(
            self._preferences.key_titles(),
            self._panel.keys,
            drag_draws_box=self._preferences.read().drag_draws_box,
            parent=self._panel,
        )
        dialog.tour_asked.connect(self.take_tour)
        dialog.show()

    def take_tour(self) -> None:
        """Open the samples and begin; what is open now is closed, as all of it is saved."""
        self._card.hide()
        self._is_tour_wanted = True
        self._controller.leave()
        self._controller.open_samples()

    def stop(self) -> None:
        """End the tour: its project is being closed."""
        if self._tour is not None:
            self._tour.end()

    def _on_work_opened(self, work: Work) -> None:
        self._card.hide()
        if not self._is_tour_wanted:
            return
        self._is_tour_wanted = False
        work.opening.open_by_id(work.place.queue.images[0].id)
        self._tour = Tour(work, self._card)
        self._tour.ended.connect(self._on_tour_ended)

    def _on_tour_ended(self) -> None:
        self._tour = None
