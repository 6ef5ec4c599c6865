"""Which parameters of a SAM are trained, and giving the model back as it was."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.lora import Adapters, adapted_weight, scale_adapters, unscaled
from napari_sam_tune.core.models.modeling import LayerNorm2d
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.network import Network


ENCODER: Final = "image_encoder"
LORA: Final = "lora"
NORMS: Final = "norms"
_WITHOUT_IOU: Final = "decoder_without_iou"
_IOU_HEAD: Final = "mask_decoder.iou_prediction_head."
_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "decoder": ("mask_decoder",),
    _WITHOUT_IOU: ("mask_decoder",),
    "neck": ("image_encoder.neck",),
    "whole": ("image_encoder", "prompt_encoder", "mask_decoder"),
    LORA: (),
}
"""What names of parts stand for; any other name is itself a prefix of parameter names."""


def parts_to_train(network: Network, parts: Sequence[str]) -> tuple[str, ...]:
    """Return `parts`, or the default for this model where there are none.

    That is the whole model if its encoder is light, and the mask decoder alone if it is not.
    """
    if parts:
        return tuple(parts)
    return ("whole",) if network.is_light else ("decoder",)


def names_of_parts(sam: Sam, parts: Sequence[str]) -> list[str]:
    """Return the names of the parameters that belong to parts, in the model's order.

    A part is a name from `TrainConfig.parts`, or a prefix such as "mask_decoder.transformer".
    Adapters are no parameters of the model: "lora" names none here.

    Raises:
        TrainingError: a part names no parameter.

    """
    names = [name for name, _ in sam.named_parameters()]
    chosen: set[str] = set()
    for part in parts:
        found = _names_of_part(sam, names, part)
        if not found and part != LORA:
            known = ", ".join((*_PREFIXES, NORMS, *dict.fromkeys(n.split(".")[0] for n in names)))
            raise TrainingError(
                tr("The model has no part “{part}”; its parts are {known}.", part=part, known=known)
            )
        chosen |= found
    return [name for name in names if name in chosen]


def _names_of_part(sam: Sam, names: Sequence[str], part: str) -> set[str]:
    if part == NORMS:
        return {
            f"{module}.{name}"
            for module, layer in sam.named_modules()
            if isinstance(layer, nn.LayerNorm | LayerNorm2d)
            for name, _ in layer.named_parameters()
        }
    prefixes = _PREFIXES.get(part, (part,))
    found = {n for n in names if any(n == p or n.startswith(f"{p}.") for p in prefixes)}
    if part == _WITHOUT_IOU:
        found = {name for name in found if not name.startswith(_IOU_HEAD)}
    return found


def learning_names(network: Network, config: TrainConfig) -> list[str]:
    """Return the names of all that learns in a training, adapters included.

    Raises:
        TrainingError: the model has no such part.

    """
    sam, parts = network.sam, parts_to_train(network, config.parts)
    names = names_of_parts(sam, parts)
    return [*names, *Adapters.of(sam, config.lora, 0).parameters] if LORA in parts else names


def trains_encoder(names: Iterable[str]) -> bool:
    """Whether any of the names is of the image encoder, so that embeddings change."""
    return any(name.startswith(f"{ENCODER}.") for name in names)


@dataclass(frozen=True)
class LentModel:
    """What of a model learns, and what it was before.

    Attributes:
        learning: parameters that learn, by name in a weights file; the model's own.
        base: what they are in the base model; of an adapter's B, zero.
        kept: tensors of the weights in use that do not learn.
        config: of the training.

    """

    learning: dict[str, Tensor]
    base: dict[str, Tensor]
    kept: dict[str, Tensor]
    config: TrainConfig

    def tensors(self) -> dict[str, Tensor]:
        """Return all that differs from the base model, for a weights file."""
        return {**self.kept, **scale_adapters(self.learning, self.config.lora)}

    @torch.no_grad()
    def average_with_base(self, share: float) -> None:
        """Become the average of what was learnt and, by `share`, the base model."""
        for name, parameter in self.learning.items():
            parameter.lerp_(self.base.get(name, parameter), share)

    @torch.no_grad()
    def go_on_from(self, averaged: Mapping[str, Tensor], base_share: float) -> None:
        """Put parameters back to where a training was before it was averaged."""
        averaged = unscaled(averaged, self.config.lora)
        for name, parameter in self.learning.items():
            if name in averaged:
                then = averaged[name].to(parameter)
                if name in self.base:
                    then = torch.lerp(self.base[name], then, 1 / (1 - base_share))
                parameter.copy_(then)

    def groups(self, sam: Sam) -> list[dict[str, Any]]:
        """Return the parameter groups: parts with settings of their own, adapters, the rest.

        Raises:
            TrainingError: settings for a part that is not trained.

        """
        left = dict(self.learning)
        groups = []
        for part, settings in self.config.part_settings.items():
            of_part = set(names_of_parts(sam, [part]))
            chosen = [n for n in left if n in of_part or (part == LORA and adapted_weight(n))]
            if not chosen:
                raise TrainingError(
                    f"part_settings names {part!r}, of which nothing is trained that no other part "
                    "before it has. Leave it out, or name it in parts."
                )
            rate = settings.learning_rate or self.config.learning_rate
            decay = settings.weight_decay
            groups.append(
                {
                    "params": [left.pop(name) for name in chosen],
                    "peak": rate,
                    "weight_decay": self.config.weight_decay if decay is None else decay,
                }
            )
        adapters = [left.pop(name) for name in list(left) if adapted_weight(name)]
        if adapters:
            decay = self.config.weight_decay
            rate = self.config.lora.learning_rate
            groups.append({"params": adapters, "peak": rate, "weight_decay": decay})
        if left:
            rest = {"peak": self.config.learning_rate, "weight_decay": self.config.weight_decay}
            groups.append({"params": list(left.values()), **rest})
        return groups


@contextmanager
def borrowed(
    predictor: Predictor, config: TrainConfig, current: Mapping[str, Tensor], version: str
) -> Iterator[LentModel]:
    """Lend a base model for a training: only the parts in `config` learn, from the weights in use.

    However it ends, every parameter gets its value and its `requires_grad` back, and adapters go.

    Args:
        predictor: of the base model.
        config: which parts are trained.
        current: tensors of the weights in use, in place of the base model's own.
        version: of the weights in use.

    Raises:
        TrainingError: the model has no such part, or `current` has adapters of another shape.
        CheckpointError: `current` does not fit the model.

    """
    sam = predictor.sam
    parts = parts_to_train(predictor.network, config.parts)
    names = names_of_parts(sam, parts)
    own = dict(sam.named_parameters())
    asked = {name: parameter.requires_grad for name, parameter in own.items()}
    base = {name: own[name].detach().clone() for name in names}
    adapters = Adapters.of(sam, config.lora, config.seed) if LORA in parts else Adapters({})
    learning = {**{name: own[name] for name in names}, **adapters.parameters}
    _check_adapters(current, learning)
    kept = {
        name: tensor
        for name, tensor in current.items()
        if name not in learning and adapted_weight(name) not in learning
    }
    try:
        known = {name: t for name, t in current.items() if name in adapters.parameters}
        predictor.weights.load({n: t for n, t in current.items() if n not in known}, version)
        with torch.no_grad():
            for name, tensor in unscaled(known, config.lora).items():
                learning[name].copy_(tensor)
        for parameter in own.values():
            parameter.requires_grad_(False)
        for parameter in learning.values():
            parameter.requires_grad_(True)
        # eval(): TinyViT's batch norm must never learn from a batch of one
        sam.eval()
        zeros = {n: torch.zeros_like(p) for n, p in adapters.parameters.items() if ".lora_B." in n}
        with adapters.within(sam):
            yield LentModel(dict(learning), base | zeros, kept, config)
    finally:
        with torch.no_grad():
            for name in names:
                own[name].copy_(base[name])
        predictor.weights.load_base()
        for name, parameter in own.items():
            parameter.requires_grad_(asked[name])
            parameter.grad = None


def _check_adapters(current: Mapping[str, Tensor], learning: Mapping[str, Tensor]) -> None:
    """Refuse weights in use whose adapters are of another shape than those to be trained."""
    weights = {adapted_weight(name) for name in learning}
    for name, tensor in current.items():
        if adapted_weight(name) not in weights or adapted_weight(name) is None:
            continue
        if name not in learning or learning[name].shape != tensor.shape:
            raise TrainingError(
                tr(
                    "The weights in use hold LoRA adapters of another shape ({name} is {shape}). "
                    "Train with the same lora.rank and lora.targets, or start from the base model.",
                    name=name,
                    shape=tuple(tensor.shape),
                )
            )
