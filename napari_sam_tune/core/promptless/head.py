"""A head that draws masks without being asked: the encoder's features straight to probabilities.

System D of the field (SAM-Promptless-Task-Specific-Finetuning): the ViT stays frozen, the neck
learns, and transposed convolutions lead from the embedding back to the size of the encoder's input.
Of ViT-B's 90 million parameters 0.96 million learn. The starter's embedding is made for prompts and
hardly says whether a spot is darker or brighter than what is around it, so its head has a neck of
its own, on the stages of the ImageNet trunk. Everything before the neck is the base model's,
whatever weights a session has in use: it is computed once per image and kept, and a hot swap does
not change what a head says.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.errors import CheckpointError, StorageError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.images.files import content_hash, to_rgb8
from napari_sam_tune.core.models.modeling import LayerNorm2d
from napari_sam_tune.core.models.trunk import NECK
from napari_sam_tune.core.models.weights_file import HEAD, check_weights
from napari_sam_tune.core.storage.embeddings import Embedding
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.models.network import Network
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache
    from napari_sam_tune.core.training.embedded_images import Flips

_RARE: Final = 4.0
"""Log odds against a defect at a pixel before anything is learnt: most of an image is none."""

_log = logging.getLogger(__name__)


class PromptlessHead(nn.Module):
    """Embedding to logits: (B, C, h, w) of the neck to (B, K, h · 2ⁿ, w · 2ⁿ).

    Blocks of 2× transposed convolution, layer norm and GELU, each halving the channels, and a 1×1
    convolution. K is 1 for one class (its sigmoid is the probability), else the number of classes
    and one (softmax; channel 0 is the background).

    Args:
        channels: C, of the embedding.
        blocks: n; the encoder's stride is 2ⁿ.
        classes: how many.

    """

    def __init__(self, channels: int, blocks: int, classes: int) -> None:
        super().__init__()
        widths = [channels >> halved for halved in range(blocks + 1)]
        layers: list[nn.Module] = []
        for before, width in pairwise(widths):
            up = nn.ConvTranspose2d(before, width, kernel_size=2, stride=2)
            layers += [up, LayerNorm2d(width), nn.GELU()]
        self.blocks = nn.Sequential(*layers)
        self.mask = nn.Conv2d(widths[-1], 1 if classes == 1 else classes + 1, kernel_size=1)
        with torch.no_grad():
            self.mask.bias.zero_()  # type: ignore[union-attr]
            self.mask.bias[0] = -_RARE if classes == 1 else _RARE  # type: ignore[index]

    def forward(self, embedding: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.mask(self.blocks(embedding))
        return logits


def build_head(network: Network, classes: int, seed: int = 0) -> PromptlessHead:
    """Return an untrained head for a model, the same for the same seed, on the model's device.

    It has as many blocks as lead from the embedding back to the encoder's input: four at the
    stride of 16 of SAM's ViT, three at the starter's 8.
    """
    channels, rows, _ = network.embedding_shape
    stride = network.side // rows
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = PromptlessHead(channels, stride.bit_length() - 1, classes)
    return head.to(network.device)


class StagesNeck(nn.Module):
    """A trunk's stages as `Network.before_neck` gives them (channels of each) to `width`."""

    def __init__(self, stages: Sequence[int], width: int) -> None:
        super().__init__()
        self._stages = list(stages)
        self.norms = nn.ModuleList(LayerNorm2d(channels) for channels in stages)
        self.conv1 = nn.Conv2d(sum(stages), width, 1, bias=False)
        self.norm1 = LayerNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = LayerNorm2d(width)

    def forward(self, stages: Tensor) -> Tensor:
        """See the class."""
        parts = torch.split(stages, self._stages, dim=1)
        normed = [norm(part) for norm, part in zip(self.norms, parts, strict=True)]
        fused = functional.gelu(self.norm1(self.conv1(torch.cat(normed, dim=1))))
        embedding: Tensor = self.norm2(self.conv2(fused))
        return embedding


def build_neck(predictor: Predictor, seed: int = 0) -> nn.Module:
    """Return the neck a head is to be trained with: a copy of the base model's own, or its own."""
    network = predictor.network
    stages = network.stages_before_neck
    if not stages:
        return network.neck_with(predictor.weights.base_encoder())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StagesNeck(stages, network.embedding_shape[0]).to(network.device)


