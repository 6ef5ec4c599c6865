"""How alike a find must be to be shown: a person's yes and no decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_sam_tune.core.suggestions.suggestion import Suggestion

LEAST: Final = 0.88
"""Likeness asked for before anything was said, and at least: a logit of 2."""
_STEP: Final = 1.0
"""In logits, up by a no and down by a yes."""


class Strictness:
    """Asks for more after a no and for less after a yes; never for less than at first.

    The up-and-down method (Dixon and Mood 1948): it settles where every other find is right. A find
    that is right saves a click or two and a wrong one costs a no, so proposals cost no more than
    clicking but for the first noes; where few are right soon none is shown
    (docs/en/explanation/trials.md).
    """

    def __init__(self) -> None:
        self._answers: list[tuple[Suggestion, bool]] = []

    @property
    def least(self) -> float:
        """Likeness from which finds are shown, from 0 to 1."""
        logit = first = math.log(LEAST / (1 - LEAST))
        for _, is_right in self._answers:
            logit = max(first, logit - _STEP) if is_right else logit + _STEP
        return 1 / (1 + math.exp(-logit))

    def note(self, suggestion: Suggestion, *, is_right: bool) -> None:
        """Take an answer in."""
        if suggestion.source == "similar":
            self._answers.append((suggestion, is_right))

    def take_back(self, suggestion: Suggestion) -> None:
        """Forget what was said of a suggestion."""
        self._answers = [said for said in self._answers if said[0] is not suggestion]

    def forget(self) -> None:
        """Begin anew."""
        self._answers = []

    def shows(self, suggestion: Suggestion) -> bool:
        """Whether a suggestion is worth a look; what other sources say always is."""
        return suggestion.source != "similar" or suggestion.score >= self.least
