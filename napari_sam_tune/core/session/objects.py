"""The object in progress of each image, the questions put about it, and its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from psygnal import Signal

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.prompts import ProposalRequest
from napari_sam_tune.core.session.class_in_use import ClassInUse
from napari_sam_tune.core.session.deeds import Deeds
from napari_sam_tune.core.session.effort_meter import EffortMeter
from napari_sam_tune.core.session.history import History
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.core.session.shelf import Shelf
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.prompts import Prompt, Proposal, Stroke
    from napari_sam_tune.core.session.deeds import Deed, Undone
    from napari_sam_tune.core.session.history import Step
    from napari_sam_tune.core.state import SessionState


class Objects:
    """What is worked at, image by image; all of it in memory, and without a model.

    A question goes to the model as a `ProposalRequest`, and its answer is handed in with it. The
    request's generation says whether the answer is still wanted: it is not once the object was
    asked about anew, was exchanged for another, or had its mask chosen otherwise. Paint lies on top
    of answers, so that what is painted meanwhile sends none away.

    Args:
        state: the session's; `image_id`, `can_undo` and `can_redo` change here.

    Attributes:
        classes: which class the object gets.
        effort: what was done for it.
        deeds: what was done to the project as a whole.
        changed: fires with the `OpenObject` in progress.

    """

    MOST_STEPS: Final = 2000
    """Kept for undo on all images together, a thousand accepts: they take about 3 KB each."""
    changed = Signal(OpenObject)

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self.classes = ClassInUse(state)
        self.effort = EffortMeter()
        self.deeds = Deeds()
        self._shelf = Shelf()
        self._numbers = count(1)
        self._histories: dict[str, History] = {}
        self._seen: Window | None = None  # of the open image
        self._generation = 0  # of the newest question, and of what ended it since
        self._asked: Step | None = None  # the step that put it

    # ---------------------------------------------------------------- images

    def open(self, image_id: str, shape: tuple[int, int]) -> None:
        """Make an image of (H, W) px the open one; what was worked at there comes back."""
        self._generation += 1
        self._seen = None
        if self._state.image_id is not None:
            self._history.put_away()
        self._histories.setdefault(image_id, History(shape, self._shelf, self._numbers))
        self.classes.leave(self._state.image_id)
        self._state.image_id = image_id
        self.classes.come_back(image_id)
        self._publish()

    @property
    def image_id(self) -> str:
        """The open image.

        Raises:
            ProjectError: none is open.

        """
        if self._state.image_id is None:
            raise ProjectError(tr("No image is open: open one first."))
        return self._state.image_id

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the open image."""
        return self._history.shape

    @property
    def current(self) -> OpenObject:
        """The object in progress on the open image."""
        return OpenObject() if self._state.image_id is None else self._history.present

    @property
    def last_step(self) -> Step | None:
        """The step on the open image that can be taken back, or None."""
        return None if self._state.image_id is None else self._history.last

    @property
    def next_step(self) -> Step | None:
        """The step on the open image that can be repeated, or None."""
        return None if self._state.image_id is None else self._history.next

    @property
    def _history(self) -> History:
        return self._histories[self.image_id]

    # ------------------------------------------------------------- questions

    def request(self, prompt: Prompt, seen: Window | None = None) -> ProposalRequest:
        """Take what was said of the object, as a question to the model.

        Args:
            prompt: all that was said.
            seen: the part of the image on the screen: in a large one, what is meant is about so
                large. It stands until another is given.

        Raises:
            PromptError: as `OpenObject.asking`, or the prompt lies outside the image.
            ProjectError: no image is open.

        """
        prompt = prompt.clipped(self.shape)
        before = self.current
        after, asked, previous = before.asking(prompt)
        self.effort.said(prompt, before.prompt)
        self.advance(after)
        self._seen = seen or self._seen
        self._asked = self._history.last
        return self._requested(asked, previous)

    def request_again(self) -> ProposalRequest:
        """Put the object's unanswered prompt once more: no new step, no effort.

        Raises:
            ProjectError: no image is open, or nothing was said.

        """
        current = self.current
        if current.prompt is None or not current.prompt.asks:
            raise ProjectError(tr("There is nothing to ask: click on an object first."))
        _, asked, previous = current.asking(current.prompt)
        self._asked = self._history.last_said
        return self._requested(asked, previous)

    def _requested(self, asked: Prompt, previous: Proposal | None) -> ProposalRequest:
        self._generation += 1
        return ProposalRequest(
            self.image_id,
            self._generation,
            asked,
            previous,
            self._seen,
            self.current.is_nearly_right,
        )

    def receive(self, request: ProposalRequest, proposal: Proposal) -> bool:
        """Take the model's answer in. Returns False, changing nothing, for a stale one."""
        if request.generation != self._generation:
            return False
        before = self.current
        answered = before.answer(proposal)
        self._history.amend(answered)
        if answered.class_guess is not before.class_guess:
            self.classes.suggest(answered.class_guess)
        self._publish()
        return True

    def withdraw(self, request: ProposalRequest) -> bool:
        """Take back a question that could not be answered, and nothing that was painted since.

        Returns False, changing nothing, for one whose answer is no longer wanted.
        """
        if request.generation != self._generation:
            return False
        asked, last = self._asked, self.last_step
        if asked is not None and last is not None:
            is_last = asked.number == last.number  # then it can be repeated
            out = partial(self._history.take_out, asked.number)
            self._retrace(self._history.take_back if is_last else out)
        return True

    def receive_closer(self, request: ProposalRequest, closer: Proposal) -> bool:
        """Put a closer answer in the place of the one received before; no step of its own.

        Returns False, changing nothing, if that one is no longer shown.
        """
        if request.generation != self._generation:
            return False
        self._history.amend(replace(self.current, proposal=closer))
        self._publish()
        return True

    # ----------------------------------------------------------------- steps

    def advance(
        self, after: OpenObject, *, added: str | None = None, removed: str | None = None
    ) -> None:
        """Take a step on the open image.

        Args:
            after: the object in progress from now on.
            added: id of the annotation the step wrote.
            removed: id of the annotation it removed or superseded.

        """
        before = self.current
        if after.prompt != before.prompt or after.proposal is not before.proposal:
            self._generation += 1
        self.deeds.forget_undone()
        self._history.advance(after, added=added, removed=removed)
        if sum(map(len, self._histories.values())) > self.MOST_STEPS:
            min(self._histories.values(), key=lambda one: one.first_number).forget_first()
        self._publish()

    def done(self, deed: Deed) -> None:
        """Keep what was done to the project as a whole; it is undone before all earlier steps."""
        if self._state.image_id is not None:
            self._history.forget_undone()
        self.deeds.add(deed, next(self._numbers))
        self.publish_steps()

    def paint(self, mask: ArrayLike | PlacedMask) -> None:
        """Take the mask as brush and eraser left it; (H, W) bool, or in its box."""
        painted = place_mask(mask, self.shape)
        self.effort.stroke()
        self.advance(self.current.paint(painted))

    def draw(self, mask: ArrayLike | PlacedMask, stroke: Stroke) -> None:
        """Add the mask that a stroke found; one step, and one stroke of effort."""
        found = place_mask(mask, self.shape)
        self.effort.stroke()
        self.advance(self.current.draw(found, stroke))

    def cycle_candidate(self) -> None:
        """Show the model's next candidate for a single point, if it made several."""
        proposal = self.current.proposal
        if proposal is not None and len(proposal.placed_candidates) > 1:
            self.advance(replace(self.current, proposal=proposal.choose(proposal.chosen + 1)))

    def take_back(self) -> None:
        """Undo the last step; what it did on disk is `Undo`'s."""
        self._retrace(self._history.take_back)

    def repeat(self) -> None:
        """Redo the step last undone; what it did on disk is `Undo`'s."""
        self._retrace(self._history.repeat)

    def undo_deed(self) -> Undone:
        """Take the last deed back."""
        undone = self.deeds.undo(next(self._numbers))
        self.publish_steps()
        return undone

    def redo_deed(self) -> Undone:
        """Repeat the deed last undone."""
        redone = self.deeds.redo(next(self._numbers))
        self.publish_steps()
        return redone

    def _retrace(self, go: Callable[[], None]) -> None:
        self._generation += 1  # an answer still on its way belongs to what was left
        former = self.current.class_guess
        go()
        current = self.current
        if current.suggestion is not None:
            self.classes.lend(current.suggestion.label)
        elif current.class_guess is not former:
            self.classes.suggest(current.class_guess)
        self._publish()

    # ----------------------------------------------------------- suggestions

    def put(self, untouched: OpenObject) -> None:
        """Work at this in place of an object that nothing was done to; no step of its own."""
        self._history.present = untouched
        self._publish()

    def drop_suggestions(self, image_id: str | None = None) -> None:
        """Work at nothing where a suggestion is shown as it was made: on one image, or on all."""
        for name, history in self._histories.items():
            if image_id in (None, name) and history.shows_suggestion:
                history.present = OpenObject()
        if self._state.image_id is not None:
            self._publish()

    def _publish(self) -> None:
        current = self.current
        if not current.has_own_class:
            self.classes.give_back()
        self.publish_steps()
        self.changed.emit(current)

    def publish_steps(self) -> None:
        """Tell whether there is anything to take back, or to repeat."""
        self._state.can_undo = (self.last_step or self.deeds.last) is not None
        self._state.can_redo = (self.next_step or self.deeds.next) is not None
