"""Suggestions as objects in progress: one is shown after the other, until each has its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.state import SessionState
    from napari_sam_tune.core.suggestions.review import Review
    from napari_sam_tune.core.suggestions.suggestion import Suggestion, SuggestionKind


class Suggested:
    """Brings what waits in the review before the person, on the open image.

    Args:
        state: the session's.
        review: where suggestions wait.
        objects: what is worked at.

    """

    def __init__(self, state: SessionState, review: Review, objects: Objects) -> None:
        self._state, self._review, self._objects = state, review, objects

    def receive(self, kind: SuggestionKind, image_id: str, found: Iterable[Suggestion]) -> None:
        """Take what was found on an image, and show the first of it.

        An object the person has begun stays in front; the suggestions come after it.
        """
        self._review.take(kind, image_id, found)
        self.show_new(image_id)

    def order(self, *, surest_first: bool) -> None:
        """Ask about the surest suggestion first, or about the most uncertain."""
        self._review.surest_first = surest_first
        if self._state.image_id is not None:
            self._show_next()

    def show_new(self, image_id: str) -> None:
        """Show what waits first on an image, where that is the open one, by now."""
        if image_id != self._state.image_id:
            return
        shown, waiting = self._objects.current.suggestion, self._review.queue(image_id).waiting
        # while a search goes on, what is looked at stays in front
        if shown is None or not any(one is shown for one in waiting):
            self._show_next()

    def _show_next(self) -> None:
        if self._objects.current.is_untouched:
            self._objects.put(self.next())

    def next(self) -> OpenObject:
        """Return what is worked at next: a suggestion while there are any, else nothing."""
        suggestion = self._review.queue(self._objects.image_id).current
        if suggestion is None:
            return OpenObject()
        self._objects.effort.tick()
        self._objects.classes.lend(suggestion.label)
        return OpenObject.suggested(suggestion)

    def reject(self) -> None:
        """Drop the object in progress and go on to the next suggestion."""
        current = self._objects.current
        if current.is_empty:
            return
        if current.suggestion is not None:
            self.decide(current.suggestion, is_right=False)
            self._objects.effort.decided()
        self._objects.advance(self.next())

    def decide(self, suggestion: Suggestion, *, is_right: bool) -> None:
        """Take the person's yes or no to a suggestion."""
        queue = self._review.queue(self._objects.image_id)
        queue.accept(suggestion) if is_right else queue.reject(suggestion)

    def restore(self, suggestion: Suggestion) -> None:
        """Take back what was said of a suggestion; it waits again."""
        self._review.queue(self._objects.image_id).restore(suggestion)

    def restart(self) -> None:
        """Take back what was said and painted on the suggestion shown.

        Raises:
            MaskError: none is shown.

        """
        current = self._objects.current
        if current.suggestion is None:
            raise MaskError(tr("No suggestion is shown: ask for some first."))
        if not current.is_suggestion:
            self._objects.advance(OpenObject.suggested(current.suggestion))

    def drop(self, image_id: str) -> None:
        """Forget what waits on an image: there is nothing to be found."""
        self._review.queue(image_id).refresh([])
        self._objects.drop_suggestions(image_id)

    def stop(self) -> None:
        """Forget what waits, on every image; what was decided is remembered."""
        self._review.stop()
        self._objects.drop_suggestions()
