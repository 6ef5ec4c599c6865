"""The whole product without pixels: open, prompt, correct, accept, learn, swap, undo.

A session belongs to one thread, the caller's, and its `answerer` to the one that owns the model:
the same here, in the dock the inference thread. Only `progress`, `round_finished`, `failed` and the
two fields of `state` a round changes may fire on the runner's reader thread, and
`state.is_surface_new` and `state.learnt` on the answerer's. New weights are promoted (written to
the project) where the round ends and *applied* by the answerer: here at the next call that needs
the model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam_tune.core.answers.answerer import Answerer, ProposalRequest
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import MaskError, ProjectError, StorageError
from napari_sam_tune.core.images.files import content_hash, spatial_shape
from napari_sam_tune.core.project.effort import EffortRow, effort_by_version
from napari_sam_tune.core.prompts import Correction, Effort, Prompt, Proposal, as_mask
from napari_sam_tune.core.rounds.learner import Learner
from napari_sam_tune.core.rounds.plan import AutoRounds
from napari_sam_tune.core.rounds.runners import Runner, make_runner
from napari_sam_tune.core.session.accepting import record_of
from napari_sam_tune.core.session.class_in_use import ClassInUse
from napari_sam_tune.core.session.effort_meter import EffortMeter
from napari_sam_tune.core.session.history import History, Step
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.core.state import SessionState
from napari_sam_tune.core.suggestions.review import Review

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.answers.chain import AnswerChain
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.pixel_classifier.survey import SurveyStep, Unread
    from napari_sam_tune.core.project.annotations import Annotation, Source
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.suggestions.suggestion import Suggestion, SuggestionKind


class Session:
    """A person (or a robot) labelling one project with one model.

    Args:
        project: where everything accepted goes.
        predictor: the live model. Its base must be the project's base.
        runner: "inline" trains in the calling thread, "process" in a process of its own; or a
            `Runner`.
        config: how rounds train.
        auto: when rounds start by themselves; a number means "every so many masks"; None never.
        source: who accepts: "person" or "robot".
        zoom: small objects are answered once more from a crop around them; None where encoding a
            crop takes well under a second: on a GPU, and with a light encoder.
        recall: masks accepted on other photographs of the same thing are brought in; see `Recall`.
        instant: what is accepted bears on the next answers at once, and on the class of a new
            object where that is clear; see `InstantLearning` and `LikelyClasses`.

    Raises:
        ProjectError: the project was begun with another base model.

    Attributes:
        state: the evented `SessionState`.
        answerer: the model and what bears on its answers; for the thread that owns the model.
        review: what is proposed without being asked.
        notice: what opening the project changed, in words for the person; None if nothing.
        object_changed: fires with the `OpenObject` in progress.
        annotations_changed: fires with the image id whose accepted masks changed.
        progress: fires with the round's `Progress`.
        round_finished: fires with the `Round` that ended.
        failed: fires with a sentence when something went wrong that lost nothing.

    """

    object_changed = Signal(OpenObject)
    annotations_changed = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        project: Project,
        predictor: Predictor,
        runner: str | Runner = "inline",
        *,
        config: TrainConfig | None = None,
        auto: AutoRounds | int | None = None,
        source: Source = "person",
        zoom: bool | None = None,
        recall: bool = True,
        instant: bool = True,
    ) -> None:
        self.notice = project.set_base(predictor.ref)
        self.project = project
        self.state = SessionState(weights_version=project.current_version)
        made = make_runner(runner)
        self.answerer = Answerer(
            project,
            predictor,
            self.state,
            rejected=lambda: self.review.rejected(),
            stepping_aside=made.stepping_aside,
            failed=self.failed.emit,
            recall=recall,
            instant=instant,
            zoom=zoom,
        )
        self.review = Review(project, self.answerer)
        self.learner = Learner(
            project,
            self.state,
            made,
            config=self._closely(config or TrainConfig()),
            auto=AutoRounds(every=auto) if isinstance(auto, int) else auto,
            base=predictor.ref,
            device=str(predictor.device),
        )
        self.progress = self.learner.progress
        self.round_finished = self.learner.round_finished
        self.learner.failed.connect(self.failed.emit)
        self._source = source
        self._objects: dict[str, OpenObject] = {}
        self._histories: dict[str, History] = {}
        self._effort = EffortMeter()
        self._generation = 0
        self._asked_in: Step | None = None  # the step an answer on its way belongs to
        self._closed = False
        annotated = {a.image_id for a in project.annotations()}
        self.answerer.embeddings.pin(r.content_hash for r in project.images() if r.id in annotated)
        label = project.place().get("label")
        if isinstance(label, str):
            self.state.label = label
        self._class = ClassInUse(self.state)

    @property
    def predictor(self) -> Predictor:
        """The live model."""
        return self.answerer.predictor

    @property
    def chain(self) -> AnswerChain:
        """Which links of an answer are on; may be changed, images opened later obey."""
        return self.answerer.chain

    # ---------------------------------------------------------------- images

    def register(
        self,
        image: NDArray[Any],
        image_id: str,
        *,
        path: Path | str | None = None,
        group: str | None = None,
        stratum: str | None = None,
    ) -> ImageRecord:
        """Make an image known to the project without opening it.

        Args:
            image: (H, W), (H, W, C) or (C, H, W) array of any dtype.
            image_id: its name in the project.
            path: the file it came from; without one the array is copied into the project.
            group: images of one part, one lot or one film; groups are never split between
                training and judging.
            stratum: the class to balance the split by.

        """
        height, width = spatial_shape(image)
        return self.project.add_image(
            image_id,
            shape=(height, width),
            content_hash=content_hash(image),
            path=path,
            array=None if path is not None else image,
            group=group,
            stratum=stratum,
        )

    def open_image(
        self,
        image: NDArray[Any],
        image_id: str,
        *,
        path: Path | str | None = None,
        group: str | None = None,
        stratum: str | None = None,
    ) -> ImageRecord:
        """Register an image, encode it (or take its embedding from the cache) and show it.

        See `register` for the arguments.
        """
        record = self.register(image, image_id, path=path, group=group, stratum=stratum)
        self.answerer.learn()
        self.answerer.settle()
        self.answerer.apply_swap()
        self.answerer.open(image, record)
        self.show(image_id)
        return record

    def show(self, image_id: str) -> None:
        """Make a registered image the open one; its object in progress and its undo come back."""
        self.learner.follow_project()
        record = self.project.image(image_id)
        self._histories.setdefault(image_id, History(record.shape))
        self._class.leave(self.state.image_id)
        self.state.image_id = image_id
        self._class.come_back(image_id)
        try:
            self.project.remember(image_id=image_id)
        except StorageError as error:
            # A full disk must not keep anybody from looking at an image.
            self.failed.emit(str(error))
        self._publish()

    def mark_done(
        self, image_id: str | None = None, done: bool = True, *, empty: bool = False
    ) -> None:
        """Mark an image as done, or (`empty`) as done with no defect in it."""
        image_id = image_id or self._open_id()
        self.project.mark_done(image_id, done, empty=empty)
        if empty:
            self.review.queue(image_id).refresh([])
            if self._objects.get(image_id, OpenObject()).is_suggestion:
                self._objects[image_id] = OpenObject()
                self._publish()

    # ------------------------------------------------------------ the object

    @property
    def open_object(self) -> OpenObject:
        """The object in progress on the open image."""
        return self._objects.get(self.state.image_id or "", OpenObject())

    def propose(self, prompt: Prompt) -> Proposal:
        """Answer a prompt now; painted pixels are kept, earlier logits go along by themselves.

        Raises:
            PromptError: the prompt lies outside the image.
            ProjectError: no image is open.

        """
        request = self.request(prompt)
        try:
            self.answerer.apply_swap()
            self.answerer.learn()
            with self.learner.runner.stepping_aside():
                proposal = self.answerer.answer(request)
                closer = self.answerer.look_closer(proposal)
        except Exception:
            self.undo()  # what could not be answered was not said
            raise
        self.receive(request, proposal)
        if closer is not None:
            self.receive_closer(proposal, closer)
            proposal = closer
        shown = self.open_object.mask
        return proposal if shown is None else replace(proposal, mask=shown)

    def request(self, prompt: Prompt) -> ProposalRequest:
        """First half of `propose`, for a face whose predictor lives in another thread."""
        prompt = prompt.clipped(self._open_shape())
        before = self.open_object
        self._effort.said(prompt, before.prompt)
        after, asked, previous = before.asking(prompt)
        self._advance(after)
        return self._requested(asked, previous)

    def request_again(self) -> ProposalRequest:
        """Put the open object's unanswered prompt once more: no new step, no effort.

        Raises:
            ProjectError: no image is open, or nothing was said.

        """
        current = self.open_object
        if current.prompt is None:
            raise ProjectError("There is nothing to ask: click on an object first.")
        _, asked, previous = current.asking(current.prompt)
        return self._requested(asked, previous)

    def _requested(self, asked: Prompt, previous: Proposal | None) -> ProposalRequest:
        history = self._histories[self._open_id()]
        self._asked_in = history.done[-1] if history.done else None
        self._generation += 1
        return ProposalRequest(self._open_id(), self._generation, asked, previous)

    def receive(self, request: ProposalRequest, proposal: Proposal) -> bool:
        """Second half of `propose`. Returns False, changing nothing, for a stale answer."""
        if request.generation != self._generation or request.image_id != self.state.image_id:
            return False
        before = self.open_object
        answered = before.answer(proposal)
        history = self._histories[request.image_id]
        if history.done and history.done[-1] is self._asked_in:
            history.amend(answered)
        self._objects[request.image_id] = answered
        if answered.class_guess is not before.class_guess:
            self._class.suggest(answered.class_guess)
        self._publish()
        return True

    def receive_closer(self, coarse: Proposal, closer: Proposal) -> bool:
        """Put a closer answer in the place of the one received before; no step of its own.

        Returns False, changing nothing, if that one is no longer shown.
        """
        before = self.open_object
        if before.proposal is not coarse:
            return False
        after = replace(before, proposal=closer)
        history = self._histories[self._open_id()]
        if history.done and history.done[-1].after is before:
            history.amend(after)
        self._objects[self._open_id()] = after
        self._publish()
        return True

    def paint(self, mask: ArrayLike) -> None:
        """Take the mask as brush and eraser left it; (H, W) bool. The changes are locked."""
        painted = as_mask(mask, self._open_shape())
        self._effort.stroke()
        self._advance(self.open_object.paint(painted))

    def cycle_candidate(self) -> None:
        """Show the model's next candidate for a single point, if it made several."""
        current = self.open_object
        if current.proposal is not None and len(current.proposal.candidates) > 1:
            proposal = current.proposal.choose(current.proposal.chosen + 1)
            self._advance(replace(current, proposal=proposal))

    def reject(self) -> None:
        """Drop the object in progress; `undo` brings it back."""
        current = self.open_object
        if current.is_empty:
            return
        if current.suggestion is not None:
            self.review.queue(self._open_id()).reject(current.suggestion)
            self._effort.decided()
        self._advance(self._next_object())

    # ------------------------------------------------------------- accepting

    def accept(self, mask: ArrayLike | None = None, label: str | None = None) -> Annotation:
        """Keep the object; returns when the record would survive a kill and a power cut.

        Args:
            mask: (H, W) bool the person settled on; None takes the proposal as corrected.
            label: its class; None takes `state.label`.

        Raises:
            MaskError: there is nothing to accept, or the mask is empty or of another shape.
            StorageError: the disk refused; the object stays open and a retry works.

        """
        current = self.open_object
        final = current.mask if mask is None else as_mask(mask, self._open_shape())
        if final is None:
            raise MaskError("There is nothing to accept yet: click on an object first.")
        correction = current.correction
        if mask is not None and current.proposal is not None:
            correction = Correction.between(current.proposal.mask, final)
        painted = 0 if correction is None else correction.painted_pixels
        effort = self._effort.reading(painted)
        if current.suggestion is not None:
            effort += Effort(clicks=1)  # to look and say yes is an action, whatever comes first
        return self._keep(current, final, label, correction, effort)

    def adopt(self, mask: ArrayLike, label: str | None = None) -> Annotation:
        """Take over a mask made elsewhere as it is, without prompts.

        Raises:
            MaskError: the mask is empty or not of the image's shape.

        """
        final = as_mask(mask, self._open_shape())
        return self._keep(None, final, label, None, Effort(), source="adopted")

    def delete(self, annotation_id: str) -> None:
        """Remove an accepted object of the open image; `undo` brings it back.

        Raises:
            ProjectError: it is on another image.
            StorageError: the disk refused; the object stays.

        """
        self._on_open_image(annotation_id)
        self.project.delete(annotation_id)
        self._advance(self.open_object, removed=annotation_id)
        self._annotations_touched()

    def _on_open_image(self, annotation_id: str) -> Annotation:
        annotation = self.project.annotation(annotation_id)
        if annotation.image_id != self.state.image_id:
            raise ProjectError(f"That object is on {annotation.image_id}: open that image first.")
        return annotation

    def reopen(self, annotation_id: str) -> None:
        """Take an accepted object up again, with its class; accepting it supersedes the record.

        Raises:
            ProjectError: it is on another image.

        """
        annotation = self._on_open_image(annotation_id)
        self._class.lend(annotation.label)
        self._advance(OpenObject(start=annotation.mask, reopened=annotation_id))

    def _keep(
        self,
        current: OpenObject | None,
        mask: NDArray[Any],
        label: str | None,
        correction: Correction | None,
        effort: Effort,
        source: Source | None = None,
    ) -> Annotation:
        current = current or OpenObject()
        reopened, suggestion = current.reopened, current.suggestion
        new = record_of(
            current,
            mask,
            image_id=self._open_id(),
            label=label or self.state.label,
            version=self.state.weights_version,
            correction=correction,
            effort=effort,
            source=source or self._source,
            superseded=None if reopened is None else self.project.annotation(reopened),
        )
        annotation = self.project.add(new)
        # From here on the record is on disk; nothing below may raise before it is accounted for.
        self.state.masks_since_round += 1
        self.answerer.embeddings.pin([self.project.image(annotation.image_id).content_hash])
        if suggestion is not None:
            self.review.queue(annotation.image_id).accept(suggestion)
        remaining = self.open_object
        if source != "adopted":
            self._effort.reset()
            remaining = self._next_object()
        guess = current.class_guess
        if source != "adopted" and guess is not None and guess.label != self._class.kept:
            self.answerer.classes.add(annotation.id, guess)
        self._advance(remaining, added=annotation.id, removed=current.reopened)
        if source != "adopted":
            self._class.note_accepted()
        self._annotations_touched()
        self.consider_round(idle_seconds=0.0)
        return annotation

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
        image_id = self._open_id()
        with self.learner.runner.stepping_aside():
            found = self.review.find(kind, image_id, label=label)
        self.receive_suggestions(kind, image_id, found)
        return len(self.review.queue(image_id))

    def receive_suggestions(
        self, kind: SuggestionKind, image_id: str, found: Sequence[Suggestion]
    ) -> None:
        """Second half of `suggest`, for a face whose predictor lives in another thread.

        An object the person has begun stays in front; the suggestions come after it.
        """
        self.review.take(kind, image_id, found)
        if image_id == self.state.image_id and self.open_object.is_untouched:
            self._show_next()

    def survey(
        self, images: Iterable[Unread] | None = None, label: str | None = None
    ) -> Iterator[SurveyStep]:
        """Tell how much like what was accepted there is on images nobody has finished.

        Yields after each image and may be left off there. What was found out is then in
        `review.expected_finds`, and the order to go on in comes from `review.by_need()`.

        Args:
            images: in the project or not; None: the project's.
            label: count objects of this class alone; None: of any.

        Raises:
            SamTuneError: too little was accepted.
            StorageError: the disk refused to keep features.

        """
        self.answerer.learn()
        return self.review.survey(images, label)

    def restart_suggestion(self) -> None:
        """Take back what was said and painted on the suggestion shown.

        Raises:
            MaskError: none is shown.

        """
        suggestion = self.open_object.suggestion
        if suggestion is None:
            raise MaskError("No suggestion is shown: ask for some first.")
        if not self.open_object.is_suggestion:
            self._advance(OpenObject.suggested(suggestion))

    def stop_suggesting(self) -> None:
        """Show no more suggestions; those that wait are forgotten, what was decided is not."""
        self.review.stop()
        for image_id, current in self._objects.items():
            if current.is_suggestion:
                self._objects[image_id] = OpenObject()
        if self.state.image_id is not None:
            self._publish()

    def order_suggestions(self, *, surest_first: bool) -> None:
        """Ask about the surest suggestion first, or about the most uncertain."""
        self.review.surest_first = surest_first
        if self.state.image_id is not None and self.open_object.is_untouched:
            self._show_next()

    def _show_next(self) -> None:
        """Put the next suggestion in the place of the one shown; no step of its own."""
        self._objects[self._open_id()] = self._next_object()
        self._publish()

    def _next_object(self) -> OpenObject:
        """Return what is worked at next: a suggestion while there are any, else nothing."""
        suggestion = self.review.queue(self._open_id()).current
        if suggestion is None:
            return OpenObject()
        self._effort.tick()
        self._class.lend(suggestion.label)
        return OpenObject.suggested(suggestion)

    # ---------------------------------------------------------------- classes

    @property
    def suggested_class(self) -> str | None:
        """The class of the object in progress, where nobody chose it: it was guessed."""
        return self._class.guessed

    def choose_class(self, label: str) -> None:
        """Give the object in progress and the next ones a class; none is suggested over it."""
        guess = self.open_object.class_guess
        self._class.choose(label, instead_of_a_guess=guess is not None)

    # ---------------------------------------------------------- undo and redo

    def undo(self) -> bool:
        """Take the last step back: a prompt, a stroke, an accept, a deletion. False if none."""
        history = self._history()
        if history is None or not history.done:
            return False
        step = history.done[-1]
        self._exchange(remove=step.added, restore=step.removed)
        history.undone.append(history.done.pop())
        self._count_again(step)
        self._settle(step.before)
        guess = step.before.class_guess
        if step.added is not None and guess is not None and step.after is not step.before:
            label = self.project.annotation(step.added).label
            self._class.lend(label, guessed=guess.is_clear and guess.label == label)
        return True

    def redo(self) -> bool:
        """Repeat the step last taken back. False if there is none."""
        history = self._history()
        if history is None or not history.undone:
            return False
        step = history.undone[-1]
        self._exchange(remove=step.removed, restore=step.added)
        history.done.append(history.undone.pop())
        decided = step.before.suggestion
        if decided is not None and step.after.suggestion is not decided:
            queue = self.review.queue(self._open_id())
            queue.reject(decided) if step.added is None else queue.accept(decided)
        if step.added is not None:
            self._effort.reset()  # it is in the record again
        self._settle(step.after)
        return True

    def _exchange(self, *, remove: str | None, restore: str | None) -> None:
        """Take one annotation out of the project and bring another back."""
        if restore is not None and remove is not None:
            self.project.exchange(delete=remove, restore=restore)
        elif restore is not None:
            self.project.restore(restore)
        elif remove is not None:
            self.project.delete(remove)
        if remove is not None or restore is not None:
            self._annotations_touched()

    def _count_again(self, step: Step) -> None:
        """Give the meter back the effort of a record that an undo took out."""
        if step.added is None:
            return
        before = Effort() if step.removed is None else self.project.annotation(step.removed).effort
        self._effort.give_back(self.project.annotation(step.added).effort - before)

    def _settle(self, current: OpenObject) -> None:
        self._generation += 1  # an answer still on its way belongs to what was undone
        former = self.open_object.class_guess
        self._objects[self._open_id()] = current
        if current.suggestion is not None:
            self.review.queue(self._open_id()).restore(current.suggestion)
            self._class.lend(current.suggestion.label)
        elif current.class_guess is not former:
            self._class.suggest(current.class_guess)
        self._publish()

    # ----------------------------------------------------------------- rounds

    @property
    def weights_version(self) -> str:
        """The version in use: "base" or a content hash."""
        return self.state.weights_version

    def fine_tune(self, wait: bool = True, config: TrainConfig | None = None) -> Round | None:
        """Train a candidate on the accepted masks, judge it, and promote it if it is better.

        Args:
            wait: return the finished `Round`; else return None at once (the "inline" runner
                always trains before it returns).
            config: for this round only.

        Raises:
            TrainingError: a round is under way, or the session is closed.

        """
        return self.learner.start(config and self._closely(config), wait=wait)

    def _closely(self, config: TrainConfig) -> TrainConfig:
        """Training sees what the person sees: crops only where there are crops."""
        return config if self.chain.looks_closer else config.model_copy(update={"zoom_share": 0.0})

    def cancel(self) -> None:
        """Stop the round under way, within a training step."""
        self.learner.cancel()

    def consider_round(self, idle_seconds: float) -> None:
        """Start a round in the background if `auto` asks for one after such a rest."""
        self.learner.start_if_due(idle_seconds)

    def rollback(self, version: str) -> None:
        """Use an earlier version (or "base") from the next proposal on.

        Raises:
            ProjectError: the project has no such version.

        """
        self.learner.rollback(version)

    def effort(self) -> list[EffortRow]:
        """What accepted masks cost, by the weights version that proposed them."""
        return effort_by_version(self.project)

    # ------------------------------------------------------------ housekeeping

    def close(self) -> None:
        """Stop the round under way and the worker; remember where the person stopped."""
        if self._closed:
            return
        self._closed = True
        self.learner.close()
        try:
            self.project.remember(label=self._class.own)
        except StorageError as error:
            self.failed.emit(str(error))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_id(self) -> str:
        if self.state.image_id is None:
            raise ProjectError("No image is open: open one first.")
        return self.state.image_id

    def _open_shape(self) -> tuple[int, int]:
        return self.project.image(self._open_id()).shape

    def _history(self) -> History | None:
        return self._histories.get(self.state.image_id or "")

    def _advance(
        self, after: OpenObject, *, added: str | None = None, removed: str | None = None
    ) -> None:
        image_id = self._open_id()
        self._histories[image_id].push(Step(self.open_object, after, added, removed))
        self._objects[image_id] = after
        self._publish()

    def _annotations_touched(self) -> None:
        self.answerer.classes.judge_anew()
        self.annotations_changed.emit(self._open_id())

    def _publish(self) -> None:
        current = self.open_object
        has_own_label = (current.reopened, current.suggestion, current.class_guess) != (None,) * 3
        if not has_own_label:
            self._class.give_back()
        history = self._history()
        self.state.can_undo = history is not None and bool(history.done)
        self.state.can_redo = history is not None and bool(history.undone)
        self.object_changed.emit(self.open_object)
