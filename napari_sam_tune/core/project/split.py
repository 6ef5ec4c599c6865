"""Which objects train, which are held out to judge, and which test; decided once, never revised.

Images are split by group (the same part, the same camera position), so that the judge never sees a
neighbour of what was trained on. A project of one group has nothing to set apart but places in its
images: there, a fifth of the area is held out.

"train" is learnt from, "held_out" judges rounds, "test" does neither and is left to evaluation.
Only an import makes a test set: while a person labels, every mask is of use to the model.
"""

from __future__ import annotations

import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Split = Literal["train", "held_out", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

_HELD_OUT_SHARE = 0.2
_TRAIN_FIRST = 2
_CELLS = 10
_NO_SHARE = 1e-9


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
    contents: Mapping[str, Mapping[str, int]], *, val: float, test: float, seed: int
) -> dict[str, Split]:
    """Assign all groups of a data set at once, each class in the shares asked for.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): the rarest class is dealt out
    first, each of its groups to the split that lacks most of that class.

    Args:
        contents: group name to how many of its images show each class ("" for none of them).
        val: share that is held out, from 0 to 1.
        test: share that tests; `val` and `test` together are at most 1.
        seed: of the order in which the groups of a class are dealt out.

    """
    rng = np.random.default_rng(seed)
    names = sorted(contents)
    left = [names[i] for i in rng.permutation(len(names))]
    totals = sum((Counter(contents[name]) for name in names), Counter[str]())
    shares = dict(zip(SPLITS, (1 - val - test, val, test), strict=True))
    lacking = {
        split: Counter({label: share * count for label, count in totals.items()})
        for split, share in shares.items()
        if share > _NO_SHARE
    }
    splits: dict[str, Split] = {}
    for label in sorted(totals, key=lambda label: (totals[label], label)):
        for name in [name for name in left if label in contents[name]]:
            # the one that lacks most of all classes where two lack the same of this one
            split = max(lacking, key=lambda s: (lacking[s][label], sum(lacking[s].values())))
            splits[name] = split
            lacking[split].subtract(contents[name])
            left.remove(name)
    return splits


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
