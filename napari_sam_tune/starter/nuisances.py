"""What an inspection photograph shows besides defects: marks, prints, shadows, glare, borders.

Each function takes and returns a picture in grey levels (0 to 1), float32 (height, width).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from napari_sam_tune.starter.shapes import rasterise
from napari_sam_tune.starter.surfaces import Field, Rng, profile

if TYPE_CHECKING:
    from collections.abc import Callable


def _canvas(picture: Field) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("L", (picture.shape[1], picture.shape[0]))
    return canvas, ImageDraw.Draw(canvas)


def _laid_over(rng: Rng, picture: Field, canvas: Image.Image) -> Field:
    ink = np.asarray(canvas, dtype=np.float32) / 255
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.3, 1.2), truncate=2.0)
    shade = rng.choice([-1, 1]) * rng.uniform(0.06, 0.35)
    return np.asarray(picture + ink * np.float32(shade), dtype=np.float32)


def lettering(rng: Rng, picture: Field) -> Field:
    """A printed or stamped code."""
    canvas, draw = _canvas(picture)
    code = "".join(rng.choice(list("0123456789ABCEHKLNRTX-"), size=int(rng.integers(1, 9))))
    size = float(rng.uniform(8, max(9.0, picture.shape[0] / 6)))
    at = (rng.uniform(0, 0.8) * picture.shape[1], rng.uniform(0, 0.8) * picture.shape[0])
    draw.text(at, code, fill=255, font=ImageFont.load_default(size))
    if rng.random() < 0.5:
        canvas = canvas.rotate(float(rng.choice([90, 180, 270])))
    return _laid_over(rng, picture, canvas)


def pen_mark(rng: Rng, picture: Field) -> Field:
    """A cross, ring or arrow drawn by an inspector."""
    canvas, draw = _canvas(picture)
    row, col = rng.uniform(0.1, 0.9, 2) * picture.shape
    size = rng.uniform(6, 40)
    width = int(rng.integers(1, 5))
    if rng.random() < 0.5:
        draw.line((col - size, row - size, col + size, row + size), fill=255, width=width)
        draw.line((col - size, row + size, col + size, row - size), fill=255, width=width)
    else:
        start = float(rng.uniform(0, 360))
        box = (col - size, row - size, col + size, row + size)
        draw.arc(box, start, start + float(rng.uniform(90, 360)), fill=255, width=width)
    return _laid_over(rng, picture, canvas)


def stripes(rng: Rng, picture: Field) -> Field:
    """Rolling or grinding stripes right across the picture, constant along their length."""
    vertical = rng.random() < 0.6
    length = picture.shape[1] if vertical else picture.shape[0]
    raw = rng.standard_normal(length) * (rng.random(length) < rng.uniform(0.01, 0.15))
    line = ndimage.gaussian_filter1d(raw, rng.uniform(0.4, 2.5)).astype(np.float32)
    line *= np.float32(rng.uniform(0.05, 0.3) / (np.abs(line).max() + 1e-6))
    return np.asarray(picture + (line if vertical else line[:, None]), dtype=np.float32)


def shadow(rng: Rng, picture: Field) -> Field:
    """A soft-edged darker half or strip, cast by something outside the picture."""
    rows, cols = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = rows * np.float32(np.sin(angle)) + cols * np.float32(np.cos(angle))
    edge = rng.uniform(float(across.min()), float(across.max()))
    ramp = np.clip((across - edge) / rng.uniform(4, 60), 0, 1)
    return np.asarray(picture * (1 - np.float32(rng.uniform(0.1, 0.45)) * ramp), dtype=np.float32)


def glare(rng: Rng, picture: Field) -> Field:
    """A soft reflection, saturated in its middle."""
    rows, cols = np.ogrid[: picture.shape[0], : picture.shape[1]]
    row, col = rng.uniform(0, 1, 2) * picture.shape
    high, wide = np.exp(rng.uniform(np.log(4), np.log(80), 2))
    spot = np.exp(-(((rows - row) / high) ** 2 + ((cols - col) / wide) ** 2)).astype(np.float32)
    return np.asarray(picture + spot * np.float32(rng.uniform(0.1, 0.6)), dtype=np.float32)


def border(rng: Rng, picture: Field) -> Field:
    """The edge of the part: beyond it a plain background, sometimes with a bevel."""
    if rng.random() < 0.35:  # top or bottom
        turned: Field = border(rng, picture.T.copy()).T.copy()
        return turned
    width = rng.uniform(0.02, 0.18) * picture.shape[1]
    lines = np.arange(picture.shape[1], dtype=np.float32)[None, :]
    wave = profile(rng, picture.shape[0], 30)[:, None] * np.float32(rng.uniform(0, 1.5))
    wave = wave + np.linspace(-1, 1, picture.shape[0], dtype=np.float32)[:, None] * rng.normal(0, 3)
    inside = np.clip(lines - width - wave + 0.5, 0, 1).astype(np.float32)
    beyond = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1.0), rng.uniform(0, 1)])
    bevel = np.exp(-(((lines - width - wave) / rng.uniform(1, 6)) ** 2)) * rng.normal(0, 0.15)
    framed = picture * inside + np.float32(beyond) * (1 - inside) + bevel
    framed = framed[:, ::-1] if rng.random() < 0.5 else framed
    return np.asarray(framed, dtype=np.float32)


def label_plate(rng: Rng, picture: Field) -> Field:
    """A plain rectangle: a sticker, a machined pocket, a window."""
    row, col = rng.uniform(0, 0.9, 2) * picture.shape
    high, wide = rng.uniform(0.05, 0.4, 2) * picture.shape
    corners = np.asarray(
        [[row, col], [row, col + wide], [row + high, col + wide], [row + high, col]]
    )
    ink = rasterise((picture.shape[0], picture.shape[1]), [corners])
    shade = np.float32(rng.choice([-1, 1]) * rng.uniform(0.03, 0.25))
    return np.asarray(picture + ink * shade, dtype=np.float32)


NUISANCES: Final[tuple[tuple[float, Callable[[Rng, Field], Field]], ...]] = (
    (0.30, stripes),
    (0.16, shadow),
    (0.14, glare),
    (0.10, lettering),
    (0.12, pen_mark),
    (0.22, border),
    (0.06, label_plate),
)
"""How likely each one is in a picture; they occur together."""


def add_nuisances(rng: Rng, picture: Field) -> Field:
    """Lay a random selection of nuisances over `picture`."""
    for chance, nuisance in NUISANCES:
        if rng.random() < chance:
            picture = nuisance(rng, picture)
    return picture
