"""What the encoder sees of an image: all of it or a window, resized and padded to a square.

Positions (x, y) are in px of the image, or in px of the encoder's padded input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from napari_sam_tune.core.geometry.windows import shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.prompts import Mask

MASK_LOGIT: Final = 6.9
"""Logit of a pixel surely inside a mask prompt, about log(.999 / .001); outside is its negative."""

_FAINTEST: Final = 4.0
"""Standard deviation of grey values, of 255, below which they are noise."""


@dataclass(frozen=True, eq=False)
class View:
    """A part of an image as the encoder saw it.

    Attributes:
        window: which part.
        input: (h, w) px of it in the encoder's padded input.
        features: (1, C, rows, columns) float32.
        shades: (1, 1, h, h) of its grey values on the grid of the logits, see `shades_of`; None
            where nobody asks for them.

    """

    window: Window
    input: Shape
    features: Tensor
    shades: Tensor | None = None

    @property
    def shape(self) -> Shape:
        """(H, W) of the part, in image px."""
        return shape_of(self.window)


def shades_of(pixels: Tensor, side: int, size: int) -> Tensor:
    """Return grey values on the grid of the logits, in units of half their standard deviation.

    Args:
        pixels: (1, 3, h, w) uint8 of the encoder's input, not yet padded.
        side: of the padded input, in px.
        size: of the logits.

    Returns:
        (1, 1, size, size) float32.

    """
    grey = pixels.float().mean(1, keepdim=True)
    spread = grey.std().clamp(min=_FAINTEST)
    height, width = grey.shape[-2:]
    padded = functional.pad(grey, (0, side - width, 0, side - height))
    return functional.avg_pool2d(padded, side // size) * (2 / spread)


def resized_shape(shape: Shape, side: int) -> Shape:
    """The (h, w) an image of `shape` (H, W) has for the encoder: longest side `side`, none below 1.

    As segment-anything's `ResizeLongestSide`, which rounds the short side of very long images to 0.
    """
    scale = side * 1.0 / max(shape)
    height, width = (max(1, int(length * scale + 0.5)) for length in shape)
    return height, width


def mask_to_logits(mask: Mask, side: int, low_res: int) -> NDArray[np.float32]:
    """Turn a mask into the logits SAM takes as mask input.

    The mask is averaged down into the encoder's padded frame, so a thin line stays as a lower
    probability, and the probability p becomes log(p / (1 - p)), limited to ± `MASK_LOGIT`.

    Args:
        mask: (H, W) bool, in image pixels.
        side: the encoder's input side, in px (1024 for the official models).
        low_res: side of SAM's low-resolution logits (256 for the official models).

    Returns:
        (1, low_res, low_res) float32; the padding is outside.

    """
    height, width = resized_shape(mask.shape, side)
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    framed = np.zeros((side, side), np.float32)
    framed[:height, :width] = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
    cell = side // low_res
    inside = framed.reshape(low_res, cell, low_res, cell).mean(axis=(1, 3)) / 255
    probability = np.clip(inside, 1e-3, 1 - 1e-3)
    logits: NDArray[np.float32] = np.log(probability / (1 - probability)).astype(np.float32)
    return logits.clip(-MASK_LOGIT, MASK_LOGIT)[None]


def half_pixel(shape: Shape, resized: Shape) -> tuple[float, float]:
    """What leads from where segment-anything puts a pixel in the encoder's input to its middle.

    segment-anything scales positions by the magnification m; the middle of pixel x is at
    m (x + ½) - ½.

    Args:
        shape: (H, W) in image px.
        resized: (h, w) of the same in the encoder's input.

    Returns:
        (x, y) in px of the encoder's input.

    """
    y, x = (0.5 * (after / before - 1) for before, after in zip(shape, resized, strict=True))
    return x, y


def sample_in_view(
    field: Tensor,
    window: tuple[float, float, float, float],
    view: View,
    side: int,
    size: int,
    *,
    beyond: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Sample a field over a part of an image where a view's low-resolution logits lie.

    Args:
        field: (h, w) float, of `window` at any scale.
        window: (y0, x0, y1, x1) in image px, also between pixels.
        view: a part of the same image.
        side: of the encoder's padded input, in px.
        size: of the low-resolution logits.
        beyond: what lies outside the window: 0, or what is at its border.

    Returns:
        (1, 1, size, size) float32, on the view's device.

    """
    cells = (torch.arange(size, dtype=torch.float32) + 0.5) * (side / size)
    places = []
    for axis in (0, 1):
        # in px of the image, then from -1 to 1 along the window
        pixels = cells * (view.shape[axis] / view.input[axis]) + view.window[axis]
        start, length = window[axis], window[axis + 2] - window[axis]
        places.append((pixels - start) / length * 2 - 1)
    grid = torch.stack(torch.meshgrid(places[1], places[0], indexing="xy"), dim=-1)
    drawn = functional.grid_sample(
        field[None, None].float(), grid[None], padding_mode=beyond, align_corners=False
    )
    return drawn.to(view.features.device)


def in_frame(view: View, xy: NDArray[np.float64]) -> Tensor:
    """Move (N, 2) positions from image pixels to the encoder's input frame."""
    (height, width), (h, w) = view.shape, view.input
    y0, x0, _, _ = view.window
    # rounded to float32 before it reaches the device: MPS has no float64
    return torch.from_numpy(((xy - (x0, y0)) * (w / width, h / height)).astype(np.float32))
