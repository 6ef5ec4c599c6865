"""A weights file on top of the base model it was trained from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.checkpoints import load_base, load_model, resolve_device
from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.project import BaseRef
from napari_sam_tune.core.promptless import is_head
from napari_sam_tune.core.weights import content_version, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor


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


def open_tuned(
    weights: Path, *, model: str | None = None, device: str = "auto"
) -> tuple[Predictor, TunedWeights]:
    """Load the base model of a weights file, and make sure that the weights fit it.

    Args:
        weights: a weights file of this program.
        model: where the base model is; by default where it was in training.
        device: see `resolve_device`.

    Returns:
        A predictor with the base model in use, and the weights.

    Raises:
        CheckpointError: the weights were trained from another model, do not fit, or are damaged.
        CheckpointMissing: there is no such file.
        SamTuneError: no such device.

    """
    tuned = TunedWeights.read(weights)
    ref = _base_of(tuned, weights)
    target = resolve_device(device)
    loaded = load_base(ref, target) if model is None else load_model(model, target)
    if loaded.ref.sha256 != ref.sha256:
        raise CheckpointError(
            f"{weights.name} was trained from the model {ref.name} ({ref.sha256[:12]}), not from "
            f"{loaded.ref.name} ({loaded.ref.sha256[:12]}). Leave --model out, or give that one."
        )
    predictor = Predictor(loaded)
    if not is_head(tuned.tensors):  # that is none of the model's own, and checked when it is used
        use(predictor, tuned)
        use(predictor, None)
    return predictor, tuned


def use(predictor: Predictor, tuned: TunedWeights | None) -> None:
    """Put weights to use, or the base model where there are none; may close the open image."""
    if tuned is None:
        predictor.load_base()
    else:
        predictor.load(tuned.tensors, tuned.version)


def _base_of(tuned: TunedWeights, path: Path) -> BaseRef:
    try:
        base = tuned.info["base"]
        return BaseRef(str(base["name"]), str(base["sha256"]))
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path.name} does not say which base model it belongs to. Was it written by "
            "`napari-sam-tune train` or by a round?"
        ) from error
