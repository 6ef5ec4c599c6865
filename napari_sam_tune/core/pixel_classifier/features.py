"""What ImageNet's features say of each place of an image, computed once an image.

EfficientNet-Lite0 sees the image at 512 px on its longer side; its features of strides 4, 8 and 16
are kept as float16 at their own strides (1.3 MB) and compared on a grid of 128 × 128 cells, to
which the coarser ones are brought bilinearly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from napari_sam_tune.core.geometry.windows import resized_shape, shape_of
from napari_sam_tune.core.images.rgb_source import whole_image
from napari_sam_tune.core.models import efficientnet
from napari_sam_tune.core.storage.embeddings import Embedding
from napari_sam_tune.core.storage.own_pages import in_own_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.rgb_source import RgbSource

    Floats = NDArray[np.float32]

SIDE: Final = 512
"""Longer side of what the network sees, in px."""
GRID: Final = 128
"""Cells along a side of the padded square."""
STRIDES: Final = (4, 8, 16)
_FINEST: Final = STRIDES[0]
CHANNELS: Final = sum(efficientnet.CHANNELS[stride] for stride in STRIDES)
KEY: Final = "efficientnet-lite0-512-1"
"""Names what features depend on besides the image, in the cache of embeddings."""
_LARGEST: Final = 6.0
"""Standard deviations at which a feature is clamped: a few cells must not outweigh all others."""
_PACKED: Final = (41, GRID, GRID)
"""As many numbers as 24 × 128², 40 × 64² and 112 × 32²: one array, as the cache keeps them."""


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """Features of one image.

    Attributes:
        stages: (C, h, w) float16 of strides 4, 8 and 16, of the padded square.
        original_size: (H, W) of the image in px.
        input_size: (h, w) it was resized to before padding.

    """

    stages: tuple[NDArray[np.float16], ...]
    original_size: tuple[int, int]
    input_size: tuple[int, int]

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the grid that see any of the image; the rest is padding."""
        height, width = self.input_size
        return -(-height * GRID // SIDE), -(-width * GRID // SIDE)

    @property
    def cell_size(self) -> tuple[float, float]:
        """Height and width of a cell, in px of the image."""
        pixels = SIDE / GRID
        height, width = (
            pixels * whole / seen
            for whole, seen in zip(self.original_size, self.input_size, strict=True)
        )
        return height, width

    @property
    def window(self) -> tuple[float, float, float, float]:
        """The part of the image that its cells cover, in px; it may reach a little beyond."""
        (rows, columns), (height, width) = self.cells, self.cell_size
        return 0.0, 0.0, rows * height, columns * width

    def window_from(self, window: Window | None) -> tuple[float, float, float, float]:
        """Return `window` where the features are of a window of a large image; None: of all."""
        if window is None:
            return self.window
        (y0, x0, y1, x1), (top, left, _, _) = self.window, window
        return y0 + top, x0 + left, y1 + top, x1 + left

    def means(self) -> Floats:
        """Return (CHANNELS,) float32: the mean of each feature over the image, as deviations."""
        height, width = self.input_size
        seen = [
            stage[0, :, : -(-height // stride), : -(-width // stride)].mean(dim=(1, 2))
            for stage, stride in zip(self._standard, STRIDES, strict=True)
        ]
        return torch.cat(seen).numpy()

    @cached_property
    def _standard(self) -> list[Tensor]:
        """The stages, (1, C, h, w) float32, as deviations from what ImageNet's images have."""
        found = [
            ((torch.from_numpy(stage.astype(np.float32))[None] - mean) / deviation).clamp(
                -_LARGEST, _LARGEST
            )
            for stage, (mean, deviation) in zip(self.stages, _usual(), strict=True)
        ]
        return [torch.from_numpy(in_own_pages(stage.numpy())) for stage in found]

    def vectors(self) -> Floats:
        """Return (rows, columns, CHANNELS + 1) float32 of each cell; the last is 1."""
        fine = [_at_grid(stage)[0].permute(1, 2, 0) for stage in self._standard]
        rows, columns = self.cells
        ones = torch.ones(GRID, GRID, 1)
        return torch.cat([*fine, ones], dim=-1)[:rows, :columns].contiguous().numpy()

    def scores(self, weights: NDArray[np.float64]) -> Floats:
        """Return `vectors() @ weights` without making them: weights (CHANNELS + 1, K).

        Scaling up is linear, so the few scores are scaled up in place of the many features.

        Returns:
            (rows, columns, K) float32.

        """
        total = torch.from_numpy(weights[-1].astype(np.float32)).view(1, -1, 1, 1)
        begin = 0
        for stage in self._standard:
            channels = stage.shape[1]
            own = torch.from_numpy(weights[begin : begin + channels].astype(np.float32))
            total = total + _at_grid(torch.einsum("nchw,ck->nkhw", stage, own))
            begin += channels
        rows, columns = self.cells
        return total[0, :, :rows, :columns].permute(1, 2, 0).contiguous().numpy()

    def packed(self) -> Embedding:
        """Return it as the cache of embeddings keeps things."""
        flat = np.concatenate([stage.ravel() for stage in self.stages])
        return Embedding(flat.reshape(_PACKED), self.original_size, self.input_size)

    @classmethod
    def unpacked(cls, embedding: Embedding) -> PixelFeatures | None:
        """Undo `packed`; None where the entry is of another kind: it is made anew then."""
        if embedding.features.shape != _PACKED:
            return None
        flat, stages = embedding.features.ravel(), []
        for stride in STRIDES:
            channels, side = efficientnet.CHANNELS[stride], SIDE // stride
            count = channels * side * side
            stages.append(flat[:count].reshape(channels, side, side))
            flat = flat[count:]
        return cls(tuple(stages), embedding.original_size, embedding.input_size)


class FeatureExtractor:
    """Runs the network; loaded at the first image.

    Args:
        device: where it runs.

    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._network: efficientnet.EfficientNetLite0 | None = None

    def extract(
        self, rgb: NDArray[np.uint8], stages: Mapping[int, Tensor] | None = None
    ) -> PixelFeatures:
        """Compute the features of an (H, W, 3) uint8 image.

        Args:
            rgb: the image.
            stages: what the same network, at the start of an encoder, saw in it; it does not run
                again then, unless it saw the image at another size.

        Raises:
            CheckpointMissing, CheckpointError: the weights' package is missing or damaged.

        """
        shape = (rgb.shape[0], rgb.shape[1])
        if stages is None or stages[_FINEST].shape[-1] != SIDE // _FINEST:
            stages = self._run(rgb)
        kept = tuple(
            stages[stride][0].to("cpu", torch.float16).contiguous().numpy() for stride in STRIDES
        )
        return PixelFeatures(kept, shape, resized_shape(shape, SIDE))

    def _run(self, rgb: NDArray[np.uint8]) -> dict[int, Tensor]:
        if self._network is None:
            self._network = efficientnet.build_efficientnet().to(self._device)
        height, width = resized_shape((rgb.shape[0], rgb.shape[1]), SIDE)
        small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small)).to(self._device).permute(2, 0, 1)[None].float()
        padded = torch.zeros(1, 3, SIDE, SIDE, device=self._device)
        padded[..., :height, :width] = (pixels - efficientnet.MEAN) / efficientnet.DEVIATION
        with torch.inference_mode():
            found: dict[int, Tensor] = self._network(padded, deepest=max(STRIDES))
        return found


def features_of(
    extractor: FeatureExtractor,
    source: RgbSource,
    window: Window | None = None,
    stages: Mapping[int, Tensor] | None = None,
) -> PixelFeatures:
    """Return the features of an image, or of a window of it.

    Args:
        extractor: see `FeatureExtractor.extract`.
        source: the image.
        window: of it; None for all.
        stages: what an encoder's trunk saw there, where that is known.

    Raises:
        ImageError: it cannot be read.

    """
    if window is None:
        return extractor.extract(source.rgb(whole_image(source)), stages)
    shape = shape_of(window)
    seen = extractor.extract(source.rgb(window, 2 * SIDE), stages)
    return replace(seen, original_size=shape, input_size=resized_shape(shape, SIDE))


def _at_grid(stage: Tensor) -> Tensor:
    if stage.shape[-1] == GRID:
        return stage
    return functional.interpolate(stage, (GRID, GRID), mode="bilinear", align_corners=False)


@lru_cache(maxsize=1)
def _usual() -> tuple[tuple[Tensor, Tensor], ...]:
    usual = efficientnet.usual_features()
    return tuple(
        (usual[stride][0].view(1, -1, 1, 1), usual[stride][1].view(1, -1, 1, 1))
        for stride in STRIDES
    )
