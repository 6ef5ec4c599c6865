"""Sound surfaces: procedural textures of the materials people inspect, without any defect.

Every field is float32 of shape (height, width), row 0 at the top. Textures have mean 0 and
standard deviation 1; lighting is in grey levels from 0 to 1. Noise is shaped in the Fourier
domain (spectral synthesis: white noise filtered to a power law), which gives every grain size at
the cost of one transform.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import skimage
from PIL import Image
from scipy import fft, ndimage

from napari_sam_tune.core.images.files import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

Field = npt.NDArray[np.float32]
Rng = np.random.Generator

PHOTOGRAPHS: Final = (
    "brick.png",
    "grass.png",
    "gravel.png",
    "camera.png",
    "moon.png",
    "coins.png",
    "page.png",
    "text.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "retina.jpg",
    "rocket.jpg",
)
"""Photographs inside the scikit-image package (nothing is downloaded)."""


@functools.lru_cache(maxsize=16)
def _frequencies(height: int, width: int) -> tuple[Field, Field]:
    """Row and column frequencies of a real transform, in cycles per px, float32."""
    rows = fft.fftfreq(height).astype(np.float32)[:, None]
    cols = fft.rfftfreq(width).astype(np.float32)[None, :]
    return rows, cols


def standardise(field: npt.NDArray[np.floating]) -> Field:
    """Mean 0, standard deviation 1."""
    centred = field - field.mean()
    return np.asarray(centred / (centred.std() + 1e-6), dtype=np.float32)


def power_noise(
    rng: Rng,
    shape: tuple[int, int],
    slope: float,
    *,
    stretch: float = 1.0,
    angle: float = 0.0,
    coarsest: float = 0.004,
) -> Field:
    """Noise whose amplitude falls as frequency to the power `-slope`.

    `stretch` > 1 draws the grain out along `angle` (radians, 0 along the columns axis);
    `coarsest` is the frequency in cycles per px below which the spectrum is flat.
    """
    rows, cols = _frequencies(*shape)
    along = cols * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    across = rows * np.float32(np.cos(angle)) - cols * np.float32(np.sin(angle))
    squared = (along * np.float32(stretch)) ** 2 + across**2 + np.float32(coarsest**2)
    white = rng.standard_normal(shape, dtype=np.float32)
    shaped = fft.rfft2(white) * squared ** np.float32(-slope / 2)
    return standardise(fft.irfft2(shaped, s=shape))


def profile(rng: Rng, length: int, scale: float) -> Field:
    """A random 1-D profile of `length` samples, smooth over `scale` px, standardised."""
    raw = rng.standard_normal(length, dtype=np.float32)
    return standardise(ndimage.gaussian_filter1d(raw, scale, mode="reflect"))


def _coordinates(rng: Rng, shape: tuple[int, int], angle: float) -> tuple[Field, Field]:
    """Rotated pixel coordinates along and across `angle`, with a random origin."""
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    rows += np.float32(rng.uniform(0, 100))
    cols += np.float32(rng.uniform(0, 100))
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cols * cos + rows * sin, rows * cos - cols * sin


def right_angle(rng: Rng, spread: float = 0.05) -> float:
    """An angle near an axis, as machining marks and cameras are usually aligned."""
    return float(rng.integers(2) * np.pi / 2 + rng.normal(0, spread))


def brushed(rng: Rng, shape: tuple[int, int]) -> Field:
    """Ground or brushed metal: fine streaks and constant stripes along one direction."""
    if rng.random() < 0.25:
        return power_noise(
            rng, shape, rng.uniform(0.4, 1.2), stretch=rng.uniform(8, 40), angle=rng.uniform(0, 3.2)
        )
    vertical = rng.random() < 0.6
    angle = (np.pi / 2 if vertical else 0.0) + rng.normal(0, 0.03)
    grain = power_noise(rng, shape, rng.uniform(0.4, 1.3), stretch=rng.uniform(5, 40), angle=angle)
    stripes = profile(rng, shape[1] if vertical else shape[0], rng.uniform(0.5, 4))
    stripes += rng.uniform(0, 1) * profile(rng, stripes.size, rng.uniform(4, 20))
    line = stripes[None, :] if vertical else stripes[:, None]
    return standardise(grain + rng.uniform(0.1, 1.2) * line)


def cast(rng: Rng, shape: tuple[int, int]) -> Field:
    """Cast or sand-blasted: isotropic grain of two sizes."""
    coarse = power_noise(rng, shape, rng.uniform(0.8, 2.0))
    fine = power_noise(rng, shape, rng.uniform(0.0, 0.8))
    return standardise(coarse * rng.uniform(0.2, 1.5) + fine)


def woven(rng: Rng, shape: tuple[int, int]) -> Field:
    """Cloth or mesh: two crossed threads with a wandering phase."""
    along, across = _coordinates(rng, shape, right_angle(rng, 0.1))
    warp = power_noise(rng, shape, 2.2, coarsest=0.01) * np.float32(rng.uniform(0.1, 0.8))
    pitch = float(np.exp(rng.uniform(np.log(4), np.log(24))))
    other = pitch * rng.uniform(0.7, 1.4)
    first = np.sin(along * np.float32(2 * np.pi / pitch) + warp)
    second = np.sin(across * np.float32(2 * np.pi / other) + warp)
    kind = rng.integers(3)
    if kind == 0:
        weave = first * second
    elif kind == 1:
        weave = np.maximum(first, second)
    else:
        weave = first + second * np.float32(rng.uniform(0, 1))
    grain = power_noise(rng, shape, rng.uniform(0.2, 1.0))
    return standardise(weave + grain * np.float32(rng.uniform(0.2, 1.2)))


def veined(rng: Rng, shape: tuple[int, int]) -> Field:
    """Wood, marble or leather: level lines of a smooth field."""
    stretch = rng.uniform(1, 12)
    angle = right_angle(rng, 0.2)
    base = power_noise(rng, shape, rng.uniform(1.6, 2.6), stretch=stretch, angle=angle)
    if rng.random() < 0.5:
        lines = np.sin(base * np.float32(rng.uniform(3, 16)))
    else:
        lines = -(np.abs(base) ** np.float32(0.5))
    grain = power_noise(rng, shape, rng.uniform(0.2, 1.2), stretch=stretch, angle=angle)
    return standardise(standardise(lines) + grain * np.float32(rng.uniform(0.3, 2)))


def tiled(rng: Rng, shape: tuple[int, int]) -> Field:
    """Panels, bricks or cells with joints between them, each of its own shade."""
    along, across = _coordinates(rng, shape, right_angle(rng, 0.03))
    wide, high = rng.uniform(24, 120, size=2)
    row = np.floor(across / high)
    shifted = along + (row % 2) * wide * rng.choice([0.0, 0.5])
    col = np.floor(shifted / wide)
    shade = rng.standard_normal(64)[(row * 7 + col * 13).astype(np.int64) % 64]
    gap = np.minimum(shifted % wide, across % high) < rng.uniform(1, 4)
    pattern = shade * rng.uniform(0, 0.8) + gap * rng.choice([-1, 1]) * rng.uniform(1, 3)
    return standardise(pattern + cast(rng, shape) * rng.uniform(0.4, 1))


def smooth(rng: Rng, shape: tuple[int, int]) -> Field:
    """Polished, painted or glass: hardly any texture but the camera's noise."""
    return power_noise(rng, shape, rng.uniform(0.0, 0.4))


