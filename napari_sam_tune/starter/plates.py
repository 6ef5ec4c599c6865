"""One production line: the same machined cover plate, photographed part after part.

Every picture shows another part of one kind: a cast plate with a ground face, four countersunk
holes, a bore, a slot and a number, on a rubber mat. From part to part its place, the light, the
grain and the wear differ a little; pits, scratches and stains look alike. Everything is drawn from
distances to outlines in the plate's own coordinates, (u, v) in px about its centre, u to the right.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from napari_sam_tune.starter import shapes
from napari_sam_tune.starter.surfaces import Field, Rng, power_noise, profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.starter.defects import Mask

SIDE: Final = 320
"""Height and width of a picture, px."""
_HALF: Final = (138.0, 126.0)
_CORNER: Final = 16.0
_HOLES: Final = tuple((su * 114.0, sv * 102.0) for su in (-1, 1) for sv in (-1, 1))
_BORE: Final = (52.0, -24.0)
_SLOT: Final = (-46.0, 58.0)
_NUMBER: Final = (-92.0, -84.0)
_ROOM: Final = 7
"""px kept free between a defect and whatever is machined, and between two defects."""
_EXTENT: Final = (SIDE, SIDE)


@dataclasses.dataclass(frozen=True)
class Pose:
    """How a plate lies under the camera: (row, col) of its centre, its turn in radians."""

    centre: tuple[float, float]
    turn: float

    def plate_coordinates(self) -> tuple[Field, Field]:
        """Return (u, v) of every px of a picture, each (SIDE, SIDE)."""
        rows, cols = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        rows, cols = rows - np.float32(self.centre[0]), cols - np.float32(self.centre[1])
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        return cols * cos + rows * sin, rows * cos - cols * sin


@dataclasses.dataclass(frozen=True)
class Lamp:
    """The light: where it comes from (radians, 0 from the right), its gain and its slope."""

    angle: float
    gain: float
    slope: float

    def shade(self, height: Field) -> Field:
        """Return how much brighter a relief of `height` px is than a flat face."""
        by_row, by_col = np.gradient(height)
        return np.asarray(
            -by_col * np.float32(np.cos(self.angle)) - by_row * np.float32(np.sin(self.angle)),
            dtype=np.float32,
        )


def _rounded(u: Field, v: Field, half: tuple[float, float], corner: float) -> Field:
    """Distance in px to a rectangle with round corners, below 0 inside."""
    across = np.abs(u) - np.float32(half[0] - corner)
    along = np.abs(v) - np.float32(half[1] - corner)
    outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    inside = np.minimum(np.maximum(across, along), 0)
    return np.asarray(outside + inside - corner, dtype=np.float32)


def _inside(distance: Field, soft: float = 1.0) -> Field:
    """1 where `distance` is below 0, over an edge `soft` px wide."""
    return np.asarray(np.clip(0.5 - distance / np.float32(soft), 0, 1), dtype=np.float32)


def _number(u: Field, v: Field, text: str) -> Field:
    """The number as it is engraved: coverage from 0 to 1."""
    canvas = Image.new("L", (96, 24))
    ImageDraw.Draw(canvas).text((2, 2), text, fill=255, font=ImageFont.load_default(15))
    ink = np.asarray(canvas, dtype=np.float32) / 255
    at = np.stack([v - np.float32(_NUMBER[1]) + 12, u - np.float32(_NUMBER[0]) + 2])
    return np.asarray(ndimage.map_coordinates(ink, at, order=1), dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class Plate:
    """A sound plate: its picture in grey levels (0 to 1), and where its face is free."""

    picture: Field
    free: Mask


def draw_plate(rng: Rng, pose: Pose, lamp: Lamp, number: str) -> Plate:
    """Draw a plate without defects."""
    u, v = pose.plate_coordinates()
    plate = _rounded(u, v, _HALF, _CORNER)
    right, down = u - np.float32(_BORE[0]), v - np.float32(_BORE[1])
    bore = np.hypot(right, down).astype(np.float32)
    slot = _rounded(u - np.float32(_SLOT[0]), v - np.float32(_SLOT[1]), (44.0, 11.0), 11.0)
    holes = np.min([np.hypot(u - a, v - b) for a, b in _HOLES], axis=0).astype(np.float32)
    ink = _number(u, v, number)

    grain = power_noise(rng, _EXTENT, 0.7, stretch=22, angle=pose.turn)
    cloud = power_noise(rng, _EXTENT, 1.8)
    lines = profile(rng, 2 * SIDE, 0.8)[np.clip(v + SIDE, 0, 2 * SIDE - 1).astype(np.int64)]
    face = 0.56 + 0.026 * grain + 0.016 * lines + 0.010 * cloud
    turned = 0.60 + 0.035 * np.sin(bore * 2.1) + 0.03 * np.cos(2 * np.arctan2(down, right))
    milled = 0.30 + 0.02 * np.sin(u * 1.4) + 0.01 * cloud
    mat = 0.13 + 0.012 * power_noise(rng, _EXTENT, 0.3) + 0.01 * cloud

    height = -4.5 * np.clip(plate + 5, 0, 5) / 5  # the chamfer all around
    height = height - 5.0 * _inside(slot + 1, 4.0) - 2.0 * _inside(bore - 44, 3.0)
    height = height - 5.0 * np.clip((13.5 - holes) / 7, 0, 1) - 1.2 * ink
    picture = face + (turned - face) * _inside(bore - 43)
    picture = picture + (0.07 - picture) * _inside(bore - 26)
    picture = picture + (milled - picture) * _inside(slot + 1)
    picture = picture + (0.06 - picture) * _inside(holes - 6.5) - 0.16 * ink
    picture = picture + 0.16 * lamp.shade(ndimage.gaussian_filter(height, 0.7))
    shadow = _inside(_rounded(u + 5, v - 5, _HALF, _CORNER), 9.0)
    mat = mat * (1 - 0.5 * shadow)
    picture = mat + (picture - mat) * _inside(plate)
    taken = np.minimum.reduce([-plate - 7, bore - 47, slot - 3, holes - 16])
    taken = np.where(ndimage.binary_dilation(ink > 0.1, iterations=4), -1, taken)
    return Plate(np.asarray(picture, dtype=np.float32), taken > 0)


def _pit(rng: Rng, centre: tuple[float, float]) -> Field:
    """A pore of the casting that grinding has opened."""
    return shapes.rasterise(_EXTENT, [shapes.outline(rng, centre, rng.uniform(5, 11))])


def _scratch(rng: Rng, centre: tuple[float, float]) -> Field:
    """A nearly straight line, from handling."""
    heading, length = rng.uniform(0, np.pi), rng.uniform(50, 110)
    half = np.asarray([np.sin(heading), np.cos(heading)]) * length / 2
    path = shapes.walk(rng, np.asarray(centre) - half, heading, length, 0.012)
    widths = shapes.widths(rng, len(path), rng.uniform(1.8, 2.7), True)
    return shapes.rasterise(_EXTENT, shapes.ribbon(path, widths))


def _stain(rng: Rng, centre: tuple[float, float]) -> Field:
    """A dried drop of coolant."""
    return shapes.rasterise(_EXTENT, [shapes.outline(rng, centre, rng.uniform(10, 20))])


def _open_pore(rng: Rng, picture: Field, coverage: Field, lamp: Lamp) -> Field:
    """Dark inside, its far wall lit."""
    alpha = ndimage.gaussian_filter(coverage, 0.6)
    rough = power_noise(rng, _EXTENT, 0.8)
    inside = np.float32(rng.uniform(0.20, 0.28)) + 0.03 * rough
    wall = lamp.shade(-4 * ndimage.gaussian_filter(coverage, 1.0))
    return np.asarray(picture + alpha * (inside - picture) + 0.10 * wall, dtype=np.float32)


def _score(rng: Rng, picture: Field, coverage: Field, lamp: Lamp) -> Field:
    """A bright groove with a dark side."""
    bright = np.float32(rng.uniform(0.12, 0.20)) * ndimage.gaussian_filter(coverage, 0.5)
    groove = lamp.shade(-2 * ndimage.gaussian_filter(coverage, 0.8))
    return np.asarray(picture + bright + 0.10 * groove, dtype=np.float32)


def _dry(rng: Rng, picture: Field, coverage: Field, _: Lamp) -> Field:
    """Darker, and most so at its rim; the grain shows through."""
    alpha = ndimage.gaussian_filter(coverage, 1.5)
    rim = np.clip(alpha - ndimage.gaussian_filter(coverage, 4.0), 0, 1)
    cloud = np.clip(1 + 0.35 * power_noise(rng, _EXTENT, 1.4), 0.3, 1.7)
    depth = np.float32(rng.uniform(0.12, 0.18)) * alpha * cloud + 0.14 * rim
    return np.asarray(picture * (1 - depth), dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A class of defects.

    Attributes:
        name: of the class.
        count: fewest and most on a plate.
        draw: where one covers the picture, from 0 to 1, about a centre (row, col).
        render: what that does to the picture.
        level: coverage from which a px belongs to the true mask.

    """

    name: str
    count: tuple[int, int]
    draw: Callable[[Rng, tuple[float, float]], Field]
    render: Callable[[Rng, Field, Field, Lamp], Field]
    level: float = 0.5


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("pit", (2, 3), _pit, _open_pore),
        Kind("scratch", (3, 5), _scratch, _score, level=0.3),
        Kind("stain", (2, 3), _stain, _dry),
    )
}
"""What goes wrong on this line."""


