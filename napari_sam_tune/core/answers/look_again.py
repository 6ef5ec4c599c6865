"""Which accepted masks the weights in use disagree with most: some of them are worth another look.

Each mask is asked for anew, by its box and the first click on it, and the answer of the weights
alone is scored against what was accepted. Either of the two may be wrong: a mask with a slip in it
comes to the front here, and so does what the model has not learnt yet.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.geometry.windows import grown
from napari_sam_tune.core.images.rgb_source import glance, rgb_source
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import TOLERANCE, is_thin, score
from napari_sam_tune.core.storage.side_log import SideLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.answers.chain import AnswerChain
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LookStep:
    """One accepted mask was asked for anew.

    Attributes:
        annotation_id: which.
        image_id: where it is.
        done: masks asked for so far, this one included.
        total: masks there were to ask for.
        score: how far the weights agree, from 0 to 1: IoU, tolerant F1 of thin objects; None where
            the image or the mask could not be read.

    """

    annotation_id: str
    image_id: str
    done: int
    total: int
    score: float | None


class LookAgain:
    """Asks for accepted masks anew, and remembers how far each version of the weights agreed.

    `steps` belongs to the thread that owns the predictor, `most_doubtful` to any.

    Args:
        project: whose masks.
        predictor: the live model.
        chain: answers as people get them.
        cache: embeddings of images.
        path: where scores are kept.

    """

    def __init__(
        self,
        project: Project,
        predictor: Predictor,
        chain: AnswerChain,
        cache: EmbeddingCache,
        path: Path,
    ) -> None:
        self._project, self._predictor = project, predictor
        self._chain, self._cache = chain, cache
        self._file = SideLog(path)
        self._scores: dict[str, dict[str, float]] = {}  # by weights, then by annotation
        for weights, annotation_id, agreed in self._file.read(_parsed):
            self._scores.setdefault(weights, {})[annotation_id] = agreed

    @property
    def _weights(self) -> str:
        """Name of the weights that answer, of which there may be several base models' over time."""
        return f"{self._predictor.ref.sha256[:12]}/{self._predictor.weights.loaded_version}"

    def steps(self) -> Iterator[LookStep]:
        """Ask for each mask that the weights in use have not been asked for yet, image by image.

        Yields after each, and may be left off there; it ends early where other weights come into
        use. Where an image's embedding is not in the cache it is encoded, which takes its time.
        """
        weights = self._weights
        known = self._scores.setdefault(weights, {})
        left = [a for a in self._project.counting() if a.id not in known]
        left.sort(key=lambda annotation: (annotation.image_id, annotation.id))
        opened: tuple[str, Any, Any] | None = None
        for done, annotation in enumerate(left, start=1):
            if self._weights != weights:
                return
            agreed = None
            try:
                if opened is None or opened[0] != annotation.image_id:
                    opened = annotation.image_id, *self._opened(annotation.image_id)
                agreed = self._asked(annotation, *opened[1:])
            except SamTuneError as error:
                _log.warning("%s is not looked at again: %s", annotation.id, error)
            else:
                known[annotation.id] = agreed
                entry = {"weights": weights, "annotation": annotation.id, "score": agreed}
                self._file.append(entry)
            yield LookStep(annotation.id, annotation.image_id, done, len(left), agreed)

    def most_doubtful(self) -> list[tuple[str, float]]:
        """Return accepted masks and how far the weights in use agree, the lowest first.

        Those not asked for yet are missing, and those that were approved, set aside or deleted.
        """
        known = self._scores.get(self._weights, {})
        aside = self._project.images_set_aside()
        found = [
            (annotation.id, known[annotation.id])
            for annotation, review in self._project.reviewed()
            if annotation.id in known
            and review.state == "accepted"
            and annotation.image_id not in aside
        ]
        return sorted(found, key=lambda pair: pair[1])

    def _opened(self, image_id: str) -> tuple[Any, Any]:
        record = self._project.image(image_id)
        source = rgb_source(self._project.open_image(image_id))
        key = self._predictor.weights.encoder_key_for(glance(source))
        embedding = self._cache.get(key, record.content_hash)
        if embedding is None and not is_large(record.shape, self._predictor.input_side):
            with self._predictor.aside(source, None):
                embedding = self._predictor.view.embedding
            self._cache.put(key, record.content_hash, embedding)
        return source, embedding

    def _asked(self, annotation: Annotation, source: Any, embedding: Any) -> float:
        answer = self._chain.answer_alone(_prompt_for(annotation), source, embedding)
        truth = annotation.placed
        y0, x0, y1, x1 = (answer.placed | truth).bbox or annotation.bbox
        near = grown((y0, x0, y1, x1), ceil(TOLERANCE) + 1)
        return score(answer.placed.crop(near), truth.crop(near), thin=is_thin(truth.cropped))


def _prompt_for(annotation: Annotation) -> Prompt:
    """Return the box around a mask with the first click on it, which leave little open."""
    y0, x0, y1, x1 = annotation.bbox
    box = (x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5)
    said = annotation.prompts[:1]
    clicks = [p for one in said for p, label in zip(one.points, one.labels, strict=True) if label]
    return Prompt(points=clicks[:1], labels=[1] * len(clicks[:1]), box=box)


def _parsed(entry: dict[str, Any]) -> tuple[str, str, float]:
    agreed = float(entry["score"])
    if not (math.isfinite(agreed) and 0 <= agreed <= 1):
        raise ValueError(agreed)
    return str(entry["weights"]), str(entry["annotation"]), agreed