@functools.lru_cache(maxsize=len(PHOTOGRAPHS))
def _photograph(name: str) -> Field:
    """One photograph as a standardised grey field of its own size."""
    path = Path(skimage.__file__).parent / "data" / name
    grey = Image.fromarray(read_image(path)).convert("L")
    return standardise(np.asarray(grey, dtype=np.float32))


def photographed(rng: Rng, shape: tuple[int, int]) -> Field:
    """A random crop of one of scikit-image's photographs, flipped, scaled and flattened."""
    source = _photograph(str(rng.choice(PHOTOGRAPHS)))
    side = int(min(source.shape) * rng.uniform(0.3, 1.0))
    top = int(rng.integers(source.shape[0] - side + 1))
    left = int(rng.integers(source.shape[1] - side + 1))
    crop = Image.fromarray(source[top : top + side, left : left + side])
    field = np.asarray(crop.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
    field = field[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]
    if rng.random() < 0.5:  # keep the grain, lose the scene
        field = field - ndimage.gaussian_filter(field, rng.uniform(6, 20), truncate=2.0)
    return standardise(field)


FAMILIES: Final[dict[str, Callable[[Rng, tuple[int, int]], Field]]] = {
    "brushed": brushed,
    "cast": cast,
    "woven": woven,
    "veined": veined,
    "tiled": tiled,
    "smooth": smooth,
    "photographed": photographed,
}
FAMILY_WEIGHTS: Final = (0.30, 0.19, 0.12, 0.10, 0.06, 0.08, 0.15)


def texture(rng: Rng, shape: tuple[int, int]) -> Field:
    """A texture of a random family."""
    names = list(FAMILIES)
    return FAMILIES[names[int(rng.choice(len(names), p=FAMILY_WEIGHTS))]](rng, shape)


def lighting(rng: Rng, shape: tuple[int, int]) -> Field:
    """Uneven light, around 0, at most a few tenths: a slope, a curved part, a lamp, soft clouds."""
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    cols = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    light = np.zeros(shape, dtype=np.float32)
    if rng.random() < 0.7:
        light += np.float32(rng.normal(0, 0.07)) * rows + np.float32(rng.normal(0, 0.07)) * cols
    if rng.random() < 0.35:  # a cylinder lit from one side
        axis = cols if rng.random() < 0.6 else rows
        light -= np.float32(rng.uniform(0.03, 0.25)) * np.abs(axis - rng.uniform(-0.4, 0.4)) ** 2
    if rng.random() < 0.3:
        lamp = (rows - rng.uniform(-1, 1)) ** 2 + (cols - rng.uniform(-1, 1)) ** 2
        light += np.float32(rng.normal(0, 0.15)) * np.exp(-lamp / rng.uniform(0.1, 1.5))
    if rng.random() < 0.4:
        light += power_noise(rng, shape, 3.0) * np.float32(rng.uniform(0.01, 0.05))
    return light
