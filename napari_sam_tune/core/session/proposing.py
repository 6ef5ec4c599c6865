"""What a person asks of the model: answers about the object in progress, and suggestions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.stroke import REACH
from napari_sam_tune.core.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.pixel_classifier.survey import SurveyStep, Unread
    from napari_sam_tune.core.prompts import Mask, Point, Proposal
    from napari_sam_tune.core.rounds.learner import Learner
    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.core.session.suggested import Suggested
    from napari_sam_tune.core.suggestions.review import Review
    from napari_sam_tune.core.suggestions.suggestion import SuggestionKind


class Proposing:
    """The part of `Session` that has masks proposed, and says what the person makes of them."""

    answerer: Answerer
    learner: Learner
    objects: Objects
    review: Review
    suggested: Suggested

    # ------------------------------------------------------------ the object

    @property
    def open_object(self) -> OpenObject:
        """The object in progress on the open image."""
        return self.objects.current

    def propose(self, prompt: Prompt, seen: Window | None = None) -> Proposal:
        """Answer a prompt now; painted pixels are kept, earlier logits go along by themselves.

        Args:
            prompt: all that was said of the object.
            seen: the part (y0, x0, y1, x1) of the image that the person looks at; in a large image
                it says how large what is meant may be.

        Raises:
            PromptError: the prompt lies outside the image.
            ProjectError: no image is open.

        """
        request = self.objects.request(prompt, seen)
        try:
            self.answerer.apply_swap()
            self.answerer.learn()
            with self.learner.runner.stepping_aside():
                proposal = self.answerer.answer(request)
                closer = self.answerer.look_closer(proposal)
        except Exception:
            self.objects.withdraw(request)  # what could not be answered was not said
            raise
        self.objects.receive(request, proposal)
        if closer is not None:
            self.objects.receive_closer(request, closer)
            proposal = closer
        shown = self.open_object.placed
        return proposal if shown is None else replace(proposal, placed=shown)

    def draw(self, path: Sequence[Point], reach: float = REACH) -> Mask:
        """Draw along a line, or around an object; what is found joins the mask.

        Args:
            path: two or more (x, y) in px, in the order they were drawn. Along a line the mask is
                as wide as the line is; where the ends meet, it is the object inside.
            reach: how far from the path the line may be, in px.

        Returns:
            The object's (H, W) mask with what was found.

        Raises:
            PromptError: the path is no line within the image, or nothing was found inside it.
            ProjectError: no image is open.

        """
        return self.draw_in_box(path, reach).draw()

    def draw_in_box(self, path: Sequence[Point], reach: float = REACH) -> PlacedMask:
        """Draw as `draw` does; returns the mask in its box."""
        (stroke,) = Prompt(strokes=(tuple(path),)).strokes
        image_id = self.objects.image_id
        self.answerer.apply_swap()
        self.answerer.learn()
        with self.learner.runner.stepping_aside():
            found = self.answerer.draw(image_id, stroke, reach)
        self.objects.draw(found, stroke)
        placed = self.open_object.placed
        return found if placed is None else placed

    def paint(self, mask: ArrayLike | PlacedMask) -> None:
        """Take the mask as brush and eraser left it; the changes are locked.

        Args:
            mask: (H, W) bool, or in its box.

        """
        self.objects.paint(mask)

    def cycle_candidate(self) -> None:
        """Show the model's next candidate for a single point, if it made several."""
        self.objects.cycle_candidate()

    def reject(self) -> None:
        """Drop the object in progress; `undo` brings it back."""
        self.suggested.reject()

    @property
    def suggested_class(self) -> str | None:
        """The class of the object in progress, where nobody chose it: it was guessed."""
        return self.objects.classes.guessed

    def choose_class(self, label: str) -> None:
        """Give the object in progress and the next ones a class; none is suggested over it.

        An accepted object taken up again, and a suggestion that has a class, get it alone.
        """
        guess = self.open_object.class_guess
        self.objects.classes.choose(label, instead_of_a_guess=guess is not None)

    # ------------------------------------------------------------ suggestions

    def suggest(self, kind: SuggestionKind, label: str | None = None) -> int:
        """Look for objects on the open image and show the first of them as a proposal.

        `accept` and `reject` go for it as for any other, and the next one follows by itself.

        Args:
            kind: "head", the project's newest promptless head; "everything", SAM at a grid of
                points with the weights in use; "recalled", what was accepted on other
                photographs of the same part; or "similar", all that looks like what was accepted.
            label: of "similar", only objects of this class; None: of any.

        Returns:
            How many there are to review.

        Raises:
            SamTuneError: the project has no trained head, or too few masks to find others by.
            ProjectError: no image is open.

        """
        self.answerer.apply_swap()
        self.answerer.learn()
        image_id = self.objects.image_id
        with self.learner.runner.stepping_aside():
            found = self.review.find(kind, image_id, label=label)
        self.suggested.receive(kind, image_id, found)
        return len(self.review.queue(image_id))

    def survey(
        self, images: Iterable[Unread] | None = None, label: str | None = None
    ) -> Iterator[SurveyStep]:
        """Tell how much like what was accepted there is elsewhere; see `Review.survey`."""
        self.answerer.learn()
        return self.review.survey(images, label)

    def stop_suggesting(self) -> None:
        """Show no more suggestions; those that wait are forgotten, what was decided is not."""
        self.suggested.stop()
