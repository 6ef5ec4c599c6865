"""Made-up photographs of four materials, for tests and benchmarks: surfaces told from each other.

Unlike the training images, those of one family share a surface, a light and the look of their
defects, as photographs from one line do. The samples that are shipped come from `samples.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam_tune.starter import shapes
from napari_sam_tune.starter.surfaces import Field, Rng, power_noise, profile, standardise

if TYPE_CHECKING:
    from napari_sam_tune.starter.defects import Mask

SMALLEST: Final = 60
"""Defects of fewer px are drawn again: an object must be worth a click."""

Labels = npt.NDArray[np.uint8]
Draw = Callable[[Rng, tuple[int, int]], shapes.Shape]
Render = Callable[[Rng, Field, Field], Field]


@dataclasses.dataclass(frozen=True)
class Flaw:
    """One class of a family: how it is drawn and what it does to the picture (0 to 1)."""

    name: str
    draw: Draw
    render: Render
    level: float = 0.5
    """Coverage from which a px belongs to the true mask."""


@dataclasses.dataclass(frozen=True)
class Family:
    """A material: its size (height, width), its sound surface, the flaws of its images in turn."""

    name: str
    extent: tuple[int, int]
    surface: Callable[[Rng, tuple[int, int]], Field]
    flaws: tuple[Flaw, ...]


def _steel(rng: Rng, extent: tuple[int, int]) -> Field:
    """Ground steel: streaks from top to bottom, a cylinder of light."""
    grain = power_noise(rng, extent, 0.9, stretch=28, angle=np.pi / 2 + rng.normal(0, 0.01))
    stripes = profile(rng, extent[1], 1.2) + 0.7 * profile(rng, extent[1], 9.0)
    cols = np.linspace(-1, 1, extent[1], dtype=np.float32)[None, :]
    light = 0.46 - 0.16 * (cols - rng.uniform(-0.3, 0.3)) ** 2
    noise = rng.standard_normal(extent, dtype=np.float32)
    picture = light + 0.035 * grain + 0.022 * stripes[None, :] + 0.012 * noise
    return np.asarray(picture, dtype=np.float32)


def _concrete(rng: Rng, extent: tuple[int, int]) -> Field:
    """Cast concrete: clouds, sand and a few bubbles that are no defects."""
    clouds = power_noise(rng, extent, 1.8)
    sand = power_noise(rng, extent, 0.35)
    bubbles = ndimage.gaussian_filter((power_noise(rng, extent, 0.9) > 3.3).astype(np.float32), 1)
    rows = np.linspace(-1, 1, extent[0], dtype=np.float32)[:, None]
    picture = 0.58 + 0.05 * rows + 0.035 * clouds + 0.04 * sand - 0.3 * bubbles
    return np.asarray(picture, dtype=np.float32)


def _cloth(rng: Rng, extent: tuple[int, int]) -> Field:
    """Twill: two crossed threads that wander, of uneven thickness."""
    rows, cols = np.mgrid[: extent[0], : extent[1]].astype(np.float32)
    wander = 0.5 * power_noise(rng, extent, 2.2, coarsest=0.01)
    warp = np.sin((cols + 0.35 * rows) * np.float32(2 * np.pi / 9) + wander)
    weft = np.sin((rows - 0.05 * cols) * np.float32(2 * np.pi / 7) + wander)
    threads = profile(rng, extent[0], 2.0)[:, None] + profile(rng, extent[1], 2.0)[None, :]
    fluff = power_noise(rng, extent, 0.7)
    weave = standardise(np.maximum(warp, weft))
    picture = 0.44 + 0.06 * weave + 0.015 * threads + 0.03 * fluff
    return np.asarray(picture, dtype=np.float32)


def _glaze(rng: Rng, extent: tuple[int, int]) -> Field:
    """A printed, glazed tile: pale veins, a printed grid, a reflection."""
    rows, cols = np.mgrid[: extent[0], : extent[1]].astype(np.float32)
    veins = standardise(-np.sqrt(np.abs(power_noise(rng, extent, 2.2))))
    picture = 0.66 + 0.02 * veins + 0.008 * power_noise(rng, extent, 0.2)
    grid = np.minimum(rows % 128, cols % 128) < 3
    picture = picture - 0.09 * ndimage.gaussian_filter(grid.astype(np.float32), 0.8)
    row, col = rng.uniform(0.1, 0.9, 2) * extent
    picture = picture + 0.16 * np.exp(-(((rows - row) / 160) ** 2 + ((cols - col) / 50) ** 2))
    return np.asarray(picture, dtype=np.float32)


def _shade(by: float, *, soft: float = 0.7, uneven: float = 0.2) -> Render:
    """Darker or brighter by `by` grey levels, with an edge of `soft` px, a little uneven inside."""

    def render(rng: Rng, picture: Field, coverage: Field) -> Field:
        alpha = ndimage.gaussian_filter(coverage, soft)
        clouds = power_noise(rng, (picture.shape[0], picture.shape[1]), 1.2)
        by_place = np.float32(by * rng.uniform(0.75, 1.25)) * (1 + np.float32(uneven) * clouds)
        return np.asarray(picture + alpha * by_place, dtype=np.float32)

    return render


def _rough(by: float, grain: float) -> Render:
    """Broken material: another level, coarse grain, a lit rim above and a shadow below."""

    def render(rng: Rng, picture: Field, coverage: Field) -> Field:
        alpha = ndimage.gaussian_filter(coverage, 0.8)
        inside = float(np.median(picture)) + by
        broken = inside + grain * power_noise(rng, (picture.shape[0], picture.shape[1]), 0.9)
        relief = np.gradient(ndimage.gaussian_filter(coverage, 1.5), axis=0)
        lit = picture + alpha * (broken - picture) + 0.35 * relief
        return np.asarray(lit, dtype=np.float32)

    return render


def _smeared(amount: float, by: float) -> Render:
    """Texture rubbed away: blurred by `amount` px and shifted by `by` grey levels."""

    def render(rng: Rng, picture: Field, coverage: Field) -> Field:
        alpha = ndimage.gaussian_filter(coverage, 1.2)
        flat = ndimage.gaussian_filter(picture, amount)
        return np.asarray(picture + alpha * (flat + by - picture), dtype=np.float32)

    return render


FAMILIES: Final = (
    Family(
        "steel",
        (512, 512),
        _steel,
        (
            Flaw("pit", shapes.pit, _shade(-0.24)),
            Flaw("stain", shapes.patch, _shade(-0.075, soft=2.5, uneven=0.35)),
            Flaw("scratch", shapes.scratch, _shade(0.22), level=0.3),
        ),
    ),
    Family(
        "concrete",
        (480, 640),
        _concrete,
        (
            Flaw("crack", shapes.crack, _shade(-0.3, uneven=0.3), level=0.3),
            Flaw("spall", shapes.chip, _rough(-0.12, 0.07)),
            Flaw("void", shapes.cluster, _shade(-0.28)),
        ),
    ),
    Family(
        "cloth",
        (512, 512),
        _cloth,
        (
            Flaw("rubbed", shapes.patch, _smeared(3.0, 0.05)),
            Flaw("stain", shapes.streak, _shade(-0.12, soft=1.8, uneven=0.3)),
            Flaw("hole", shapes.pit, _shade(-0.3)),
        ),
    ),
    Family(
        "tile",
        (512, 512),
        _glaze,
        (
            Flaw("chip", shapes.chip, _rough(-0.05, 0.06)),
            Flaw("crack", shapes.crack, _shade(-0.16), level=0.3),
            Flaw("glaze", shapes.ring, _shade(0.07, soft=1.4)),
        ),
    ),
)


def make_sample(rng: Rng, family: Family, index: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Image `index` of a family: a grey picture and its label image (k is object k).

    Four to six objects of mixed classes; the family's class of that number comes first and is
    never tiny.
    """
    picture = family.surface(rng, family.extent)
    labels: Labels = np.zeros(family.extent, dtype=np.uint8)
    wanted = int(rng.integers(4, 7))
    main = family.flaws[index % len(family.flaws)]
    count = 0
    while count < wanted:
        flaw = main if count < 2 else family.flaws[int(rng.integers(len(family.flaws)))]
        smallest = SMALLEST * 3 if count < 2 else SMALLEST
        coverage = flaw.draw(rng, family.extent).coverage
        mask: Mask = coverage >= flaw.level
        if not smallest <= mask.sum() <= 0.12 * mask.size or _crowded(mask, labels):
            continue
        picture = flaw.render(rng, picture, coverage)
        count += 1
        labels[mask] = count
    noise = rng.standard_normal(family.extent, dtype=np.float32)
    picture = ndimage.gaussian_filter(picture, 0.6) + 0.008 * noise
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8), labels


def _crowded(mask: Mask, labels: Labels) -> bool:
    """Whether `mask` comes within a few px of an object that is there already."""
    near = ndimage.binary_dilation(mask, iterations=6)
    return bool((labels[near] > 0).any())
