"""A person at work on one project: the parts that answer mouse, keys and panel, put together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam_tune.core.rounds.runners import ProcessRunner
from napari_sam_tune.core.texts.wording import join_sentences, mark, tr
from napari_sam_tune.ui.canvas.gestures import Gestures
from napari_sam_tune.ui.canvas.keys import KeyMap
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.work.accepted import Accepted
from napari_sam_tune.ui.work.annotating import Annotating
from napari_sam_tune.ui.work.carrying import CarryingOn
from napari_sam_tune.ui.work.counting import Counting
from napari_sam_tune.ui.work.fine_tuning import FineTuning
from napari_sam_tune.ui.work.following import Following
from napari_sam_tune.ui.work.listing import Listing
from napari_sam_tune.ui.work.looking_again import LookingAgain
from napari_sam_tune.ui.work.opening import Opening
from napari_sam_tune.ui.work.others import Others
from napari_sam_tune.ui.work.preview import Preview
from napari_sam_tune.ui.work.reviewing import Reviewing
from napari_sam_tune.ui.work.seeing import Seeing
from napari_sam_tune.ui.work.selecting import Selecting
from napari_sam_tune.ui.work.serving import Serving
from napari_sam_tune.ui.work.sharing import Sharing
from napari_sam_tune.ui.work.stack_axes import StackAxes
from napari_sam_tune.ui.work.suggesting import Suggesting

if TYPE_CHECKING:
    from napari.utils.events import Event

    from napari_sam_tune.ui.preferences import PreferencesSource
    from napari_sam_tune.ui.work.workplace import Workplace

_CONNECTED = mark(
    "Connected parts only: what no click, box or paint touches is left out of answers."
)
_ALL_PARTS = mark("All parts of an answer are shown, also those that nobody clicked.")


class Work(QObject):
    """Lives as long as a project is open in the dock.

    Args:
        place: viewer, panel, session, queue.
        preferences: where the person's settings are read and watched.

    Attributes:
        place: the same.
        opening, selecting, accepted, annotating, reviewing, looking_again, listing,
            counting, suggesting, carrying, fine_tuning, preview, seeing, serving,
            others, sharing: the parts.
        image_removed: emitted when the person took the open image off the viewer.

    """

    image_removed = Signal()

    def __init__(
        self, place: Workplace, preferences: PreferencesSource, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.place, self._preferences = place, preferences
        place.session.project.look_once_a_turn(partial(QTimer.singleShot, 0))
        self._is_closed = False
        self.opening = Opening(place, self)
        self.selecting = Selecting(place, self.opening, self)
        self.accepted = Accepted(place, self.opening, self.selecting, self)
        self.annotating = Annotating(place, self.opening, self)
        self.reviewing = Reviewing(place, self.opening, self.selecting, self)
        self.looking_again = LookingAgain(place, self.opening, self.selecting, self)
        self.listing = Listing(
            place, self.opening, self.annotating, self.selecting, self.looking_again, self
        )
        self.counting = Counting(place, self)
        self.suggesting = Suggesting(place, self.opening, self)
        self.stack_axes = StackAxes(place, self.opening, self)
        self.carrying = CarryingOn(
            place, self.opening, self.annotating, self.selecting, self.stack_axes, self
        )
        self.fine_tuning = FineTuning(place, self.annotating, self)
        self.preview = Preview(place, self.opening, self.annotating, self)
        self.seeing = Seeing(place, self.opening, self)
        self.following = Following(place, self.opening, self)
        self.serving = Serving(place, self)
        self.others = Others(place, self)
        self.sharing = Sharing(place, self.others.show, self)
        self._gestures = Gestures(
            self.annotating,
            self.annotating.drawing,
            self.annotating.is_prompting,
            self.selecting.select_at,
        )
        actions = {
            **self.annotating.actions,
            **self.accepted.actions,
            **self.suggesting.actions,
            **self.carrying.actions,
            **self.listing.actions,
            **self.reviewing.actions,
            **self.looking_again.actions,
            **self.seeing.actions,
            "fine_tune": self.fine_tuning.start,
            "connected": self._switch_connected_parts,
            "leave": self._leave_modes,
        }
        self._keys = KeyMap(place.viewer, actions, self.seeing.held, self._on_pan_key)
        self._listen()
        self._follow_preferences()
        self.opening.open_current()

    def _listen(self) -> None:
        viewer = self.place.viewer
        viewer.mouse_drag_callbacks.append(self._gestures)
        # Two quick clicks are two prompts here, not napari's zoom.
        self._double_click = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_double_click_callbacks.clear()
        viewer.layers.events.removed.connect(self._on_layer_removed)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._on_layers_changed)
        self.opening.opened.connect(self._on_image_opened)
        self.opening.ready.connect(self._warm_worker)
        self.place.panel.learning.automatic_changed.connect(self._on_automatic_changed)
        self.place.panel.object.connected_chosen.connect(self._show_connected_parts)
        self._preferences.watch(self._on_preferences_changed)

    def close(self) -> None:
        """Give viewer and keys back, stop the round under way, close the session."""
        self._is_closed = True
        viewer = self.place.viewer
        self.place.inference.forget(*Kind)
        self._preferences.unwatch(self._on_preferences_changed)
        viewer.layers.events.removed.disconnect(self._on_layer_removed)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.disconnect(self._on_layers_changed)
        viewer.mouse_drag_callbacks.remove(self._gestures)
        viewer.mouse_double_click_callbacks.extend(self._double_click)
        self._keys.close()
        for part in (
            self.serving,
            self.sharing,
            self.others,
            self.listing,
            self.counting,
            self.reviewing,
            self.looking_again,
            self.selecting,
            self.following,
            self.seeing,
            self.preview,
            self.fine_tuning,
            self.carrying,
            self.suggesting,
            self.annotating,
            self.accepted,
            self.opening,
        ):
            part.close()
        self.place.session.close()
        self.deleteLater()

    def _on_image_opened(self, _: object) -> None:
        if self._keys.layers != self.place.layers.all_own:
            self._bind_keys()
        self._offer_adoption()

    def _bind_keys(self) -> None:
        place = self.place
        problems = self._keys.bind(place.preferences.keys, place.layers.all_own)
        place.panel.show_keys(self._keys.keys)
        if problems:
            place.panel.notice.show_notice(Notice(join_sentences(*problems), "warning"))

    def _on_pan_key(self, held: bool) -> None:
        self._gestures.is_panning = held

    def _leave_modes(self) -> None:
        self._gestures.is_dropped = True
        self.annotating.leave_modes()
        self.selecting.select(())

    def _warm_worker(self) -> None:
        runner = self.place.session.learner.runner
        if isinstance(runner, ProcessRunner) and runner.worker_pid is None:
            place = self.place
            place.inference.submit(Kind.LOAD, runner.warm, lambda _: None, place.complain)

    # ------------------------------------------------------------ preferences

    def _on_preferences_changed(self, _: Event | None = None) -> None:
        self.place.preferences = self._preferences.read()
        self._follow_preferences()

    def _follow_preferences(self) -> None:
        drag_draws_box = self.place.preferences.drag_draws_box
        self._gestures.drag_draws_box = drag_draws_box
        chain = self.place.session.chain
        chain.recalls = self.place.preferences.recall_masks
        chain.learns = self.place.preferences.learn_at_every_accept
        self._follow_connected_parts()
        self.place.panel.object.show_gestures(drag_draws_box=drag_draws_box)
        self._bind_keys()
        self.accepted.show()
        self.accepted.show_classes()
        self.fine_tuning.follow_preferences()

    def _follow_connected_parts(self) -> None:
        """Show connected parts alone, or all of an answer; the open object is answered anew."""
        chain, on = self.place.session.chain, self.place.preferences.connected_parts
        self.place.panel.object.show_connected(on)
        if chain.connects != on:
            chain.connects = on
            self.annotating.asking.ask_again()

    def _switch_connected_parts(self) -> None:
        self._show_connected_parts(not self.place.preferences.connected_parts)

    def _show_connected_parts(self, on: bool) -> None:
        self.place.touch()
        self.place.preferences = replace(self.place.preferences, connected_parts=on)
        self._preferences.save_connected_parts(on)
        self._follow_connected_parts()
        self.place.tell(tr(_CONNECTED if on else _ALL_PARTS))

    def _on_automatic_changed(self, automatic: bool, every: int) -> None:
        self.place.preferences = replace(
            self.place.preferences, automatic_rounds=automatic, masks_per_round=every
        )
        self._preferences.save_rounds(automatic, every)
        self.fine_tuning.follow_preferences()

    # ----------------------------------------------------- the viewer's layers

    def _on_layer_removed(self, event: Event) -> None:
        """A person may throw our layers away: they come back; without the image work ends."""
        layers = self.place.layers
        if not layers.is_expected(event.value):
            return
        is_image = event.value is layers.image

        def mend() -> None:
            if self._is_closed:
                return  # the viewer itself goes, with all its layers
            if is_image:
                self.image_removed.emit()
            else:
                self.opening.open_current()

        QTimer.singleShot(0, mend)

    def _on_layers_changed(self, _: Event) -> None:
        self._offer_adoption()
        self.annotating.refresh()  # what is covered cannot be accepted

    def _offer_adoption(self, _: Event | None = None) -> None:
        self.place.panel.object.show_adoptable([x.name for x in self.accepted.adoptable()])
