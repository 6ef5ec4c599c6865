"""What a round learns from: accepted masks, how often each is drawn, and their embeddings."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam_tune.core.embeddings import Embedding
from napari_sam_tune.core.images import to_rgb8
from napari_sam_tune.core.training.decoder import NEGATIVE, POSITIVE, TOP_LEFT, Tokens
from napari_sam_tune.core.training.frame import Frame
from napari_sam_tune.core.views import Window, resized_shape, shape_of, whole
from napari_sam_tune.core.zoom import holds, window_around

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_tune.core.embeddings import EmbeddingCache
    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import Annotation, Project
    from napari_sam_tune.core.prompts import Prompt
    from napari_sam_tune.core.training.config import TrainConfig

Flips = tuple[bool, bool]
Seen = tuple[str, Window | None]
"""An image and the part of it that is looked at; None is all of it."""
K = TypeVar("K")
T = TypeVar("T")

# Longer recorded prompts are left to the simulation: they are rare and as slow as they are long.
_MOST_POINTS = 20
# From how much smaller to how much larger a drawn window is than the one people see; logarithms.
_SIZES = (-0.35, 0.4)


@dataclass(frozen=True, eq=False)
class Example:
    """An accepted mask in the decoder's terms.

    Attributes:
        annotation: the mask as accepted, with the prompts a person gave.
        frame: where its image, or the window, lies in the decoder's grids.
        weight: how often it is drawn, relative to the others.
        window: the part of the image looked at, None for all of it.
        flips: whether it is seen upside down, and whether mirrored.

    """

    annotation: Annotation
    frame: Frame
    weight: float = 1.0
    window: Window | None = None
    flips: Flips = (False, False)

    @property
    def seen(self) -> Seen:
        """What has to be encoded."""
        return self.annotation.image_id, self.window

    def from_close_by(self, rng: np.random.Generator | None = None) -> Window | None:
        """Return the window in which a person would see the object, or None: in the whole image.

        Args:
            rng: draws another window of about that place and size.

        """
        shape, side = self.frame.original, self.frame.side
        window = window_around(self.annotation.bbox, shape, side)
        if window is None or rng is None:
            return window
        y0, x0, y1, x1 = self.annotation.bbox
        size = max(shape_of(window)) * np.exp(rng.uniform(*_SIZES))
        length = int(min(max(size, 1.2 * max(y1 - y0, x1 - x0)), max(shape)))
        bounds = []
        for axis, (low, high) in enumerate(((y0, y1), (x0, x1))):
            room = min(length, shape[axis])
            first = rng.integers(max(high - room, 0), min(low, shape[axis] - room) + 1)
            bounds.append((int(first), int(first) + room))
        (top, bottom), (left, right) = bounds
        return top, left, bottom, right

    def closer(self, window: Window) -> Example:
        """Return the object as it is seen in a window that holds it."""
        shape, side = shape_of(window), self.frame.side
        frame = Frame(shape, resized_shape(shape, side), side, self.frame.grid)
        return replace(self, window=window, frame=frame)

    @property
    def placed(self) -> Window:
        """The mask's bounding box in what is seen, not flipped."""
        y0, x0, y1, x1 = self.annotation.bbox
        top, left, _, _ = self.window or whole(self.frame.original)
        return y0 - top, x0 - left, y1 - top, x1 - left

    @cached_property
    def target(self) -> NDArray[np.float16]:
        """What the decoder should draw, (rows, columns) from 0 to 1; see `Frame.target`."""
        cropped = self.annotation.cropped_mask
        y0, x0, y1, x1 = self.placed
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
        window = self.window or whole(self.frame.original)
        kept = (
            p
            for p in self.annotation.prompts
            if len(p.points) <= _MOST_POINTS
            and (p.box is not None or any(p.labels))
            and (self.window is None or holds(window, p))
        )
        corner = window[1], window[0]
        return tuple(self._flipped(tokens_of(prompt, self.frame, corner)) for prompt in kept)

    @property
    def box(self) -> NDArray[np.float32]:
        """The corners of the tight box around the mask, (2, 2), in input pixels."""
        y0, x0, y1, x1 = self.placed
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


