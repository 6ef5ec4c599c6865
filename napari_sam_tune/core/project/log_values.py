"""What lines of the log hold, checked as it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.geometry.turning import orientation_of
from napari_sam_tune.core.project.split import SPLITS

if TYPE_CHECKING:
    from napari_sam_tune.core.project.split import Split

_VERSION: Final = re.compile(r"[0-9a-f]{12}")


def text(value: object) -> str:
    """Return a text.

    Raises:
        TypeError: it is none.

    """
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r}")
    return value


def texts(value: object) -> list[str]:
    """Return a list of texts.

    Raises:
        TypeError: it is none.

    """
    if not isinstance(value, list):
        raise TypeError(f"texts were expected, not {value!r}")
    return [text(one) for one in value]


def mapping(value: object) -> dict[str, Any]:
    """Return values by name.

    Raises:
        TypeError: it is none.

    """
    if not isinstance(value, dict):
        raise TypeError(f"names and values were expected, not {value!r}")
    return value


def version_in(value: object) -> str:
    """Return a weights version; it becomes part of a file's name.

    Raises:
        TypeError, ValueError: it is none.

    """
    if not _VERSION.fullmatch(text(value)):
        raise ValueError(f"{value!r} is no weights version")
    return text(value)


def orientation_in(value: object) -> int:
    """Return how a picture is turned, see `geometry.turning`.

    Raises:
        ValueError: it is no orientation.

    """
    if orientation_of(value) != value:
        raise ValueError(f"{value!r} is no orientation")
    return orientation_of(value)


def split_in(value: object) -> Split:
    """Return what an image is for.

    Raises:
        ValueError: it is for nothing that is known.

    """
    if value not in SPLITS:
        raise ValueError(f"{value!r} is none of {SPLITS}")
    return value
