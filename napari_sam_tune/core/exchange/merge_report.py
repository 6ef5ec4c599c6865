"""What joining two projects did, and how it decided where they said different things."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Rule(StrEnum):
    """How a clash is decided; "here" is the project that takes in, "there" the other one."""

    SPLIT = "trains, judges or tests otherwise there: what was decided here stands"
    NAME = "another image has this name here: it came in under a name of its own"
    CORRECTED_TWICE = "a mask was corrected on both sides: the later correction stands"
    SAME_OBJECT = "an object was labelled on both sides: the later mask stands"
    DELETED = "a mask was deleted on one side and corrected on the other: the correction stands"
    REIMPORTED = "an object was imported on both sides, changed in between: the one here stands"
    NO_DEFECT = "“no defect here” on one side, masks on the other: the masks stand"
    COLOUR = "the class has another colour there: the one here stands"
    BASE = "the base model there is another one: its weights and heads were left out"


@dataclass(frozen=True)
class Clash:
    """Something the two projects do not agree on.

    Attributes:
        what: an image's id as it is called here, a class, or a model.
        rule: how it was decided.

    """

    what: str
    rule: Rule


@dataclass
class MergeReport:
    """What was taken in.

    Attributes:
        images: new ones.
        known_images: images that both have.
        missing: ids of new images whose files are not on this machine.
        masks: new ones that count.
        history: new ones that were corrected or deleted since, kept as history.
        marks: images whose "done" or "no defect here" was taken over.
        deletions: deletions and restorations taken over.
        reviews: masks and images of which something was said later there: a class, a state, a note.
        classes: new ones.
        weights: new versions.
        heads: new promptless heads.
        lost_weights: versions whose file is gone there.
        clashes: in the order they were met.

    """

    images: int = 0
    known_images: int = 0
    missing: list[str] = field(default_factory=list)
    masks: int = 0
    history: int = 0
    marks: int = 0
    deletions: int = 0
    reviews: int = 0
    classes: int = 0
    weights: int = 0
    heads: int = 0
    lost_weights: list[str] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)

    @property
    def added(self) -> bool:
        """Whether anything was written."""
        return any(
            (
                self.images,
                self.masks,
                self.history,
                self.marks,
                self.deletions,
                self.reviews,
                self.classes,
                self.weights,
                self.heads,
            )
        )

    def clash(self, what: str, rule: Rule) -> None:
        """Note a clash."""
        self.clashes.append(Clash(what, rule))
