"""Which objects train, which are held out to judge, and which test; decided once, never revised.

Images are split by group (the same part, the same camera position), so that the judge never sees a
neighbour of what was trained on. A project of one group has nothing to set apart but places in its
images: there, a fifth of the area is held out.

"train" is learnt from, "held_out" judges rounds, "test" does neither and is left to evaluation.
Only an import makes a test set: while a person labels, every mask is of use to the model.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Split = Literal["train", "held_out", "test"]

_HELD_OUT_SHARE = 0.2
_TRAIN_FIRST = 2
_CELLS = 10


def split_group(groups: Mapping[str, tuple[str | None, Split]], stratum: str | None) -> Split:
    """Assign a new group.

    The first two groups train. After that a group is held out whenever its stratum's share of
    held-out groups, rounded, lags behind a fifth. Groups that test are left out of the count.

    Args:
        groups: what was decided so far, group name to (stratum, split).
        stratum: a class or other property to balance by; None is a stratum of its own.

    """
    in_use = [(other, split) for other, split in groups.values() if split != "test"]
    if len(in_use) < _TRAIN_FIRST:
        return "train"
    alike = [split for other, split in in_use if other == stratum]
    wanted = int(_HELD_OUT_SHARE * (len(alike) + 1) + 0.5)
    return "held_out" if alike.count("held_out") < wanted else "train"


def split_groups(
    strata: Mapping[str, str | None], *, val: float, test: float, seed: int
) -> dict[str, Split]:
    """Assign all groups of a data set at once, by systematic sampling.

    The groups are shuffled, sorted by stratum, and every 1/share-th of them is taken: of all
    together, and of each stratum within one group of it, the share asked for.

    Args:
        strata: group name to its stratum (a class, or None).
        val: share that is held out, from 0 to 1.
        test: share that tests; `val` and `test` together are at most 1.
        seed: of the shuffling.

    """
    names = sorted(strata)
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = sorted((names[i] for i in order), key=lambda name: strata[name] or "")
    tested = _every(shuffled, test)
    rest = [name for name in shuffled if name not in tested]
    held_out = _every(rest, val / (1 - test) if test < 1 else 0.0)
    return {
        name: "test" if name in tested else "held_out" if name in held_out else "train"
        for name in names
    }


def _every(names: Sequence[str], share: float) -> set[str]:
    """Take a share of a sequence, evenly from its beginning to its end."""
    taken = np.floor(np.arange(len(names) + 1) * share + 0.5)
    return {name for name, step in zip(names, np.diff(taken), strict=True) if step > 0}


def place(shape: tuple[int, int], box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the (row, column) of the coarse cell an object's centre falls in.

    Args:
        shape: the image's (H, W).
        box: the object's (y0, x0, y1, x1) in pixels, ends excluded.

    """
    y0, x0, y1, x1 = box
    return (y0 + y1) * _CELLS // (2 * shape[0]), (x0 + x1) * _CELLS // (2 * shape[1])


def split_place(cell: tuple[int, int], content_hash: str, *, test: bool = False) -> Split:
    """Assign a cell of an image, for projects with one group.

    Every fifth cell along each row and column is held out, like a knight's moves: exactly a fifth
    of the area, and never two cells side by side. The image's hash shifts the pattern.

    Args:
        cell: see `place`.
        content_hash: of the image.
        test: another fifth, in the same pattern, tests.

    """
    row, column = cell
    number = (row + 2 * column + zlib.crc32(content_hash.encode())) % 5
    if test and number == 2:
        return "test"
    return "held_out" if number == 0 else "train"
