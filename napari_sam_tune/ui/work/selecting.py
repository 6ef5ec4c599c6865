"""Which accepted masks are selected: in the list and on the canvas they are the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.selected import SelectedMasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace

_MOST_OUTLINED = 50
_BLINK_MS = 140
_BLINKS = 3


class Selecting(QObject):
    """The masks selected, their outlines on the canvas, and the way to them.

    As soon as an object is in progress nothing is selected: keys and clicks are for that one. Masks
    of other images are selected only as long as the list of them is in view.

    Attributes:
        ids: of the masks selected.
        crop_of: returns a mask cut to its box; whoever has it at hand may say so here.
        changed: emitted when others are.

    """

    changed = Signal()

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._outlines = SelectedMasks(place.layers)
        self.ids: tuple[str, ...] = ()
        self.crop_of: Callable[[Annotation], Mask] = lambda annotation: annotation.cropped_mask
        # what is to be shown once its image is open, and done then
        self._goal: tuple[str, Callable[[], None] | None] | None = None
        self._soon = QTimer(self)  # in a turn of its own: to show an image takes one already
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._reach_goal)
        self._blinks_left = 0
        self._blink = QTimer(self)
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._on_blink)
        opening.leaving.connect(self._on_image_left)
        opening.opened.connect(self._on_image_opened)
        self._session.object_changed.connect(self._on_session_object_changed)

    def close(self) -> None:
        """Stop listening; take the outlines off the canvas."""
        self._blink.stop()
        self._soon.stop()
        self._session.object_changed.disconnect(self._on_session_object_changed)

    def select(self, ids: Iterable[str]) -> None:
        """Select these masks and no others."""
        wanted = tuple(ids)
        if wanted == self.ids:
            return
        self.ids = wanted
        self.show()
        self.changed.emit()

    def select_at(self, world: Sequence[float]) -> None:
        """Select the mask at a place on the canvas, or none."""
        self._place.touch()
        found = self._place.layers.id_at(world) if self._place.layers.is_open else None
        self.select(() if found is None else (found,))

    def go_to(self, annotation_id: str, then: Callable[[], None] | None = None) -> None:
        """Open a mask's image if it is not open, and show the mask.

        Args:
            annotation_id: of the mask.
            then: what is to be done there; not where another image is opened meanwhile.

        """
        project = self._session.project
        image_id = project.annotation(annotation_id).image_id
        if image_id == self._session.state.image_id and self._opening.is_shown:
            self._goal = None
            self._arrive(annotation_id, then)
        elif self._place.queue.find(image_id) is None:
            self._place.tell(
                tr("{image_id} is not among the images opened here.", image_id=image_id)
            )
        else:
            self._opening.open_by_id(image_id)
            self._goal = annotation_id, then

    def keep_here(self) -> None:
        """Of the masks selected, select only those that can be seen on the canvas."""
        here = {annotation.id for annotation in self._here()}
        self.select(i for i in self.ids if i in here)

    def show(self) -> None:
        """Outline the masks selected that are on the open image."""
        if self._place.layers.is_open:
            shown = self._here()[:_MOST_OUTLINED]
            self._outlines.show([(self.crop_of(a), a.bbox) for a in shown])

    def _here(self) -> list[Annotation]:
        image_id, wanted = self._session.state.image_id, set(self.ids)
        if image_id is None or not wanted:
            return []
        return [a for a in self._session.project.annotations(image_id) if a.id in wanted]

    def _on_image_left(self) -> None:
        self._goal = None

    def _on_image_opened(self, _: object) -> None:
        if self._goal is not None:
            self._soon.start()
            return
        self.keep_here()
        self.show()

    def _reach_goal(self) -> None:
        goal, self._goal = self._goal, None
        if goal is not None:
            self._arrive(*goal)

    def _arrive(self, annotation_id: str, then: Callable[[], None] | None) -> None:
        annotation = self._session.project.annotation(annotation_id)
        if annotation.image_id != self._session.state.image_id:
            return
        if self.ids == (annotation_id,):
            self.show()
        self.select((annotation_id,))
        self._outlines.look_at(annotation.bbox)
        self._blinks_left = 2 * _BLINKS
        self._blink.start()
        if then is not None:
            then()

    def _on_blink(self) -> None:
        self._blinks_left -= 1
        self._outlines.mark(visible=self._blinks_left % 2 == 0)
        if self._blinks_left <= 0:
            self._blink.stop()

    def _on_session_object_changed(self, current: OpenObject) -> None:
        if not current.is_empty:
            self.select(())
