"""A project whose weights in use have adapters and a changed decoder, and the export command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.config import LoraConfig
from napari_sam_tune.core.models.lora import Adapters, scale_adapters
from napari_sam_tune.core.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.base import BaseRef

LORA = LoraConfig(rank=2, targets=("q", "v"))


def tuned_project(path: Path, ref: BaseRef, sam: Sam) -> tuple[Project, dict[str, torch.Tensor]]:
    """Make the project; also return the tensors of its version in use."""
    project = Project.open(path)
    project.set_base(ref)
    adapters = scale_adapters(Adapters.of(sam, LORA, seed=0).parameters, LORA)
    tensors = {name: torch.randn_like(t) * 0.02 for name, t in adapters.items()}
    name = "mask_decoder.mask_tokens.weight"
    tensors[name] = sam.state_dict()[name] + 0.1
    info = {"base": {"name": ref.name, "sha256": ref.sha256}}
    project.promote(project.save_weights(tensors, info), report={})
    return project, tensors


def export(project: Project, out: Path, *more: str) -> Result:
    command = ["export", "weights", str(project.path), "--out", str(out), *more]
    return CliRunner().invoke(app, command)
