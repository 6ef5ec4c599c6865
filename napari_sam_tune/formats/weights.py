"""Weights as files that other programs read; each format is a function that writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.checkpoints import load_base, save_sam_checkpoint
from napari_sam_tune.core.errors import CheckpointError, StorageError
from napari_sam_tune.core.lora import adapted_weight
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.tuned import TunedWeights, use
from napari_sam_tune.core.weights import write_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.project import BaseRef


def _whole_sam(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    predictor = Predictor(load_base(base))
    use(predictor, tuned)
    save_sam_checkpoint(predictor.sam, path)


def _ours(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    write_weights(path, tuned.tensors, tuned.info)


def _adapters(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    found = {name: t for name, t in tuned.tensors.items() if adapted_weight(name) is not None}
    if not found:
        raise CheckpointError(
            "These weights hold no LoRA adapters. Train with --set parts=lora, or choose another "
            "format."
        )
    write_weights(path, found, tuned.info)


WRITERS: Final[Mapping[str, Callable[[BaseRef, TunedWeights, Path], None]]] = {
    "sam": _whole_sam,
    "safetensors": _ours,
    "lora": _adapters,
}
"""sam: a whole model as an ordinary SAM checkpoint, adapters merged; safetensors: only what was
trained, with its description; lora: the adapters alone."""


def export_weights(
    base: BaseRef, tuned: TunedWeights, path: Path, form: str, *, overwrite: bool = False
) -> None:
    """Write weights in a format, whole or not at all.

    Args:
        base: the model they belong to.
        tuned: the weights; without a tensor they are the base model's own.
        path: of the file.
        form: one of `WRITERS`.
        overwrite: replace a file that is there.

    Raises:
        CheckpointError: there is no such format, it cannot hold these weights, or they were made on
            another model.
        StorageError: the file is there already, or the disk refused.

    """
    if form not in WRITERS:
        raise CheckpointError(f"There is no format {form!r}; there are {', '.join(WRITERS)}.")
    if path.exists() and not overwrite:
        raise StorageError(f"{path} exists already; add --overwrite, or choose another name.")
    made_on = tuned.info.get("base", {})
    if made_on.get("sha256", base.sha256) != base.sha256:
        raise CheckpointError(
            f"These weights were made on the model {made_on.get('name')}, the project builds on "
            f"{base.name}. Name the project they belong to."
        )
    WRITERS[form](base, tuned, path)
