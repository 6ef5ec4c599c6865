"""Which SAM a state dict is of, read from its names and shapes, and building it."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_sam_tune.core.errors import CheckpointError, SamTuneError
from napari_sam_tune.core.models.downloads import OFFICIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.state_files import State

STARTER: Final = "starter"
PYRAMID_STARTER: Final = "starter2"
"""Architecture of the starter's second edition."""
MODEL_NAMES: Final = (STARTER, *OFFICIAL)
_SAM_PIXELS: Final = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
_PIXELS: Final = {PYRAMID_STARTER: ([127.0] * 3, [128.0] * 3)}
"""Mean and deviation that an architecture's encoder wants, where they are not SAM's."""
_VIT_BY_WIDTH: Final = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}


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


def detect_architecture(state: Mapping[str, torch.Tensor], path: Path) -> str:
    """Tell "starter", "starter2", "vit_b", "vit_l", "vit_h" or "vit_t" from a state dict.

    Raises:
        CheckpointError: it is none of them.

    """
    if "image_encoder.stage2.0.weight" in state:
        return STARTER
    if "image_encoder.lateral32.1.weight" in state:
        return PYRAMID_STARTER
    if "image_encoder.layers.0.blocks.0.conv1.c.weight" in state:
        return "vit_t"
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


def build_model(architecture: str, state: State, path: Path) -> Sam:
    """Build a model around tensors that were read, without initialising it first.

    Args:
        architecture: of the tensors, see `detect_architecture`.
        state: by name; half precision becomes float32.
        path: of the file, for messages.

    Returns:
        The model in eval mode, on the CPU.

    Raises:
        CheckpointError: tensors are missing, superfluous, or of another shape.
        SamTuneError: torch and torchvision do not fit each other.

    """
    with torch.device("meta"):
        sam: Sam = _builder(architecture)()
    from napari_sam_tune.core.models.mask_decoder import (
        QuickMaskDecoder,  # imports segment-anything
    )

    sam.mask_decoder = QuickMaskDecoder.of(sam.mask_decoder)
    wanted = sam.state_dict()
    if architecture == PYRAMID_STARTER:
        from napari_sam_tune.core.models.starter_pyramid import with_trunk

        state = with_trunk(state)
    # batch norms count what they see in training; some programs leave that out, and none needs it
    uncounted = [n for n in wanted if n.endswith("num_batches_tracked") and n not in state]
    state = {**state, **{name: torch.zeros((), dtype=torch.long) for name in uncounted}}
    _check_fit(wanted, state, path, architecture)
    plain = {name: tensor.to(wanted[name].dtype).contiguous() for name, tensor in state.items()}
    sam.load_state_dict(plain, assign=True)
    # not part of a state dict, so they are still on the meta device
    mean, deviation = _PIXELS.get(architecture, _SAM_PIXELS)
    sam.pixel_mean = torch.tensor(mean).view(-1, 1, 1)
    sam.pixel_std = torch.tensor(deviation).view(-1, 1, 1)
    return sam.eval().requires_grad_(True)


def _builder(architecture: str) -> Callable[[], Sam]:
    registry = segment_anything().sam_model_registry
    from napari_sam_tune.core.models.starter import build_starter
    from napari_sam_tune.core.models.starter_pyramid import build_pyramid_starter
    from napari_sam_tune.core.models.tiny_vit import build_vit_t

    ours = {
        STARTER: build_starter,
        PYRAMID_STARTER: build_pyramid_starter,
        "vit_t": build_vit_t,
    }
    builder: Callable[[], Sam] = ours.get(architecture) or registry[architecture]
    return builder


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
