"""Our own weights files: small, self-describing, and put into a model all or nothing.

A file holds only the tensors a round trained, under their names in the SAM's state dict, a JSON
object that says what they are (base checkpoint, parts, config, metrics, parent), and descriptions
of the surfaces they were learnt from. The format is safetensors, which holds no code.
"""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing
from napari_sam_tune.core.images.surfaces import DESCRIPTION_LENGTH, FamiliarSurfaces
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.finite import NOT_FINITE, is_finite
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.storage.plain_json import parse_object
from napari_sam_tune.core.texts.plain_text import is_text, visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor
    from torch.nn import Module

INFO_KEY: Final = "napari_sam_tune"
VERSION_DIGITS: Final = 12
HEAD: Final = "promptless_head."
"""What the names of a promptless head's tensors begin with."""
_SURFACES_KEY: Final = "napari_sam_tune_surfaces"
"""Descriptions of images by content hash: no tensors, for those are the model's."""


def content_version(tensors: Mapping[str, Tensor]) -> str:
    """Name weights by their content: 12 hex digits of a SHA-256 of names, types, shapes, bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:VERSION_DIGITS]


def write_weights(
    path: Path,
    tensors: Mapping[str, Tensor],
    info: Mapping[str, Any],
    surfaces: FamiliarSurfaces | None = None,
) -> str:
    """Write tensors and their description, whole or not at all, and return their version.

    Args:
        path: where to; an existing file is replaced.
        tensors: by name in the SAM's state dict, any device.
        info: what the file says about itself; JSON values.
        surfaces: those the weights are for; None for all.

    Raises:
        CheckpointError: there are no tensors.
        StorageError: the disk is full or not writable; an earlier file is untouched.

    """
    content = pack_weights(tensors, info, surfaces)
    with replacing_file(Path(path)) as file:
        file.write(content)
    return content_version(tensors)


def pack_weights(
    tensors: Mapping[str, Tensor],
    info: Mapping[str, Any],
    surfaces: FamiliarSurfaces | None = None,
) -> bytes:
    """Return what a weights file holds; see `write_weights`.

    Raises:
        CheckpointError: there are no tensors.

    """
    if not tensors:
        raise CheckpointError("A weights file without a tensor would say nothing.")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    said = {INFO_KEY: json.dumps(dict(info))}
    if surfaces is not None:
        described = {n: d.astype(float).round(4).tolist() for n, d in surfaces.descriptions.items()}
        said[_SURFACES_KEY] = json.dumps(described)
    return save(plain, said)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a weights file as (tensors on the CPU by name, what it says about itself).

    Raises:
        CheckpointMissing: there is no such file.
        CheckpointError: it is damaged, or not a weights file of this program.

    """
    with _opened(path) as file:
        info = _info(file, path)
        # copied: what safetensors returns is mapped, and dies with a file that is overwritten
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if is_head(tensors) and (unsaid := [key for key in _OF_A_HEAD if key not in info]):
        raise _damaged(path, f"it holds a promptless head, and does not say its {unsaid[0]}")
    return tensors, info


def read_surfaces(path: Path) -> FamiliarSurfaces | None:
    """Read which surfaces a weights file is for, None for all; raises as `read_weights` does."""
    with _opened(path) as file:
        said = (file.metadata() or {}).get(_SURFACES_KEY)
    if said is None:
        return None
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            read = {n: np.array(d, np.float32) for n, d in parse_object(said.encode()).items()}
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(path, error) from error
    if not all(d.shape == (DESCRIPTION_LENGTH,) and np.isfinite(d).all() for d in read.values()):
        raise _damaged(path, "it describes surfaces in another way than this release")
    return FamiliarSurfaces(read)


def read_info(path: Path) -> dict[str, Any]:
    """Read only what a weights file says about itself; raises as `read_weights` does."""
    with _opened(path) as file:
        return _info(file, path)


def is_weights_file(path: Path) -> bool:
    """Whether a file is a weights file of this program, and not a whole model."""
    if Path(path).suffix != ".safetensors":
        return False
    try:
        with _opened(path) as file:
            return INFO_KEY in (file.metadata() or {})
    except CheckpointError:
        return False


