"""Trained promptless heads of a project: beside its weights versions, never hot-swapped.

A head is not a version of the model that answers clicks; it lies in `PROJECT/heads`, named by its
content. The newest one proposes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.weights_file import (
    content_version,
    is_head,
    read_info,
    read_weights,
    write_weights,
)
from napari_sam_tune.core.project.folder import HEADS
from napari_sam_tune.core.promptless.head import load_head
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache


def keep_head(
    project: Project,
    tensors: Mapping[str, Tensor],
    info: Mapping[str, Any],
    known_at: float | None = None,
) -> Path:
    """Put a head into a project and return its file.

    Args:
        project: whose masks it learnt from.
        tensors: head and neck.
        info: what its file is to say about itself.
        known_at: when it learnt them, UTC, seconds since 1970; None is now.

    Raises:
        StorageError: the disk refused; nothing is half-written.

    """
    file = project.path / HEADS / f"{content_version(tensors)}.safetensors"
    write_weights(file, tensors, {**info, "created": time.time() if known_at is None else known_at})
    return file


def newest_head(project: Project) -> Path | None:
    """Return the file of the head kept last, or None where there is none."""
    files = sorted((project.path / HEADS).glob("*.safetensors"))
    return max(files, key=kept_at, default=None)


def kept_at(file: Path) -> float:
    """Return what masks a head knows: those until then, UTC, s since 1970; 0 of the first heads."""
    return float(read_info(file).get("created", 0))


def read_head(
    predictor: Predictor, file: Path, cache: EmbeddingCache | None = None
) -> PromptlessModel:
    """Load a head's weights file onto a model.

    Raises:
        CheckpointMissing: there is no such file.
        CheckpointError: it is damaged, no head, or a head of another base model.

    """
    tensors, info = read_weights(file)
    if not is_head(tensors):
        raise CheckpointError(
            tr("{file} holds no promptless head; choose one that does.", file=file.name)
        )
    base = info.get("base", {})
    if base.get("sha256") != predictor.ref.sha256:
        raise CheckpointError(
            tr(
                "The head {file} was trained on the model {trained_on}, not on {model}: open that "
                "model, or train a head on this one.",
                file=file.name,
                trained_on=base.get("name"),
                model=predictor.ref.name,
            )
        )
    version = content_version(tensors)
    return load_head(predictor, tensors, info["classes"], version=version, cache=cache)
