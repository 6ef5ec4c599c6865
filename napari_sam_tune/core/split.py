"""Which objects train and which are held out to judge; decided once, stored, never revised.

Images are split by group (the same part, the same camera position), so that the judge never sees a
neighbour of what was trained on. A project of one group has nothing to set apart but places in its
images: there, a fifth of the area is held out.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Split = Literal["train", "held_out"]

_HELD_OUT_SHARE = 0.2
_TRAIN_FIRST = 2
_CELLS = 10


def split_group(groups: Mapping[str, tuple[str | None, Split]], stratum: str | None) -> Split:
    """Assign a new group.

    The first two groups train. After that a group is held out whenever its stratum's share of
    held-out groups, rounded, lags behind a fifth.

    Args:
        groups: what was decided so far, group name to (stratum, split).
        stratum: a class or other property to balance by; None is a stratum of its own.

    """
    if len(groups) < _TRAIN_FIRST:
        return "train"
    alike = [split for other, split in groups.values() if other == stratum]
    wanted = int(_HELD_OUT_SHARE * (len(alike) + 1) + 0.5)
    return "held_out" if alike.count("held_out") < wanted else "train"


def place(shape: tuple[int, int], box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the (row, column) of the coarse cell an object's centre falls in.

    Args:
        shape: the image's (H, W).
        box: the object's (y0, x0, y1, x1) in pixels, ends excluded.

    """
    y0, x0, y1, x1 = box
    return (y0 + y1) * _CELLS // (2 * shape[0]), (x0 + x1) * _CELLS // (2 * shape[1])


def split_place(cell: tuple[int, int], content_hash: str) -> Split:
    """Assign a cell of an image, for projects with one group.

    Every fifth cell along each row and column is held out, like a knight's moves: exactly a fifth
    of the area, and never two cells side by side. The image's hash shifts the pattern.
    """
    row, column = cell
    shift = zlib.crc32(content_hash.encode())
    return "held_out" if (row + 2 * column + shift) % 5 == 0 else "train"
