"""Where base models come from: the embedded starter, an official SAM by name, or a file.

Foreign files are never unpickled: `.safetensors` holds no code, and `.pth` is read with
`torch.load(weights_only=True)`. Which architecture a file holds is read from its keys and shapes,
so a fine-tuned export loads by path like the file it came from.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from napari_sam_tune.core.downloads import (
    OFFICIAL,
    checkpoint_folder,
    download_checkpoint,
)
from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing, SamTuneError
from napari_sam_tune.core.project import BaseRef
from napari_sam_tune.core.weights import replacing_file

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

    from napari_sam_tune.core.downloads import DownloadProgress

    State = dict[str, torch.Tensor]

STARTER: Final = "starter"
MODEL_NAMES: Final = (STARTER, *OFFICIAL)
_VIT_BY_WIDTH: Final = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
_WRAPPERS: Final = ("model", "state_dict", "model_state", "model_state_dict")
"""Keys under which trainers (MedSAM, micro-sam, Lightning) put the state dict proper."""
_PREFIX: Final = re.compile(r"^(module\.|sam\.|model\.)+")
UNREADABLE: Final = (
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
    OverflowError,
    SafetensorError,
)
"""What torch and safetensors raise on bytes that are not a weights file."""


@dataclass
class LoadedModel:
    """A SAM in eval mode and the file it came from.

    Attributes:
        sam: the model, float32, on the device asked for.
        ref: its name (or path) and the SHA-256 of its file.
        architecture: "starter", "vit_b", "vit_l" or "vit_h".

    """

    sam: Sam
    ref: BaseRef
    architecture: str


LIGHT_ENCODER: Final = 20_000_000
"""Parameters up to which an encoder is run freely on a CPU, in training too: the starter's 5.5 and
MobileSAM's 6 million take well under a second an image, ViT-B's 90 million ten."""


def has_light_encoder(sam: Sam) -> bool:
    """Whether encoding an image costs so little that a CPU does it while the person waits."""
    parameters: int = sum(p.numel() for p in sam.image_encoder.parameters())
    return parameters <= LIGHT_ENCODER


def segment_anything() -> Any:
    """Import segment-anything and return it.

    Raises:
        SamTuneError: torch and torchvision were not built for each other; says which versions
            were found and how to reinstall them.

    """
    try:
        return import_module("segment_anything")
    except (RuntimeError, OSError) as error:
        if "torchvision" not in str(error) and "torchvision" not in _trail(error):
            raise
        raise SamTuneError(
            f"torch {metadata.version('torch')} and torchvision {metadata.version('torchvision')} "
            "were not built for each other, so no model can be loaded. Reinstall both together: "
            "pip install --force-reinstall torch torchvision (add the --index-url you installed "
            f"torch from, for CUDA builds). [{error}]"
        ) from error


def _trail(error: BaseException) -> str:
    """The file names an exception passed through."""
    names, frame = [], error.__traceback__
    while frame is not None:
        names.append(frame.tb_frame.f_code.co_filename)
        frame = frame.tb_next
    return "\n".join(names)


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Turn "auto", "cpu", "cuda", "cuda:1" or "mps" into a device that is there.

    "auto" takes CUDA before MPS before the CPU.

    Raises:
        SamTuneError: the device asked for by name is not on this machine.

    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise SamTuneError(
            f"{device!r} is not a device; use auto, cpu, cuda, cuda:N or mps."
        ) from error
    there = {"cpu": True, "cuda": cuda, "mps": mps}.get(resolved.type, False)
    if there and resolved.type == "cuda":
        there = (resolved.index or 0) < torch.cuda.device_count()
    if not there:
        raise SamTuneError(
            f"This machine has no {device} device that torch {torch.__version__} can use; "
            "choose auto or cpu."
        )
    return resolved


def starter_path() -> Path:
    """The starter's weights inside the installed package."""
    return Path(__file__).parent.parent / "resources" / "starter.safetensors"


