"""Outlines of defects: each function returns a coverage map in [0, 1] and its parts.

Coverage is float32 (height, width), 1 inside; thin lines are drawn at twice the size and averaged,
so that a line narrower than a pixel is fainter rather than absent. Positions are (row, col) in px.
`Shape.parts` holds the pieces a person might mean by one click (one pit of a cluster, one branch).
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from napari_sam_tune.starter.surfaces import Field, Rng, power_noise, profile

OVERSAMPLING: Final = 2
Extent = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Shape:
    """Coverage of a whole defect and of its parts (each (height, width) float32 in [0, 1])."""

    coverage: Field
    parts: tuple[Field, ...] = ()


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    high = max(low, high)  # in a tiny picture the smallest size is the only one
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _somewhere(rng: Rng, extent: Extent) -> tuple[float, float]:
    return float(rng.uniform(0.03, 0.97) * extent[0]), float(rng.uniform(0.03, 0.97) * extent[1])


def rasterise(extent: Extent, polygons: list[npt.NDArray[np.floating]]) -> Field:
    """Fill closed polygons of (row, col) vertices, antialiased."""
    scale = OVERSAMPLING
    canvas = Image.new("L", (extent[1] * scale, extent[0] * scale))
    draw = ImageDraw.Draw(canvas)
    for polygon in polygons:
        draw.polygon([(float(c) * scale, float(r) * scale) for r, c in polygon], fill=255)
    reduced = canvas.reduce(scale)
    return np.asarray(reduced, dtype=np.float32) / np.float32(255)


def outline(rng: Rng, centre: tuple[float, float], radius: float) -> npt.NDArray[np.floating]:
    """A closed, wobbly, elongated outline of about `radius` px around `centre`."""
    count = int(np.clip(radius * 3, 12, 96))
    theta = np.linspace(0, 2 * np.pi, count, endpoint=False)
    orders = np.arange(2, 9)
    roughness = rng.uniform(0.05, 0.45)
    amplitude = roughness * rng.standard_normal(orders.size) / orders ** rng.uniform(0.7, 1.6)
    phase = rng.uniform(0, 2 * np.pi, orders.size)
    wobble = (amplitude[:, None] * np.cos(orders[:, None] * theta + phase[:, None])).sum(0)
    length = radius * np.maximum(0.2, 1 + wobble)
    aspect, turn = _log_uniform(rng, 1, 3.0) ** 0.5, rng.uniform(0, np.pi)
    x, y = length * np.cos(theta) * aspect, length * np.sin(theta) / aspect
    rows = centre[0] + x * np.sin(turn) + y * np.cos(turn)
    cols = centre[1] + x * np.cos(turn) - y * np.sin(turn)
    return np.stack([rows, cols], axis=1)


def pit(rng: Rng, extent: Extent) -> Shape:
    """One compact blob, from two px to a sixth of the image."""
    radius = _log_uniform(rng, 1.6, min(extent) / 10)
    return Shape(rasterise(extent, [outline(rng, _somewhere(rng, extent), radius)]))


def cluster(rng: Rng, extent: Extent) -> Shape:
    """Several pits that belong together: a defect of several parts."""
    row, col = _somewhere(rng, extent)
    spread = _log_uniform(rng, 6, min(extent) / 6)
    count = int(rng.integers(2, 6))
    size = _log_uniform(rng, 1.6, max(2.0, spread / 3))
    parts = []
    for _ in range(count):
        centre = (row + rng.normal(0, spread / 1.5), col + rng.normal(0, spread / 1.5))
        parts.append(rasterise(extent, [outline(rng, centre, size * rng.uniform(0.6, 1.5))]))
    return Shape(np.max(parts, axis=0), tuple(parts))


def ring(rng: Rng, extent: Extent) -> Shape:
    """A blob with a hole, such as a dried drop or the rim of a blister."""
    radius = _log_uniform(rng, 6, min(extent) / 5)
    outer = outline(rng, _somewhere(rng, extent), radius)
    centre = outer.mean(0)
    inner = centre + (outer - centre) * rng.uniform(0.35, 0.8) + rng.normal(0, 0.06 * radius, 2)
    whole, hole = rasterise(extent, [outer]), rasterise(extent, [inner])
    return Shape(np.maximum(whole - hole, 0))


def patch(rng: Rng, extent: Extent) -> Shape:
    """A large area with a ragged or a smooth border: stain, fray, worn or uneven region."""
    radius = _log_uniform(rng, min(extent) / 16, min(extent) / 2.6)
    area = rasterise(extent, [outline(rng, _somewhere(rng, extent), radius)])
    return Shape(_ragged(rng, area, radius))


def _ragged(rng: Rng, area: Field, size: float) -> Field:
    """Let the border of `area` follow a noise field by up to a fraction of `size` px."""
    if rng.random() < 0.4:
        return area
    depth = size * rng.uniform(0.05, 0.35)
    soft = ndimage.gaussian_filter(area, depth, truncate=2.0)
    rough = power_noise(rng, (area.shape[0], area.shape[1]), rng.uniform(1.4, 2.6))
    level = soft + rough * np.float32(rng.uniform(0.02, 0.10))
    ragged = np.clip((level - 0.5) * np.float32(max(depth, 1.0) * 2) + 0.5, 0, 1)
    return np.where(soft > 0.02, ragged, 0).astype(np.float32)


def band(rng: Rng, extent: Extent) -> Shape:
    """A strip across the whole image, often along a border, with one or two wavy edges."""
    across, along = extent if rng.random() < 0.6 else extent[::-1]
    height = _log_uniform(rng, across / 20, across / 2.2)
    wave = profile(rng, along, rng.uniform(3, 60)) * rng.uniform(0.2, 0.25 * height**0.7 + 0.3)
    wave += np.linspace(-1, 1, along, dtype=np.float32) * np.float32(rng.normal(0, height / 6))
    lines = np.arange(across, dtype=np.float32)[:, None]
    top = rng.uniform(0, across - height) if rng.random() < 0.35 else -10.0 * across
    bottom = top + height if top >= 0 else height
    lower = wave if rng.random() < 0.5 else profile(rng, along, 20) * height / 12
    strip = np.clip(np.minimum(lines - (top + lower), bottom + wave - lines) + 0.5, 0, 1)
    if rng.random() < 0.35:  # does not reach across
        ends = np.sort(rng.uniform(0, along, 2))
        columns = np.arange(along, dtype=np.float32)
        strip *= np.clip(np.minimum(columns - ends[0], ends[1] - columns), 0, 1)[None, :]
    strip = strip[::-1] if rng.random() < 0.5 else strip
    oriented = strip if strip.shape == extent else strip.T
    return Shape(np.ascontiguousarray(oriented, dtype=np.float32))


def chip(rng: Rng, extent: Extent) -> Shape:
    """A piece broken off at a border of the image: a blob centred on or near the edge."""
    row, col = _somewhere(rng, extent)
    inward = rng.uniform(-0.01, 0.05)
    side = int(rng.integers(4))
    if side < 2:
        row = (inward if side == 0 else 1 - inward) * extent[0]
    else:
        col = (inward if side == 2 else 1 - inward) * extent[1]
    radius = _log_uniform(rng, 3, min(extent) / 4)
    broken = rasterise(extent, [outline(rng, (row, col), radius)])
    return Shape(_ragged(rng, broken, radius))


def walk(
    rng: Rng, start: npt.NDArray[np.floating], heading: float, length: float, wander: float
) -> npt.NDArray[np.floating]:
    """Vertices (n, 2) of a line that keeps its heading with a random wander (radians a step)."""
    step = 4.0
    count = max(2, int(length / step))
    turn = heading + np.cumsum(rng.normal(0, wander, count))
    turn += rng.normal(0, wander * 1.5, count)
    moves = step * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    path: npt.NDArray[np.floating] = start + np.concatenate([np.zeros((1, 2)), moves.cumsum(0)])
    return path


def ribbon(
    path: npt.NDArray[np.floating], widths: npt.NDArray[np.floating]
) -> list[npt.NDArray[np.floating]]:
    """Quadrilaterals around a path, `widths` px wide at each vertex."""
    tangent = np.gradient(path, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    left, right = path + normal * widths[:, None] / 2, path - normal * widths[:, None] / 2
    return [np.stack([left[i], left[i + 1], right[i + 1], right[i]]) for i in range(len(path) - 1)]


def widths(rng: Rng, count: int, width: float, fading: bool) -> npt.NDArray[np.floating]:
    """Line width at each of `count` vertices: uneven, and running out towards the end."""
    uneven = 1 + rng.uniform(0, 0.4) * rng.standard_normal(count)
    taper = np.linspace(1, 0.35, count) if fading else np.ones(count)
    return np.maximum(width * uneven * taper, 0.8)


def crack(rng: Rng, extent: Extent) -> Shape:
    """A wandering line that branches and thins out."""
    start = np.asarray(_somewhere(rng, extent))
    heading = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else np.pi / 2 * rng.integers(4)
    length = _log_uniform(rng, 14, 1.1 * max(extent))
    width = _log_uniform(rng, 1.1, 6.0)
    wander = rng.uniform(0.02, 0.4)
    main = walk(rng, start, heading, length, wander)
    pieces = [ribbon(main, widths(rng, len(main), width, True))]
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.5 else 0):
        joint = int(rng.integers(len(main)))
        fork = heading + rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)
        branch = walk(rng, main[joint], fork, length * rng.uniform(0.1, 0.5), wander)
        pieces.append(ribbon(branch, widths(rng, len(branch), width * 0.7, True)))
    parts = tuple(rasterise(extent, piece) for piece in pieces)
    return Shape(np.max(parts, axis=0), parts if len(parts) > 1 else ())


def scratch(rng: Rng, extent: Extent) -> Shape:
    """One or a few nearly straight parallel lines."""
    start = np.asarray(_somewhere(rng, extent))
    heading = rng.uniform(0, np.pi) if rng.random() < 0.7 else np.pi / 2 * rng.integers(2)
    length = _log_uniform(rng, 16, 0.9 * max(extent))
    width = _log_uniform(rng, 1.0, 4.5)
    count = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
    gap = np.asarray([np.cos(heading), -np.sin(heading)]) * rng.uniform(5, 16)
    parts = []
    for line in range(count):
        offset = start + gap * line + rng.normal(0, 2, 2)
        path = walk(rng, offset, heading, length * rng.uniform(0.6, 1.0), 0.015)
        parts.append(rasterise(extent, ribbon(path, widths(rng, len(path), width, False))))
    return Shape(np.max(parts, axis=0), tuple(parts) if count > 1 else ())


def streak(rng: Rng, extent: Extent) -> Shape:
    """A run, drip or drag mark: an elongated blob that narrows, usually along an axis."""
    start = np.asarray(_somewhere(rng, extent))
    heading = np.pi / 2 * rng.integers(4) + rng.normal(0, 0.15)
    length = _log_uniform(rng, 16, 0.7 * max(extent))
    path = walk(rng, start, heading, length, 0.04)
    wide = _log_uniform(rng, 3, 20) * np.abs(1 + 0.3 * profile(rng, len(path), 2.0))
    wide = wide * np.linspace(1, rng.uniform(0.3, 1), len(path))
    return Shape(rasterise(extent, ribbon(path, np.maximum(wide, 1.5))))
