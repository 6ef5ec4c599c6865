"""Defects on a surface: an outline, what it does to the picture, and the true mask of it.

Contrast is drawn relative to the texture around the defect, so that many defects are about as
faint as the surface's own noise; both signs occur.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam_tune.starter import shapes
from napari_sam_tune.starter.surfaces import Field, Rng, power_noise, texture

if TYPE_CHECKING:
    from collections.abc import Callable

Mask = npt.NDArray[np.bool_]
MIN_PIXELS: Final = 5
"""A mask of fewer px is no target; the defect is drawn again."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """One defect's truth: `mask` (height, width) bool, its `kind`, and the masks of its parts."""

    mask: Mask
    kind: str
    parts: tuple[Mask, ...] = ()


KINDS: Final[dict[str, tuple[float, Callable[[Rng, tuple[int, int]], shapes.Shape]]]] = {
    "pit": (0.20, shapes.pit),
    "cluster": (0.05, shapes.cluster),
    "ring": (0.03, shapes.ring),
    "patch": (0.18, shapes.patch),
    "band": (0.12, shapes.band),
    "chip": (0.12, shapes.chip),
    "crack": (0.16, shapes.crack),
    "scratch": (0.09, shapes.scratch),
    "streak": (0.05, shapes.streak),
}
LARGE: Final = frozenset({"patch", "band", "chip"})
THIN: Final = frozenset({"crack", "scratch"})


def _contrast(rng: Rng, kind: str, grain: float, ease: float) -> float:
    """Signed change in grey levels (0 to 1) for a texture of standard deviation `grain`."""
    faintest = 1.0 if kind in LARGE else 1.5
    size = np.exp(rng.uniform(np.log(faintest), np.log(7.0))) * max(grain, 0.012)
    size = size * (1 + 2 * ease) + 0.12 * ease
    dark = rng.random() < (0.75 if kind in THIN else 0.62)
    return float(np.clip(size, 0.02, 0.6) * (-1 if dark else 1))


def _relief(rng: Rng, coverage: Field) -> Field:
    """Bright and dark rims of a dent lit from one side, standardised to ±1 at most."""
    depth = ndimage.gaussian_filter(coverage, rng.uniform(0.8, 3.0), truncate=2.5)
    rows, cols = np.gradient(depth)
    angle = rng.uniform(0, 2 * np.pi)
    slope = rows * np.float32(np.sin(angle)) + cols * np.float32(np.cos(angle))
    return np.asarray(slope / (np.abs(slope).max() + 1e-6), dtype=np.float32)


def _retextured(rng: Rng, picture: Field, alpha: Field, kind: str) -> Field:
    """The same place in another structure: smeared, rougher, or of another material."""
    shape = (picture.shape[0], picture.shape[1])
    choice = rng.choice(3, p=[0.25, 0.2, 0.55] if kind in LARGE else [0.4, 0.3, 0.3])
    changed: npt.NDArray[np.floating]
    if choice == 0:
        changed = ndimage.gaussian_filter(picture, rng.uniform(1.0, 4.0), truncate=2.5)
    elif choice == 1:
        mean = ndimage.uniform_filter(picture, 15)
        changed = mean + (picture - mean) * np.float32(rng.uniform(1.6, 3.0))
    else:
        inside = alpha > 0.5 * alpha.max()
        level, spread = float(picture[inside].mean()), float(picture.std())
        other = texture(rng, shape) if kind in LARGE else power_noise(rng, shape, 1.0)
        changed = level + other * np.float32(max(spread, 0.03) * rng.uniform(0.6, 1.6))
    return np.asarray(picture + alpha * (changed - picture), dtype=np.float32)


def _rimmed(rng: Rng, picture: Field, coverage: Field, contrast: float) -> tuple[Field, float]:
    """Draw a darker or brighter rim; now and then hardly anything but the rim shows an area.

    Returns the picture and the contrast that is left for the inside.
    """
    soft = ndimage.gaussian_filter(coverage, rng.uniform(0.6, 2.0), truncate=2.5)
    rim = soft * (1 - soft) * 4
    strength = contrast * rng.uniform(-1.0, 1.0)
    if rng.random() < 0.4:
        strength, contrast = contrast, contrast * rng.uniform(-0.25, 0.25)
    return np.asarray(picture + rim * np.float32(strength), dtype=np.float32), float(contrast)


def render(
    rng: Rng, picture: Field, coverage: Field, kind: str, grain: float, ease: float = 0.0
) -> Field:
    """Draw one defect into `picture` (grey levels, 0 to 1) and return the new picture.

    `ease` from 0 to 1 makes it stand out, for the first steps of training.
    """
    softness = rng.uniform(0.3, 1.0) if kind not in LARGE else np.exp(rng.uniform(-1.2, 1.1))
    alpha = ndimage.gaussian_filter(coverage, softness, truncate=2.5)
    if kind in THIN:  # blurring must not make a thin line vanish
        alpha = alpha / max(float(alpha.max()), 0.3)
    contrast = _contrast(rng, kind, grain, ease)
    style = rng.random() if rng.random() >= ease else 0.5
    if style < (0.45 if kind in LARGE else 0.25) and kind not in THIN:
        picture = _retextured(rng, picture, alpha, kind)
        contrast *= rng.uniform(0.2, 0.9)
    if style > 0.8 and kind not in THIN:
        picture = picture + _relief(rng, coverage) * np.float32(abs(contrast) * 1.5)
        contrast *= rng.uniform(0.1, 0.8)
    strength: Field = alpha
    if rng.random() < 0.4:  # uneven inside
        clouds = power_noise(rng, (picture.shape[0], picture.shape[1]), rng.uniform(0.5, 2.0))
        strength = alpha * (1 + np.float32(rng.uniform(0.1, 0.5)) * clouds)
    if kind in LARGE and rng.random() < 0.3:
        picture, contrast = _rimmed(rng, picture, coverage, contrast)
    if rng.random() < 0.3:
        return picture * (1 + np.float32(contrast / 0.5) * strength)
    return picture + np.float32(contrast) * strength


def truth(rng: Rng, coverage: Field, kind: str) -> Mask:
    """The mask a person would draw: lines are labelled generously, areas with a smooth outline."""
    if kind in LARGE:
        smooth = ndimage.gaussian_filter(coverage, rng.uniform(0.8, 3.0), mode="nearest")
        area: Mask = ndimage.binary_fill_holes(smooth >= 0.5)
        return area
    mask: Mask = coverage >= (0.25 if kind in THIN else 0.5)
    if kind in THIN and rng.random() < 0.4:
        mask = ndimage.binary_dilation(mask)
    return mask


def draw_shape(rng: Rng, extent: tuple[int, int]) -> tuple[str, shapes.Shape]:
    """A random kind of defect and its outline."""
    names = list(KINDS)
    weights = [KINDS[name][0] for name in names]
    kind = names[int(rng.choice(len(names), p=weights))]
    return kind, KINDS[kind][1](rng, extent)
