"""What lines of the log hold, checked as it is read."""

from __future__ import annotations

from typing import Any


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
