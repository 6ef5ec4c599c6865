"""Stacks and the things in them: which images are planes of one, and which masks are one object.

A record of a mask is of one plane and stays as it is. That several are one thing is said by a line
of the log, which ties their ids to the name of the thing; a mask that no line speaks of is a thing
of its own, called by the id of its first form. Corrected forms belong to the thing they are forms
of. A later line overrules an earlier one, so that undo is a line as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.images.axes import Axes, Role
from napari_sam_tune.core.images.mix import Mix
from napari_sam_tune.core.texts.plain_text import is_text

if TYPE_CHECKING:
    from napari_sam_tune.core.project.annotations import Annotation

Plane = tuple[int, ...]
IN_A_RUN: Final = "carried, in a run"
"""What records say proposed them, where a run of planes was accepted at once: none by hand."""


def is_by_hand(annotation: Annotation) -> bool:
    """Whether a person looked at a mask and accepted it by itself, and not within a run."""
    return annotation.suggested_by != IN_A_RUN


@dataclass(frozen=True)
class Stack:
    """Images that are planes of one array.

    Attributes:
        name: of the file or layer.
        axes: of the array, as the file says or a person said.
        planes: id of each image to where it is along `Axes.along`.
        mix: how channels became the pictures; None where there is but one, or each is its own.

    """

    name: str
    axes: Axes
    planes: Mapping[str, Plane]
    mix: Mix | None = None

    @property
    def depth_role(self) -> Role | None:
        """Along what things go on: slices, or time where there are none; None where neither is."""
        roles: tuple[Role, ...] = ("slices", "time")
        found = ((role, self.axes.of(role)) for role in roles)
        return next((role for role, axis in found if axis is not None and axis.size > 1), None)

    def row_of(self, image_id: str, role: Role | None = None) -> list[str]:
        """Return the planes that lie in one row with a plane, itself among them, in order.

        Args:
            image_id: the plane.
            role: along which axis; None: along which things go on.

        """
        place = self.axes.place(role or self.depth_role or "slices")
        if place is None or image_id not in self.planes or place not in self.axes.along:
            return [image_id]
        at = self.axes.along.index(place)
        others = _without(self.planes[image_id], at)
        row = [(p[at], i) for i, p in self.planes.items() if _without(p, at) == others]
        return [name for _, name in sorted(row)]

    def number_of(self, image_id: str, role: Role | None = None) -> int:
        """Return which plane of its row an image is, counted as the file does, from 0."""
        place = self.axes.place(role or self.depth_role or "slices")
        return 0 if place is None else self.planes[image_id][self.axes.along.index(place)]


def _without(plane: Plane, at: int) -> Plane:
    return (*plane[:at], *plane[at + 1 :])


@dataclass
class Stacks:
    """All that the log says of stacks and things.

    Attributes:
        stacks: by name.
        of_image: image id to the name of its stack.
        ties: annotation id to the thing it was tied to.

    """

    stacks: dict[str, Stack] = field(default_factory=dict)
    of_image: dict[str, str] = field(default_factory=dict)
    ties: dict[str, str] = field(default_factory=dict)

    def __copy__(self) -> Stacks:
        """Return one that changes by itself."""
        return Stacks(*(copy(value) for value in vars(self).values()))

    def set_stack(self, entry: Mapping[str, Any]) -> None:
        """Take in a line about a stack; planes join those that are known.

        Raises:
            KeyError, TypeError, ValueError: the line makes no sense.

        """
        name, axes = _text(entry["name"]), Axes.from_json(entry["axes"])
        planes = {_text(i): tuple(map(int, at)) for i, at in _plain(entry["planes"]).items()}
        if any(len(at) != len(axes.along) for at in planes.values()):
            raise ValueError(f"planes of {name!r} lie elsewhere than its axes say")
        known = self.stacks.get(name)
        if known is not None and known.axes.along == axes.along:
            planes = {**known.planes, **planes}
        else:  # what was a plane before is an image by itself
            self.of_image = {i: stack for i, stack in self.of_image.items() if stack != name}
        mix = None if entry.get("mix") is None else Mix.from_json(entry["mix"])
        self.stacks[name] = Stack(name, axes, planes, mix)
        self.of_image |= dict.fromkeys(planes, name)

    def tie(self, ties: object) -> None:
        """Take in a line about things; None unties.

        Raises:
            TypeError: the line makes no sense.

        """
        for name, thing in _plain(ties).items():
            if thing is None:
                self.ties.pop(name, None)
            else:
                self.ties[name] = _text(thing)


def _text(value: object) -> str:
    if not is_text(value):
        raise TypeError(f"a text was expected, not {value!r}")
    return str(value)


def _plain(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(map(is_text, value)):
        raise TypeError(f"names and values were expected, not {value!r}")
    return value
