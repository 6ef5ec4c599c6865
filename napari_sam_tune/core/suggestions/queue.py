"""Suggestions on one image that wait for a person's yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.suggestions.strictness import Strictness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.suggestions.suggestion import Suggestion


class SuggestionQueue:
    """What waits, in order, and what was said of the others.

    Args:
        strictness: which of those that wait are worth a look; None: all are.

    Attributes:
        surest_first: turns the order round; else the most uncertain is asked about first, from
            which the model learns most (uncertainty sampling, Lewis and Gale 1994).

    """

    def __init__(self, strictness: Strictness | None = None, *, surest_first: bool = False) -> None:
        self.surest_first = surest_first
        self._strictness = strictness or Strictness()
        self._waiting: list[Suggestion] = []
        self._accepted: list[Suggestion] = []
        self._rejected: list[Suggestion] = []
        self._gone_with: dict[Suggestion, list[Suggestion]] = {}  # those decided by implication

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self.waiting)

    @property
    def waiting(self) -> list[Suggestion]:
        """Those that wait, the next one first."""
        shown = filter(self._strictness.shows, self._waiting)
        return sorted(shown, key=lambda one: one.uncertainty, reverse=not self.surest_first)

    @property
    def held_back(self) -> int:
        """How many wait that are not sure enough to be shown."""
        return len(self._waiting) - len(self)

    @property
    def current(self) -> Suggestion | None:
        """The one to be looked at next, or None."""
        return next(iter(self.waiting), None)

    @property
    def rejected(self) -> list[Suggestion]:
        """Those that a person said no to."""
        return list(self._rejected)

    @property
    def decided(self) -> int:
        """How many were accepted or rejected so far."""
        return len(self._accepted) + len(self._rejected)

    def refresh(self, found: Iterable[Suggestion]) -> None:
        """Put new suggestions in the place of those that wait, but for those carried there.

        What was rejected stays away, and of several of one object only the best comes in.
        """
        self._waiting = [one for one in self._waiting if one.source == "carried"]
        self._gone_with.clear()
        for one in sorted(found, key=lambda one: one.score, reverse=True):
            if not any(one.is_like(other) for other in (*self._rejected, *self._waiting)):
                self._waiting.append(one)

    def put(self, suggestion: Suggestion) -> None:
        """Let one more wait, in the place of an earlier one of the same thing."""
        if suggestion.thing is not None:
            self.take_out(suggestion.thing)
        self._waiting.append(suggestion)

    def take_out(self, thing: str) -> None:
        """Let nothing of a thing wait any more; nobody said anything of it."""
        self._waiting = [one for one in self._waiting if one.thing != thing]

    def accept(self, suggestion: Suggestion) -> None:
        """Take a suggestion out; those of its parts and of what it is part of go as well."""
        self._accepted.append(suggestion)
        self._strictness.note(suggestion, is_right=True)
        said = suggestion.mask, suggestion.bbox, suggestion.area
        self._let_go(suggestion, [one for one in self._waiting if one.says_nothing_new(*said)])

    def reject(self, suggestion: Suggestion) -> None:
        """Take a suggestion out and never show one like it again."""
        self._rejected.append(suggestion)
        self._strictness.note(suggestion, is_right=False)
        self._let_go(suggestion, [one for one in self._waiting if one.is_like(suggestion)])

    def _let_go(self, decided: Suggestion, gone: list[Suggestion]) -> None:
        self._gone_with[decided] = gone
        self._waiting = [one for one in self._waiting if one not in gone]

    def restore(self, suggestion: Suggestion) -> None:
        """Take back what was said of a suggestion; it waits again, with all that went with it."""
        self._strictness.take_back(suggestion)
        for said in (self._accepted, self._rejected):
            if suggestion in said:
                said.remove(suggestion)
        for one in (suggestion, *self._gone_with.pop(suggestion, ())):
            if one not in self._waiting:
                self._waiting.append(one)
