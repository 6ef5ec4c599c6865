"""Binds the pages of the masks and of the images: what they list, and what is done from there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.views.object_page import DOUBTED, HERE
from napari_sam_tune.ui.views.rows import no_thumbnail
from napari_sam_tune.ui.work.pictures import Pictures
from napari_sam_tune.ui.work.rows import Expected, rows_of_doubts, rows_of_images, rows_of_masks

if TYPE_CHECKING:
    from collections.abc import Callable

    from psygnal import SignalInstance

    from napari_sam_tune.ui.views.rows import ListRow
    from napari_sam_tune.ui.work.annotating import Annotating
    from napari_sam_tune.ui.work.looking_again import LookingAgain
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.selecting import Selecting
    from napari_sam_tune.ui.work.workplace import Workplace

_TOGETHER_MS = 60
"""Changes within so short a time are listed together."""
_NO_MASK_AT_ALL = mark("No mask is accepted yet.")
_NO_MASKS = {
    DOUBTED: mark("Nothing to look at again so far."),
    HERE: mark("No mask is accepted on this image yet."),
}


class Listing(QObject):
    """The two lists; rows are put together beside the viewer's thread, and only of a page in view.

    Attributes:
        actions: what can be done by key, by name.

    """

    def __init__(
        self,
        place: Workplace,
        opening: Opening,
        annotating: Annotating,
        selecting: Selecting,
        looking: LookingAgain,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._annotating, self._selecting, self._looking = annotating, selecting, looking
        self._masks, self._images = place.panel.masks, place.panel.images
        self._background = Background(self)
        self._pictures = Pictures(place, opening, self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TOGETHER_MS)
        self._soon.timeout.connect(self.refresh)
        self.actions: dict[str, Callable[[], None]] = {
            "reopen": partial(self._on_action, "reopen"),
            "delete": partial(self._on_action, "delete"),
        }
        self._listen()

    def _listen(self) -> None:
        panel, masks, images = self._place.panel, self._masks, self._images
        masks.view.thumbnail, images.view.thumbnail = (
            self._pictures.of_mask,
            self._pictures.of_image,
        )
        self._pictures.made.connect(self._on_thumbnail_made)
        panel.page_shown.connect(self._on_page_shown)
        masks.scope_chosen.connect(self.refresh)
        masks.view.selected.connect(self._selecting.select)
        masks.view.chosen.connect(self._selecting.go_to)
        masks.action.connect(self._on_action)
        images.view.chosen.connect(self._on_image_chosen)
        self._selecting.changed.connect(self._on_selection_changed)
        self._opening.opened.connect(self._on_image_opened)
        self._looking.changed.connect(self.refresh_soon)
        for signal in self._signals():
            signal.connect(self.refresh_soon)

    def close(self) -> None:
        """Stop listening and reading; nothing of the project stays in the lists and filters."""
        for signal in self._signals():
            signal.disconnect(self.refresh_soon)
        self._soon.stop()
        self._background.close()
        self._pictures.close()
        for page in (self._masks, self._images):
            page.list_all()
            page.show_rows(())
            page.view.thumbnail = no_thumbnail

    def _signals(self) -> tuple[SignalInstance, ...]:
        session = self._session
        return session.annotations_changed, session.classes_changed, session.reviews_changed

    # ---------------------------------------------------------------- showing

    def _on_page_shown(self) -> None:
        if self._place.panel.shown_page is not self._masks:
            self._selecting.keep_here()
        self.refresh()

    def refresh_soon(self, *_: object) -> None:
        """List anew in a moment: something has changed."""
        self._soon.start()

    def refresh(self, *_: object) -> None:
        """List what there is now, on the page that is in view."""
        project, page = self._session.project, self._place.panel.shown_page
        if page is self._images:
            review, images = self._session.review, self._place.queue.images

            def rows() -> list[ListRow]:
                return rows_of_images(project, images, Expected.of(review))

            self._submit("images", rows, self._on_image_rows)
        elif page is self._masks:
            self._masks.show_classes(project.classes())
            self._submit("masks", self._mask_rows(), self._on_mask_rows)

    def _mask_rows(self) -> Callable[[], list[ListRow]]:
        project, scope = self._session.project, self._masks.scope
        if scope == DOUBTED:
            return partial(rows_of_doubts, project, self._session.answerer.look_again)
        image_id = self._session.state.image_id
        if scope == HERE and image_id is None:
            return list
        return partial(rows_of_masks, project, image_id if scope == HERE else None)

    def _submit(
        self, name: str, work: Callable[[], object], done: Callable[[list[ListRow]], None]
    ) -> None:
        self._background.submit(name, work, done, self._place.complain)

    def _on_mask_rows(self, rows: list[ListRow]) -> None:
        empty = tr(_NO_MASKS.get(self._masks.scope, _NO_MASK_AT_ALL))
        self._masks.show_rows(rows, empty)
        self._masks.view.select(self._selecting.ids, scroll=False)
        self._looking.note_listed()
        self._masks.show_selected(self._selecting.ids)

    def _on_image_rows(self, rows: list[ListRow]) -> None:
        self._images.offer_labels(self._session.project.classes())
        self._images.show_rows(rows)
        if not self._images.view.selection:
            self._images.view.select((self._place.queue.current.id,))

    def _on_thumbnail_made(self, _: object) -> None:
        self._masks.view.viewport().update()
        self._images.view.viewport().update()

    # -------------------------------------------------------------- selecting

    def _on_selection_changed(self) -> None:
        self._masks.view.select(self._selecting.ids)
        self._masks.show_selected(self._selecting.ids)

    def _on_image_opened(self, _: object) -> None:
        self._images.view.select((self._place.queue.current.id,))
        self.refresh_soon()

    def _on_image_chosen(self, image_id: str) -> None:
        self._place.touch()
        if not self._annotating.asking.after_others(partial(self._on_image_chosen, image_id)):
            self._opening.open_by_id(image_id)

    # ----------------------------------------------------------------- acting

    def _on_action(self, action: str) -> None:
        """Correct or delete what is selected; else what is under the mouse or clicked next."""
        self._place.touch()
        ids = self._selecting.ids
        if action == "next_doubt":
            self._looking.actions[action]()
        elif not ids:
            self._annotating.actions[action]()
        elif action == "delete":
            self._delete(ids)
        elif len(ids) == 1:
            self._selecting.go_to(ids[0], partial(self._annotating.take, "reopen", ids[0]))
        else:
            self._place.tell(tr("Select one mask alone to correct it."))

    def _delete(self, ids: tuple[str, ...]) -> None:
        project, image_id = self._session.project, self._session.state.image_id
        if any(project.annotation(i).image_id != image_id for i in ids):
            if len(ids) > 1:
                self._place.tell(
                    tr("Masks are deleted on the image that is open. Select these alone.")
                )
                return
            self._selecting.go_to(ids[0], partial(self._delete, ids))
            return
        self._selecting.select(())
        self._annotating.take("delete", *ids)
