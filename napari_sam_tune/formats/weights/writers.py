"""Writing weights, one function a format; see `catalogue.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.tuned import use
from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.checkpoints import load_base, save_sam_checkpoint
from napari_sam_tune.core.models.lora import adapted_weight
from napari_sam_tune.core.models.weights_file import is_head, write_weights
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.weights.usage import half_names

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.models.network import Network


def write_sam(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write a whole model as an ordinary SAM checkpoint, adapters merged."""
    save_sam_checkpoint(_merged(base, tuned).sam, path)


def write_ours(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write only what was trained, with its description."""
    write_weights(path, tuned.tensors, tuned.info)


def write_adapters(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write low-rank adapters alone.

    Raises:
        CheckpointError: there are none.

    """
    found = {name: t for name, t in tuned.tensors.items() if adapted_weight(name) is not None}
    if not found:
        raise CheckpointError(
            tr(
                "These weights hold no LoRA adapters. Train with --set parts=lora, or choose "
                "another format."
            )
        )
    write_weights(path, found, tuned.info)


def write_head(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write a promptless head and its neck.

    Raises:
        CheckpointError: the weights are none.

    """
    if not is_head(tuned.tensors):
        raise CheckpointError(
            tr(
                "These weights are no promptless head. Train one with --set parts=promptless, or "
                "choose another format."
            )
        )
    write_weights(path, tuned.tensors, tuned.info)


def write_onnx_graphs(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write encoder and decoder as ONNX graphs, adapters merged."""
    from napari_sam_tune.formats.weights.graphs import write_onnx

    write_onnx(_merged(base, tuned), *_halves(path, ".onnx"))


def write_exported_graphs(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    """Write encoder and decoder as graphs of `torch.export`, adapters merged."""
    from napari_sam_tune.formats.weights.graphs import write_exported

    write_exported(_merged(base, tuned), *_halves(path, ".pt2"))


def _merged(base: BaseRef, tuned: TunedWeights) -> Network:
    predictor = Predictor(load_base(base))
    use(predictor, tuned)
    return predictor.network


def _halves(path: Path, suffix: str) -> tuple[Path, Path]:
    """Return where encoder and decoder go, in a folder that is there."""
    encoder, decoder = (path.parent / name for name in half_names(path.name, suffix))
    encoder.parent.mkdir(exist_ok=True)
    return encoder, decoder
