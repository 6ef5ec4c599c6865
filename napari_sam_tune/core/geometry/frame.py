"""Three grids for one image: its own pixels, the encoder's padded input, the decoder's logits.

Masks are drawn and targets made as small matrix products, as all of it is linear and separable, on
the part of an image an object touches: a mask on an 8k × 8k image costs what the object costs, not
the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.geometry.placed_mask import LARGEST, PlacedMask
from napari_sam_tune.core.geometry.windows import area, resized_shape, shape_of
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape, Window

    Floats = NDArray[np.float32]
    Mask = NDArray[np.bool_]

MASK_LOGIT: Final = 6.9
"""Logit of a pixel surely inside a mask prompt, about log(.999 / .001); outside is its negative."""
OUTSIDE: Final = -10.0
"""Logit of what an answer did not see."""
LARGE: Final = 4
"""Sides of the encoder's input from which a window is drawn, and averaged, piece by piece."""
_ROWS: Final = 256
"""Drawn at a time, of a large window."""
_REACH: Final = 2
"""Cells of the logits that bilinear interpolation in two steps reaches at most."""


@dataclass(frozen=True)
class Frame:
    """Where an image, or a window of it, lies in the encoder's input and in the decoder's logits.

    Positions (x, y) are in px of the image, or in px of the encoder's padded input.

    Attributes:
        window: which part of the image.
        side: side of the padded input (1024 for the official models).
        grid: side of the low-resolution logits (256 for the official models).

    """

    window: Window
    side: int
    grid: int

    @property
    def shape(self) -> Shape:
        """(H, W) of the window in image pixels."""
        return shape_of(self.window)

    @cached_property
    def input(self) -> Shape:
        """(h, w) of the resized window within the padded input, in input pixels."""
        return resized_shape(self.shape, self.side)

    @property
    def cell(self) -> int:
        """Input pixels to a cell of the logits."""
        return self.side // self.grid

    @property
    def valid(self) -> Shape:
        """Rows and columns of the logits that see any of the window; the rest is padding."""
        height, width = self.input
        return -(-height // self.cell), -(-width // self.cell)

    # ------------------------------------------------------------- positions

    def to_input(self, xy: ArrayLike) -> Floats:
        """Move (..., 2) positions (x, y) from image pixels to input pixels."""
        (height, width), (h, w) = self.shape, self.input
        y0, x0, _, _ = self.window
        # rounded to float32 here: MPS has no float64
        moved = (np.asarray(xy, np.float64) - (x0, y0)) * (w / width, h / height)
        return moved.astype(np.float32)

    @property
    def half_pixel(self) -> tuple[float, float]:
        """What leads from `to_input` of a pixel to its middle, (x, y) in input pixels.

        segment-anything scales positions by the magnification m; the middle of pixel x is at
        m (x + ½) - ½.
        """
        y, x = (
            0.5 * (after / before - 1) for before, after in zip(self.shape, self.input, strict=True)
        )
        return x, y

    def cell_to_input(self, xy: ArrayLike) -> Floats:
        """Move (..., 2) positions (x, y) from cells of the logits to input pixels.

        Whole numbers are centres of cells, and go where `to_input` puts the pixel whose middle
        lies there.
        """
        middle = (np.asarray(xy, np.float64) + 0.5) * self.cell - 0.5
        return (middle - self.half_pixel).astype(np.float32)

    # ----------------------------------------------------- from masks to logits

    def mask_to_logits(self, mask: Mask | PlacedMask) -> Floats:
        """Turn a mask into the logits SAM takes as mask input.

        The mask is averaged down into the padded input, so a thin line stays as a lower
        probability, and the probability p becomes log(p / (1 - p)), limited to ± `MASK_LOGIT`.

        Args:
            mask: of the whole image, (H, W) bool or in its box.

        Returns:
            (1, grid, grid) float32; the padding is outside.

        """
        y0, x0, y1, x1 = self.window
        height, width = self.input
        framed = np.zeros((self.side, self.side), np.float32)
        if isinstance(mask, PlacedMask):
            grey, box = self._reduced(mask)
        else:
            grey, box = Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8) * np.uint8(255)), None
        framed[:height, :width] = np.asarray(
            grey.resize((width, height), Image.Resampling.BILINEAR, box=box)
        )
        cells = framed.reshape(self.grid, self.cell, self.grid, self.cell)
        inside = cells.mean(axis=(1, 3)) / 255
        probability = np.clip(inside, 1e-3, 1 - 1e-3)
        logits: Floats = np.log(probability / (1 - probability)).astype(np.float32)
        return logits.clip(-MASK_LOGIT, MASK_LOGIT)[None]

    def _reduced(
        self, mask: PlacedMask
    ) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
        """Return the window of a mask in grey, averaged down where it is large, and its extent."""
        factor = -(-max(self.shape) // (LARGE * self.side))
        if factor == 1:
            return Image.fromarray(mask.crop(self.window).astype(np.uint8) * np.uint8(255)), None
        grey = np.zeros([-(-length // factor) for length in self.shape], np.uint8)
        seen = mask.within(self.window)
        if seen.bbox is not None:
            y0, x0 = (at // factor for at in seen.bbox[:2])
            y1, x1 = (-(-at // factor) for at in seen.bbox[2:])
            for row in range(y0, y1):  # one row of blocks at a time
                lines = seen.crop((row * factor, x0 * factor, (row + 1) * factor, x1 * factor))
                blocks = lines.reshape(factor, x1 - x0, factor).mean(axis=(0, 2))
                grey[row, x0:x1] = np.rint(blocks * 255)
        height, width = (length / factor for length in self.shape)
        return Image.fromarray(grey), (0.0, 0.0, width, height)

    def target(self, cropped: Mask, bbox: BoundingBox) -> Floats:
        """Return what the decoder should draw for an object: (rows, columns) of `valid`, 0 to 1.

        Each cell holds the share of it that the object covers, divided by the largest share next
        to it. The first keeps soft edges; the second makes a thin object, which covers no cell
        whole, count fully where it is: a share of 1/16 would teach the decoder to draw nothing.

        Args:
            cropped: the mask inside `bbox`, which lies in the window.
            bbox: (y0, x0, y1, x1) in image pixels, ends excluded.

        """
        rows, columns = (
            _shares(length, resized, self.cell, cells)[:, low:high]
            for length, resized, cells, (low, high) in zip(
                self.shape, self.input, self.valid, self._within(bbox), strict=True
            )
        )
        covered = rows @ cropped.astype(np.float32) @ columns.T
        fullest = ndimage.maximum_filter(covered, 3, mode="constant")
        relative: Floats = np.divide(
            covered, fullest, out=np.zeros_like(covered), where=covered > 0
        )
        return relative

    # ----------------------------------------------------- from logits to masks

    def upscale(self, logits: Tensor) -> Tensor:
        """Return logits (B, K, h, h) at the window's size: (B, K, H, W).

        The padding is cut off before scaling, so that the aspect ratio is the image's, as in
        segment-anything's `Sam.postprocess_masks`.
        """
        height, width = self.input
        framed = functional.interpolate(logits, (self.side, self.side), mode="bilinear")
        return functional.interpolate(framed[..., :height, :width], self.shape, mode="bilinear")

    def draw(self, logits: Tensor, shape: Shape, threshold: float = 0.0) -> PlacedMask:
        """Return the mask of the image that logits (1, 1, h, h) make.

        A large window is drawn where the mask is, some rows at a time.

        Args:
            logits: of this frame.
            shape: (H, W) of the image.
            threshold: what is above it is inside.

        """
        if max(self.shape) <= LARGE * self.side:
            drawn: Mask = (self.upscale(logits)[0, 0] > threshold).cpu().numpy()
            return PlacedMask.in_window(drawn, self.window, shape)
        plain: Floats = logits[0, 0].float().cpu().numpy()
        box = self._box_drawn(plain, threshold)
        if box is None:
            return PlacedMask.empty(shape)
        y0, x0, y1, x1 = box
        if area(box) > LARGEST:
            raise MaskError(
                tr(
                    "The answer is {width:,} × {height:,} px large, more than a mask holds: click "
                    "on a smaller object, or draw a box around it.",
                    width=x1 - x0,
                    height=y1 - y0,
                )
            )
        drawn = np.empty(shape_of(box), bool)
        for row in range(y0, y1, _ROWS):
            end = min(row + _ROWS, y1)
            drawn[row - y0 : end - y0] = self.drawn_in(plain, (row, x0, end, x1), threshold)
        return PlacedMask.in_window(drawn, box, shape)

    def logits_in(self, logits: Floats, box: BoundingBox) -> Floats:
        """Return logits (grid, grid) inside a box of the window, in image px.

        The same two bilinear steps as `upscale`.
        """
        rows, columns = self._stretch
        (y0, y1), (x0, x1) = self._within(box)
        return np.asarray(rows[y0:y1] @ logits @ columns[x0:x1].T, np.float32)

    def drawn_in(self, logits: Floats, box: BoundingBox, threshold: float = 0.0) -> Mask:
        """Return the mask that logits (grid, grid) make inside a box of the window, in image px.

        The same mask as by `upscale` but for the rounding of floats.
        """
        mask: Mask = self.logits_in(logits, box) > threshold
        return mask

    def box_of(self, logits: Floats, bbox: BoundingBox) -> BoundingBox:
        """Return a box (y0, x0, y1, x1) in image pixels that holds `bbox` and all that is drawn.

        Args:
            logits: (grid, grid).
            bbox: of the true object.

        """
        drawn = self._box_drawn(logits)
        if drawn is None:
            return bbox
        (y0, x0), (y1, x1) = np.minimum(bbox[:2], drawn[:2]), np.maximum(bbox[2:], drawn[2:])
        return int(y0), int(x0), int(y1), int(x1)

    def _box_drawn(self, logits: Floats, threshold: float = 0.0) -> BoundingBox | None:
        """Return a box in image pixels that holds all that is drawn; None around nothing."""
        drawn = logits[: self.valid[0], : self.valid[1]] > threshold
        if not drawn.any():
            return None
        ends = []
        for axis in (0, 1):
            seen = np.flatnonzero(drawn.any(axis=1 - axis))
            pixels = self.cell * self.shape[axis] / self.input[axis]
            low = max(int((seen[0] - _REACH) * pixels), 0)
            high = min(int(np.ceil((seen[-1] + 1 + _REACH) * pixels)), self.shape[axis])
            ends.append((self.window[axis] + low, self.window[axis] + high))
        (y0, y1), (x0, x1) = ends
        return y0, x0, y1, x1

    # ------------------------------------------------ onto the grid of the logits

    def sample(
        self,
        field: Tensor,
        window: tuple[float, float, float, float],
        *,
        beyond: Literal["zeros", "border"] = "zeros",
    ) -> Tensor:
        """Sample a field over a part of the image where the cells of the logits lie.

        Args:
            field: (h, w) float on the CPU, of `window` at any scale.
            window: (y0, x0, y1, x1) in image px, also between pixels.
            beyond: what lies outside the window: 0, or what is at its border.

        Returns:
            (1, 1, grid, grid) float32, on the CPU.

        """
        cells = (torch.arange(self.grid, dtype=torch.float32) + 0.5) * (self.side / self.grid)
        places = []
        for axis in (0, 1):
            # in px of the image, then from -1 to 1 along the window
            pixels = cells * (self.shape[axis] / self.input[axis]) + self.window[axis]
            start, length = window[axis], window[axis + 2] - window[axis]
            places.append((pixels - start) / length * 2 - 1)
        grid = torch.stack(torch.meshgrid(places[1], places[0], indexing="xy"), dim=-1)
        return functional.grid_sample(
            field[None, None].float(), grid[None], padding_mode=beyond, align_corners=False
        )

    def redraw(self, logits: Tensor, source: Frame) -> Tensor:
        """Return logits (K, h, h) that another frame of the image has as this one would have them.

        `OUTSIDE` where the source saw nothing.
        """
        magnified = [
            (source.input[axis] / source.shape[axis], self.input[axis] / self.shape[axis])
            for axis in (0, 1)
        ]
        # where cells grow, several places in each are averaged: thin lines must not fall between
        several = int(np.ceil(max(1.0, *(scale / wanted for scale, wanted in magnified))))
        line = (torch.arange(self.grid * several, device=logits.device) + 0.5) / several
        seen, at = [], []
        for axis, (scale, wanted) in enumerate(magnified):
            # in image px from the source's corner
            offset = source.window[axis] - self.window[axis]
            pixels = line * (self.side / self.grid) / wanted - offset
            seen.append((pixels >= 0) & (pixels <= source.shape[axis]))
            at.append(pixels * scale / self.side * 2 - 1)
        grid = torch.stack(torch.meshgrid(at[1], at[0], indexing="xy"), dim=-1).float()
        drawn = functional.grid_sample(
            logits[None].float(), grid[None], padding_mode="border", align_corners=False
        )
        drawn = torch.where(seen[0][:, None] & seen[1][None], drawn, OUTSIDE)
        averaged: Tensor = functional.avg_pool2d(drawn, several)[0]
        return averaged

    # ------------------------------------------------------------------- inside

    def _within(self, box: BoundingBox) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return rows (first, end) and columns (first, end) of a box, counted from the corner."""
        top, left, _, _ = self.window
        return (box[0] - top, box[2] - top), (box[1] - left, box[3] - left)

    @cached_property
    def _stretch(self) -> tuple[Floats, Floats]:
        """Matrices (H, grid) and (W, grid) that stretch logits to the window."""
        return (
            _stretching(self.grid, self.side, self.input[0], self.shape[0]),
            _stretching(self.grid, self.side, self.input[1], self.shape[1]),
        )


def _shares(original: int, resized: int, cell: int, cells: int) -> Floats:
    """Return what share of each cell each image pixel covers, along one axis: (cells, original)."""
    pixels = cell * original / resized
    low = np.arange(cells)[:, None] * pixels
    pixel = np.arange(original)[None]
    overlap = np.minimum(low + pixels, pixel + 1) - np.maximum(low, pixel)
    shares: Floats = (overlap.clip(0) / pixels).astype(np.float32)
    return shares


def _stretching(grid: int, side: int, resized: int, original: int) -> Floats:
    """Return bilinear interpolation along one axis as a matrix (original, grid)."""
    framed = functional.interpolate(torch.eye(grid)[:, None], side, mode="linear")
    full = functional.interpolate(framed[..., :resized], original, mode="linear")
    matrix: Floats = full[:, 0].T.contiguous().numpy()
    return matrix
