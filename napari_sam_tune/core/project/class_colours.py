"""The colours classes are given, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASS_COLOURS: Final = (
    "#e5554f",
    "#f4b942",
    "#5b8def",
    "#b07cff",
    "#4fc38a",
    "#ff8fb1",
    "#8d99ae",
    "#c0ca33",
)


def free_colour(classes: Mapping[str, str]) -> str:
    """Return a colour for a new class.

    Args:
        classes: those there are, name to "#rrggbb".

    """
    taken = set(classes.values())
    free = (colour for colour in CLASS_COLOURS if colour not in taken)
    return next(free, CLASS_COLOURS[len(taken) % len(CLASS_COLOURS)])
