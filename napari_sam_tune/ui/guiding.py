"""The page of the keys and the tour: how a person finds out what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.keys import KEY_TITLES
from napari_sam_tune.ui.queue import SAMPLE_IMAGES
from napari_sam_tune.ui.views.keys_dialog import KeysDialog
from napari_sam_tune.ui.work.tour import Tour

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.ui.preferences import PreferencesSource
    from napari_sam_tune.ui.views.panel import Panel
    from napari_sam_tune.ui.work.work import Work


class Guiding(QObject):
    """Shows the keys when asked, offers the tour once, and takes a person through it.

    Args:
        panel: the dock.
        preferences: say whether the tour was offered before, and what the keys do.
        open_samples: closes what is open, all of which is saved, and opens the sample images.
        parent: whoever owns it.

    """

    def __init__(
        self,
        panel: Panel,
        preferences: PreferencesSource,
        open_samples: Callable[[], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._panel, self._card, self._preferences = panel, panel.tour, preferences
        self._open_samples = open_samples
        self._tour: Tour | None = None
        self._is_tour_wanted = self._is_aside = False
        self._panel.keys_asked.connect(self.show_keys)
        # napari binds no "?", which is another key on every keyboard, some with Shift; Qt knows it
        # by what it writes
        for key in ("?", "Shift+?"):
            QShortcut(QKeySequence(key), self._panel).activated.connect(self.show_keys)
        self._card.taken.connect(self.take_tour)
        self._card.left.connect(self._card.hide)
        if preferences.read().offer_tour:
            self._card.show_offer()
            preferences.save_tour_offered()

    def show_keys(self) -> None:
        """Open the page of the keys."""
        for shown in self._panel.findChildren(KeysDialog):
            shown.close()
        dialog = KeysDialog(
            {action: tr(title) for action, title in KEY_TITLES.items()},
            self._panel.keys,
            drag_draws_box=self._preferences.read().drag_draws_box,
            parent=self._panel,
        )
        dialog.tour_asked.connect(self.take_tour)
        dialog.show()

    def take_tour(self) -> None:
        """Open the samples and begin."""
        self._card.hide()
        self._is_tour_wanted = True
        self._open_samples()

    def step_aside(self) -> None:
        """Hide the card while something is being opened."""
        self._is_aside = not self._card.isHidden()
        self._card.hide()

    def come_back(self) -> None:
        """Show the card as it was: nothing was opened."""
        if self._is_aside:
            self._card.show()

    def stop(self) -> None:
        """End the tour: its project is being closed."""
        if self._tour is not None:
            self._tour.end()

    def follow(self, work: Work) -> None:
        """A project was opened: begin the tour there if that is what it was opened for."""
        self._card.hide()
        is_wanted, self._is_tour_wanted = self._is_tour_wanted, False
        first = work.place.queue.images[0].path
        if not is_wanted or first is None or first.parent != SAMPLE_IMAGES:
            return  # the samples could not be opened, and something else was instead
        work.opening.open_by_id(work.place.queue.images[0].id)
        self._tour = Tour(work, self._card)
        self._tour.ended.connect(self._on_tour_ended)

    def _on_tour_ended(self) -> None:
        self._tour = None
