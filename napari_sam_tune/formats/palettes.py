"""Masks in colours: which number a colour stands for, where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.images.files import read_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Colour = tuple[int, int, int]

_BACKGROUND: Final = "background"


def _voc_colour(number: int) -> Colour:
    """Return a colour of VOC's palette: a number's bits, from the last, shared out by three."""
    channels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            channels[channel] |= (number >> 3 * place + channel & 1) << 7 - place
    return channels[0], channels[1], channels[2]


VOC: Final = {_voc_colour(number): number for number in range(256)}
"""Colour to number in the palette of Pascal VOC."""


def numbers_of(path: Path, colours: Mapping[Colour, int], give: str) -> NDArray[Any]:
    """Read a mask whose numbers mean something, as (H, W) numbers.

    Args:
        path: a picture of numbers, of palette indices, or in colours. Black, and what is fully
            transparent, is 0.
        colours: what colours stand for. Greys that stand for nothing are numbers themselves.
        give: what to do about a colour that stands for nothing, for the error.

    Raises:
        MaskError: a colour stands for nothing.
        ImageError: it cannot be read.

    """
    pixels = read_image(path, indices=path.suffix.lower() == ".png")
    if pixels.ndim == 2:
        return pixels
    painted = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].astype(np.int64)
    if pixels.shape[-1] in (2, 4):
        painted[pixels[..., -1] == 0] = 0
    packed = (painted * (1 << 16, 1 << 8, 1)).sum(-1) if painted.shape[-1] == 3 else painted[..., 0]
    known = {0: 0} | {(r << 16) + (g << 8) + b: number for (r, g, b), number in colours.items()}
    values, inverse = np.unique(packed, return_inverse=True)
    unknown = [int(value) for value in values if int(value) not in known]
    if painted.shape[-1] == 1 or (unknown and (painted == painted[..., :1]).all()):
        return painted[..., 0]
    if unknown:
        raise MaskError(
            f"{path} is painted in colours, and #{unknown[0]:06x} stands for nothing. {give}"
        )
    return np.array([known[int(value)] for value in values])[inverse].reshape(packed.shape)


def read_labelmap(path: Path) -> tuple[dict[int, str], dict[Colour, int]]:
    """Read a `labelmap.txt`: number to class, and colour to number; the background is no class.

    Lines are "class:red,green,blue:parts:actions", numbered from 0, as CVAT and Datumaro write
    them, or "number: class", as our own export does.

    Raises:
        SamTuneError: it cannot be read; names the line.

    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SamTuneError(f"{path} cannot be read: {error}. It names the classes.") from error
    names: dict[int, str] = {}
    colours: dict[Colour, int] = {}
    for line in (one.strip() for one in lines):
        if not line or line.startswith("#"):
            continue
        first, _, rest = line.partition(":")
        name, colour = first.strip(), parsed_colour(rest.split(":")[0])
        number = len(colours)
        if colour is None:
            if not name.isdecimal() or not rest.strip():
                raise SamTuneError(f"{path}: the line {line!r} is no class with a colour.")
            names[int(name)] = rest.strip()
            continue
        if colour in colours:
            raise SamTuneError(f"{path}: two classes have the colour of {name}, {colour}.")
        colours[colour] = number
        if name.lower() != _BACKGROUND:
            names[number] = name
    return names, colours


def parsed_colour(text: str) -> Colour | None:
    """Read a colour, "255,0,0" or "#ff0000"; None where it is none."""
    text = text.strip()
    try:
        if text.startswith("#") and len(text) == 7:
            whole = int(text[1:], 16)
            return whole >> 16, whole >> 8 & 255, whole & 255
        red, green, blue = (int(part) for part in text.split(","))
    except ValueError:
        return None
    return (red, green, blue) if all(0 <= c <= 255 for c in (red, green, blue)) else None
