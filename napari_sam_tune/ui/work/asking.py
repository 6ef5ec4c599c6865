"""One question at a time to the model, and what waits for its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.geometry.windows import area
from napari_sam_tune.ui.inference import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.prompts import Prompt, Proposal, ProposalRequest, Stroke
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.workplace import Workplace


@dataclass(eq=False)
class _Question:
    """A question on its way to the model, and what waits for its answer.

    Attributes:
        request: the question; None for a stroke, whose mask is found beside.
        following: the whole prompt as it was said meanwhile; it is asked next.
        then: what to do, in this order, once nothing more is asked.

    """

    request: ProposalRequest | None
    following: Prompt | None = None
    then: list[Callable[[], object]] = field(default_factory=list)


class Asking(QObject):
    """Carries questions to the inference thread and their answers into the session.

    Nothing is asked, or one question is on its way and what comes after it waits. Which answers are
    still wanted is the session's to say, by the generation of the question (`session.objects`).

    Attributes:
        compared: of a prompt that new weights answered anew, whose mask is shown, theirs or that of
            the weights before; None: there is nothing to compare.
        changed: emitted when a question was asked or answered.

    """

    changed = Signal()

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._question: _Question | None = None  # whose answer is awaited
        self.compared: Literal["new", "old"] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._question is not None

    @property
    def said(self) -> Prompt | None:
        """The whole prompt so far, whether it was put to the model yet or not."""
        if self._question is not None and self._question.request is None:
            prompt = self._question.following  # what was said before the stroke is in its mask
        else:
            following = None if self._question is None else self._question.following
            prompt = following or self._session.open_object.prompt
        return None if prompt is None else prompt.without_mask()

    # ---------------------------------------------------------------- asking

    def ask(self, prompt: Prompt) -> None:
        """Put the whole prompt to the model; what is said meanwhile follows in one go."""
        self.compared = None
        self._place.inference.forget(Kind.CLOSER)
        self._place.panel.show_decision()
        if self._question is not None:
            self._question.following = prompt
            self._place.layers.show_prompt(prompt)
            return
        self._ask(prompt, [])

    def draw(self, stroke: Stroke, find: Callable[[], PlacedMask]) -> None:
        """Add the mask of a stroke, found on the model's thread; clicks meanwhile follow it."""
        self.compared = None
        self._place.inference.forget(Kind.CLOSER)
        self._place.panel.show_decision()
        if self._question is not None:
            self._question.then.append(partial(self.draw, stroke, find))
            return
        question = self._question = _Question(None)
        done = partial(self._on_drawn, question, stroke)
        self._place.inference.submit(Kind.PROPOSE, find, done, self._on_not_drawn)
        self.changed.emit()

    def _on_drawn(self, question: _Question, stroke: Stroke, mask: PlacedMask) -> None:
        self._question = None
        self._session.objects.draw(mask, stroke)
        self._go_on(question)
        self.changed.emit()

    def _on_not_drawn(self, error: Exception) -> None:
        self._question = None
        self._place.complain(error)
        self.changed.emit()

    def ask_anew(self) -> None:
        """Let the weights that came into use answer the open prompt; the old mask is kept aside."""
        prompt = self.said
        if prompt is None or not prompt.asks or self.is_asking or not self._opening.is_ready:
            return
        self.ask(prompt)
        self.compared = "new" if self.is_asking else None
        self.changed.emit()

    def ask_again(self) -> None:
        """Put the open prompt once more, to a chain of answers that was switched."""
        prompt = self.said
        if prompt is not None and prompt.asks and self._opening.is_ready:
            self.ask(prompt)

    def mend(self) -> None:
        """Ask again where a step leads back to a prompt whose answer never came."""
        if self._session.open_object.awaiting and not self.is_asking:
            request = self._session.objects.request_again()
            self._submit(_Question(request), request)

    def _ask(self, prompt: Prompt, then: list[Callable[[], object]]) -> None:
        try:
            seen = self._place.layers.seen_window()
            request = self._session.objects.request(prompt, seen if area(seen) else None)
        except SamTuneError as error:
            self._place.layers.show_prompt(self._session.open_object.prompt)
            self._place.complain(error)
            self.changed.emit()
            return
        self._place.settle()
        self._submit(_Question(request, then=then), request)

    def _submit(self, question: _Question, request: ProposalRequest) -> None:
        self._question = question
        self._place.inference.submit(
            Kind.PROPOSE,
            partial(self._answer_on_thread, request),
            partial(self._on_answered, question, request),
            partial(self._on_failed, request),
        )
        self.changed.emit()

    # ------------------------------------------------------- what comes after

    def after_answer(self, action: Callable[[], object]) -> None:
        """Do something with the mask that is on its way, or at once if none is."""
        if self._question is None:
            action()
        elif action not in self._question.then:
            self._question.then.append(action)

    def after_others(self, action: Callable[[], object]) -> bool:
        """Do something once what waits for an answer is done; returns False if nothing waits."""
        if self._question is None or not self._question.then:
            return False
        self._question.then.append(action)
        return True

    def drop(self) -> None:
        """Want no answer any more, nor what was to come after it."""
        self._place.inference.forget(Kind.PROPOSE, Kind.CLOSER)
        self._question = None

    # --------------------------------------------------------------- answers

    def _answer_on_thread(self, request: ProposalRequest) -> Proposal:
        self._session.answerer.apply_swap()
        with self._session.learner.runner.stepping_aside():
            return self._session.answerer.answer(request)

    def _on_answered(
        self, question: _Question, request: ProposalRequest, proposal: Proposal
    ) -> None:
        self._question = None
        if not self._session.objects.receive(request, proposal):
            self.changed.emit()
            return
        if question.following is None and not question.then:
            self._look_closer(request, proposal)
        self._go_on(question)

    def _go_on(self, question: _Question) -> None:
        """Do what waited for a mask that is there now."""
        if question.following is not None:
            self._ask(question.following, question.then)
            return
        for position, action in enumerate(question.then, start=1):
            if action() is False:
                return  # what was to come after it would leave the mask behind
            if self._question is not None:  # another stroke: the rest waits for that one
                self._question.then.extend(question.then[position:])
                return

    def _look_closer(self, request: ProposalRequest, proposal: Proposal) -> None:
        """Let a closer answer take the place of a small object's, when it is ready."""
        if not self._session.chain.looks_closer:
            return

        def on_thread() -> Proposal | None:
            with self._session.learner.runner.stepping_aside():
                return self._session.answerer.look_closer(proposal)

        def done(closer: Proposal | None) -> None:
            if closer is not None and self._session.objects.receive_closer(request, closer):
                self.changed.emit()

        self._place.inference.submit(Kind.CLOSER, on_thread, done, self._place.complain)

    def _on_failed(self, request: ProposalRequest, error: Exception) -> None:
        self._question = self.compared = None
        self._session.objects.withdraw(request)
        self._place.complain(error)
