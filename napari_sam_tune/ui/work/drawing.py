"""Strokes along cracks and loops around objects: drawn with the mouse, found beside."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject

from napari_sam_tune.core.answers.stroke import REACH, encloses, inside, snap
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.prompts import Prompt, ProposalRequest
from napari_sam_tune.core.wording import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Point
    from napari_sam_tune.ui.work.asking import Asking
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
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
        self._pixels: NDArray[np.generic] | None = None
        self.is_on = False
        opening.leaving.connect(self._on_leaving)
        opening.opened.connect(self._on_opened)

    def _on_leaving(self) -> None:
        self._pixels = None

    def _on_opened(self, read: ReadImage) -> None:
        self._pixels = read.pixels

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
        if not self._opening.require_seen(path[0]) or image_id is None or self._pixels is None:
            return
        drawn = place.layers.path_through(path)
        if encloses(drawn):
            self._asking.draw(partial(self._inside, image_id, drawn))
        else:
            reach = max(REACH, _HAND * place.layers.screen_pixel())
            self._asking.draw(partial(snap, self._pixels, drawn, reach))

    def _inside(self, image_id: str, loop: Sequence[Point]) -> Mask:
        """Return the object within a loop; runs on the thread that owns the model."""
        x, y = np.array(loop).T
        box = float(x.min()), float(y.min()), float(x.max()), float(y.max())
        session, shape = self._place.session, self._place.layers.shape
        session.answerer.apply_swap()
        with session.learner.runner.stepping_aside():
            request = ProposalRequest(image_id, 0, Prompt(box=box).clipped(shape), None)
            proposal = session.answerer.answer(request)
            proposal = session.answerer.look_closer(proposal) or proposal
        mask: Mask = proposal.mask & inside(loop, shape)
        if not mask.any():
            raise PromptError(tr("The model found nothing within the loop: click on the object."))
        return mask
