"""The mask a click would give, under the resting mouse; only where the model answers fast."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.ui.inference import Kind

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.prompts import Point
    from napari_sam_tune.ui.work.annotating import Annotating
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace

# Slower than this, several times in a row, and it lags behind the hand: off until the next image.
_SLOWEST_SECONDS, _SLOW_ANSWERS = 0.15, 3


class Preview(QObject):
    """A mouse callback for `viewer.mouse_move_callbacks`, while the preference is on."""

    def __init__(
        self,
        place: Workplace,
        opening: Opening,
        annotating: Annotating,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._place, self._opening, self._annotating = place, opening, annotating
        self._slow_answers = 0
        opening.opened.connect(self._on_image_opened)
        place.viewer.mouse_move_callbacks.append(self._on_mouse_moved)
        place.session.object_changed.connect(self.clear)

    def close(self) -> None:
        """Stop following the mouse."""
        self._place.session.object_changed.disconnect(self.clear)
        self._place.viewer.mouse_move_callbacks.remove(self._on_mouse_moved)

    def clear(self, *_: object) -> None:
        """Take the preview down; there is something better to show."""
        self._place.inference.forget(Kind.PREVIEW)
        self._place.layers.show_preview(None)

    def _on_image_opened(self, _: object) -> None:
        self._slow_answers = 0

    def _on_mouse_moved(self, _: ViewerModel, event: Any) -> None:
        place = self._place
        wanted = place.preferences.preview_on_hover and self._slow_answers < _SLOW_ANSWERS
        free = self._opening.is_ready and place.session.open_object.is_empty
        if not (wanted and free and self._annotating.is_prompting()):
            return
        xy = place.layers.xy_at(event.position)
        if xy is None:
            self.clear()
            return
        image_id = place.session.state.image_id
        work = partial(self._propose_on_thread, image_id, xy)
        place.inference.submit(Kind.PREVIEW, work, self._on_proposed, self._on_failed)

    def _propose_on_thread(
        self, image_id: str | None, xy: Point
    ) -> tuple[PlacedMask | None, float]:
        answerer = self._place.session.answerer
        if answerer.open_id != image_id:
            return None, 0.0
        start = perf_counter()
        proposal = answerer.ask(Prompt(points=(xy,), labels=(1,)))
        return proposal.placed, perf_counter() - start

    def _on_proposed(self, answer: tuple[PlacedMask | None, float]) -> None:
        mask, seconds = answer
        self._slow_answers = self._slow_answers + 1 if seconds > _SLOWEST_SECONDS else 0
        if self._place.session.open_object.is_empty:
            self._place.layers.show_preview(mask if self._slow_answers < _SLOW_ANSWERS else None)

    def _on_failed(self, _: Exception) -> None:
        # The same error comes with a click, and is said then.
        self._slow_answers = _SLOW_ANSWERS
