"""What is noted of masks, told apart: values of attributes, or ranges where there are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.project.review import Value

Noted = tuple[str, "Value"]
"""The name of an attribute, and a value of it."""
_MOST: Final = 12
"""Values of an attribute that are told apart one by one; of more, so many ranges."""


@dataclass(frozen=True)
class ValueRange:
    """An attribute and the values of it that are meant, in order of the alphabet or of numbers.

    Attributes:
        name: of the attribute.
        low: the first of them, a text or a number.
        high: the last.

    """

    name: str
    low: Value
    high: Value

    def takes(self, noted: Iterable[Noted]) -> bool:
        """Whether one of what is noted is meant."""
        return any(name == self.name and self._holds(value) for name, value in noted)

    def _holds(self, value: Value) -> bool:
        if isinstance(value, str):
            return isinstance(self.low, str) and self.low <= value <= str(self.high)
        return not isinstance(self.low, str) and self.low <= value <= float(self.high)

    @property
    def text(self) -> str:
        """What it is called in the list of choices."""
        ends = dict.fromkeys(map(_shown, (self.low, self.high)))
        return f"{visible(self.name)}: {' – '.join(ends)}"


def ranges_of(noted: Iterable[Noted]) -> list[ValueRange]:
    """Return what can be told apart, by name and value.

    Args:
        noted: all that is noted; the same may come several times.

    """
    found: dict[tuple[str, bool], list[Value]] = {}
    for name, value in sorted(set(noted), key=lambda one: (one[0], str(one[1]))):
        found.setdefault((name, isinstance(value, str)), []).append(value)
    filters = []
    for (name, is_text), values in found.items():
        in_order = sorted(values, key=str if is_text else float)
        ranges = np.array_split(np.arange(len(in_order)), min(len(in_order), _MOST))
        filters += [ValueRange(name, in_order[r[0]], in_order[r[-1]]) for r in ranges]
    return filters


def _shown(value: Value) -> str:
    return visible(value) if isinstance(value, str) else f"{value:g}"
