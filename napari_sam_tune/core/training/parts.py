"""Which parameters of a SAM are trained, and giving the model back as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import torch

from napari_sam_tune.core.checkpoints import has_light_encoder
from napari_sam_tune.core.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.predictor import Predictor


ENCODER: Final = "image_encoder"


def parts_to_train(sam: Sam, parts: Sequence[str]) -> tuple[str, ...]:
    """Return `parts`, or the default for this model where there are none.

    That is the whole model if its encoder is light, and the mask decoder alone if it is not.
    """
    if parts:
        return tuple(parts)
    whole = (ENCODER, "prompt_encoder", "mask_decoder")
    return whole if has_light_encoder(sam) else ("mask_decoder",)


def names_of_parts(sam: Sam, parts: Sequence[str]) -> list[str]:
    """Return the names of the parameters that belong to parts, in the model's order.

    A part is a prefix of names: "mask_decoder", or "mask_decoder.iou_prediction_head".

    Raises:
        TrainingError: a part names no parameter.

    """
    names = [name for name, _ in sam.named_parameters()]
    chosen: set[str] = set()
    for part in parts:
        found = {name for name in names if name == part or name.startswith(f"{part}.")}
        if not found:
            known = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
            raise TrainingError(f"The model has no part {part!r}; its parts are {known}.")
        chosen |= found
    return [name for name in names if name in chosen]


def trains_encoder(names: Iterable[str]) -> bool:
    """Whether any of the names is of the image encoder, so that embeddings change."""
    return any(name.startswith(f"{ENCODER}.") for name in names)


@contextmanager
def borrowed(
    predictor: Predictor, names: Sequence[str], current: Mapping[str, Tensor], version: str
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Lend a base model for a round: only `names` may learn, from the weights in use.

    However the round ends, every parameter gets its value and its `requires_grad` back.

    Args:
        predictor: of the base model.
        names: of the parameters to train.
        current: tensors of the weights in use, in place of the base model's own.
        version: of the weights in use.

    Yields:
        The tensors that differ from the base or will, by name: the model's own, to train and to
        save; and copies of the base model's.

    Raises:
        CheckpointError: `current` does not fit the model.

    """
    sam = predictor.sam
    own = dict(sam.named_parameters())
    asked = {name: parameter.requires_grad for name, parameter in own.items()}
    lent = {name: own[name] for name in own if name in set(names) | set(current)}
    base = {name: parameter.detach().clone() for name, parameter in lent.items()}
    try:
        predictor.load(current, version)
        for name, parameter in own.items():
            parameter.requires_grad_(name in set(names))
        # eval(): TinyViT's batch norm must never learn from a batch of one
        sam.eval()
        yield dict(lent), base
    finally:
        with torch.no_grad():
            for name, parameter in lent.items():
                parameter.copy_(base[name])
        predictor.load_base()
        for name, parameter in own.items():
            parameter.requires_grad_(asked[name])
            parameter.grad = None
