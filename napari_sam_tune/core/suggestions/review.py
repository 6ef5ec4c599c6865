"""What is proposed without being asked, image by image, while a person reviews it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.scenes import level_of
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES
from napari_sam_tune.core.pixel_classifier.survey import Survey, Unread
from napari_sam_tune.core.project.folder import HEADS
from napari_sam_tune.core.suggestions.queue import SuggestionQueue
from napari_sam_tune.core.suggestions.scan import (
    ScanProgress,
    SimilarInTiles,
    TileScan,
    tiles_for_similar,
)
from napari_sam_tune.core.suggestions.strictness import Strictness
from napari_sam_tune.core.suggestions.suggestion import without_accepted
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.geometry.windows import BoundingBox, Window
    from napari_sam_tune.core.pixel_classifier.survey import SurveyStep
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.suggestions.suggestion import Suggestion, SuggestionKind

_TOO_LITTLE: Final = mark(
    "Too little was accepted yet to find all like it: accept masks on {images} images first, or "
    "in {images} places of a large one."
)


@dataclass(frozen=True)
class ReviewProgress:
    """Where a review of one image is: the suggestion shown is number `position` of `count`.

    Attributes:
        position: counts from 1; 0 where none is left.
        count: all there were, decided and waiting.

    """

    position: int
    count: int


class Review:
    """Finds suggestions, and keeps one queue for each image.

    Args:
        project: images, accepted masks and heads.
        answerer: the model and what was learnt; `find` and `survey` use it, on its thread.

    Attributes:
        kind: what proposes; None while nobody reviews.

    """

    def __init__(self, project: Project, answerer: Answerer) -> None:
        self.kind: SuggestionKind | None = None
        self._project, self._answerer, self._predictor = project, answerer, answerer.predictor
        self._cache, self._chain = answerer.embeddings, answerer.chain
        self._recall, self._instant = answerer.recall, answerer.instant
        self._queues: dict[str, SuggestionQueue] = {}
        self._head: tuple[Path, PromptlessModel, float] | None = None
        self._surest_first = False
        self._strictness = Strictness()
        self._searched: set[str] = set()
        self._survey = Survey(answerer.embeddings, answerer.instant.extractor)
        self._scans: dict[tuple[SuggestionKind, str, str | None], TileScan] = {}

    @property
    def surest_first(self) -> bool:
        """Whether the surest suggestion is asked about first, not the most uncertain."""
        return self._surest_first

    @surest_first.setter
    def surest_first(self, surest_first: bool) -> None:
        self._surest_first = surest_first
        for queue in list(self._queues.values()):
            queue.surest_first = surest_first

    @property
    def has_head(self) -> bool:
        """Whether a promptless head was trained for the project."""
        return any((self._project.path / HEADS).glob("*.safetensors"))

    @property
    def knows_part(self) -> bool:
        """Whether masks were accepted on other photographs of what the open image shows."""
        return self._recall.knows_part

    def queue(self, image_id: str) -> SuggestionQueue:
        """Return an image's queue; what was decided there is remembered."""
        fresh = SuggestionQueue(self._strictness, surest_first=self._surest_first)
        return self._queues.setdefault(image_id, fresh)

    def of_thing(self, thing: str) -> dict[str, Suggestion]:
        """Return what waits of a thing of a stack, by image; the most unsure first."""
        found = [
            (image_id, one)
            for image_id, queue in list(self._queues.items())
            for one in queue.waiting
            if one.thing == thing
        ]
        return dict(sorted(found, key=lambda pair: pair[1].score))

    def rejected(self) -> dict[str, tuple[Suggestion, ...]]:
        """Return what a person said no to, by image id; images without are left out."""
        queues = list(self._queues.items())
        return {i: tuple(queue.rejected) for i, queue in queues if queue.rejected}

    def stop(self) -> None:
        """Forget what waits, on every image; what was decided is remembered.

        Whoever asks for finds again sees those that too many noes had held back, too.
        """
        self.kind = None
        self._strictness.forget()
        self._searched.clear()
        self._scans.clear()
        for queue in list(self._queues.values()):
            queue.refresh([])

    def progress(self, image_id: str) -> ReviewProgress:
        """Return where the review of an image is."""
        queue = self.queue(image_id)
        count = queue.decided + len(queue)
        return ReviewProgress(queue.decided + 1 if len(queue) else 0, count)

    def find(
        self,
        kind: SuggestionKind,
        image_id: str,
        checkpoint: Callable[[], None] = lambda: None,
        label: str | None = None,
        *,
        seconds: float | None = None,
    ) -> list[Suggestion]:
        """Look for objects on an image; but for a head it must be the predictor's open one.

        To be called by whoever owns the predictor. An image marked as having no defect has none.

        Args:
            kind: what is to propose.
            image_id: where.
            checkpoint: called every few prompts; may raise to make room for something urgent.
            label: of all like what was accepted, only this class; None: of any.
            seconds: of a large image, what is found in about so long and before comes back, and the
                next call goes on from there, see `scanning`; None: all is looked through.

        Raises:
            SamTuneError: the project has no trained head, or it is of another model; or too little
                was accepted to find all like it, or nothing of that class; or a class was named
                for something else.
            ProjectError, ImageError: the image cannot be read, or is not the predictor's open one.

        """
        from napari_sam_tune.core.suggestions.sources import suggest_everything, suggest_with_head

        if label is not None and kind != "similar":
            raise SamTuneError(
                tr(
                    "Only all like what was accepted can be looked for by class: leave the "
                    "class out, or choose “similar”."
                )
            )
        if self._project.is_empty(image_id):
            return []
        if self._is_large(image_id):
            return self._scanned(kind, image_id, checkpoint, label, seconds)
        if kind == "head":
            image_hash = self._project.image(image_id).content_hash
            image = self._project.read_image(image_id)
            model, made = self._newest_head()
            found = self._called_now(suggest_with_head(model, image, image_hash), model, made)
            return without_accepted(found, self._project.annotations(image_id))
        self._answerer.require_open(image_id)
        if kind == "recalled":
            return self._recalled(image_id, checkpoint)
        if kind == "similar":
            found = self._similar(image_id, checkpoint, label)
        else:
            found = suggest_everything(self._predictor, checkpoint=checkpoint)
        return without_accepted(found, self._project.annotations(image_id))

    def _called_now(
        self, found: list[Suggestion], model: PromptlessModel, made: float
    ) -> list[Suggestion]:
        names = {name: self._project.class_now(name, made) for name in model.classes}
        return [replace(one, label=names[str(one.label)]) for one in found]

    # ----------------------------------------------------------- large images

    def _is_large(self, image_id: str) -> bool:
        return is_large(self._project.image(image_id).shape, self._predictor.input_side)

    def scanning(self, image_id: str) -> ScanProgress | None:
        """Return how far the search through a large image is; None where none is under way."""
        under_way = (scan for (_, name, _), scan in self._scans.items() if name == image_id)
        return next((scan.progress for scan in under_way if scan.tiles), None)

    def _scanned(
        self,
        kind: SuggestionKind,
        image_id: str,
        checkpoint: Callable[[], None],
        label: str | None,
        seconds: float | None,
    ) -> list[Suggestion]:
        """Look through a large image, which must be the predictor's open one; see `find`."""
        self._answerer.require_open(image_id)
        if kind == "recalled":
            return self._recalled(image_id, checkpoint)
        key = kind, image_id, label
        begun = self._scans.get(key)
        found = [] if begun is None else begun.found
        look, tiles = self._search(kind, image_id, label, found, checkpoint)
        scan = self._scans.setdefault(key, begun or TileScan(self._predictor.image_shape, tiles))
        scan.go_on(look, checkpoint, seconds)
        if not scan.tiles:
            del self._scans[key]
        return without_accepted(scan.found, self._project.annotations(image_id))

    def _recalled(self, image_id: str, checkpoint: Callable[[], None]) -> list[Suggestion]:
        from napari_sam_tune.core.suggestions.sources import suggest_recalled

        while self._recall.catch_up():
            checkpoint()
        found = suggest_recalled(self._chain, self._predictor, self._recall.all(), checkpoint)
        return without_accepted(found, self._project.annotations(image_id))

    def _search(
        self,
        kind: SuggestionKind,
        image_id: str,
        label: str | None,
        found: list[Suggestion],
        checkpoint: Callable[[], None],
    ) -> tuple[Callable[[Window], list[Suggestion]], list[Window]]:
        """Return what looks at a tile for what was not found before, and the tiles."""
        from napari_sam_tune.core.suggestions.in_tiles import everything_in_tiles, head_in_tiles

        shape, side = self._predictor.image_shape, self._predictor.input_side
        opened = self._predictor.opened
        if kind == "similar":
            self._require_learnt(label)
            levels = {level_of(a.bbox, side) for a in self._project.counting()}
            version = self._predictor.weights.version
            known = self._known(image_id) + [(one.mask, one.bbox) for one in found]
            similar = SimilarInTiles(self._chain, self._instant, shape, side, known, version, label)
            return similar.look, tiles_for_similar(shape, side, levels)
        if kind == "everything":
            answer = self._chain.answer
            return everything_in_tiles(
                self._predictor,
                lambda prompt, tile: answer(prompt, seen=tile),
                checkpoint=checkpoint,
            )
        model, made = self._newest_head()
        look, tiles = head_in_tiles(model, opened.source, side)
        return lambda tile: self._called_now(look(tile), model, made), tiles

    def _require_learnt(self, label: str | None) -> None:
        snapshot = self._instant.snapshot()
        if snapshot is None:
            raise SamTuneError(tr(_TOO_LITTLE, images=LEAST_IMAGES))
        if label is not None and label not in snapshot.classes:
            raise SamTuneError(
                tr(
                    "No mask of “{label}” was accepted yet, so nothing like it can be found. "
                    "There are masks of: {classes}.",
                    label=label,
                    classes=", ".join(snapshot.classes),
                )
            )

    # ---------------------------------------------------------- small images

    def _similar(
        self, image_id: str, checkpoint: Callable[[], None], label: str | None
    ) -> list[Suggestion]:
        from napari_sam_tune.core.suggestions.sources import suggest_similar

        self._require_learnt(label)
        maps = self._instant.class_maps()
        if maps is None:
            raise SamTuneError(tr(_TOO_LITTLE, images=LEAST_IMAGES))
        shape, version = self._predictor.image_shape, self._predictor.weights.version
        known = self._known(image_id)
        return suggest_similar(self._chain, shape, maps, known, version, checkpoint, label=label)

    def _known(self, image_id: str) -> list[tuple[Mask, BoundingBox]]:
        """Masks that were accepted or rejected on an image."""
        accepted = [(a.cropped_mask, a.bbox) for a in self._project.annotations(image_id)]
        return accepted + [(s.mask, s.bbox) for s in self.queue(image_id).rejected]

    # ------------------------------------------------------------- other images

    def survey(
        self, images: Iterable[Unread] | None = None, label: str | None = None
    ) -> Iterator[SurveyStep]:
        """Tell how much like what was accepted there is on images nobody has finished.

        To be called by whoever owns the predictor. Yields after each image and may be left off
        there. What was found out is then in `expected_finds`, and the order to go on in comes from
        `by_need()`. Images that are done, or marked as having no defect, are passed over.

        Args:
            images: in the project or not; None: the project's.
            label: count objects of this class alone; None: of any.

        Raises:
            SamTuneError: too little was accepted.
            StorageError: the disk refused to keep features.

        """
        snapshot = self._instant.snapshot()
        if snapshot is None:
            raise SamTuneError(tr(_TOO_LITTLE, images=LEAST_IMAGES))
        known = {
            record.id: Unread(
                record.id, partial(self._project.open_image, record.id), record.content_hash
            )
            for record in self._project.images()
        }
        finished = self._project.done_images()
        asked = known.values() if images is None else images
        left = [known.get(image.id, image) for image in asked if image.id not in finished]
        labelled = [known[name] for name in sorted(snapshot.images) if name in known]
        return self._survey.go_over(left, labelled, snapshot, self._known, label)

    @property
    def expected_finds(self) -> dict[str, int]:
        """How many objects are expected on images surveyed and not finished since, by image.

        Where all like what was accepted was looked for since, it is what waits there.
        """
        finished = self._project.done_images()
        return {
            name: len(self.queue(name)) if name in self._searched else count
            for name, count in self._survey.expected().items()
            if name not in finished
        }

    @property
    def sureness(self) -> dict[str, float]:
        """How likely the surest find is an object, from 0 to 1, by image surveyed."""
        return self._survey.sureness()

    def by_need(self) -> Iterator[str]:
        """Yield the images of `expected_finds`, the one most worth labelling first.

        How sure the surest find is and what is new about an image decide; near-duplicates come
        last. See `pixel_classifier.survey`.
        """
        labelled = {annotation.image_id for annotation in self._project.annotations()}
        return self._survey.by_need(self.expected_finds, labelled | self._project.done_images())

    def take(self, kind: SuggestionKind, image_id: str, found: Iterable[Suggestion]) -> None:
        """Let what was found wait for a yes or a no."""
        self.kind = kind
        self.queue(image_id).refresh(found)
        if kind == "similar":
            self._searched.add(image_id)

    def _newest_head(self) -> tuple[PromptlessModel, float]:
        """Return the head kept last and when that was; its classes are called as they were then."""
        from napari_sam_tune.core.promptless.store import kept_at, newest_head, read_head

        file = newest_head(self._project)
        if file is None:
            raise SamTuneError(
                tr(
                    "This project has no trained finder yet, which would propose by itself "
                    "what looks like your masks. Choose “Trained finder” in the dock and "
                    "press “Train it”, or let “Anything that stands out” propose."
                )
            )
        if self._head is None or self._head[0] != file:
            self._head = file, read_head(self._predictor, file, self._cache), kept_at(file)
        return self._head[1:]
