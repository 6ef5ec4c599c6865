"""What a round's decoder sees of each image: embeddings, kept or made anew from pixels."""

from __future__ import annotations

import threading
from collections import OrderedDict
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_sam_tune.core.answers.encoding import is_large
from napari_sam_tune.core.answers.zoom import home_window
from napari_sam_tune.core.geometry.windows import Window, whole
from napari_sam_tune.core.images.rgb_source import HeldRgb, RgbSource, glance, rgb_source
from napari_sam_tune.core.models.trunk import TrunkOutput
from napari_sam_tune.core.storage.embeddings import Embedding, name_of_part
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.models.trunk import Halves
    from napari_sam_tune.core.project.project import Annotation, Project
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache
    from napari_sam_tune.core.training.placement import Mapped

Flips = tuple[bool, bool]
"""Upside down, and mirrored."""
Seen = tuple[str, Window | None]
"""An image and the part of it that is looked at; None is all of it."""
K = TypeVar("K")
T = TypeVar("T")


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
        halves: the encoder where it learns, cut behind what stays frozen; what comes before the cut
            is kept in memory. None where all of it runs every time.

    """

    def __init__(
        self,
        project: Project,
        cache: EmbeddingCache,
        predictor: Predictor,
        key: str,
        max_bytes: int,
        halves: Halves | None = None,
    ) -> None:
        self._project, self._cache, self._predictor = project, cache, predictor
        self._key, self._halves = key, halves
        self._trunks = _Memory[tuple[Seen, Flips], TrunkOutput](
            max_bytes, lambda held: sum(part.nbytes for part in held)
        )
        self._features = _Memory[Seen, Embedding](max_bytes, lambda held: held.features.nbytes)
        self._inputs = _Memory[str, Tensor](max_bytes // 2, lambda held: held.nbytes)
        self._sources = _Memory[str, RgbSource](max_bytes // 2, _bytes_of)

    def missing(self, seen: Sequence[Seen]) -> list[Seen]:
        """Return what would have to be encoded, each once, in order."""
        return [
            s for s in dict.fromkeys(seen) if not self._cache.contains(self._key, self._name(s))
        ]

    def frame(self, annotation: Annotation) -> Frame:
        """Return where a mask's image, or a window of a large one, lies in the decoder's grids."""
        encoder = self._predictor.encoder
        return encoder.frame(home_window(annotation.bbox, annotation.shape, encoder.side))

    def is_large(self, image_id: str) -> bool:
        """Whether an image is seen in windows."""
        return is_large(self._project.image(image_id).shape, self._predictor.input_side)

    def features(self, seen: Seen, device: torch.device) -> Tensor:
        """Return (1, C, h, w) float32 features on a device.

        Raises:
            ImageError, ProjectError: it has to be encoded and the image cannot be read.
            StorageError: it had to be encoded and the cache has no room for it.

        """
        embedding = self._features.get(seen, self.fetch)
        half = np.ascontiguousarray(embedding.features)
        return torch.from_numpy(half).to(device).float()[None]

    def encode(
        self,
        seen: Seen,
        device: torch.device,
        flips: Flips = (False, False),
        *,
        exact: bool = False,
    ) -> Tensor:
        """Return (1, C, h, w) float32 features from the encoder as it is now.

        In bf16 where that is faster, unless they must be `exact`: scores of held-out objects differ
        by .002 on average, far less than the gate takes for noise (docs/en/explanation/trials.md).

        Raises:
            ImageError, ProjectError: the image cannot be read.

        """
        with torch.autocast(
            device.type,
            torch.bfloat16,
            enabled=not exact and fast_bfloat16(device),
            cache_enabled=False,  # a weight is used once, and the cache is all threads'
        ):
            if (halves := self._halves) is None:
                features = self._predictor.network.encode(self._framed(seen, device, flips))
            else:
                kept = self._trunks.get(
                    (seen, flips), lambda _: self._grown(halves, seen, device, flips)
                )
                features = halves.after(tuple(part.to(device).float() for part in kept))
        return features.float()

    @torch.no_grad()
    def _grown(self, halves: Halves, seen: Seen, device: torch.device, flips: Flips) -> TrunkOutput:
        """Run the frozen blocks: fp16, on the CPU."""
        with torch.autocast(device.type, enabled=False):
            trunk = halves.before(self._framed(seen, device, flips))
        return tuple(part.to("cpu", torch.float16) for part in trunk)

    def _framed(self, seen: Seen, device: torch.device, flips: Flips) -> Tensor:
        """Return (1, 3, S, S), what the encoder takes."""
        pixels = self._input_pixels(seen).to(device)
        turned = [axis for axis, flip in zip((2, 3), flips, strict=True) if flip]
        return self._predictor.network.preprocess(pixels.flip(turned))

    @torch.no_grad()
    def keep(self, image_id: str, key: str, device: torch.device) -> None:
        """Encode an image as the encoder is now, and put it in the cache under `key`.

        Not a large one: its windows are encoded where somebody looks.
        """
        if self.is_large(image_id):
            return
        record = self._project.image(image_id)
        features = self.encode((image_id, None), device, exact=True)[0]
        half = features.to("cpu", torch.float16).numpy()
        frame = self._predictor.encoder.frame(whole(record.shape))
        embedding = Embedding(half, record.shape, frame.input)
        self._cache.put(key, record.content_hash, embedding)

    def fetch(self, seen: Seen) -> Embedding:
        """Read an embedding from the cache, or encode what is seen and put it there."""
        embedding = self._cache.get(self._key, self._name(seen))
        if embedding is None:
            image_id, window = seen
            if window is not None and self.is_large(image_id):
                embedding = self._predictor.encoder.encode(self._source(image_id), window).embedding
            else:
                embedding = self._predictor.encode(self.pixels(image_id, window)).embedding
            self._cache.put(self._key, self._name(seen), embedding)
        return embedding

    def fetch_all(
        self, missing: Sequence[Seen], mapped: Mapped, checkpoint: Callable[[], None]
    ) -> Iterator[Progress]:
        """Encode what is not in the cache; `checkpoint` is called before each."""

        def fetch(seen: Seen) -> None:
            checkpoint()
            self.fetch(seen)

        began = monotonic()
        for done, _ in enumerate(mapped(fetch, missing), start=1):
            yield Progress.encoded(done, len(missing), began)

    def _name(self, seen: Seen) -> str:
        """Name a view in the cache."""
        image_id, window = seen
        content_hash = self._project.image(image_id).content_hash
        return name_of_part(content_hash, window)

    def pixels(self, image_id: str, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3) of an image or of a window in it.

        Of an image that is read in windows, all of it is what tells how it looks, see `glance`.

        Raises:
            ImageError, ProjectError: the image cannot be read.

        """
        source = self._source(image_id)
        return glance(source) if window is None else source.rgb(window)

    def _source(self, image_id: str) -> RgbSource:
        return self._sources.get(image_id, lambda i: rgb_source(self._project.open_image(i)))

    def _input_pixels(self, seen: Seen) -> Tensor:
        image_id, window = seen
        if window is None:
            return self._inputs.get(
                image_id, lambda i: self._predictor.encoder.input_pixels(self.pixels(i))
            )
        return self._predictor.encoder.window_pixels(self._source(image_id), window)


def _bytes_of(source: RgbSource) -> int:
    return source.pixels.nbytes if isinstance(source, HeldRgb) else 0


class _Memory(Generic[K, T]):
    """Holds what was used last, up to so many bytes; may be used from several threads."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes, self._size_of = max_bytes, size_of
        self._lock = threading.Lock()
        self._held: OrderedDict[K, T] = OrderedDict()
        self._bytes = 0

    def get(self, name: K, make: Callable[[K], T]) -> T:
        with self._lock:
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
        # older releases of torch cannot tell
        capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("avx512_bf16", False))
    return device.type == "cuda"