def _worn(rng: Rng, picture: Field, free: Mask) -> Field:
    """Leave traces that are no defects: faint hairlines and dust."""
    for _ in range(int(rng.integers(2, 6))):
        start, heading = rng.uniform(0, SIDE, 2), rng.uniform(0, np.pi)
        path = shapes.walk(rng, start, heading, rng.uniform(40, 160), 0.02)
        hair = shapes.rasterise(_EXTENT, shapes.ribbon(path, np.full(len(path), 1.0)))
        picture = picture + np.float32(rng.uniform(-0.03, 0.03)) * hair * free
    dust = ndimage.gaussian_filter((rng.random(_EXTENT) < 2e-4).astype(np.float32), 0.6)
    return np.asarray(picture + 0.25 * dust, dtype=np.float32)


def make_plate(
    rng: Rng, kind: str | None, number: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Photograph a plate.

    Args:
        rng: decides all that differs from plate to plate.
        kind: name of its defects' class; None for a sound one.
        number: engraved.

    Returns:
        A grey picture and its label image (k is object k, 0 the rest), both (SIDE, SIDE).

    """
    middle = SIDE / 2
    centre = (middle + rng.uniform(-7, 7), middle + rng.uniform(-7, 7))
    pose = Pose(centre, rng.normal(0, 0.015))
    lamp = Lamp(rng.normal(-2.2, 0.15), rng.uniform(0.9, 1.08), rng.uniform(0.05, 0.16))
    plate = draw_plate(rng, pose, lamp, number)
    picture = _worn(rng, plate.picture, plate.free)
    labels = np.zeros(_EXTENT, dtype=np.uint8)
    if kind is not None:
        picture = _spoil(rng, picture, labels, KINDS[kind], plate.free, lamp)
    along = np.linspace(-1, 1, SIDE, dtype=np.float32)
    light = along[None, :] * np.cos(lamp.angle) + along[:, None] * np.sin(lamp.angle)
    picture = ndimage.gaussian_filter(picture, 0.55) * (lamp.gain + lamp.slope * light)
    picture = picture + 0.008 * rng.standard_normal(_EXTENT, dtype=np.float32)
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8), labels


def _spoil(
    rng: Rng,
    picture: Field,
    labels: npt.NDArray[np.uint8],
    kind: Kind,
    free: Mask,
    lamp: Lamp,
) -> Field:
    """Return the picture with defects where the face is free, and number them in `labels`."""
    places = np.argwhere(free)
    wanted = int(rng.integers(kind.count[0], kind.count[1] + 1))
    while int(labels.max()) < wanted:
        row, col = places[int(rng.integers(len(places)))]
        coverage = kind.draw(rng, (float(row), float(col)))
        mask: Mask = coverage >= kind.level
        room = ndimage.binary_dilation(mask, iterations=_ROOM)
        whole = ndimage.label(mask, structure=np.ones((3, 3)))[1] == 1
        if not whole or (mask & ~free).any() or (labels[room] > 0).any():
            continue
        picture = kind.render(rng, picture, coverage, lamp)
        labels[mask] = labels.max() + 1
    return picture