def base_named_in(info: Mapping[str, Any], path: Path) -> BaseRef:
    """Return the base model that a weights file names.

    Args:
        info: what it says about itself.
        path: of the file, for the message.

    Raises:
        CheckpointError: it names none.

    """
    try:
        base = info["base"]
        return BaseRef(str(base["name"]), str(base["sha256"]))
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            tr(
                "{name} does not say which base model it belongs to. Was it written by "
                "`napari-sam-tune train` or by a round?",
                name=Path(path).name,
            )
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    file_path = Path(path)
    if file_path.exists() and not file_path.is_file():  # a pipe would keep us waiting
        raise CheckpointError(
            tr("{path} is a folder, a pipe or a device: give a weights file.", path=path)
        )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except FileNotFoundError as error:
        raise CheckpointMissing(tr("The weights file {path} is missing.", path=path)) from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            tr(
                "{name} is truncated, damaged or not a weights file: {error}.",
                name=Path(path).name,
                error=error,
            )
        ) from error
    except UnicodeEncodeError as error:
        raise CheckpointMissing(
            tr("No weights file can be named {path}.", path=visible(path))
        ) from error


def _info(file: Any, path: Path) -> dict[str, Any]:
    said = (file.metadata() or {}).get(INFO_KEY)
    if said is None:
        raise CheckpointError(
            tr(
                "{name} was not written by a round (it does not say what it holds). A whole "
                "model is loaded by its path as the base model instead.",
                name=Path(path).name,
            )
        )
    try:
        info = parse_object(said.encode())
    except ValueError as error:
        raise _damaged(path, error) from error
    if wrong := [key for key, is_right in _SAID.items() if key in info and not is_right(info[key])]:
        raise _damaged(path, f"what it says of its {wrong[0]} makes no sense")
    return info


def _damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(
        tr(
            "{name} is damaged, or was not written by this program: {why}. Copy or download "
            "it again.",
            name=Path(path).name,
            why=why,
        )
    )


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _are(values: object, right: Callable[[object], bool]) -> bool:
    return isinstance(values, list) and all(map(right, values))


_SAID: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("base", "config"), lambda said: isinstance(said, dict)),
    **dict.fromkeys(
        ("prompts", "scores"),
        lambda said: isinstance(said, dict) and all(map(_is_number_or_none, said.values())),
    ),
    **dict.fromkeys(("classes", "parts"), lambda said: _are(said, is_text)),
    **dict.fromkeys(("losses", "pixel_mean", "pixel_std"), lambda said: _are(said, _is_number)),
    **dict.fromkeys(("created", "images", "input_size", "masks"), _is_number),
    "held_out": _is_number_or_none,
}
"""What other modules rely on in what a file says about itself."""
_OF_A_HEAD: Final = ("classes", "images", "losses")
"""What the file of a head says, always."""


def check_weights(model: Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Check that tensors fit a model, and return the model's own tensors of those names.

    Raises:
        CheckpointError: a name the model does not have, another shape, a type that is not
            floating point, or numbers that are not finite; names the first few.

    """
    own = _named_tensors(model)
    problems = []
    for name, tensor in tensors.items():
        if name not in own:
            problems.append(f"the model has no {name}")
        elif tensor.shape != own[name].shape:
            problems.append(
                f"{name} is {tuple(tensor.shape)}, the model wants {tuple(own[name].shape)}"
            )
        elif not tensor.is_floating_point():
            problems.append(f"{name} holds {tensor.dtype}")
        elif not is_finite(tensor.float()):
            problems.append(f"{name} holds {NOT_FINITE}")
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CheckpointError(
            tr(
                "These weights do not fit: {problems}{more}.",
                problems="; ".join(problems[:4]),
                more=more,
            )
        )
    return {name: own[name] for name in tensors}


def _named_tensors(model: Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, undetached, so that copying into them changes the model."""
    return dict(model.state_dict(keep_vars=True))


def is_head(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a weights file's tensors are a head's."""
    return any(name.startswith(HEAD) for name in tensors)
