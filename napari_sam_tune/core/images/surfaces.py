"""The surfaces weights have learnt from; an image of another one is for the base model.

What a round learns of one surface is paid for on others (docs/en/explanation/trials.md). So tuned
weights carry descriptions of the images they learnt from or were judged on, and answer only on
images that look like one of them, or where accepted masks showed that they do better
(`Predictor.try_loaded`).

An image is described by its colours, its contrast, and how strong and how sparse differences
between neighbouring pixels are, in four directions and around each pixel, at four scales: a
texture is told by what such filters answer (Heeger and Bergen, "Pyramid-based texture
analysis/synthesis", SIGGRAPH 1995). Whether it is near enough is asked of the nearest neighbour
alone (Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022): one
project may hold many surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Description = NDArray[np.float32]

_NEAR, _FAR = 0.45, 0.8
"""An image this near to a familiar one is familiar too; one farther away than the other is not."""
_HOW_MUCH_FARTHER: Final = 1.5
"""Between the two: so many times as far as familiar images lie from each other, on average."""
_LONGEST_SIDE, _SHORTEST_SIDE = 256, 48  # the shortest still has an inside at the coarsest scale
_SCALES: Final = 4
_DIRECTIONS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
DESCRIPTION_LENGTH: Final = 3 + 1 + _SCALES * 2 * (len(_DIRECTIONS) + 1)
_NOISE: Final = 0.004
"""Differences as small as an 8-bit grey value are not told apart."""
# one standard deviation over synthetic images: of mean colours, and of logarithms
_COLOUR, _CONTRAST, _STRENGTH, _SPARSENESS = 0.2, 0.6, 0.65, 0.15


@dataclass(frozen=True, eq=False)
class FamiliarSurfaces:
    """Descriptions of the images that weights have learnt from.

    Attributes:
        descriptions: by the image's content hash, each (44,) as `describe` gives it.

    """

    descriptions: Mapping[str, Description]

    def include(self, description: Description) -> bool:
        """Whether an image so described shows one of them."""
        if not self.descriptions:
            return False
        nearest, _ = self._known.query(description)
        return bool(nearest <= self._reach)

    def grown(self, others: FamiliarSurfaces) -> FamiliarSurfaces:
        """Return these and all images of others that lead on from them, one from the next.

        So a surface that changes slowly stays familiar, without a round that learns it anew.
        """
        known = dict(self.descriptions)
        left = {name: d for name, d in others.descriptions.items() if name not in known}
        front = list(known.values())
        while front and left:
            apart, _ = KDTree(np.stack(front)).query(np.stack(list(left.values())), k=[1])
            near = np.less_equal(apart, self._reach)[:, 0]
            reached = [name for name, is_near in zip(left, near, strict=True) if is_near]
            known |= {name: left.pop(name) for name in reached}
            front = [known[name] for name in reached]
        return FamiliarSurfaces(known)

    @cached_property
    def _known(self) -> KDTree:
        return KDTree(np.stack(list(self.descriptions.values())))

    @cached_property
    def _reach(self) -> float:
        """How far from its nearest neighbour an image may lie.

        Where few images are known, even those of one surface lie far apart.
        """
        if len(self.descriptions) < 2:
            return _NEAR
        nearest, _ = self._known.query(self._known.data, k=[2])  # the first is the image itself
        return float(np.clip(_HOW_MUCH_FARTHER * np.mean(nearest), _NEAR, _FAR))


def describe(rgb: NDArray[np.uint8]) -> Description:
    """Describe the surface an (H, W, 3) image shows in 44 numbers.

    Euclidean distances are root mean square differences, in units of one standard deviation over
    synthetic images of all kinds.
    """
    pixels = _small(rgb)
    grey: NDArray[np.float32] = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    found = [*(pixels.mean((0, 1)) / _COLOUR), np.log(grey.std() + _NOISE) / _CONTRAST]
    for _ in range(_SCALES):
        for difference in _differences(grey):
            strength = np.sqrt((difference**2).mean()) + _NOISE
            found.append(np.log(strength) / _STRENGTH)
            found.append(np.log((np.abs(difference).mean() + _NOISE / 2) / strength) / _SPARSENESS)
        grey = gaussian_filter(grey, 1)[::2, ::2]
    return np.array(found, np.float32) / np.float32(np.sqrt(len(found)))


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Resize to the longest side that is looked at; values from 0 to 1."""
    height, width = rgb.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    size = [max(_SHORTEST_SIDE, round(side * scale)) for side in (width, height)]
    picture = Image.fromarray(rgb).resize(
        (size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=2.0
    )
    return np.asarray(picture, np.float32) / np.float32(255)


def _differences(grey: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield differences across each pixel in four directions, and from its four neighbours."""
    height, width = grey.shape

    def beside(down: int, right: int) -> NDArray[np.float32]:
        return grey[1 + down : height - 1 + down, 1 + right : width - 1 + right]

    for down, right in _DIRECTIONS:
        yield beside(down, right) - beside(-down, -right)
    around = beside(0, 1) + beside(0, -1) + beside(1, 0) + beside(-1, 0)
    yield 4 * beside(0, 0) - around
