"""Binds the suggestions: asked for here, found on the inference thread, shown as proposals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QObject, Qt, Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.canvas.view import bring_into_view
from napari_sam_tune.ui.inference import Interrupted, Kind
from napari_sam_tune.ui.views.suggestion_view import SuggestionSnapshot
from napari_sam_tune.ui.work.surveying import Surveying
from napari_sam_tune.ui.work.training_head import TrainingHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.core.suggestions.scan import ScanProgress
    from napari_sam_tune.core.suggestions.suggestion import Suggestion, SuggestionKind
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace


class Suggesting(QObject):
    """Looks for objects on every image that is opened, while the person wants that.

    Attributes:
        actions: what can be done by key, by name.

    """

    _weights_changed = Signal()
    _learnt_changed = Signal()

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._view = place.panel.suggestions
        self._is_wanted = self._is_looking = self._is_closed = False
        # asked once an image is ready: what is recalled belongs to the inference thread
        self._knows_part = self._has_masks = False
        self._in_front: Suggestion | None = None  # as it was made
        self._surveying = Surveying(place, opening, self)
        self._training = TrainingHead(place, self)
        self._training.trained.connect(self._on_trained)
        self.actions: dict[str, Callable[[], None]] = {
            "propose": self._toggle,
            "find_similar": self._toggle_similar,
            **self._surveying.actions,
        }
        opening.leaving.connect(self._on_leaving)
        opening.ready.connect(self._on_ready)
        self._view.action.connect(self._on_view_action)
        self._view.kind_chosen.connect(self._on_kind_chosen)
        self._view.order_chosen.connect(self._on_order_chosen)
        self._session.object_changed.connect(self._on_object_changed)
        self._session.annotations_changed.connect(self._offer_labels)
        self._session.classes_changed.connect(self._offer_labels)
        self._session.state.events.weights_version.connect(self._tell_weights)
        self._session.state.events.learnt.connect(self._tell_learnt)
        self._weights_changed.connect(self._look, Qt.ConnectionType.QueuedConnection)
        self._learnt_changed.connect(self._on_learnt, Qt.ConnectionType.QueuedConnection)
        self._offer_labels()
        self.refresh()

    def close(self) -> None:
        """Stop listening."""
        self._is_closed = True
        self._training.close()
        self._session.object_changed.disconnect(self._on_object_changed)
        self._session.annotations_changed.disconnect(self._offer_labels)
        self._session.classes_changed.disconnect(self._offer_labels)
        self._session.state.events.weights_version.disconnect(self._tell_weights)
        self._session.state.events.learnt.disconnect(self._tell_learnt)

    def _tell_weights(self, _: object) -> None:
        """New weights may come into use on a round's thread."""
        self._weights_changed.emit()

    def _tell_learnt(self, _: object) -> None:
        """What is learnt at an accept is learnt on the model's thread."""
        self._learnt_changed.emit()

    def _on_learnt(self) -> None:
        if not (self._is_closed or self._is_wanted):
            self.refresh()  # all like what was accepted can be found from some masks on

    def _on_view_action(self, action: str) -> None:
        self.actions[action]()

    def _on_kind_chosen(self) -> None:
        if self._view.kind != "similar":
            self._surveying.stop()
        self._training.refresh()
        self._look()
        self.refresh()

    def _on_trained(self) -> None:
        if self._view.kind == "head":
            self._look()

    def _offer_labels(self, *_: object) -> None:
        labels = {annotation.label for annotation in self._session.project.annotations()}
        self._has_masks = bool(labels)
        self._view.offer_labels(sorted(labels))
        self._place.panel.show_exportable(self._has_masks)

    def _toggle(self) -> None:
        self._place.touch()
        self._place.settle()
        self._is_wanted = not self._is_wanted
        self._place.panel.show_review()
        if self._is_wanted:
            self._look()
        else:
            self._stop()

    def _toggle_similar(self) -> None:
        """Find all like what was accepted, whatever proposed before; or stop that."""
        if self._is_wanted and self._view.kind != "similar":
            self._place.touch()
            self._view.choose_kind("similar")
            return
        if not self._is_wanted:
            self._view.choose_kind("similar")
        self._toggle()

    def _stop(self) -> None:
        self._is_wanted = self._is_looking = False
        self._surveying.stop()
        self._place.inference.forget(Kind.SUGGEST)
        self._session.stop_suggesting()
        self.refresh()

    def _on_ready(self) -> None:
        image_id = self._session.state.image_id
        is_done = image_id is not None and self._session.project.is_done(image_id)
        self._knows_part = self._session.review.knows_part and not is_done
        if not self._is_wanted:
            self._view.offer_kind(self._most_promising())
        self._training.refresh()
        self._look()
        self.refresh()

    def _most_promising(self) -> SuggestionKind:
        """Return what a person who has not chosen would like to propose."""
        if self._knows_part:
            return "recalled"
        if self._session.review.has_head:
            return "head"
        learnt = self._session.state.learnt
        return "similar" if learnt is not None and learnt.judged else "everything"

    def _on_leaving(self) -> None:
        self._is_looking = self._knows_part = False
        self._in_front = None
        self._place.inference.forget(Kind.SUGGEST)

    def _on_order_chosen(self, surest_first: bool) -> None:
        self._place.touch()
        self._session.suggested.order(surest_first=surest_first)

    # ---------------------------------------------------------------- looking

    def _look(self) -> None:
        """Look for objects on the open image, again if that was done before."""
        image_id = self._session.state.image_id
        if self._is_closed or not self._is_wanted or image_id is None or not self._opening.is_ready:
            return
        self._is_looking = True
        kind, label = cast("SuggestionKind", self._view.kind), self._view.label
        self._place.inference.submit(
            Kind.SUGGEST,
            partial(self._find_on_thread, kind, image_id, label),
            partial(self._on_found, kind, image_id, label),
            self._on_failed,
        )
        self.refresh()

    def _find_on_thread(
        self, kind: SuggestionKind, image_id: str, label: str | None
    ) -> list[Suggestion]:
        self._session.answerer.apply_swap()
        with self._session.learner.runner.stepping_aside():
            give_way = self._place.inference.give_way
            return self._session.review.find(
                kind, image_id, give_way, label, seconds=_SECONDS_OF_SEARCH
            )

    def _on_found(
        self, kind: SuggestionKind, image_id: str, label: str | None, found: list[Suggestion]
    ) -> None:
        self._is_looking = False
        self._session.suggested.receive(kind, image_id, found)
        if self._session.review.scanning(image_id) is not None:
            self._look()
            return
        if kind == "recalled" and not found:
            self._knows_part = False  # it is not promised again
        if kind == "similar":
            self._surveying.look_through(label)
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, Interrupted):
            self._look()
            return
        self._stop()
        self._place.complain(error)

    # ---------------------------------------------------------------- showing

    def _on_object_changed(self, current: OpenObject) -> None:
        """Let a suggestion be seen when it comes, wherever the person looked before."""
        before, layers = self._in_front, self._place.layers
        self._in_front = current.suggestion if current.is_suggestion else None
        if self._in_front not in (None, before) and layers.is_open:
            bring_into_view(self._place.viewer, layers.image, self._in_front.bbox)
        self.refresh()

    @property
    def _has_enough(self) -> bool:
        """Whether so much was learnt that what looks like it can be found, as far as is known."""
        learnt = self._session.state.learnt
        return learnt is None or learnt.images >= LEAST_IMAGES

    def refresh(self, *_: object) -> None:
        """Show where the review is."""
        if self._is_wanted:
            shown = self._snapshot()
        else:
            brings_back = self._knows_part and self._view.kind == "recalled"
            shown = SuggestionSnapshot(
                tr(_KNOWN_PART if brings_back else _INVITATION),
                has_image=self._opening.is_ready,
                has_masks=self._has_masks,
                least_images=0 if self._has_enough else LEAST_IMAGES,
            )
        self._view.show_suggestions(shown)
        self._surveying.refresh()

    def _snapshot(self) -> SuggestionSnapshot:
        session, image_id = self._session, self._session.state.image_id
        scan = None if image_id is None else session.review.scanning(image_id)
        is_first = self._is_looking and (scan is None or session.open_object.suggestion is None)
        if image_id is None or is_first or not self._opening.is_ready:
            return SuggestionSnapshot(_looking(scan), reviewing=True)
        progress = session.review.progress(image_id)
        suggestion = session.open_object.suggestion
        if suggestion is not None:
            counter = tr("{position} of {count}", position=progress.position, count=progress.count)
            label = suggestion.label
            what = tr("an object") if label is None else tr("“{name}”", name=label)
            sentence = tr(
                "The model is {sure:.0%} sure that this is {what}.",
                sure=1 - suggestion.uncertainty,
                what=what,
            )
            if suggestion.source == "similar":
                sentence = tr("This looks like {what} that you accepted.", what=what)
            if suggestion.source == "recalled":
                sentence = tr(
                    "This was accepted as {what} on another photograph of the part.", what=what
                )
            return SuggestionSnapshot(sentence, counter, reviewing=True)
        if progress.position:
            left = progress.count - progress.position + 1
            return SuggestionSnapshot(
                tr("{left} more after this object.", left=left), reviewing=True
            )
        return SuggestionSnapshot(self._nothing_left(image_id, progress.count), reviewing=True)

    def _nothing_left(self, image_id: str, count: int) -> str:
        try:
            is_empty = self._session.project.is_empty(image_id)
        except SamTuneError:
            is_empty = False  # what is wrong with the project is said where it is opened
        if self._session.review.queue(image_id).held_back:
            return tr(
                "Most finds were wrong, so only surer ones are shown. Stop and find anew for all."
            )
        if is_empty:
            return tr("This image is marked as having no defect: nothing is proposed.")
        if count:
            return tr("All looked at. Click what was missed, or go to the next image.")
        if self._view.kind == "recalled":
            return tr(
                "No mask of this part fits here: it looks or lies otherwise. Click on a defect."
            )
        if self._view.kind == "similar":
            return tr("Nothing like the accepted masks was found here. Go to the next image.")
        return tr("Nothing was found here. Click on a defect, or try another choice.")


def _looking(scan: ScanProgress | None) -> str:
    if scan is None:
        return tr("Looking for objects…")
    return tr(
        "Looking for objects… {done:,} of {total:,} parts of the image are looked through.",
        done=scan.done,
        total=scan.total,
    )


_SECONDS_OF_SEARCH = 4.0
"""What is found in a large image is shown every so often."""
_INVITATION = mark("Let the model look for objects itself; you accept or reject each.")
_KNOWN_PART = mark("You labelled this part on another photograph: “Propose” looks for its masks.")
