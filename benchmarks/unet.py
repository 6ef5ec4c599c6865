"""A U-Net for `promptless.py` to be compared with: the usual way, labelled images and no prompts.

Ronneberger et al. 2015, with EfficientNet-Lite0 and its ImageNet weights as the contracting path
(what segmentation-models-pytorch calls a U-Net), trained whole, on crops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.models.efficientnet import (
    CHANNELS,
    DEVIATION,
    MEAN,
    build_efficientnet,
)
from napari_sam_tune.core.promptless.labelled import label_map
from napari_sam_tune.core.promptless.lesson import promptless_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.project import ImageRecord, Project

_WIDTHS = {16: 96, 8: 64, 4: 48, 2: 32}
_CROP, _BATCH = 256, 8


class UNet(nn.Module):
    """(B, 3, H, W) normalised pixels to (B, 1, H, W) logits; H and W are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = build_efficientnet().requires_grad_(True)
        before, blocks = CHANNELS[32], {}
        for stride, width in _WIDTHS.items():
            blocks[str(stride)] = nn.Sequential(
                _convolution(before + CHANNELS.get(stride, 0), width), _convolution(width, width)
            )
            before = width
        self.blocks = nn.ModuleDict(blocks)
        self.mask = nn.Conv2d(before, 1, 1)
        nn.init.constant_(self.mask.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        stages = self.trunk(pixels)
        x = stages[32]
        for stride in _WIDTHS:
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            if stride in stages:
                x = torch.cat([x, stages[stride]], dim=1)
            x = self.blocks[str(stride)](x)
        logits: Tensor = self.mask(x)
        return functional.interpolate(logits, scale_factor=2, mode="bilinear")


def _convolution(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.ReLU())


def train_unet(
    project: Project, records: list[ImageRecord], *, steps: int, side: int, seed: int
) -> UNet:
    """Train on random flipped crops of images whose longer side is `side` px; last weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures = [_picture(project, record, side) for record in records]
    unet = UNet().train().to(memory_format=torch.channels_last)
    trunk = list(unet.trunk.parameters())
    new = [*unet.blocks.parameters(), *unet.mask.parameters()]
    optimizer = torch.optim.AdamW([{"params": trunk, "lr": 2e-4}, {"params": new, "lr": 2e-3}])
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, [2e-4, 2e-3], total_steps=steps)
    for step in range(steps):
        crops = [_crop(*pictures[i], rng) for i in rng.integers(len(pictures), size=_BATCH)]
        pixels = torch.stack([crop for crop, _ in crops])
        labels = torch.stack([labels for _, labels in crops])
        loss = promptless_loss(unet(_normalised(pixels)), labels).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rate.step()
        if (step + 1) % 100 == 0:
            print("U-Net", step + 1, f"loss {loss.item():.3f}", flush=True)
    return unet.eval()


def iou_of_unet(unet: UNet, project: Project, record: ImageRecord, side: int) -> float:
    """IoU of all defects as one, at the image's own size."""
    pixels, _ = _picture(project, record, side)
    height, width = pixels.shape[-2:]
    padded = functional.pad(_normalised(pixels[None]), (0, -width % 32, 0, -height % 32))
    with torch.inference_mode():
        logits = unet(padded)[..., :height, :width]
    logits = functional.interpolate(logits, record.shape, mode="bilinear")
    drawn = (logits[0, 0] > 0).numpy()
    there: NDArray[np.bool_] = label_map(project.annotations(record.id), record.shape, ["x"]) > 0
    return float(np.count_nonzero(drawn & there) / max(1, np.count_nonzero(drawn | there)))


def _picture(project: Project, record: ImageRecord, side: int) -> tuple[Tensor, Tensor]:
    """An image (3, h, w) uint8 and its labels (h, w) int64, shrunk to `side`."""
    rgb = torch.from_numpy(to_rgb8(project.read_image(record.id)).copy()).movedim(-1, 0)
    painted = torch.from_numpy(label_map(project.annotations(record.id), record.shape, ["x"]))
    scale = side / max(record.shape)
    size = [max(1, round(n * scale)) for n in record.shape]
    shrunk = functional.interpolate(rgb[None].float(), size, mode="bilinear", antialias=True)[0]
    labels = functional.interpolate(painted[None, None].float(), size, mode="nearest-exact")[0, 0]
    return shrunk.to(torch.uint8), labels.long()


def _crop(pixels: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    lacking = [max(0, _CROP - n) for n in labels.shape]
    pixels = functional.pad(pixels, (0, lacking[1], 0, lacking[0]))
    labels = functional.pad(labels, (0, lacking[1], 0, lacking[0]))
    y, x = (int(rng.integers(n - _CROP + 1)) for n in labels.shape)
    flips = [axis for axis in (-2, -1) if rng.random() < 0.5]
    window = (slice(y, y + _CROP), slice(x, x + _CROP))
    return pixels[..., *window].flip(flips), labels[window].flip(flips)


def _normalised(pixels: Tensor) -> Tensor:
    return ((pixels.float() - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)
