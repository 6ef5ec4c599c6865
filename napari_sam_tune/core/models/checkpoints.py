"""Where base models come from: the embedded starter, a published SAM by name, or a file.

A file may be a whole model, of this or another program, or tuned weights that name their base
model: then the two together are the model. Which architecture a file holds is read from its keys
and shapes, so a fine-tuned export loads by path like the file it came from.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing, SamTuneError
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.models.architectures import build_model, detect_architecture
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.catalogue import (
    MODEL_NAMES,
    OFFICIAL,
    STARTER,
    checkpoint_folder,
)
from napari_sam_tune.core.models.downloads import download_checkpoint
from napari_sam_tune.core.models.lora import merged
from napari_sam_tune.core.models.state_files import UNREADABLE, State, read_state
from napari_sam_tune.core.models.weights_file import (
    base_named_in,
    check_weights,
    is_weights_file,
    read_info,
    read_weights,
)
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.downloads import DownloadProgress
    from napari_sam_tune.core.models.network import Network

__all__ = [
    "UNREADABLE",
    "LoadedModel",
    "base_ref",
    "file_sha256",
    "load_base",
    "load_model",
    "placed",
    "read_state",
    "resolve_device",
    "sam_state_dict",
    "save_sam_checkpoint",
    "starter_path",
]


@dataclass
class LoadedModel:
    """A SAM in eval mode and the file it came from.

    Attributes:
        sam: the model, float32, on the device asked for.
        ref: its name (or path) and the SHA-256 of its file.
        architecture: its kind, one of `ARCHITECTURES`.

    """

    sam: Sam
    ref: BaseRef
    architecture: str

    @property
    def network(self) -> Network:
        """The model as other rooms know it."""
        from napari_sam_tune.core.models.network import Network  # imports segment-anything

        return Network(self.sam)


_MOST_BASES: Final = 8


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
            tr("{device!r} is not a device; use auto, cpu, cuda, cuda:N or mps.", device=device)
        ) from error
    there = {"cpu": True, "cuda": cuda, "mps": mps}.get(resolved.type, False)
    if there and resolved.type == "cuda":
        there = (resolved.index or 0) < torch.cuda.device_count()
    if not there:
        raise SamTuneError(
            tr(
                "This machine has no {device} device that torch {version} can use; choose "
                "auto or cpu.",
                device=device,
                version=torch.__version__,
            )
        )
    return resolved


def starter_path() -> Path:
    """The starter's weights inside the installed package."""
    return Path(str(files("napari_sam_tune"))) / "resources" / "starter.safetensors"


def load_model(
    name_or_path: str | Path,
    device: str | torch.device = "cpu",
    *,
    download: bool = False,
    progress: DownloadProgress | None = None,
) -> LoadedModel:
    """Load a SAM by name ("starter", "vit_b", "vit_l", "vit_h", "vit_t") or from a weights file.

    Args:
        name_or_path: a name, or the path of a `.pth`, `.pt` or `.safetensors` file: a whole model,
            or tuned weights, adapters included, whose base model is on this machine.
        device: see `resolve_device`.
        download: fetch an official checkpoint that is not on this machine.
        progress: called with (bytes so far, bytes in all) while downloading.

    Raises:
        CheckpointMissing: there is no such file, and downloading was not asked for or failed.
        CheckpointError: the file is damaged, would run code, or does not hold a SAM; names what
            does not fit.
        SamTuneError: no such device.

    """
    target = resolve_device(device)
    path = _find(name_or_path, download, progress)
    sha256 = file_sha256(path)
    _check_official(str(name_or_path), path, sha256)
    ref = BaseRef(str(name_or_path), sha256)
    if is_weights_file(path):
        sam, architecture = _on_its_base(path)
    else:
        state = read_state(path)
        architecture = detect_architecture(state, path)
        sam = build_model(architecture, state, path)
    return LoadedModel(sam.to(target), ref, architecture)


def _on_its_base(path: Path) -> tuple[Sam, str]:
    """Put tuned weights into their base model: the model and its architecture."""
    _check_bases(path)
    tensors, info = read_weights(path)
    base = load_base(base_named_in(info, path))
    plain = merged(tensors, base.sam.state_dict())
    own = check_weights(base.sam, plain)
    with torch.no_grad():
        for name, tensor in plain.items():
            own[name].copy_(tensor)
    return base.sam, base.architecture


