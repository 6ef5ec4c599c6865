"""Weights in a model that is in use: swapped while it answers, each on the surfaces it knows."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from napari_sam_tune.core.answers.encoding import PREPROCESSING_VERSION
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces, describe
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.lora import merged
from napari_sam_tune.core.models.weights_file import check_weights, content_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_sam_tune.core.models.checkpoints import LoadedModel

_ENCODER: Final = "image_encoder."
_BASE_ENCODERS: Final[dict[str, str]] = {}
"""Content of each base file's encoder, by the file's SHA-256."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights that may be put into the model.

    Attributes:
        version: what proposals will say answered them.
        tensors: in place of the base model's, adapters merged.
        encoder: content of those of the encoder; "" is the base's encoder.
        surfaces: those they are for; None for all.

    """

    version: str
    tensors: Mapping[str, Tensor]
    encoder: str
    surfaces: FamiliarSurfaces | None

    def are_for(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether an (H, W, 3) image is theirs to answer about."""
        return self.surfaces is None or self.surfaces.include(describe(rgb))


_BASE_WEIGHTS: Final = Weights(BASE_VERSION, {}, "", None)


class WeightsInUse:
    """The weights of a model: those last loaded, or the base's where they do not know the surface.

    Args:
        model: what `load_model` returned; its parameters are given new values.

    Attributes:
        image: (H, W, 3), the open image, which decides on the weights; None where none is open. A
            swap of the encoder closes it.

    """

    def __init__(self, model: LoadedModel) -> None:
        self._sam, self._network, self._ref = model.sam, model.network, model.ref
        self._base: dict[str, Tensor] = {}  # the base model's values of whatever was ever replaced
        self._loaded = _BASE_WEIGHTS
        self._inside = _BASE_WEIGHTS  # what the model holds: what was loaded, or the base's
        self._positions: Tensor | None = None
        self._base_has_imagenet_trunk: bool | None = None
        self.image: NDArray[np.uint8] | None = None

    @property
    def loaded_version(self) -> str:
        """The weights last loaded, or "base"."""
        return self._loaded.version

    @property
    def version(self) -> str:
        """The weights that answer: those loaded, or "base" where they do not know the surface."""
        return self._inside.version

    @property
    def positions(self) -> Tensor:
        """(1, C, rows, columns) of the embedding's cells, as the decoder takes them."""
        if self._positions is None:
            self._positions = self._network.positions()
        return self._positions

    @property
    def has_imagenet_trunk(self) -> bool:
        """Whether the encoder in use begins with the network that pixels are classified by."""
        if self._base_has_imagenet_trunk is None:
            self._base_has_imagenet_trunk = self._network.has_imagenet_trunk(self.base_encoder())
        tuned = any(self._network.is_of_trunk(name) for name in self._inside.tensors)
        return self._base_has_imagenet_trunk and not tuned

    @property
    def tuned_encoder(self) -> Mapping[str, Tensor]:
        """Those tensors of the encoder in use that are not the base's, by name; often none."""
        inside = self._inside.tensors
        return {name: t for name, t in inside.items() if name.startswith(_ENCODER)}

    # ------------------------------------------------------------ encoder keys

    @property
    def encoder_key(self) -> str:
        """What an embedding depends on besides the image: encoder weights and preprocessing.

        16 hex digits, of the weights that answer. A decoder hot swap leaves it as it is.
        """
        return self._encoder_key(self._inside.encoder)

    def encoder_key_for(self, image: ArrayLike) -> str:
        """What `encoder_key` would be with this image open.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.

        Raises:
            ImageError: not an image.

        """
        return self._encoder_key(self.for_image(to_rgb8(np.asarray(image))).encoder)

    def encoder_key_with(self, tensors: Mapping[str, Tensor]) -> str:
        """What `encoder_key` would be with these tensors in the model; nothing is loaded."""
        return self._encoder_key(_encoder_version(tensors))

    def _encoder_key(self, version: str) -> str:
        # hashing a ViT-H takes seconds, so each file's encoder is hashed once a process
        if self._ref.sha256 not in _BASE_ENCODERS:
            _BASE_ENCODERS[self._ref.sha256] = content_version(self.base_encoder())
        base, side = _BASE_ENCODERS[self._ref.sha256], self._network.side
        parts = f"{base}+{version}+{side}+{PREPROCESSING_VERSION}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    # ----------------------------------------------------------------- loading

    def load(
        self,
        tensors: Mapping[str, Tensor],
        version: str,
        surfaces: FamiliarSurfaces | None = None,
    ) -> None:
        """Hot swap: the base model with these tensors in place of its own.

        Parts an earlier swap replaced and this one does not go back to the base model. All or
        nothing. The open image's embedding stays, unless the encoder itself changes: then the
        image must be set again.

        Args:
            tensors: by name in the SAM's state dict, and adapters as `lora` names them.
            version: what proposals will say answered them.
            surfaces: images of others are answered by the base model; None: of none.

        Raises:
            CheckpointError: a tensor does not fit; the weights in use stay.

        """
        plain = self.plain(tensors)
        own = check_weights(self._sam, plain)
        for name, tensor in own.items():
            self._base.setdefault(name, tensor.detach().clone())
        self._swap(Weights(version, plain, _encoder_version(tensors), surfaces))

    def load_base(self) -> None:
        """Go back to the base model's weights."""
        self._swap(_BASE_WEIGHTS)

    def extend(self, surfaces: FamiliarSurfaces) -> None:
        """Have the loaded weights answer on what leads on from their surfaces, from the next image.

        Weights that answer everywhere go on doing so. See `FamiliarSurfaces.grown`.
        """
        if self._loaded.surfaces is None:
            return
        weights = replace(self._loaded, surfaces=self._loaded.surfaces.grown(surfaces))
        if self._inside is self._loaded:
            self._inside = weights
        self._loaded = weights

    def plain(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a weights file with its adapters merged into the base's weights.

        Raises:
            CheckpointError: an adapter does not fit the model.

        """
        return merged(tensors, {**self._sam.state_dict(), **self._base})

    def base_encoder(self) -> dict[str, Tensor]:
        """Return the base model's encoder by name, whatever is in use; not copied."""
        state = self._network.encoder_state()
        return {name: self._base.get(name, tensor) for name, tensor in state.items()}

    def _swap(self, weights: Weights) -> None:
        encoder = self._inside.encoder
        self._loaded = weights
        self._put_inside(weights if self.image is None else self.for_image(self.image))
        if self._inside.encoder != encoder:
            self.image = None

    # ------------------------------------------------------- which are for what

    def for_image(self, rgb: NDArray[np.uint8]) -> Weights:
        """Return the weights that answer about an (H, W, 3) image."""
        return self._loaded if self._loaded.are_for(rgb) else _BASE_WEIGHTS

    def use(self, weights: Weights, rgb: NDArray[np.uint8]) -> None:
        """Put the weights that are for an (H, W, 3) image into the model; it is the open one."""
        self._put_inside(weights)
        self.image = rgb

    @contextmanager
    def lent(self, weights: Weights) -> Iterator[None]:
        """Have these weights' encoder in the model, for an image that is not the open one."""
        before = self._inside
        if weights.encoder == before.encoder:
            yield
            return
        self._put_inside(weights)
        try:
            yield
        finally:
            self._put_inside(before)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have the open image and the weights for it back afterwards, whatever is opened."""
        inside, image = self._inside, self.image
        try:
            yield
        finally:
            self._put_inside(inside)
            self.image = image

    def _put_inside(self, weights: Weights) -> None:
        """Give the model's parameters their values; what was encoded before may be stale then."""
        if weights is self._inside:
            return
        current = dict(self._sam.state_dict(keep_vars=True))
        with torch.no_grad():
            for name, value in self._base.items():
                current[name].copy_(weights.tensors.get(name, value))
        self._positions = None
        self._inside = weights


def _encoder_version(tensors: Mapping[str, Tensor]) -> str:
    """Name the content of swapped encoder tensors; "" where there are none: the base's encoder."""
    encoder = {n: t for n, t in tensors.items() if n.startswith(_ENCODER)}
    return content_version(encoder) if encoder else ""
