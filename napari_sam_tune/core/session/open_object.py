"""The object in progress and the way back through everything done to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.session.correction import Correction
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from napari_sam_tune.core.prompts import ClassGuess, Mask, Stroke
    from napari_sam_tune.core.suggestions.suggestion import Suggestion


@dataclass(frozen=True, eq=False)
class OpenObject:
    """One object in progress; immutable, so that undo is keeping the one before.

    Attributes:
        prompt: all that was said so far, or None.
        proposal: the model's last answer, or None while it is awaited.
        start: the mask that was re-opened for correction, or None.
        correction: pixels painted by hand, or None.
        answered: the prompts the model answered, and those of strokes, in order, without mask
            arrays.
        reopened: id of the annotation being corrected, or None.
        suggestion: what was proposed without being asked and became `start`, or None.
        class_guess: the class it most likely has, by the first answer; or None.

    """

    prompt: Prompt | None = None
    proposal: Proposal | None = None
    start: PlacedMask | None = None
    correction: Correction | None = None
    answered: tuple[Prompt, ...] = ()
    reopened: str | None = None
    suggestion: Suggestion | None = None
    class_guess: ClassGuess | None = None

    @classmethod
    def suggested(cls, suggestion: Suggestion) -> OpenObject:
        """Return a suggestion as an object to be accepted, corrected or rejected."""
        return cls(start=suggestion.placed, suggestion=suggestion)

    @property
    def mask(self) -> Mask | None:
        """`placed` as (H, W) bool; drawn each time, and as large as the image."""
        return None if self.placed is None else self.placed.draw()

    @cached_property
    def placed(self) -> PlacedMask | None:
        """The mask shown: the proposal, or the mask re-opened, under the paint."""
        below = self._below
        if below is None or self.correction is None:
            return below
        return self.correction.apply(below)

    @property
    def is_empty(self) -> bool:
        """Nothing was said, painted or re-opened yet."""
        return self.prompt is None and self.placed is None

    @property
    def is_untouched(self) -> bool:
        """Nothing was done by hand: it is empty, or a suggestion as it was made."""
        return self.prompt is None and self.correction is None and self.reopened is None

    @property
    def is_suggestion(self) -> bool:
        """It is a suggestion as it was made."""
        return self.suggestion is not None and self.is_untouched

    @property
    def has_own_class(self) -> bool:
        """Whether it brings a class of its own, which goes with it."""
        return (self.reopened, self.suggestion, self.class_guess) != (None,) * 3

    @property
    def is_nearly_right(self) -> bool:
        """It was carried here or accepted before: clicks correct it, and draw nothing anew."""
        was_carried = self.suggestion is not None and self.suggestion.source == "carried"
        return was_carried or self.reopened is not None

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """What was drawn of it; its mask goes on from what that found."""
        return () if self.prompt is None else tuple(self.prompt.strokes)

    @property
    def proposed(self) -> PlacedMask | None:
        """The mask the model proposed last, before any paint; asked or not."""
        if self.proposal is not None:
            return self.proposal.placed
        return None if self.suggestion is None else self.suggestion.placed

    @property
    def _below(self) -> PlacedMask | None:
        """What the paint lies on."""
        return self.start if self.proposal is None else self.proposal.placed

    @property
    def awaiting(self) -> bool:
        """Whether the prompt was not answered: the proposal, if any, is of an earlier one."""
        if self.prompt is None or not self.prompt.asks:
            return False
        return self.proposal is None or self.answered[-1:] != (self.prompt.without_mask(),)

    def asking(self, prompt: Prompt) -> tuple[OpenObject, Prompt, Proposal | None]:
        """Prepare the question `prompt` puts to the model.

        Returns:
            the object with the new prompt; the prompt as the model gets it (a painted or re-opened
            mask goes in as the mask prompt); and the proposal whose logits go along, which is the
            last one if the new prompt says more than the old.

        Raises:
            PromptError: the prompt has strokes that were not drawn.

        """
        if prompt.strokes not in ((), self.strokes):
            raise PromptError(tr("Strokes are drawn one by one, with Session.draw."))
        prompt, mask = replace(prompt, strokes=self.strokes), self.placed
        answered = self.answered[-1] if self.answered else None  # what the proposal is about
        last = self.proposal
        has_logits = last is not None and last.logits.size > 0  # none after undoing very much
        previous = last if has_logits and _extends(prompt, answered) else None
        painted = self.correction is not None
        # What was painted, and a mask re-opened that no logits speak for, go in as a mask.
        if mask is not None and (painted or (self.start is not None and previous is None)):
            guess = mask if mask.any() else self.start
            asked = prompt if prompt.mask is not None else replace(prompt, mask=guess)
            return replace(self, prompt=prompt), asked, None
        return replace(self, prompt=prompt), prompt, previous

    def answer(self, proposal: Proposal) -> OpenObject:
        """Return the object with the model's answer in place."""
        said = None if self.prompt is None else self.prompt.without_mask()
        answered = self.answered if said is None else (*self.answered, said)
        is_first = self.proposal is None and self.start is None
        guess = proposal.class_guess if is_first else self.class_guess
        return replace(self, proposal=proposal, answered=answered, class_guess=guess)

    def draw(self, mask: PlacedMask, stroke: Stroke) -> OpenObject:
        """Return the object with what a stroke found added; clicks correct it from there."""
        below = self.placed
        said = Prompt(strokes=(*self.strokes, stroke))  # clicks before it are in the mask
        return replace(
            self,
            prompt=said,
            proposal=None,
            start=mask if below is None else below | mask,
            answered=(*self.answered, said),
        )

    def paint(self, mask: PlacedMask) -> OpenObject:
        """Return the object as the brush left it; the pixels that changed are locked."""
        before = PlacedMask.empty(mask.shape) if self.placed is None else self.placed
        return replace(
            self,
            start=before if self._below is None else self.start,
            correction=Correction.between(before, mask, self.correction),
        )


def _extends(prompt: Prompt, earlier: Prompt | None) -> bool:
    """Whether `prompt` says everything `earlier` said, and more."""
    if earlier is None or prompt == earlier or prompt.mask is not None:
        return False
    count = len(earlier.points)
    return (
        prompt.points[:count] == earlier.points
        and prompt.labels[:count] == earlier.labels
        and earlier.box in (None, prompt.box)
    )