def _check_bases(path: Path) -> None:
    """Refuse tuned weights that build on themselves, or on too many others one after the other."""
    below = path
    for _ in range(_MOST_BASES):
        if not is_weights_file(below):
            return
        below = _find(base_named_in(read_info(below), below).name, download=False, progress=None)
    raise CheckpointError(
        tr(
            "{name} builds on weights that build on others, and so on without an end. Name "
            "the model it was tuned from, as a whole.",
            name=path.name,
        )
    )


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
        CheckpointError: the file has changed since, or the embedded model is another edition;
            else as `load_model`.

    """
    model = load_model(ref.name, device)
    if model.ref.sha256 != ref.sha256 and ref.name == STARTER:
        raise CheckpointError(
            tr(
                "napari-sam-tune comes with another edition of its model than these weights "
                "or this project build on ({now} instead of {then}, SHA-256). Open the "
                "project in the dock, or run `napari-sam-tune embed` on it: either goes on "
                "with the new edition, and no record is lost. The weights themselves need the "
                "former edition’s file.",
                now=model.ref.sha256[:12],
                then=ref.sha256[:12],
            )
        )
    if model.ref.sha256 != ref.sha256:
        raise CheckpointError(
            tr(
                "The base model {name} is not the file this project was begun with (SHA-256 "
                "{now} instead of {then}). Put the original file back.",
                name=ref.name,
                now=model.ref.sha256,
                then=ref.sha256,
            )
        )
    return model


def placed(name_or_path: str) -> str:
    """Return a model's name as it is, a path from the root: what programs elsewhere understand."""
    if name_or_path in MODEL_NAMES:
        return name_or_path
    return str(absolute(Path(name_or_path).expanduser()))


def _find(name_or_path: str | Path, download: bool, progress: DownloadProgress | None) -> Path:
    name = str(name_or_path)
    if name == STARTER:
        path = starter_path()
        if not path.exists():
            raise CheckpointMissing(
                tr(
                    "The starter's weights are missing from this installation ({path}). "
                    "Reinstall napari-sam-tune; a git checkout on Windows needs symlinks "
                    "enabled.",
                    path=path,
                )
            )
        return path
    if name in OFFICIAL:
        if download:
            return download_checkpoint(name, progress)
        if not OFFICIAL[name].path.exists():
            raise CheckpointMissing(
                tr(
                    "{name} is not on this machine yet. Ask for it to be downloaded ({size}; "
                    "download=True). {by_hand}",
                    name=name,
                    size=OFFICIAL[name].size,
                    by_hand=OFFICIAL[name].by_hand,
                )
            )
        return OFFICIAL[name].path
    try:
        path = Path(name_or_path).expanduser()
        is_there = path.exists()
    except (OSError, ValueError, RuntimeError):  # no file system has such a name
        path, is_there = Path(name[:100]), False
    if not is_there:
        raise CheckpointMissing(
            tr(
                "There is no weights file {path}, and no model of that name; the names are "
                "{names} (kept in {folder}).",
                path=visible(path),
                names=", ".join(MODEL_NAMES),
                folder=checkpoint_folder(),
            )
        )
    if not path.is_file():
        what = tr("a folder") if path.is_dir() else tr("a pipe or a device")
        raise CheckpointError(
            tr("{path} is {what}; give a .pth or .safetensors file.", path=path, what=what)
        )
    return path


def _check_official(name: str, path: Path, sha256: str) -> None:
    """Refuse a file that lies in an official one's place but is not it."""
    if name in OFFICIAL and sha256 != OFFICIAL[name].sha256:
        raise CheckpointError(
            tr(
                "{path} is damaged or not the published {name} (its SHA-256 is {sha256}). "
                "Delete it and download it again. {by_hand}",
                path=path,
                name=name,
                sha256=sha256,
                by_hand=OFFICIAL[name].by_hand,
            )
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, remembered while its size and time of change stay the same.

    Raises:
        CheckpointError: it is missing, or cannot be read.

    """
    try:
        stat = path.stat()
        return _sha256(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise CheckpointError(
            tr("{path} cannot be read: {error}.", path=path, error=error.strerror)
        ) from error


@functools.lru_cache(maxsize=32)
def _sha256(path: Path, size: int, mtime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sam_state_dict(sam: Sam) -> State:
    """The whole model as plain tensors on the CPU, floats as float32, detached from it."""
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().clone()
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
