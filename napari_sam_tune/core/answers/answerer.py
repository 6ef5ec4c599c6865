"""The model and all that bears on its answers, on the thread that owns it.

What a person does is the session's (`core/session`), which never touches a tensor; whatever may
keep a click waiting is here. A face with a thread for the model calls all of this there and nowhere
else, but for the switches of `chain`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.answers.caching import WindowCache, embed_image, mark_lasting, open_cache
from napari_sam_tune.core.answers.chain import AnswerChain
from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.instant_learning import InstantLearning
from napari_sam_tune.core.answers.likely_class import LikelyClasses
from napari_sam_tune.core.answers.look_again import LookAgain
from napari_sam_tune.core.answers.stroke import encloses, inside, snap
from napari_sam_tune.core.errors import ImageError, PromptError, SamTuneError, StorageError
from napari_sam_tune.core.images.files import content_hash, spatial_shape
from napari_sam_tune.core.images.rgb_source import RgbSource, glance, rgb_source
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.pixel_classifier.history import LearntHistory
from napari_sam_tune.core.prompts import ClassGuess, Prompt
from napari_sam_tune.core.recall.recall import Recall
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.known_images import Refused
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Proposal, ProposalRequest, Stroke
    from napari_sam_tune.core.recall.recalled import Recalled
    from napari_sam_tune.core.state import SessionState

    Pixels = NDArray[Any] | RgbSource

_log = logging.getLogger(__name__)

MOST_ANSWERED_ANEW: Final = 4
"""First clicks put anew to new weights each time there is a moment: each takes half a second."""


class Answerer:
    """Encodes images, answers prompts, learns what was accepted, and takes new weights in.

    Args:
        project: whose images and masks.
        predictor: the live model.
        state: told of weights, surfaces and what was learnt.
        rejected: what a person said no to, by image id.
        stepping_aside: while its block runs, training leaves the processor to this thread.
        failed: told, in a sentence, of what went wrong and lost nothing.
        recall, instant, zoom: see `Session`.

    Attributes:
        embeddings: the project's cache.
        chain: which links of an answer are on.
        recall: masks of other photographs of the open image's part.
        instant: what was learnt at every accept.
        classes: guesses of an object's class.
        look_again: which accepted masks the weights in use disagree with most.
        learnt_history: what learning at every accept was worth after so many masks.

    """

    def __init__(
        self,
        project: Project,
        predictor: Predictor,
        state: SessionState,
        *,
        rejected: Callable[[], Mapping[str, tuple[Refused, ...]]],
        stepping_aside: Callable[[], AbstractContextManager[None]],
        failed: Callable[[str], None],
        recall: bool = True,
        instant: bool = True,
        zoom: bool | None = None,
    ) -> None:
        self._project, self.predictor, self._state = project, predictor, state
        self._stepping_aside, self._failed = stepping_aside, failed
        self._open: ImageRecord | None = None
        self._pixels: Pixels = np.empty((0, 0))  # of the open image, as deep as they came
        self._surfaces_from: str | None = None  # the version whose descriptions are known
        self.embeddings = open_cache(project)
        annotated = {annotation.image_id for annotation in project.annotations()}
        self.embeddings.pin(r.content_hash for r in project.images() if r.id in annotated)
        self.recall = Recall(project)
        self.learnt_history = LearntHistory(project.path / "learnt.jsonl")
        self.instant = InstantLearning(
            project,
            self.embeddings,
            predictor.device,
            predictor.input_side,
            rejected=rejected,
            resumed=next(reversed(self.learnt_history.points), None),
        )
        self.classes = LikelyClasses(project, self.instant, project.path / "guessed_classes.jsonl")
        self.chain = AnswerChain(
            predictor,
            self.recall,
            self.instant,
            recalls=recall,
            learns=instant,
            looks_closer=predictor.encodes_fast if zoom is None else zoom,
        )
        self.look_again = LookAgain(
            project, predictor, self.chain, self.embeddings, project.path / "looked_again.jsonl"
        )

    def open(self, image: Pixels, record: ImageRecord) -> None:
        """Make an image the model's open one, and say so where its embedding cannot be kept.

        Raises:
            ImageError: not an image.

        """
        try:
            self.encode(image, record)
        except StorageError as error:
            self._failed(f"The image's embedding could not be kept: {error}")

    def encode(
        self,
        image: Pixels,
        record: ImageRecord,
        stage: Callable[[int, int], None] = lambda step, count: None,
    ) -> None:
        """Make an image the model's open one; its embedding comes from the cache, or goes there.

        Args:
            image: its pixels, or where they are read.
            record: the project's.
            stage: told which step of how many begins, from 1.

        Raises:
            ImageError: not an image.
            StorageError: the new embedding could not be kept; the image is open all the same.

        """
        stage(1, 4)
        self._follow_surfaces()
        source = rgb_source(image)
        key = self.predictor.weights.encoder_key_for(glance(source))
        embedding = self.embeddings.get(key, record.content_hash)
        wanted = self.predictor.network.embedding_shape
        if embedding is not None and embedding.features.shape != wanted:
            embedding = None  # it came from elsewhere, and is none of this model's
        kept = WindowCache(self.embeddings, key, record.content_hash)
        self.predictor.set_image(source, embedding, kept)
        self._open, self._pixels = record, image
        self._tell_surface()
        stage(2, 4)
        if self.chain.recalls:
            self.recall.look(source, record)
        else:
            self.recall.forget()
        stage(3, 4)
        self._look_at_features(record)
        stage(4, 4)
        if embedding is None and not self.predictor.opened.is_large:
            self.embeddings.put(key, record.content_hash, self.predictor.view.embedding)
        mark_lasting(self.embeddings, self.predictor)

    def _look_at_features(self, record: ImageRecord) -> None:
        """Have the image's features; without them the model answers by itself."""
        self.instant.forget()
        if self.chain.learns:
            try:
                self.instant.look(self.predictor.opened, record)
            except SamTuneError as error:
                _log.warning("Nothing learnt bears on %s: %s", record.id, error)

    def encode_ahead(self, image: Pixels) -> None:
        """Prepare an image that may be opened later; a large one is when somebody looks at it.

        Raises:
            ImageError: not an image.
            StorageError: what was prepared could not be kept.

        """
        predictor, extractor = self.predictor, self.instant.extractor
        if isinstance(image, RgbSource) or is_large(spatial_shape(image), predictor.input_side):
            return
        embed_image(predictor, extractor, self.embeddings, image, content_hash(image))

    @property
    def open_id(self) -> str | None:
        """The image the model has open; None before there was one."""
        return None if self._open is None else self._open.id

    def require_open(self, image_id: str) -> None:
        """Make sure that what the model says is about this image.

        Raises:
            ImageError: the model has another one open, or none.

        """
        if self.open_id != image_id:
            raise ImageError(tr("The image could not be prepared for the model; open it again."))

    def answer(self, request: ProposalRequest) -> Proposal:
        """Ask the model. See `Predictor.propose`.

        Raises:
            ImageError: the image asked about is not the model's open one.

        """
        self.require_open(request.image_id)
        seen, near = request.seen, request.is_nearly_right
        proposal = self.chain.ask(
            request.prompt, request.previous, seen=seen, on_record=True, is_nearly_right=near
        )
        if request.previous is None and request.prompt.mask is None:
            proposal = replace(proposal, class_guess=self._class_of(proposal))
        return proposal

    def _class_of(self, proposal: Proposal) -> ClassGuess | None:
        """Return the class of earlier masks of the same object, or the one it looks like."""
        if proposal.is_recalled:
            return ClassGuess(self.recall.class_of(proposal.recalled), 1.0, True, is_recalled=True)
        return self.classes.guess(proposal.placed) if self.chain.learns else None

    def ask(self, prompt: Prompt, previous: Proposal | None = None) -> Proposal:
        """Ask the model off the record."""
        return self.chain.ask(prompt, previous)

    def draw(self, image_id: str, stroke: Stroke, reach: float) -> PlacedMask:
        """Find the line along a stroke, or the object inside it where its ends meet.

        Args:
            image_id: the image drawn on.
            stroke: (x, y) positions in px.
            reach: how far from it the line may be, in px.

        Raises:
            ImageError: the image is not the model's open one.
            PromptError: the stroke is no line within the image, or nothing was found inside it.

        """
        self.require_open(image_id)
        if not encloses(stroke):
            return snap(self._pixels, stroke, reach)
        x, y = zip(*stroke, strict=True)
        proposal = self.chain.answer(Prompt(box=(min(x), min(y), max(x), max(y))))
        mask = proposal.placed & inside(stroke, self.predictor.image_shape)
        if not mask.any():
            raise PromptError(tr("The model found nothing within the loop: click on the object."))
        return mask

    def carry(self, plane: RgbSource, record: ImageRecord, expected: Recalled) -> Proposal:
        """Ask about an object of one plane in another; the open image stays open.

        The plane's embedding comes from the cache, or goes there as far as there is room.

        Args:
            plane: the other plane.
            record: of it.
            expected: where the object should be there, and how it should look.

        """
        rgb = glance(plane)  # all of what is held
        key = self.predictor.weights.encoder_key_for(rgb)
        embedding = self.embeddings.get(key, record.content_hash)
        with self.predictor.aside(plane, embedding):
            proposal = self.chain.carry(expected, self.instant.prior_on(rgb, record))
            is_known = embedding is not None or self.predictor.opened.is_large
            made = None if is_known else self.predictor.view.embedding
        if made is not None:
            try:
                self.embeddings.put(key, record.content_hash, made)
            except StorageError as error:  # it is made again when the plane is opened
                _log.warning("The embedding of %s could not be kept: %s", record.id, error)
        return proposal

    def look_closer(self, proposal: Proposal) -> Proposal | None:
        """Ask once more from close by; None where that is off or no use."""
        return self.chain.ask_closer(proposal)

    def learn(self, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Learn from what was accepted, edited or taken back since; on the open image at once.

        See `answers.instant_learning`.

        Args:
            checkpoint: called between two images; may raise to make room for something urgent.

        """
        if not self.chain.learns:
            return
        try:
            with self._stepping_aside():
                self.instant.follow(checkpoint)
            self._state.learnt = self.instant.learnt
        except SamTuneError as error:  # answers go on as before, and no click is lost by it
            _log.warning("What was accepted last is not learnt yet: %s", error)

    def settle(
        self, checkpoint: Callable[[], None] = lambda: None, most: int = MOST_ANSWERED_ANEW
    ) -> bool:
        """Find out how much what was learnt helps, and give it as much weight; for idle moments.

        Args:
            checkpoint: as in `learn`.
            most: first clicks that are put anew to the weights in use, where others answered them.

        Returns:
            Whether there is more to do in the next idle moment.

        """
        if not self.chain.learns:
            self._state.learnt = None
            return False
        try:
            self.instant.follow(checkpoint)
            unanswered = self.instant.unanswered(self.predictor.weights.loaded_version)
            for annotation in unanswered[:most]:
                checkpoint()
                self._answer_anew(annotation)
            self.instant.settle(self.chain.refiners, checkpoint)
        except SamTuneError as error:
            _log.warning("The weight of what was learnt stays as it was: %s", error)
            return False
        if len(unanswered) <= most:
            self.learnt_history.add(self.instant.judged)
        self._state.learnt = self.instant.learnt
        return len(unanswered) > most or not self.instant.is_settled

    def look_ahead(self) -> bool:
        """Do what a large image still needs; whether there was something to do."""
        model = self.predictor
        beside = model.has_image and model.encodes_fast and model.opened.prepare_one()
        return beside or self.recall.catch_up()

    def _answer_anew(self, annotation: Annotation) -> None:
        """Let the model alone answer the first click on an accepted object, with its weights."""
        predictor = self.predictor
        try:
            record = self._project.image(annotation.image_id)
            source = rgb_source(self._project.open_image(record.id))
            key = predictor.weights.encoder_key_for(glance(source))
            embedding = self.embeddings.get(key, record.content_hash)
            if embedding is None and not predictor.encodes_fast:
                self.instant.clicks.give_up(annotation)
                return
            proposal = self.chain.answer_alone(annotation.prompts[0], source, embedding)
            self.instant.note_answered(annotation, proposal, predictor.weights.loaded_version)
        except SamTuneError as error:
            _log.warning("How much was learnt is judged without %s: %s", annotation.id, error)
            self.instant.clicks.give_up(annotation)

    def apply_swap(self) -> bool:
        """Load the version in use into the predictor if it is not there yet.

        Returns whether weights were swapped; a changed encoder is shown the open image anew.

        Raises:
            ProjectError, ImageError: the version, or the open large image, cannot be read.
            CheckpointError: the version does not fit the model.

        """
        version = self._state.weights_version
        if self.predictor.weights.loaded_version == version:
            return False
        had_image = self.predictor.has_image
        if version == BASE_VERSION:
            self.predictor.weights.load_base()
        else:
            tensors, _ = self._project.load_weights(version)
            self._surfaces_from = self._project.newest_version
            self.predictor.weights.load(tensors, version, self._project.surfaces_of(version))
        self._tell_surface()
        if had_image and not self.predictor.has_image and self._open is not None:
            self.open(self._pixels, self._open)
        return True

    def _follow_surfaces(self) -> None:
        """Know what was labelled since the weights in use were learnt and leads on from that."""
        newest = self._project.newest_version
        if newest != self._surfaces_from:
            self.predictor.weights.extend(self._project.labelled_surfaces())
            self._surfaces_from = newest

    def _tell_surface(self) -> None:
        predictor = self.predictor
        self._state.is_surface_new = predictor.weights.version != predictor.weights.loaded_version