def tokens_of(prompt: Prompt, frame: Frame, corner: tuple[int, int] = (0, 0)) -> Tokens:
    """Turn a prompt in image pixels into tokens in a frame whose (x, y) corner is given."""
    points = frame.to_input(np.reshape(prompt.points, (-1, 2)) - corner)
    labels = np.array([POSITIVE if label else NEGATIVE for label in prompt.labels], np.int64)
    if prompt.box is not None:
        box = Tokens.of_box(frame.to_input(np.reshape(prompt.box, (2, 2)) - corner))
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
        self._features = _Memory[Seen, Embedding](max_bytes, lambda held: held.features.nbytes)
        self._pixels = _Memory[str, Tensor](max_bytes // 2, lambda held: held.nbytes)
        self._rgb = _Memory[str, NDArray[np.uint8]](max_bytes // 2, lambda held: held.nbytes)

    def missing(self, seen: Sequence[Seen]) -> list[Seen]:
        """Return what would have to be encoded, each once, in order."""
        return [
            s for s in dict.fromkeys(seen) if not self._cache.contains(self._key, self._name(s))
        ]

    def frame(self, image_id: str) -> Frame:
        """Return where an image lies in the decoder's grids, without reading its embedding."""
        return frame_of(self._predictor, self._project.image(image_id).shape)

    def features(self, seen: Seen, device: torch.device) -> Tensor:
        """Return (1, C, h, w) float32 features on a device.

        Raises:
            ImageError, ProjectError: it has to be encoded and the image cannot be read.
            StorageError: it had to be encoded and the cache has no room for it.

        """
        embedding = self._features.get(seen, self.fetch)
        half = np.ascontiguousarray(embedding.features)
        return torch.from_numpy(half).to(device).float()[None]

    def encode(self, seen: Seen, device: torch.device, flips: Flips = (False, False)) -> Tensor:
        """Return (1, C, h, w) float32 features from the encoder as it is now.

        With gradients, faster where bf16 is; without, exactly what the cache would hold.

        Raises:
            ImageError, ProjectError: the image cannot be read.

        """
        sam = self._predictor.sam
        pixels = self._input_pixels(seen).to(device)
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
        features = self.encode((image_id, None), device)[0].to("cpu", torch.float16).numpy()
        embedding = Embedding(features, record.shape, self.frame(image_id).input)
        self._cache.put(key, record.content_hash, embedding)

    def fetch(self, seen: Seen) -> Embedding:
        """Read an embedding from the cache, or encode what is seen and put it there."""
        embedding = self._cache.get(self._key, self._name(seen))
        if embedding is None:
            image_id, window = seen
            embedding = self._predictor.embed(self._part(image_id, window))
            self._cache.put(self._key, self._name(seen), embedding)
        return embedding

    def _name(self, seen: Seen) -> str:
        """Name a view in the cache."""
        image_id, window = seen
        content_hash = self._project.image(image_id).content_hash
        return content_hash if window is None else "-".join(map(str, (content_hash, *window)))

    def _part(self, image_id: str, window: Window | None) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3) of an image or of a window in it."""
        rgb = self._rgb.get(image_id, lambda i: to_rgb8(self._project.read_image(i)))
        if window is None:
            return rgb
        y0, x0, y1, x1 = window
        return rgb[y0:y1, x0:x1]

    def _input_pixels(self, seen: Seen) -> Tensor:
        image_id, window = seen
        if window is None:
            return self._pixels.get(
                image_id, lambda i: self._predictor.input_pixels(self._part(i, None))
            )
        return self._predictor.input_pixels(self._part(image_id, window))


class _Memory(Generic[K, T]):
    """Holds what was used last, up to so many bytes."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes, self._size_of = max_bytes, size_of
        self._held: OrderedDict[K, T] = OrderedDict()
        self._bytes = 0

    def get(self, name: K, make: Callable[[K], T]) -> T:
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
    examples: Sequence[Example], config: TrainConfig, rng: np.random.Generator, *, encodes: bool
) -> list[list[list[Example]]]:
    """Draw what every step learns from: a step is a few calls, a call a few objects of one view.

    The whole schedule is drawn ahead, so that what has to be encoded is known before training.
    Where `encodes` is true images are encoded in training anyway, and no window comes twice.
    """
    by_image: dict[str, list[Example]] = {}
    for example in examples:
        by_image.setdefault(example.annotation.image_id, []).append(example)
    images = list(by_image.values())
    weights = np.array([sum(e.weight for e in image) for image in images])
    shares = weights / weights.sum()
    schedule = []
    for _ in range(config.steps):
        step = _draw_step(images, shares, config, rng)
        schedule.append([_looking_closer(call, config, rng, encodes) for call in step])
    return schedule


def _looking_closer(
    call: list[Example], config: TrainConfig, rng: np.random.Generator, encodes: bool
) -> list[Example]:
    """Move some calls into a window around their first object, with those that fit in there."""
    closely = rng.random() < config.zoom_share
    window = call[0].from_close_by(rng if encodes else None) if closely else None
    if window is None:
        return call
    y0, x0, y1, x1 = window
    boxes = [example.annotation.bbox for example in call]
    fit = [y0 <= box[0] and x0 <= box[1] and box[2] <= y1 and box[3] <= x1 for box in boxes]
    return [(e if fits else call[0]).closer(window) for e, fits in zip(call, fit, strict=True)]


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