def load_model(
    name_or_path: str | Path,
    device: str | torch.device = "cpu",
    *,
    download: bool = False,
    progress: DownloadProgress | None = None,
) -> LoadedModel:
    """Load a SAM by name ("starter", "vit_b", "vit_l", "vit_h") or from a weights file.

    Args:
        name_or_path: a name, or the path of a `.pth`, `.pt` or `.safetensors` file.
        device: see `resolve_device`.
        download: fetch an official checkpoint that is not on this machine.
        progress: called with (bytes so far, bytes in all) while downloading.

    Raises:
        CheckpointMissing: there is no such file, and downloading was not asked for or failed.
        CheckpointError: the file is damaged, would run code, or does not hold a SAM; names what
            does not fit.
        SamTuneError: no such device, or torch and torchvision do not fit each other.

    """
    target = resolve_device(device)
    path = _find(name_or_path, download, progress)
    sha256 = file_sha256(path)
    _check_official(str(name_or_path), path, sha256)
    state = read_state(path)
    architecture = detect_architecture(state, path)
    sam = _build(architecture, state, path)
    return LoadedModel(sam.to(target), BaseRef(str(name_or_path), sha256), architecture)


def base_ref(name_or_path: str | Path) -> BaseRef:
    """Name a base model and its hash without loading it.

    An official model need not be on this machine: its hash is published.

    Raises:
        CheckpointMissing: there is no such file.
        CheckpointError: it is a folder, or cannot be read.

    """
    name = str(name_or_path)
    if name in OFFICIAL:
        return BaseRef(name, OFFICIAL[name].sha256)
    return BaseRef(name, file_sha256(_find(name, download=False, progress=None)))


def load_base(ref: BaseRef, device: str | torch.device = "cpu") -> LoadedModel:
    """Load the base model a project was begun with, and make sure that it is that one.

    Raises:
        CheckpointError: the file has changed since; else as `load_model`.

    """
    model = load_model(ref.name, device)
    if model.ref.sha256 != ref.sha256:
        raise CheckpointError(
            f"The base model {ref.name} is not the file this project was begun with (SHA-256 "
            f"{model.ref.sha256} instead of {ref.sha256}). Put the original file back."
        )
    return model


def _find(name_or_path: str | Path, download: bool, progress: DownloadProgress | None) -> Path:
    name = str(name_or_path)
    if name == STARTER:
        path = starter_path()
        if not path.exists():
            raise CheckpointMissing(
                f"The starter's weights are missing from this installation ({path}). Reinstall "
                "napari-sam-tune; a git checkout on Windows needs symlinks enabled."
            )
        return path
    if name in OFFICIAL:
        if download:
            return download_checkpoint(name, progress)
        if not OFFICIAL[name].path.exists():
            raise CheckpointMissing(
                f"{name} is not on this machine yet. Ask for it to be downloaded "
                f"({OFFICIAL[name].size}; download=True). {OFFICIAL[name].by_hand}"
            )
        return OFFICIAL[name].path
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise CheckpointMissing(
            f"There is no weights file {path}, and no model of that name; the names are "
            f"{', '.join(MODEL_NAMES)} (kept in {checkpoint_folder()})."
        )
    if not path.is_file():
        raise CheckpointError(f"{path} is a folder; give the .pth or .safetensors file in it.")
    return path


