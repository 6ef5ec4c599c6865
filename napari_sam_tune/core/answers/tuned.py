"""A weights file on top of the base model it was trained from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.checkpoints import load_base, load_model, resolve_device
from napari_sam_tune.core.models.weights_file import (
    base_named_in,
    content_version,
    is_head,
    is_weights_file,
    read_weights,
)
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.models.checkpoints import LoadedModel


@dataclass(frozen=True, eq=False)
class TunedWeights:
    """What a weights file holds.

    Attributes:
        tensors: what differs from the base model, by name, on the CPU.
        info: what the file says about itself.
        version: name of its content, 12 hex digits.

    """

    tensors: Mapping[str, Tensor]
    info: Mapping[str, Any]
    version: str

    @classmethod
    def read(cls, path: Path) -> TunedWeights:
        """Read a weights file; raises as `read_weights` does."""
        tensors, info = read_weights(path)
        return cls(tensors, info, content_version(tensors))


def read_tuned(path: Path, base: BaseRef) -> TunedWeights:
    """Read a weights file, or a whole model as what of it differs from a base model.

    Args:
        path: a weights file of this program, or a whole SAM of whichever program.
        base: what a whole model is set beside.

    Raises:
        CheckpointError: the file is damaged, or a model of another architecture.
        CheckpointMissing: there is no such file.

    """
    if is_weights_file(path):
        return TunedWeights.read(path)
    return _beyond(load_base(base), load_model(path))


def open_tuned(
    weights: Path, *, model: str | None = None, device: str = "auto", base: BaseRef | None = None
) -> tuple[Predictor, TunedWeights]:
    """Load the base model of a weights file, and make sure that the weights fit it.

    Args:
        weights: a weights file of this program, or a whole SAM of whichever program.
        model: where the base model is; by default where it was in training.
        device: see `resolve_device`.
        base: what a whole model, which names no base, is set beside where `model` is None; without
            either it is its own base.

    Returns:
        A predictor with the base model in use, and the weights.

    Raises:
        CheckpointError: the weights were trained from another model, do not fit, or are damaged.
        CheckpointMissing: there is no such file.
        SamTuneError: no such device.

    """
    target = resolve_device(device)
    if is_weights_file(weights):
        tuned = TunedWeights.read(weights)
        loaded = _named_base(tuned, weights, model, target)
    else:
        whole = load_model(weights, target)
        if model is not None:
            loaded = load_model(model, target)
        else:
            loaded = whole if base is None else load_base(base, target)
        tuned = _beyond(loaded, whole)
    predictor = Predictor(loaded)
    if not is_head(tuned.tensors):  # that is none of the model's own, and checked when it is used
        use(predictor, tuned)
        use(predictor, None)
    return predictor, tuned


def _named_base(
    tuned: TunedWeights, path: Path, model: str | None, device: torch.device
) -> LoadedModel:
    """Load the base model that a weights file names."""
    ref = base_named_in(tuned.info, path)
    loaded = load_base(ref, device) if model is None else load_model(model, device)
    if loaded.ref.sha256 != ref.sha256:
        raise CheckpointError(
            tr(
                "{file} was trained from the model {model} ({trained}), not from {other} "
                "({loaded}). Choose that model, or none (--model on the command line).",
                file=path.name,
                model=ref.name,
                trained=ref.sha256[:12],
                other=loaded.ref.name,
                loaded=loaded.ref.sha256[:12],
            )
        )
    return loaded


def _beyond(base: LoadedModel, whole: LoadedModel) -> TunedWeights:
    """Return what of a whole model differs from another one."""
    if whole.architecture != base.architecture:
        raise CheckpointError(
            tr(
                "{model} is a {kind}, and cannot be set beside {base}, a {other}. Name a base "
                "model of its kind.",
                model=whole.ref.name,
                kind=whole.architecture,
                base=base.ref.name,
                other=base.architecture,
            )
        )
    own = base.sam.state_dict()
    tensors = {
        name: tensor.cpu()
        for name, tensor in whole.sam.state_dict().items()
        if tensor.is_floating_point() and not torch.equal(tensor, own[name])
    }
    info = {"base": asdict(base.ref), "architecture": base.architecture, "file": whole.ref.name}
    return TunedWeights(tensors, info, content_version(tensors))


def use(predictor: Predictor, tuned: TunedWeights | None) -> None:
    """Put weights to use, or the base model where there are none; may close the open image.

    Raises:
        CheckpointError: they are a promptless head, or do not fit.

    """
    if tuned is None:
        predictor.weights.load_base()
        return
    if is_head(tuned.tensors):
        raise CheckpointError(
            tr(
                "These weights are a promptless head, which `evaluate`, `predict --auto`, the "
                "dock's proposals and `export weights --format promptless` take; nothing else does."
            )
        )
    predictor.weights.load(tuned.tensors, tuned.version)