class Trunk:
    """The base model's encoder up to its neck, each image run through it once.

    Args:
        predictor: whose model; what weights are in use in it makes no difference.
        cache: where features are kept, fp16; None keeps none.

    Attributes:
        key: names the features in the cache.

    """

    def __init__(self, predictor: Predictor, cache: EmbeddingCache | None = None) -> None:
        self._predictor, self._cache = predictor, cache
        self.key = f"{predictor.weights.encoder_key_with({})}-before-neck"

    def holds(self, image_hash: str, flips: Flips = (False, False)) -> bool:
        """Tell whether an image's features are in the cache."""
        name = _name(image_hash, flips)
        return self._cache is not None and self._cache.contains(self.key, name)

    def kept(self, image_hash: str, flips: Flips = (False, False)) -> Embedding | None:
        """Return an image's features from the cache, or None where they are not there."""
        if self._cache is None:
            return None
        return self._cache.get(self.key, _name(image_hash, flips))

    def embed(
        self, image: ArrayLike, image_hash: str | None = None, flips: Flips = (False, False)
    ) -> Embedding:
        """Return an image's features before the neck, from the cache where they are there.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.
            image_hash: its `content_hash`, where that is known already.
            flips: whether the encoder sees it upside down, and whether mirrored.

        Raises:
            ImageError: not an image.

        """
        pixels = np.asarray(image)
        image_hash = image_hash or content_hash(pixels)
        kept = self.kept(image_hash, flips)
        if kept is not None:
            return kept
        made = self._encode(to_rgb8(pixels), flips)
        if self._cache is not None:
            try:
                self._cache.put(self.key, _name(image_hash, flips), made)
            except StorageError as error:
                _log.warning("Features could not be kept and will be made again: %s", error)
        return made

    def _encode(self, rgb: NDArray[np.uint8], flips: Flips) -> Embedding:
        turned = [axis for axis, flip in zip((2, 3), flips, strict=True) if flip]
        pixels = self._predictor.encoder.input_pixels(rgb).flip(turned)
        with torch.no_grad():
            base = self._predictor.weights.base_encoder()
            found = self._predictor.network.before_neck(pixels, base)
        half = found[0].to("cpu", torch.float16).numpy()
        shape, resized = (rgb.shape[0], rgb.shape[1]), (pixels.shape[2], pixels.shape[3])
        return Embedding(half, shape, resized)


def _name(image_hash: str, flips: Flips) -> str:
    return "-".join([image_hash, *(n for n, flip in zip(("ud", "lr"), flips, strict=True) if flip)])


# ----------------------------------------------------------------- from logits


def probabilities(logits: Tensor) -> Tensor:
    """Return the classes' probabilities (B, K, h, w) from logits; the background is left out."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)[:, 1:]


class PromptlessModel:
    """A trained head on a model.

    Args:
        predictor: whose trunk it sees with.
        head: as `build_head` made it for this model.
        neck: trained with it.
        classes: their names, in the head's order.
        version: of its weights.
        cache: where the trunk's features are kept.

    """

    def __init__(
        self,
        predictor: Predictor,
        head: PromptlessHead,
        neck: nn.Module,
        classes: Sequence[str],
        *,
        version: str = "",
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.head, self.neck = head.eval(), neck.eval()
        self.classes, self.version = tuple(classes), version
        self.trunk = Trunk(predictor, cache)
        self._predictor = predictor

    def predict(self, image: ArrayLike, image_hash: str | None = None) -> NDArray[np.float32]:
        """Return each class's probability at each pixel: (K, H, W) float32, from 0 to 1.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.
            image_hash: its `content_hash`, where that is known already.

        Raises:
            ImageError: not an image.

        """
        seen = self.trunk.embed(image, image_hash)
        frame = frame_of(self._predictor, seen.original_size)
        features = torch.from_numpy(np.ascontiguousarray(seen.features))[None]
        with torch.inference_mode():
            logits = self.head(self.neck(features.to(self._predictor.device).float()))
            found: NDArray[np.float32] = probabilities(frame.upscale(logits))[0].cpu().numpy()
        return found


def frame_of(predictor: Predictor, shape: tuple[int, int]) -> Frame:
    """Return where an image of `shape` (H, W) lies in a model's input and in a head's logits."""
    side = predictor.input_side
    return Frame(whole(shape), side, side)


# -------------------------------------------------------------------- on disk


def head_tensors(head: nn.Module, neck: nn.Module) -> dict[str, Tensor]:
    """Return what a weights file of a head holds: copies, by name, on the CPU."""
    named = ((HEAD, head.state_dict()), (NECK, neck.state_dict()))
    return {
        f"{prefix}{name}": tensor.detach().to("cpu", copy=True)
        for prefix, state in named
        for name, tensor in state.items()
    }


def load_head(
    predictor: Predictor,
    tensors: Mapping[str, Tensor],
    classes: Sequence[str],
    *,
    version: str = "",
    cache: EmbeddingCache | None = None,
) -> PromptlessModel:
    """Put a head together from what its weights file holds.

    Args:
        predictor: of the base model the head was trained on.
        tensors: as `head_tensors` returned them.
        classes: names, as the file's info says.
        version: of the file.
        cache: where the trunk's features are kept.

    Raises:
        CheckpointError: it is a head of another model or of other classes.

    """
    head, neck = build_head(predictor.network, len(classes)), build_neck(predictor)
    for prefix, module in ((HEAD, head), (NECK, neck)):
        own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        missing = [name for name in module.state_dict() if name not in own]
        if missing:
            raise CheckpointError(
                tr(
                    "This is no whole promptless head: {name} is missing.",
                    name=prefix + missing[0],
                )
            )
        check_weights(module, own)
        module.load_state_dict(own)
    return PromptlessModel(predictor, head, neck, classes, version=version, cache=cache)
