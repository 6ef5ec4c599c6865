"""Steps taken back and repeated, on disk too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.core.session.deeds import Undone

if TYPE_CHECKING:
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.session.accepting import Accepting
    from napari_sam_tune.core.session.history import Step
    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.session.suggested import Suggested


class Undo:
    """Undoes and redoes a step with all it brought about: record, decision, effort and class.

    Args:
        project: where records are.
        objects: whose steps.
        suggested: told what is decided no longer, or again.
        accepting: takes records out and brings them back.

    """

    def __init__(
        self, project: Project, objects: Objects, suggested: Suggested, accepting: Accepting
    ) -> None:
        self._project, self._objects = project, objects
        self._suggested, self._accepting = suggested, accepting

    def undo(self) -> Undone | Literal[False]:
        """See `Session.undo`."""
        step, deed = self._objects.last_step, self._objects.deeds.last
        if deed is not None and (step is None or deed.number > step.number):
            return self._objects.undo_deed()
        if step is None:
            return False
        self._accepting.exchange(remove=step.added, restore=step.removed)
        if step.added is not None:
            self._count_again(step.added, step.removed)
        if step.before.suggestion is not None:
            self._suggested.restore(step.before.suggestion)
        self._objects.take_back()
        if step.added is not None:
            self._lend_again(step, step.added)
        return Undone(self._objects.image_id)

    def redo(self) -> Undone | Literal[False]:
        """See `Session.redo`."""
        step, deed = self._objects.next_step, self._objects.deeds.next
        if deed is not None and (step is None or deed.number > step.number):
            return self._objects.redo_deed()
        if step is None:
            return False
        self._accepting.exchange(remove=step.removed, restore=step.added)
        decided, shown = step.before.suggestion, step.after.suggestion
        if decided is not None and shown is not decided:
            self._suggested.decide(decided, is_right=step.added is not None)
        if shown is not None:
            self._suggested.restore(shown)
        if step.added is not None:
            self._objects.effort.reset()  # it is in the record again
        self._objects.repeat()
        return Undone(self._objects.image_id)

    def _count_again(self, added: str, removed: str | None) -> None:
        """Give the meter back the effort of a record that was taken out."""
        before = Effort() if removed is None else self._project.annotation(removed).effort
        self._objects.effort.give_back(self._project.annotation(added).effort - before)

    def _lend_again(self, step: Step, added: str) -> None:
        """Give an object that is in progress again the class it was accepted with."""
        guess, record = step.before.class_guess, self._project.annotation(added)
        if guess is not None and record.source != "adopted":
            is_guess = guess.is_clear and guess.label == record.label
            self._objects.classes.lend(record.label, guessed=is_guess)
