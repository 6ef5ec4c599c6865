"""The whole product without pixels: open, prompt, correct, accept, learn, swap, undo.

A session belongs to one thread, the caller's, and its `answerer` to the one that owns the model:
the same here, in the dock the inference thread. Only `progress`, `round_finished`, `failed` and the
two fields of `state` a round changes may fire on the runner's reader thread, and
`state.is_surface_new` and `state.learnt` on the answerer's. New weights are promoted (written to
the project) where the round ends and *applied* by the answerer: here at the next call that needs
the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.project.effort import EffortRow, EffortTally
from napari_sam_tune.core.rounds.learner import Learner
from napari_sam_tune.core.rounds.plan import AutoRounds
from napari_sam_tune.core.rounds.runners import Runner, make_runner
from napari_sam_tune.core.session.accepting import Accepting
from napari_sam_tune.core.session.carrying_on import CarryingOn
from napari_sam_tune.core.session.changing import Changing
from napari_sam_tune.core.session.notice import open_with
from napari_sam_tune.core.session.objects import Objects
from napari_sam_tune.core.session.proposing import Proposing
from napari_sam_tune.core.session.suggested import Suggested
from napari_sam_tune.core.session.undo import Undo
from napari_sam_tune.core.state import SessionState

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.project.stored_annotation import Source
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.session.deeds import Undone


class Session(Proposing, Changing, CarryingOn):
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
        predictor: the live model.
        answerer: the model and what bears on its answers; for the thread that owns the model.
        chain: which links of an answer are on; may be changed, images opened later obey.
        review: what is proposed without being asked.
        objects: what is worked at; a face whose model lives in another thread asks here.
        suggested: how what is proposed comes before the person.
        learner: the rounds.
        notice: what opening the project changed or found, in words; None if nothing.
        object_changed: fires with the `OpenObject` in progress.
        annotations_changed: fires with the image id whose accepted masks changed.
        progress: fires with the round's `Progress`.
        round_finished: fires with the `Round` that ended.
        failed: fires with a sentence when something went wrong that lost nothing.

    """

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
        # Not above: these work on tensors, and whoever only names a session needs no torch.
        from napari_sam_tune.core.answers.answerer import Answerer
        from napari_sam_tune.core.stacks.carrying import Carrying
        from napari_sam_tune.core.suggestions.review import Review

        self.notice = open_with(project, predictor.ref)
        self.project, self._tally = project, EffortTally()
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
        self.predictor, self.chain = predictor, self.answerer.chain
        self.review = Review(project, self.answerer)
        self.carrying = Carrying(project, self.answerer)
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
        self._closed, self._moves_seen = False, set(project.class_moves())
        label = project.place().get("label")
        if isinstance(label, str):
            self.state.label = label
        self.objects = Objects(self.state)
        self.suggested = Suggested(self.state, self.review, self.objects)
        self._accepting = Accepting(
            project, self.state, self.objects, self.suggested, self.answerer, source
        )
        self._undo = Undo(project, self.objects, self.suggested, self._accepting)
        self.object_changed = self.objects.changed
        self.annotations_changed = self._accepting.changed

    # ---------------------------------------------------------------- images

    def open_image(
        self,
        image: NDArray[Any] | LargeImage,
        image_id: str,
        *,
        path: Path | str | None = None,
        group: str | None = None,
        stratum: str | None = None,
    ) -> ImageRecord:
        """Register an image, encode it (or take its embedding from the cache) and show it.

        See `Project.register` for the arguments.
        """
        record = self.project.register(image, image_id, path=path, group=group, stratum=stratum)
        upright = self.project.upright(image, record)
        self.answerer.learn()
        self.answerer.settle()
        self.answerer.apply_swap()
        self.answerer.open(upright, record)
        self.show(image_id)
        return record

    def show(self, image_id: str) -> None:
        """Make a registered image the open one; its object in progress and its undo come back."""
        self.learner.follow_project()
        self.follow()
        self.objects.open(image_id, self.project.image(image_id).shape)
        if len(self.review.queue(image_id)):
            self.suggested.show_new(image_id)
        try:
            self.project.remember(image_id=image_id)
        except StorageError as error:
            # A full disk must not keep anybody from looking at an image.
            self.failed.emit(str(error))

    # ------------------------------------------------------------- accepting

    def accept(
        self, mask: ArrayLike | PlacedMask | None = None, label: str | None = None
    ) -> Annotation:
        """Keep the object; returns when the record would survive a kill and a power cut.

        Args:
            mask: what the person settled on, (H, W) bool or in its box; None takes the proposal as
                corrected.
            label: its class; None takes `state.label`.

        Raises:
            MaskError: there is nothing to accept, or the mask is empty or of another shape.
            StorageError: the disk refused; the object stays open and a retry works.

        """
        self.follow()
        annotation = self._accepting.accept(mask, label)
        self.learner.start_if_due(0.0)
        return annotation

    def adopt(self, mask: ArrayLike | PlacedMask, label: str | None = None) -> Annotation:
        """Take over a mask made elsewhere as it is, without prompts.

        Raises:
            MaskError: the mask is empty or not of the image's shape.

        """
        self.follow()
        annotation = self._accepting.adopt(mask, label)
        self.learner.start_if_due(0.0)
        return annotation

    def reopen(self, annotation_id: str) -> None:
        """Take an accepted object up again, with its class; accepting it supersedes the record.

        Raises:
            ProjectError: it is on another image.

        """
        self._accepting.reopen(annotation_id)

    # ---------------------------------------------------------- undo and redo

    def undo(self) -> Undone | Literal[False]:
        """Take back what was done last. False if there is nothing.

        Prompts, strokes and accepts are taken back on their image. What is done in
        `Changing` is from any image, and what is returned says which it concerns.
        """
        return self._undo.undo()

    def redo(self) -> Undone | Literal[False]:
        """Repeat what was taken back last. False if there is nothing."""
        return self._undo.redo()

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

    def rollback(self, version: str) -> None:
        """Use an earlier version (or "base") from the next proposal on.

        Raises:
            ProjectError: the project has no such version.

        """
        self.learner.rollback(version)

    def effort(self) -> list[EffortRow]:
        """What accepted masks cost, by the weights version that proposed them."""
        return self._tally.rows(self.project.annotations())

    # ------------------------------------------------------------ housekeeping

    def close(self) -> None:
        """Stop the round under way and the worker; remember where the person stopped."""
        if self._closed:
            return
        self._closed = True
        self.learner.close()
        try:
            self.project.remember(label=self.objects.classes.own)
        except StorageError as error:
            self.failed.emit(str(error))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
