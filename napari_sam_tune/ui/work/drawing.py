"""Strokes along cracks and loops around objects: drawn with the mouse, found beside."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam_tune.core.answers.stroke import REACH
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.prompts import Stroke
    from napari_sam_tune.ui.work.asking import Asking
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace

# A hand is off by so many pixels of the screen, however small the image is shown.
_HAND = 3.0


class Drawing(QObject):
    """Takes what is drawn on the canvas to the mask of the object in progress.

    Attributes:
        is_on: a drag draws a stroke.

    """

    def __init__(self, place: Workplace, opening: Opening, asking: Asking, parent: QObject) -> None:
        super().__init__(parent)
        self._place, self._opening, self._asking = place, opening, asking
        self.is_on = False

    def on_path_drawing(self, path: Sequence[Sequence[float]]) -> None:
        """Show the stroke while it is drawn."""
        layers = self._place.layers
        layers.show_path(layers.path_through(path))

    def on_path(self, path: Sequence[Sequence[float]]) -> None:
        """Find what was drawn along, or around where the ends of the stroke meet."""
        place = self._place
        place.touch()
        place.layers.show_preview(None)
        image_id = place.session.state.image_id
        if not self._opening.require_seen(path[0]) or image_id is None:
            return
        try:
            (stroke,) = Prompt(strokes=(tuple(place.layers.path_through(path)),)).strokes
        except PromptError as error:
            place.complain(error)
            return
        reach = max(REACH, _HAND * place.layers.screen_pixel())
        self._asking.draw(stroke, partial(self._find, image_id, stroke, reach))

    def _find(self, image_id: str, stroke: Stroke, reach: float) -> PlacedMask:
        """Return the mask of a stroke; runs on the thread that owns the model."""
        session = self._place.session
        session.answerer.apply_swap()
        with session.learner.runner.stepping_aside():
            return session.answerer.draw(image_id, stroke, reach)
