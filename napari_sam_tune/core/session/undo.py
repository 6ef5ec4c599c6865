"""Steps taken back and repeated, on disk too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_sam_tune.core.session.deeds import Undone

if TYPE_CHECKING:
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Effort
    from napari_sam_tune.core.session.accepting import Accepting
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
            self._objects.effort.give_back(self._effort_of(step.added))
        if step.before.suggestion is not None:
            self._suggested.restore(step.before.suggestion)
        former = self._objects.current.reopened
        self._objects.take_back()
        self._lend_again(former, step.added)
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
        is_said = step.after.reopened is None  # who takes up another object says nothing of it
        if decided is not None and shown is not decided and is_said:
            self._suggested.decide(decided, is_right=step.added is not None)
        if shown is not None:
            self._suggested.restore(shown)
        if step.added is not None:
            self._objects.effort.take_out(self._effort_of(step.added))
        former = self._objects.current.reopened
        self._objects.repeat()
        self._lend_again(former)
        return Undone(self._objects.image_id)

    def _effort_of(self, added: str) -> Effort:
        """Return what went into a record beyond that of the one it follows."""
        record = self._project.annotation(added)
        if record.supersedes is None:
            return record.effort
        return record.effort - self._project.annotation(record.supersedes).effort

    def _lend_again(self, former: str | None, added: str | None = None) -> None:
        """Give an object that is in progress again its class: that accepted, or of its record.

        Args:
            former: the record that was taken up again before the step.
            added: the one that is taken out by it.

        """
        current, classes = self._objects.current, self._objects.classes
        accepted = None if added is None else self._project.annotation(added)
        if accepted is not None and accepted.source != "adopted" and current.has_own_class:
            guess = current.class_guess
            is_guess = guess is not None and guess.is_clear and guess.label == accepted.label
            classes.lend(accepted.label, guessed=is_guess)
        elif current.reopened is not None and current.reopened != former:
            classes.lend(self._project.annotation(current.reopened).label)
