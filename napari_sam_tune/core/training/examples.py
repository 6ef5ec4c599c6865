"""What a round learns from: accepted masks, how often each is drawn, and their embeddings."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_sam_tune.core.embeddings import Embedding
from napari_sam_tune.core.images import to_rgb8
from napari_sam_tune.core.training.decoder import NEGATIVE, POSITIVE, TOP_LEFT, Tokens
from napari_sam_tune.core.training.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.embeddings import EmbeddingCache
    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import Annotation, Project
    from napari_sam_tune.core.prompts import Prompt
    from napari_sam_tune.core.training.config import TrainConfig

Flips = tuple[bool, bool]
T = TypeVar("T")

# Longer recorded prompts are left to the simulation: they are rare and as slow as they are long.
_MOST_POINTS = 20


@dataclass(frozen=True, eq=False)
class Example:
    """An accepted mask in the decoder's terms.

    Attributes:
        annotation: the mask as accepted, with the prompts a person gave.
        frame: where its image lies in the decoder's grids.
        weight: how often it is drawn, relative to the others.
        flips: whether it is seen upside down, and whether mirrored.

    """

    annotation: Annotation
    frame: Frame
    weight: float = 1.0
    flips: Flips = (False, False)

    @cached_property
    def target(self) -> NDArray[np.float16]:
        """What the decoder should draw, (rows, columns) from 0 to 1; see `Frame.target`."""
        cropped = self.annotation.cropped_mask
        y0, x0, y1, x1 = self.annotation.bbox
        height, width = self.frame.original
        if self.flips[0]:
            cropped, y0, y1 = cropped[::-1], height - y1, height - y0
        if self.flips[1]:
            cropped, x0, x1 = cropped[:, ::-1], width - x1, width - x0
        return self.frame.target(cropped, (y0, x0, y1, x1)).astype(np.float16)

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
        return tuple(self._flipped(tokens_of(prompt, self.frame)) for prompt in kept)

    @property
    def box(self) -> NDArray[np.float32]:
        """The corners of the tight box around the mask, (2, 2), in input pixels."""
        y0, x0, y1, x1 = self.annotation.bbox
        # along the outer edges of the outermost pixels, so that one pixel has an area
        corners = self.frame.to_input([[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5]])
        return np.sort(self._mirrored(corners), axis=0)

    def _flipped(self, tokens: Tokens) -> Tokens:
        """The same prompt on the flipped image; a box keeps its top left corner first."""
        coords = self._mirrored(tokens.coords)
        if tokens.kinds[0] == TOP_LEFT:
            coords[:2] = np.sort(coords[:2], axis=0)
        return Tokens(coords, tokens.kinds)

    def _mirrored(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Positions (..., 2) in input pixels, on the flipped image."""
        height, width = self.frame.original
        last = self.frame.to_input((width - 1, height - 1))
        mirrored: NDArray[np.float32] = np.where(self.flips[::-1], last - xy, xy)
        return mirrored


def tokens_of(prompt: Prompt, frame: Frame) -> Tokens:
    """Turn a prompt in image pixels into tokens in the encoder's frame."""
    points = frame.to_input(np.reshape(prompt.points, (-1, 2)))
    labels = np.array([POSITIVE if label else NEGATIVE for label in prompt.labels], np.int64)
    if prompt.box is not None:
        box = Tokens.of_box(frame.to_input(np.reshape(prompt.box, (2, 2))))
        return box.with_clicks(points, labels)
    return Tokens.of_point(points[0], int(labels[0])).with_clicks(points[1:], labels[1:])


class EmbeddedImages:
    """What a round's decoder sees of each image.

    Embeddings come from memory, else from the disk cache, else from the encoder. Where the encoder
    itself learns they would be stale: `encode` runs it on pixels kept in memory.

    Args:
        project: the images.
        cache: where embeddings are kept on disk.
        predictor: encodes what is in neither, with the weights in use in it.
        key: of those weights' encoder in the cache.
        max_bytes: of fp16 features, or of pixels, kept in memory.

    """

    def __init__(
        self,
        project: Project,
        cache: EmbeddingCache,
        predictor: Predictor,
        key: str,
        max_bytes: int,
    ) -> None:
        self._project, self._cache, self._predictor = project, cache, predictor
        self._key = key
        self._features = _Memory[Embedding](max_bytes, lambda held: held.features.nbytes)
        self._pixels = _Memory[Tensor](max_bytes, lambda held: held.nbytes)

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
        embedding = self._features.get(image_id, self.fetch)
        half = np.ascontiguousarray(embedding.features)
        return torch.from_numpy(half).to(device).float()[None]

    def encode(self, image_id: str, device: torch.device, flips: Flips = (False, False)) -> Tensor:
        """Return (1, C, h, w) float32 features from the encoder as it is now.

        With gradients, faster where bf16 is; without, exactly what the cache would hold.

        Raises:
            ImageError, ProjectError: the image cannot be read.

        """
        sam = self._predictor.sam
        pixels = self._pixels.get(image_id, self._read).to(device)
        turned = [axis for axis, flip in zip((2, 3), flips, strict=True) if flip]
        framed = sam.preprocess(pixels.flip(turned))
        learning = torch.is_grad_enabled()
        if learning:  # a convolution stem is faster so; a transformer does not mind
            framed = framed.contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            device.type, torch.bfloat16, enabled=learning and fast_bfloat16(device)
        ):
            features: Tensor = sam.image_encoder(framed)
        return features.float() if learning else features.half().float()

    @torch.no_grad()
    def keep(self, image_id: str, key: str, device: torch.device) -> None:
        """Encode an image as the encoder is now, and put it in the cache under `key`."""
        record = self._project.image(image_id)
        features = self.encode(image_id, device)[0].to("cpu", torch.float16).numpy()
        embedding = Embedding(features, record.shape, self.frame(image_id).input)
        self._cache.put(key, record.content_hash, embedding)

    def _read(self, image_id: str) -> Tensor:
        return self._predictor.input_pixels(to_rgb8(self._project.read_image(image_id)))

    def fetch(self, image_id: str) -> Embedding:
        """Read an embedding from the cache, or encode the image and put it there."""
        content_hash = self._project.image(image_id).content_hash
        embedding = self._cache.get(self._key, content_hash)
        if embedding is None:
            embedding = self._predictor.embed(self._project.read_image(image_id))
            self._cache.put(self._key, content_hash, embedding)
        return embedding


class _Memory(Generic[T]):
    """Holds what was used last, up to so many bytes."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes, self._size_of = max_bytes, size_of
        self._held: OrderedDict[str, T] = OrderedDict()
        self._bytes = 0

    def get(self, name: str, make: Callable[[str], T]) -> T:
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name]
        made = self._held[name] = make(name)
        self._bytes += self._size_of(made)
        while self._bytes > self._max_bytes and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= self._size_of(oldest)
        return made


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 halves time or memory on a device; where it does not, it only costs digits."""
    if device.type == "cpu":
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return device.type == "cuda"


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
