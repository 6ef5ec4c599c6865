"""One synthetic inspection photograph with the truth of its defects: `make_image`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from napari_sam_tune.starter.defects import MIN_PIXELS, Defect, Mask, draw_shape, render, truth
from napari_sam_tune.starter.nuisances import add_nuisances
from napari_sam_tune.starter.surfaces import Field, Rng, lighting, standardise, texture

MAX_DEFECTS: Final = 6
TRIES: Final = 12
"""Draws of one defect before giving up on finding a free place."""
MAX_OVERLAP: Final = 0.1
EASY_AREA: Final = 0.012
"""Smallest share of the image that a defect of the easiest pictures covers."""

PHOTOGRAPHED: Final = 0.25
"""Share of the pictures whose surface is a real photograph, where there are any."""

Surface = Callable[[Rng, tuple[int, int]], Field]
Picture = npt.NDArray[np.uint8]


def _surface(
    rng: Rng, shape: tuple[int, int], ease: float, photograph: Surface | None
) -> tuple[Field, float]:
    """A lit surface in grey levels 0 to 1, and the standard deviation of its texture."""
    if photograph is not None and rng.random() < PHOTOGRAPHED:
        field = photograph(rng, shape)
        return field, float((field - ndimage.gaussian_filter(field, 3)).std()) + 0.01
    grain = float(np.exp(rng.uniform(np.log(0.008), np.log(0.16))) * (1 - 0.6 * ease))
    field = texture(rng, shape)
    if rng.random() < 0.35:  # optics out of focus
        field = standardise(ndimage.gaussian_filter(field, rng.uniform(0.4, 1.8), truncate=2.5))
    picture = np.float32(rng.uniform(0.2, 0.8)) + field * np.float32(grain)
    return picture + lighting(rng, shape), grain


def _add_defects(
    rng: Rng, picture: Field, grain: float, wanted: int, ease: float
) -> tuple[Field, list[Defect]]:
    """Draw up to `wanted` defects that hardly overlap; at least one."""
    shape = (picture.shape[0], picture.shape[1])
    taken: Mask = np.zeros(shape, dtype=np.bool_)
    found: list[Defect] = []
    smallest = MIN_PIXELS + ease * EASY_AREA * taken.size
    for _ in range(TRIES * wanted):
        if len(found) == wanted:
            break
        kind, outline = draw_shape(rng, shape)
        mask = truth(rng, outline.coverage, kind)
        size = int(mask.sum())
        overlap = int((mask & taken).sum())
        if size < smallest or size > 0.6 * mask.size or overlap > MAX_OVERLAP * size:
            continue
        picture = render(rng, picture, outline.coverage, kind, grain, ease)
        own = mask & ~taken
        parts = tuple(own & (part >= 0.4) for part in outline.parts)
        parts = tuple(part for part in parts if MIN_PIXELS <= part.sum() < 0.9 * size)
        taken |= mask
        found.append(Defect(own, kind, parts))
    return picture, found


def _camera(rng: Rng, picture: Field) -> Picture:
    """Exposure, sensor noise, a little blur, 8 bits."""
    if rng.random() < 0.25:
        picture = ndimage.gaussian_filter(picture, rng.uniform(0.3, 0.9), truncate=2.5)
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    picture = picture + noise * np.float32(np.exp(rng.uniform(np.log(0.002), np.log(0.04))))
    picture = np.clip(picture, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.3:  # under- or overexposed
        picture = picture * np.float32(rng.uniform(0.5, 1.25))
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)


def _tint(rng: Rng, grey: Picture) -> Picture:
    """A colour picture (height, width, 3) with a cast of its own."""
    gains = 1 + rng.normal(0, 0.12, 3).astype(np.float32)
    return np.asarray(np.clip(grey[..., None] * gains, 0, 255), dtype=np.uint8)


def _resized(defect: Defect, shape: tuple[int, int]) -> Defect | None:
    """The defect at another size, None where nothing of it is left."""

    def scale(mask: Mask) -> Mask:
        grey = Image.fromarray(mask.astype(np.uint8) * 255)
        resized = grey.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        return np.asarray(np.asarray(resized) >= 128, dtype=np.bool_)

    mask = scale(defect.mask)
    if mask.sum() < MIN_PIXELS:
        return None
    parts = tuple(part for part in map(scale, defect.parts) if part.sum() >= MIN_PIXELS)
    return Defect(mask, defect.kind, parts)


def make_image(
    rng: Rng,
    size: int | tuple[int, int],
    ease: float = 0.0,
    photograph: Surface | None = None,
) -> tuple[Picture, list[Defect]]:
    """A surface with at least one defect.

    `size` is (height, width) or one side of a square, in px. The picture is uint8, grey
    (height, width) or, now and then, colour (height, width, 3); masks are bool (height, width).
    `ease` from 0 to 1 asks for larger, clearer defects on calmer surfaces: a start to learn from.
    `photograph` draws a crop of a real one, on which a quarter of the defects are then drawn.
    A third of the pictures are made smaller and enlarged, as a small photograph is by the encoder.
    """
    shape = (size, size) if isinstance(size, int) else size
    factor = rng.uniform(0.45, 0.9) if rng.random() < 0.33 else 1.0
    drawn = (max(32, int(shape[0] * factor)), max(32, int(shape[1] * factor)))
    while True:
        picture, grain = _surface(rng, drawn, ease, photograph)
        if rng.random() < 0.7 * (1 - ease):
            picture = add_nuisances(rng, picture)
        wanted = int(rng.integers(1, MAX_DEFECTS + 1 - round(3 * ease)))
        picture, found = _add_defects(rng, picture, grain, wanted, ease)
        grey = _camera(rng, picture)
        if drawn != shape:
            enlarged = Image.fromarray(grey).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
            grey = np.asarray(enlarged)
            found = [d for d in (_resized(defect, shape) for defect in found) if d is not None]
        if found:
            return (_tint(rng, grey) if rng.random() < 0.15 else grey), found
