"""A project whose third image is held out, and weights files that change one known thing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from napari_sam_tune import Predictor, Project
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import file_sha256, starter_path
from napari_sam_tune.core.models.weights_file import write_weights
from napari_sam_tune.core.project.project import NewAnnotation

if TYPE_CHECKING:
    from pathlib import Path

IOU_BIAS = "mask_decoder.iou_prediction_head.layers.2.bias"
STARTER = BaseRef("starter", file_sha256(starter_path()))
CENTRES = ((30, 34, 14, "pit"), (92, 40, 11, "void"), (62, 92, 9, "pit"))


def discs() -> list[tuple[np.ndarray, str]]:
    """Three discs of 128 × 128 px, with their classes."""
    rows, columns = np.mgrid[:128, :128]
    return [((columns - x) ** 2 + (rows - y) ** 2 <= r * r, label) for x, y, r, label in CENTRES]


def disc_image(seed: int) -> np.ndarray:
    """Grey noise with the three discs, darker."""
    pixels = np.random.default_rng(seed).normal(165, 6, (128, 128))
    for disc, _ in discs():
        pixels[disc] -= 80
    return pixels.clip(0, 255).astype(np.uint8)


def save_image(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def project_of_discs(folder: Path, images: int = 3) -> Project:
    """Three objects an image; of three images, the third is held out."""
    project = Project.open(folder / "project")
    project.set_base(STARTER)
    for number in range(images):
        pixels = disc_image(number)
        path = save_image(folder / "images" / f"im {number}.png", pixels)
        project.add_image(
            path.name, shape=pixels.shape, content_hash=content_hash(pixels), path=path
        )
    # only now: in a project of one image, a place in it would be held out
    for record in project.images():
        for disc, label in discs():
            project.add(NewAnnotation(record.id, disc, label))
    return project


def write_shifted(path: Path, shift: float = 0.25, base: BaseRef = STARTER) -> Path:
    """Write weights that draw the starter's masks and predict an IoU higher by `shift`."""
    bias = Predictor.from_checkpoint("starter", "cpu").sam.state_dict()[IOU_BIAS]
    write_weights(path, {IOU_BIAS: bias + shift}, {"base": asdict(base), "losses": [3, 2, 1.5]})
    return path


def write_blind(path: Path) -> Path:
    """Write weights that answer everything with an empty mask."""
    state = Predictor.from_checkpoint("starter", "cpu").sam.state_dict()
    names = [name for name in state if name.startswith("mask_decoder.output_hypernetworks_mlps")]
    tensors = {name: torch.zeros_like(state[name]) for name in names}
    write_weights(path, tensors, {"base": asdict(STARTER)})
    return path
