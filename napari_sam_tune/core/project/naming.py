"""What classes are called: their names over time, and the class an object was given since.

A record of a mask is never changed. What it was called when it was accepted is followed through
the lines that came after it: a class given to that object, a class that got another name. Where
that is taken back the class has its old name again, with all its masks, those accepted under the
other name meanwhile too. Of two classes that were merged, those stay with the one they were given.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.texts.plain_text import is_text, visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Moment(NamedTuple):
    """When a line was said.

    Attributes:
        time: UTC, seconds since 1970.
        said: how many lines had changed the class of any mask before.

    """

    time: float
    said: int


class _Step(NamedTuple):
    """Masks that are called `old` when it is said are called `new` since.

    But for those that had the name already at the moment `since`.
    """

    when: Moment
    old: str
    new: str
    since: Moment


_EVER: Final = Moment(-1.0, -1)


@dataclass(frozen=True)
class Renaming:
    """A class that got another name.

    Attributes:
        key: names the line, for the one that takes it back.
        old: the name before; no class has it afterwards.
        new: the name since.
        colour: of the class before, "#rrggbb"; None where it had none.
        place: of the class before in the order of classes.
        is_merge: there was a class of the new name already, and it stays.
        steps: what it does to the names of masks.
        turns: how often it was taken back and done again.
        undone: the step that taking it back took away, as that of a merge.

    """

    key: str
    old: str
    new: str
    colour: str | None
    place: int
    is_merge: bool
    steps: tuple[_Step, ...]
    turns: int = 0
    undone: _Step | None = None

    @property
    def is_void(self) -> bool:
        """Whether it was taken back."""
        return self.turns % 2 == 1


class GivenClass(NamedTuple):
    """The class an object was given after it was accepted.

    Attributes:
        label: the class; None of one that has that of its record again.
        time: when, UTC, seconds since 1970.
        seen: how many lines had changed the class of any mask by the time it was given first.

    """

    label: str | None
    time: float
    seen: int


_OF_ITS_RECORD: Final = GivenClass(None, 0.0, 0)


class Gift(NamedTuple):
    """The classes that objects, by id, had and got by one line."""

    before: Mapping[str, GivenClass]
    after: Mapping[str, GivenClass]


@dataclass
class Naming:
    """The classes of a project and how they came by their names.

    Attributes:
        classes: name to "#rrggbb", in the order they were made.
        renamings: in their order.
        given: annotation id to the class it was given last.
        gifts: name of a line to what it gave.
        moves: name of a line to (old, new), for each change of a class's name and its taking back;
            (old, old) of a class that is one of its own again.
        said: how many lines changed the class of any mask; it grows with each.

    """

    classes: dict[str, str] = field(default_factory=dict)
    renamings: list[Renaming] = field(default_factory=list)
    given: dict[str, GivenClass] = field(default_factory=dict)
    gifts: dict[str, Gift] = field(default_factory=dict)
    moves: dict[str, tuple[str, str]] = field(default_factory=dict)
    said: int = 0
    _steps: list[_Step] = field(default_factory=list)

    def __copy__(self) -> Naming:
        """Return one that changes by itself."""
        return Naming(*(copy(value) for value in vars(self).values()))

    # ------------------------------------------------------------------ asking

    def label_of(self, annotation_id: str, stored: str, created: float) -> str:
        """Return the class of a record now.

        Args:
            annotation_id: the record.
            stored: what it was called when it was accepted.
            created: when that was, UTC, seconds since 1970.

        """
        return self._followed(annotation_id, stored, created)[0]

    def named_at(self, annotation_id: str, stored: str, created: float) -> float:
        """Return when a record got the class it has, by itself or with all of its class."""
        return self._followed(annotation_id, stored, created)[1]

    def name_now(self, name: str, since: float) -> str:
        """Return what a class is called now that was called `name` at the time `since`."""
        return _followed(name, self._steps, lambda moment: moment.time > since)[0]

    def _followed(self, annotation_id: str, stored: str, created: float) -> tuple[str, float]:
        """Return the class of a record and when it got it."""
        given = self.given.get(annotation_id, _OF_ITS_RECORD)
        if given.label is None:
            name, at = _followed(stored, self._steps, lambda moment: moment.time > created)
        else:
            name, at = _followed(given.label, self._steps, lambda moment: moment.said >= given.seen)
        return name, max(created, given.time, at)

    # ------------------------------------------------------------------ saying

    def set_class(self, name: str, colour: str, place: int | None) -> None:
        """Make a class, or change its colour."""
        if place is None or name in self.classes:
            self.classes[name] = colour
        else:
            self.classes = _with(self.classes, name, colour, place)

    def remove_class(self, name: str) -> None:
        """Take a class out of the list."""
        self.classes.pop(name, None)

    def give(self, key: str | None, labels: Mapping[str, str], time: float) -> None:
        """Give objects, by id, classes of their own; the key is for who may take that back."""
        after = {i: GivenClass(label, time, self.said) for i, label in labels.items()}
        if key is not None:
            self.gifts[key] = Gift({i: self.given.get(i, _OF_ITS_RECORD) for i in after}, after)
        self.given |= after
        self.said += 1

    def take_gift_back(self, key: str, time: float, *, is_void: bool) -> list[str]:
        """Let objects have the classes they had before a gift, or by it; returns which change.

        One that was given another class since keeps that.

        Raises:
            KeyError: nothing was given by that key.

        """
        before, after = self.gifts[key]
        left, wanted = (after, before) if is_void else (before, after)
        changed = [i for i in left if _are_alike(self.given.get(i, _OF_ITS_RECORD), left[i])]
        self.given |= {i: wanted[i]._replace(time=time) for i in changed}
        self.said += 1
        return changed

    def rename(self, key: str, old: str, new: str, time: float) -> None:
        """Call a class otherwise; where there is one of that name, they become one."""
        place = list(self.classes).index(old) if old in self.classes else len(self.classes)
        steps = (_Step(Moment(time, self.said), old, new, _EVER),)
        renaming = Renaming(
            key, old, new, self.classes.get(old), place, is_merge=new in self.classes, steps=steps
        )
        self.renamings.append(renaming)
        self._move(renaming)
        self._put_in_order()

    def take_back(self, key: str, time: float, *, is_void: bool) -> Renaming | None:
        """Let a renaming count no more, or again; returns it, or None where that is so already.

        Raises:
            ValueError: there is none of that key.

        """
        number = next((n for n, r in enumerate(self.renamings) if r.key == key), None)
        if number is None:
            raise ValueError(f"no class was renamed by {key!r}")
        renaming = self.renamings[number]
        if renaming.is_void == is_void:
            return None
        is_there, now = renaming.new in self.classes, Moment(time, self.said)
        turned = replace(renaming, turns=renaming.turns + 1, undone=None)
        if not is_void:
            step = renaming.undone or _Step(now, renaming.old, renaming.new, _EVER)
            renaming = replace(turned, steps=(*renaming.steps, step), is_merge=is_there)
        elif is_there and not renaming.is_merge:
            step = _Step(now, renaming.new, renaming.old, renaming.steps[-1].when)
            renaming = replace(turned, steps=(*renaming.steps, step))
        else:
            *before, step = renaming.steps
            renaming = replace(turned, steps=tuple(before), undone=step)
        self.renamings[number] = renaming
        self._put_in_order()
        if not is_void:
            self._move(renaming)
        elif renaming.is_merge:
            self._note(renaming, renaming.old, renaming.old)
            if renaming.colour is not None:
                self.classes = _with(self.classes, renaming.old, renaming.colour, renaming.place)
        else:
            self._note(renaming, renaming.new, renaming.old)
            self._rename_in_list(renaming.new, renaming.old)
        return renaming

    def _put_in_order(self) -> None:
        self._steps = sorted(step for renaming in self.renamings for step in renaming.steps)

    def _note(self, renaming: Renaming, old: str, new: str) -> None:
        self.said += 1
        self.moves[f"{renaming.key}/{renaming.turns}"] = old, new

    def _move(self, renaming: Renaming) -> None:
        self._note(renaming, renaming.old, renaming.new)
        if renaming.new in self.classes:
            self.classes.pop(renaming.old, None)
        else:
            self._rename_in_list(renaming.old, renaming.new)

    def _rename_in_list(self, old: str, new: str) -> None:
        listed = self.classes.items()
        self.classes = {(new if name == old else name): colour for name, colour in listed}


def _followed(
    name: str, steps: list[_Step], is_later: Callable[[Moment], bool]
) -> tuple[str, float]:
    """Follow a name that was given at a time; returns what it is now, and since when."""
    since = 0.0
    for step in steps:
        had = since < step.since.time and is_later(step.since)
        if step.old == name and is_later(step.when) and not had:
            name, since = step.new, step.when.time
    return name, since


def _are_alike(one: GivenClass, other: GivenClass) -> bool:
    """Whether both are the same class of the same gift, whenever it was given again."""
    return (one.label, one.seen) == (other.label, other.seen)


def _with(classes: dict[str, str], name: str, colour: str, place: int) -> dict[str, str]:
    """Return the classes with one more at a place in their order."""
    listed = [item for item in classes.items() if item[0] != name]
    return dict([*listed[:place], (name, colour), *listed[place:]])


def checked_label(label: object) -> str:
    """Return the name of a class.

    Raises:
        MaskError: it is no text, or holds what no file can hold.

    """
    if not is_text(label):
        raise MaskError(
            tr(
                "A class is named by a text in Unicode; {label} is none.",
                label=visible(repr(label)),
            )
        )
    return str(label)
