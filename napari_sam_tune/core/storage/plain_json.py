"""JSON objects as this program writes them: numpy's values as plain ones, and no nonsense read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def parse_object(line: bytes) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        ValueError: it is not one.

    """
    try:
        entry = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(entry, dict):
        raise ValueError("it is not an entry")
    return entry


def plain(value: object) -> object:
    """Return a numpy value as JSON has it; for `json.dumps(default=…)`.

    Raises:
        TypeError: JSON has no such value.

    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written to the log; pass plain values.")
