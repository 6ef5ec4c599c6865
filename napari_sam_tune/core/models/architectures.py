"""Which SAM a state dict is of, read from its names and shapes, and building it.

The kinds there are stand in `catalogue.py`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.catalogue import ARCHITECTURES, MODEL_NAMES
from napari_sam_tune.core.models.finite import NOT_FINITE, is_finite
from napari_sam_tune.core.models.mask_decoder import QuickMaskDecoder
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.state_files import State


def detect_architecture(state: Mapping[str, torch.Tensor], path: Path) -> str:
    """Tell from a state dict which of `ARCHITECTURES` it is of, by name.

    Raises:
        CheckpointError: it is none of them.

    """
    for kind in ARCHITECTURES.values():
        if kind.is_of(state):
            return kind.name
    if not any(name.startswith("image_encoder.") for name in state):
        raise CheckpointError(
            tr(
                "{name} holds no image encoder, so it is not a whole SAM (first entry: "
                "{first}). A weights file made by a round belongs to its project.",
                name=path.name,
                first=next(iter(state)),
            )
        )
    raise CheckpointError(
        tr(
            "{name} is a SAM of an unknown kind; known are {names}.",
            name=path.name,
            names=", ".join(MODEL_NAMES),
        )
    )


def build_model(architecture: str, state: State, path: Path) -> Sam:
    """Build a model around tensors that were read, without initialising it first.

    Args:
        architecture: of the tensors, see `detect_architecture`.
        state: by name; half precision becomes float32.
        path: of the file, for messages.

    Returns:
        The model in eval mode, on the CPU.

    Raises:
        CheckpointError: tensors are missing, superfluous, of another shape or type, or hold numbers
            that are not finite.

    """
    kind = ARCHITECTURES[architecture]
    with _Unfilled():
        sam: Sam = _function(kind.builder)()
    sam.mask_decoder = QuickMaskDecoder.of(sam.mask_decoder)
    wanted = sam.state_dict()
    if kind.completion is not None:
        state = _function(kind.completion)(state)
    # batch norms count what they see in training; some programs leave that out, and none needs it
    uncounted = [n for n in wanted if n.endswith("num_batches_tracked") and n not in state]
    state = {**state, **{name: torch.zeros((), dtype=torch.long) for name in uncounted}}
    _refuse_for(_misfits(wanted, state), path, architecture)
    plain = {name: tensor.to(wanted[name].dtype).contiguous() for name, tensor in state.items()}
    odd = [f"{name} holds {NOT_FINITE}" for name, tensor in plain.items() if not is_finite(tensor)]
    _refuse_for(odd, path, architecture)
    sam.load_state_dict(plain, assign=True)
    # not part of a state dict
    sam.pixel_mean = torch.tensor(kind.pixel_mean).view(-1, 1, 1)
    sam.pixel_std = torch.tensor(kind.pixel_std).view(-1, 1, 1)
    return sam.eval().requires_grad_(True)


class _Unfilled(TorchFunctionMode):
    """Leaves parameters as they are made, in memory that nobody touches: they are replaced.

    The meta device takes no memory either, but torch's arithmetic there imports its compiler, which
    takes longer than all else.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func` unless it initialises."""
        given = kwargs or {}
        is_drawn = func in (torch.Tensor.normal_, torch.Tensor.uniform_)
        if is_drawn or getattr(func, "__module__", None) == nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return (torch.empty if func is torch.randn else func)(*args, **given)


def _function(place: str) -> Any:
    """Import what the catalogue names as "module:function"."""
    module, name = place.split(":")
    return getattr(import_module(module), name)


def _misfits(wanted: Mapping[str, torch.Tensor], given: State) -> list[str]:
    problems = [f"{name} is missing" for name in wanted if name not in given]
    problems += [f"{name} is not part of it" for name in given if name not in wanted]
    problems += [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    problems += [
        f"{name} holds {given[name].dtype}"
        for name in wanted
        if name in given
        and wanted[name].is_floating_point()
        and not given[name].is_floating_point()
    ]
    return problems


def _refuse_for(problems: list[str], path: Path, architecture: str) -> None:
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CheckpointError(
            tr(
                "{name} does not fit {architecture}: {problems}{more}.",
                name=path.name,
                architecture=architecture,
                problems="; ".join(problems[:4]),
                more=more,
            )
        )
