"""Weights as files that other programs read; each format is a function that writes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.checkpoints import load_base, save_sam_checkpoint
from napari_sam_tune.core.errors import CheckpointError, StorageError
from napari_sam_tune.core.lora import adapted_weight
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.weights import read_weights, write_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam_tune.core.project import BaseRef


@dataclass(frozen=True)
class Tuned:
    """Tuned weights, ready to be written.

    Attributes:
        base: the model they belong to.
        tensors: what differs from it, by name; empty for the base model itself.
        info: what their file says about itself.

    """

    base: BaseRef
    tensors: Mapping[str, Tensor]
    info: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, base: BaseRef) -> Tuned:
        """Read a weights file made on a base model.

        Raises:
            CheckpointMissing, CheckpointError: it cannot be read, or was made on another model.

        """
        tensors, info = read_weights(path)
        made_on = info.get("base", {})
        if made_on.get("sha256", base.sha256) != base.sha256:
            raise CheckpointError(
                f"{path.name} was made on the model {made_on.get('name')}, the project builds on "
                f"{base.name}. Name the project it belongs to."
            )
        return cls(base, tensors, info)


def _whole_sam(tuned: Tuned, path: Path) -> None:
    predictor = Predictor(load_base(tuned.base))
    predictor.load(tuned.tensors, "export")
    save_sam_checkpoint(predictor.sam, path)


def _ours(tuned: Tuned, path: Path) -> None:
    write_weights(path, tuned.tensors, tuned.info)


def _adapters(tuned: Tuned, path: Path) -> None:
    found = {name: t for name, t in tuned.tensors.items() if adapted_weight(name) is not None}
    if not found:
        raise CheckpointError(
            "These weights hold no LoRA adapters. Train with --set parts=lora, or choose another "
            "format."
        )
    write_weights(path, found, tuned.info)


WRITERS: Final[Mapping[str, Callable[[Tuned, Path], None]]] = {
    "sam": _whole_sam,
    "safetensors": _ours,
    "lora": _adapters,
}
"""sam: a whole model as an ordinary SAM checkpoint, adapters merged; safetensors: only what was
trained, with its description; lora: the adapters alone."""


def export_weights(tuned: Tuned, path: Path, form: str, *, overwrite: bool = False) -> None:
    """Write weights in a format, whole or not at all.

    Args:
        tuned: the weights.
        path: of the file.
        form: one of `WRITERS`.
        overwrite: replace a file that is there.

    Raises:
        CheckpointError: there is no such format, or it cannot hold these weights.
        StorageError: the file is there already, or the disk refused.

    """
    if form not in WRITERS:
        raise CheckpointError(f"There is no format {form!r}; there are {', '.join(WRITERS)}.")
    if path.exists() and not overwrite:
        raise StorageError(f"{path} exists already; add --overwrite, or choose another name.")
    WRITERS[form](tuned, path)