def _check_official(name: str, path: Path, sha256: str) -> None:
    """Refuse a file that lies in an official one's place but is not it."""
    if name in OFFICIAL and sha256 != OFFICIAL[name].sha256:
        raise CheckpointError(
            f"{path} is damaged or not the published {name} (its SHA-256 is {sha256}). Delete it "
            f"and download it again. {OFFICIAL[name].by_hand}"
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, remembered while its size and time of change stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _sha256(path: Path, size: int, mtime: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error


def read_state(path: Path) -> State:
    """Read a state dict without running anything that is in the file.

    Wrappers that other trainers add ({"model": …}, "module.", "sam.") are taken off.

    Raises:
        CheckpointError: the file is damaged, would run code, or holds no tensors.

    """
    try:
        if path.suffix == ".safetensors":
            # copied: what safetensors returns is mapped, and dies with a file that is overwritten
            content: object = {name: tensor.clone() for name, tensor in load_file(path).items()}
        else:
            with warnings.catch_warnings():  # of other pickle protocols: read or refused, below
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UNREADABLE as error:
        raise CheckpointError(_why_unreadable(path, error)) from error
    return _unwrapped(content, path)


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error):
        return (
            f"{path.name} was refused: reading it would run code that is stored in it. Weights "
            "need no code; ask whoever made the file for a plain state dict or .safetensors."
        )
    return (
        f"{path.name} cannot be read as weights: it is truncated, damaged or another kind of file. "
        f"Copy or download it again. [{str(error).splitlines()[0] if str(error) else error!r}]"
    )


def _unwrapped(content: object, path: Path) -> State:
    if isinstance(content, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(content.get(wrapper), Mapping):
                return _unwrapped(content[wrapper], path)
        state = {
            _PREFIX.sub("", name): tensor
            for name, tensor in content.items()
            if isinstance(name, str) and isinstance(tensor, torch.Tensor)
        }
        if state:
            return state
    raise CheckpointError(f"{path.name} holds no model weights (no tensors by name).")


def detect_architecture(state: Mapping[str, torch.Tensor], path: Path) -> str:
    """Tell "starter", "vit_b", "vit_l" or "vit_h" from a state dict's keys and shapes.

    Raises:
        CheckpointError: it is none of them.

    """
    if "image_encoder.stage2.0.weight" in state:
        return STARTER
    patches = state.get("image_encoder.patch_embed.proj.weight")
    if patches is not None and patches.ndim == 4 and patches.shape[0] in _VIT_BY_WIDTH:
        return _VIT_BY_WIDTH[patches.shape[0]]
    if not any(name.startswith("image_encoder.") for name in state):
        raise CheckpointError(
            f"{path.name} holds no image encoder, so it is not a whole SAM (first entry: "
            f"{next(iter(state))}). A weights file made by a round belongs to its project."
        )
    raise CheckpointError(
        f"{path.name} is a SAM of an unknown kind; known are {', '.join(MODEL_NAMES)}."
    )


def _build(architecture: str, state: State, path: Path) -> Sam:
    """Build the model around the tensors that were read, without initialising it first."""
    registry = segment_anything().sam_model_registry
    from napari_sam_tune.core.starter.architecture import build_starter

    with torch.device("meta"):
        sam: Sam = build_starter() if architecture == STARTER else registry[architecture]()
    _check_fit(sam.state_dict(), state, path, architecture)
    floats = {name: tensor.to(torch.float32).contiguous() for name, tensor in state.items()}
    sam.load_state_dict(floats, assign=True)
    # not part of a state dict, so they are still on the meta device
    sam.pixel_mean = torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)
    sam.pixel_std = torch.tensor([58.395, 57.12, 57.375]).view(-1, 1, 1)
    return sam.eval().requires_grad_(True)


def _check_fit(
    wanted: Mapping[str, torch.Tensor], given: State, path: Path, architecture: str
) -> None:
    problems = [f"{name} is missing" for name in wanted if name not in given]
    problems += [f"{name} is not part of it" for name in given if name not in wanted]
    problems += [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CheckpointError(
            f"{path.name} does not fit {architecture}: {'; '.join(problems[:4])}{more}."
        )


def sam_state_dict(sam: Sam) -> State:
    """The whole model as plain float32 tensors on the CPU, detached from it."""
    return {
        name: tensor.detach().to("cpu", torch.float32).clone()
        for name, tensor in sam.state_dict().items()
    }


def save_sam_checkpoint(sam: Sam, path: Path) -> None:
    """Write a `.pth` of tensors only, whole or not at all.

    For the official shapes `segment_anything.sam_model_registry` loads it; `load_model` loads any.

    Raises:
        StorageError: the disk is full or not writable.

    """
    with replacing_file(Path(path)) as file:
        torch.save(sam_state_dict(sam), file)
