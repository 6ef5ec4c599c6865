"""What a round learns from: accepted masks, how often each is drawn, and their embeddings."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam_tune.core.training.decoder import NEGATIVE, POSITIVE, Tokens
from napari_sam_tune.core.training.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.embeddings import Embedding, EmbeddingCache
    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import Annotation, Project
    from napari_sam_tune.core.prompts import Prompt
    from napari_sam_tune.core.training.config import TrainConfig

# Longer recorded prompts are left to the simulation: they are rare and as slow as they are long.
_MOST_POINTS = 20


@dataclass(frozen=True, eq=False)
class Example:
    """An accepted mask in the decoder's terms.

    Attributes:
        annotation: the mask as accepted, with the prompts a person gave.
        frame: where its image lies in the decoder's grids.
        weight: how often it is drawn, relative to the others.

    """

    annotation: Annotation
    frame: Frame
    weight: float = 1.0

    @cached_property
    def target(self) -> NDArray[np.float16]:
        """What the decoder should draw, (rows, columns) from 0 to 1; see `Frame.target`."""
        annotation = self.annotation
        target = self.frame.target(annotation.cropped_mask, annotation.bbox)
        return target.astype(np.float16)

    @cached_property
    def real_prompts(self) -> tuple[Tokens, ...]:
        """The prompts the person really gave, in order.

        Corrections of a mask that was there already are left out: without that mask, which is not
        kept, "not here" alone would have to mean the whole object.
        """
        if self.annotation.supersedes is not None:
            return ()
        kept = (
            p
            for p in self.annotation.prompts
            if len(p.points) <= _MOST_POINTS and (p.box is not None or any(p.labels))
        )
        return tuple(tokens_of(prompt, self.frame) for prompt in kept)

    @property
    def box(self) -> NDArray[np.float32]:
        """The corners of the tight box around the mask, (2, 2), in input pixels."""
        y0, x0, y1, x1 = self.annotation.bbox
        # along the outer edges of the outermost pixels, so that one pixel has an area
        return self.frame.to_input([[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5]])


def tokens_of(prompt: Prompt, frame: Frame) -> Tokens:
    """Turn a prompt in image pixels into tokens in the encoder's frame."""
    points = frame.to_input(np.reshape(prompt.points, (-1, 2)))
    labels = np.array([POSITIVE if label else NEGATIVE for label in prompt.labels], np.int64)
    if prompt.box is not None:
        box = Tokens.of_box(frame.to_input(np.reshape(prompt.box, (2, 2))))
        return box.with_clicks(points, labels)
    return Tokens.of_point(points[0], int(labels[0])).with_clicks(points[1:], labels[1:])


class EmbeddedImages:
    """The embeddings a round reads: from memory, else the disk cache, else the encoder.

    Args:
        project: the images.
        cache: where embeddings are kept on disk.
        predictor: encodes what is in neither; its encoder is the base model's.
        max_bytes: of fp16 features kept in memory.

    """

    def __init__(
        self, project: Project, cache: EmbeddingCache, predictor: Predictor, max_bytes: int
    ) -> None:
        self._project, self._cache, self._predictor = project, cache, predictor
        self._key = predictor.encoder_key
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, Embedding] = OrderedDict()
        self._bytes = 0

    def missing(self, image_ids: Sequence[str]) -> list[str]:
        """Return the images that would have to be encoded, each once, in order."""
        unique = dict.fromkeys(image_ids)
        hashes = {i: self._project.image(i).content_hash for i in unique}
        return [i for i in unique if not self._cache.contains(self._key, hashes[i])]

    def frame(self, image_id: str) -> Frame:
        """Return where an image lies in the decoder's grids, without reading its embedding."""
        return frame_of(self._predictor, self._project.image(image_id).shape)

    def features(self, image_id: str, device: torch.device) -> Tensor:
        """Return (1, C, h, w) float32 features on a device.

        Raises:
            ImageError, ProjectError: it has to be encoded and the image cannot be read.
            StorageError: it had to be encoded and the cache has no room for it.

        """
        half = np.ascontiguousarray(self._embedding(image_id).features)
        return torch.from_numpy(half).to(device).float()[None]

    def _embedding(self, image_id: str) -> Embedding:
        if image_id in self._held:
            self._held.move_to_end(image_id)
            return self._held[image_id]
        embedding = self.fetch(image_id)
        self._held[image_id] = embedding
        self._bytes += embedding.features.nbytes
        while self._bytes > self._max_bytes and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= oldest.features.nbytes
        return embedding

    def fetch(self, image_id: str) -> Embedding:
        """Read an embedding from the cache, or encode the image and put it there."""
        content_hash = self._project.image(image_id).content_hash
        embedding = self._cache.get(self._key, content_hash)
        if embedding is None:
            embedding = self._predictor.embed(self._project.read_image(image_id))
            self._cache.put(self._key, content_hash, embedding)
        return embedding


def frame_of(predictor: Predictor, shape: tuple[int, int]) -> Frame:
    """Return the frame of an image of `shape` (H, W) for a predictor's model."""
    from napari_sam_tune.core.predictor import resized_shape

    side = predictor.input_side
    grid = int(predictor.sam.prompt_encoder.mask_input_size[0])
    return Frame(shape, resized_shape(shape, side), side, grid)


def weigh(annotations: Sequence[Annotation], config: TrainConfig) -> list[float]:
    """Return how often each annotation is drawn, relative to the others: recent ones oftener.

    All accepted masks are replayed, so that the newest do not push the older ones out of the
    weights; the newest are what the person is looking at now.
    """
    newest = sorted(annotations, key=lambda annotation: annotation.id)[-config.recent :]
    recent = {annotation.id for annotation in newest}
    return [config.recent_weight if a.id in recent else 1.0 for a in annotations]


def draw_schedule(
    examples: Sequence[Example], config: TrainConfig, rng: np.random.Generator
) -> list[list[list[Example]]]:
    """Draw what every step learns from: a step is a few calls, a call a few objects of an image.

    The whole schedule is drawn ahead, so that what has to be encoded is known before training.
    """
    by_image: dict[str, list[Example]] = {}
    for example in examples:
        by_image.setdefault(example.annotation.image_id, []).append(example)
    images = list(by_image.values())
    weights = np.array([sum(e.weight for e in image) for image in images])
    shares = weights / weights.sum()
    return [_draw_step(images, shares, config, rng) for _ in range(config.steps)]


def _draw_step(
    images: Sequence[Sequence[Example]],
    shares: NDArray[np.float64],
    config: TrainConfig,
    rng: np.random.Generator,
) -> list[list[Example]]:
    calls: list[list[Example]] = []
    wanted = config.batch_size
    while wanted > 0:
        image = images[rng.choice(len(images), p=shares)]
        count = min(config.prompts_per_image, wanted)
        calls.append(_draw_objects(image, count, rng))
        wanted -= count
    return calls


def _draw_objects(image: Sequence[Example], count: int, rng: np.random.Generator) -> list[Example]:
    """Draw `count` objects of an image; one comes twice only after each has come once."""
    drawn: list[Example] = []
    while len(drawn) < count:
        weights = np.array([example.weight for example in image])
        taken = min(count - len(drawn), len(image))
        order = rng.choice(len(image), taken, replace=False, p=weights / weights.sum())
        drawn += [image[i] for i in order]
    return drawn
