"""State dicts of SAMs from files that this and other programs wrote.

Foreign files are never unpickled: `.safetensors` holds no code, and `.pth` is read with
`torch.load(weights_only=True)`. What trainers put around a SAM comes off: a dict around the state
dict, a prefix before its names, and micro-sam's low-rank adapters, which are merged.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.lora import merged
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

State = dict[str, torch.Tensor]

_WRAPPERS: Final = ("model", "state_dict", "model_state", "model_state_dict")
"""Keys under which trainers (MedSAM, micro-sam, Lightning) put the state dict proper."""
_PREFIX: Final = re.compile(r"^(module\.|sam\.|model\.)+")
_MICRO_SAM_LAYER: Final = re.compile(r"\.(qkv_proj|mlp_layer)\.")
_MICRO_SAM_ADAPTER: Final = re.compile(r"\.w_(a|b)_linear_([qkv12])\.weight$")
_OPERAND: Final = re.compile(r"Unsupported operand (\d+)")
_CALLS: Final = re.compile(
    r"GLOBAL|Unsupported|unsupported class|unrecognized function|allowlisted"
)
_MOST_WRAPPERS: Final = 8
UNREADABLE: Final = (
    RecursionError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    SafetensorError,
)
"""What torch and safetensors raise on bytes that are not a weights file."""


def read_state(path: Path) -> State:
    """Read a state dict without running anything that is in the file.

    Wrappers that other trainers add ({"model": …}, "module.", "sam.") are taken off, micro-sam's
    adapters are merged.

    Raises:
        CheckpointError: the file is damaged, would run code, or holds no tensors, or some without
            numbers of their own.

    """
    try:
        if path.suffix == ".safetensors":
            # copied: what safetensors returns is mapped, and dies with a file that is overwritten
            content: object = {name: tensor.clone() for name, tensor in load_file(path).items()}
        else:
            _check_claim(path)
            with warnings.catch_warnings():  # of other pickle protocols: read or refused, below
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(
            tr("{path} cannot be read: {error}.", path=path, error=error.strerror or error)
        ) from error
    except UNREADABLE as error:
        raise CheckpointError(_why_unreadable(path, error)) from error
    return _unwrapped(content, path)


def _check_claim(path: Path) -> None:
    """Refuse an archive that unpacks to more than it is: torch packs nothing, and reads all."""
    if not zipfile.is_zipfile(path):
        return  # of the first releases of torch, or nothing that can be read
    with zipfile.ZipFile(path) as archive:
        if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
            raise zipfile.BadZipFile("it unpacks to more than the file holds")


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) and _tells_of_code(str(error)):
        return (
            f"{path.name} was refused: reading it would run code that is stored in it. Weights "
            "need no code; ask whoever made the file for a plain state dict or .safetensors. (Of a "
            "training of micro-sam, its export_custom_sam_model writes one.)"
        )
    # torch's own words for a pickle advise to let it run code
    is_silent = isinstance(error, pickle.UnpicklingError) or not str(error)
    detail = type(error).__name__ if is_silent else str(error).splitlines()[0]
    return (
        f"{path.name} cannot be read as weights: it is truncated, damaged or another kind of file. "
        f"Copy or download it again. [{detail}]"
    )


def _tells_of_code(refusal: str) -> bool:
    """Whether torch refused a pickle for what it would call, not for being none."""
    if operand := _OPERAND.search(refusal):
        return chr(int(operand[1])) in {known.code for known in pickletools.opcodes}
    return bool(_CALLS.search(refusal))


def _unwrapped(content: object, path: Path) -> State:
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(content, Mapping):
            break
        inner = (content.get(wrapper) for wrapper in _WRAPPERS)
        wrapped = next((value for value in inner if isinstance(value, Mapping)), None)
        if wrapped is not None:
            content = wrapped
            continue
        state = {
            _PREFIX.sub("", name): tensor
            for name, tensor in content.items()
            if isinstance(name, str) and isinstance(tensor, torch.Tensor)
        }
        if not state:
            break
        for name, tensor in state.items():
            _check_plain(name, tensor, path)
        return _without_adapters(state)
    raise CheckpointError(tr("{name} holds no model weights (no tensors by name).", name=path.name))


def _check_plain(name: str, tensor: torch.Tensor, path: Path) -> None:
    """Refuse tensors that are no plain arrays of numbers, which no SAM is made of."""
    kinds = {
        "nested": tensor.is_nested,
        "quantized": tensor.is_quantized,
        "sparse": tensor.layout is not torch.strided,
        "without numbers": tensor.is_meta,
        "complex": tensor.is_complex(),
    }
    if odd := [kind for kind, is_it in kinds.items() if is_it]:
        raise CheckpointError(
            tr(
                "{file} cannot be used as weights: its {name} is {kind}. Ask whoever made the file "
                "for plain tensors.",
                file=path.name,
                name=name,
                kind=odd[0],
            )
        )


def _without_adapters(state: State) -> State:
    """Merge low-rank adapters as micro-sam puts them around SAM's layers: W + B A, unscaled."""
    if not any(_MICRO_SAM_LAYER.search(name) for name in state):
        return state
    renamed = {_name_of_micro_sam(name): tensor for name, tensor in state.items()}
    return merged(renamed, renamed)


def _name_of_micro_sam(name: str) -> str:
    """Return the name in this program of one of micro-sam's tensors."""
    found = _MICRO_SAM_ADAPTER.search(name)
    if found is None:
        return _MICRO_SAM_LAYER.sub(".", name)
    layer, matrix, part = name[: found.start()], found[1].upper(), found[2]
    if part in "12":  # of an MLP's two layers
        return f"{layer}.lin{part}.lora_{matrix}.all"
    return f"{layer}.lora_{matrix}.{part}"
