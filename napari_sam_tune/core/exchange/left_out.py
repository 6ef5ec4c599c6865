"""What could not be taken: one foreign entry neither refuses a whole data set nor goes unsaid.

The one rule of `import`, `predict` and `embed`: what can be taken is taken; what cannot is left out
whole, counted, and listed with its reason; where nothing can be taken, that is an error.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.wording import join_sentences, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Entry = TypeVar("Entry")
    Read = TypeVar("Read")

MOST_LISTED: Final = 20
"""Reasons of one kind; more are counted."""

FILE: Final = "file that cannot be taken"
IMAGE: Final = "image that cannot be taken"
OBJECT: Final = "object that cannot be taken"


@dataclass
class LeftOut:
    """What was left out.

    Attributes:
        counts: of each kind, in words such as `OBJECT`, how many.
        reasons: of each kind the first sentences, each of which names its entry; none where the
            kind says it all ("image without a mask").

    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was left out."""
        return any(self.counts.values())

    @property
    def total(self) -> int:
        """How much was left out, of all kinds."""
        return sum(self.counts.values())

    def add(self, kind: str, reason: str | None = None, *, count: int = 1) -> None:
        """Count something."""
        self.counts[kind] += count
        listed = self.reasons.setdefault(kind, [])
        if reason is not None and len(listed) < MOST_LISTED:
            listed.append(reason)

    def count_in(self, counts: Mapping[str, int]) -> None:
        """Count what needs no reason but its kind."""
        for kind, count in counts.items():
            self.add(kind, count=count)

    def join(self, other: LeftOut) -> None:
        """Count in what was left out elsewhere."""
        for kind, count in other.counts.items():
            self.add(kind, count=count)
            listed = self.reasons[kind]
            listed += other.reasons.get(kind, [])[: MOST_LISTED - len(listed)]

    def take(
        self,
        kind: str,
        entries: Iterable[Entry],
        read: Callable[[Entry], Read],
        name: Callable[[Entry], str] | None = None,
    ) -> list[Read]:
        """Read entries one by one, and leave those out that cannot be read.

        Args:
            kind: of entry.
            entries: files of a folder, images of a list, objects of an image.
            read: raises `SamTuneError` at a fault.
            name: of an entry; put before reasons that do not say it.

        Raises:
            SamTuneError: there are entries, and not one can be read.

        """
        taken, faults = [], []
        for entry in entries:
            try:
                taken.append(read(entry))
            except SamTuneError as error:
                faults.append((error, named(error, "" if name is None else name(entry))))
        if faults and not taken:
            raise _nothing(faults)
        for _, reason in faults:
            self.add(kind, reason)
        return taken


def named(error: SamTuneError, name: str) -> str:
    """Return what an error says, with a name before it where that is not in it."""
    said = str(error)
    return said if name in said else f"{name}: {said}"


def _nothing(faults: list[tuple[SamTuneError, str]]) -> SamTuneError:
    first, reason = faults[0]
    if len(faults) == 1:
        return first if reason == str(first) else type(first)(reason)
    listed = " ".join(reason for _, reason in faults[:MOST_LISTED])
    beyond = len(faults) - MOST_LISTED
    more = tr("And {count} more.", count=beyond) if beyond > 0 else ""
    said = tr("Nothing of {count} can be taken.", count=len(faults))
    return SamTuneError(join_sentences(said, listed, more))
