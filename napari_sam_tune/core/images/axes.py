"""What the axes of an array are: rows, columns, slices, moments, channels, colours; or a question.

A file says so in words of its own (OME, ImageJ, OME-Zarr, a layer's labels); where it does not,
nothing here guesses: two planes may be slices, moments or channels, three may be colours. Such an
axis has no role until a person gives it one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.texts.plain_text import is_text
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Iterator

Role = Literal["rows", "columns", "slices", "time", "channels", "colours", "other"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
ROLE_NAMES: Final[Mapping[Role, str]] = {
    "rows": mark("rows"),
    "columns": mark("columns"),
    "slices": mark("slices"),
    "time": mark("time"),
    "channels": mark("channels"),
    "colours": mark("colours"),
    "other": mark("something else"),
}
SHORT: Final[Mapping[Role, str]] = {"slices": "z", "time": "t", "channels": "c", "other": "p"}
"""Letters in the names of planes."""
Parts = tuple[int | Role, ...]
"""Of each axis of an array: where a plane lies along it, or what the axis is in the plane."""
_LETTERS: Final = frozenset("XYZTCSQ")
_WORDS: Final[Mapping[str, Role]] = {
    **dict.fromkeys(("y", "row", "rows", "height"), "rows"),
    **dict.fromkeys(("x", "column", "columns", "width"), "columns"),
    **dict.fromkeys(("z", "slice", "slices", "depth", "plane"), "slices"),
    **dict.fromkeys(("t", "time", "frame", "frames"), "time"),
    **dict.fromkeys(("c", "channel", "channels", "ch"), "channels"),
    **dict.fromkeys(("s", "sample", "samples", "rgb"), "colours"),
}
_UNITS: Final = {
    **dict.fromkeys(
        ("µm", "μm", "um", "micron", "microns", "\\u00b5m", "micrometre"), "micrometer"
    ),
    **dict.fromkeys(("nm", "nanometre"), "nanometer"),
    **dict.fromkeys(("mm", "millimetre"), "millimeter"),
    **dict.fromkeys(("cm", "centimetre"), "centimeter"),
    **dict.fromkeys(("m", "metre"), "meter"),
    **dict.fromkeys(("å", "angstroms"), "angstrom"),
    **dict.fromkeys(("in", "inches"), "inch"),
    **dict.fromkeys(("s", "sec", "seconds"), "second"),
    **dict.fromkeys(("ms", "milliseconds"), "millisecond"),
    **dict.fromkeys(("min", "minutes"), "minute"),
    **dict.fromkeys(("h", "hours"), "hour"),
}
_NO_UNITS: Final = frozenset({"", "pixel", "pixels", "px", "dimensionless", "none"})
_COLOURS: Final = (3, 4)
_MOST: Final = 8


@dataclass(frozen=True)
class Axis:
    """One axis of an array.

    Attributes:
        name: as the file calls it, "Z" or "Q"; "" where it has no name.
        size: how long it is.
        role: what it is; None where that is not known.
        step: from one to the next along it, in `unit`; None where that is not known.
        unit: a unit of length or time in the words of OME-Zarr, "micrometer"; None without.

    """

    name: str
    size: int
    role: Role | None = None
    step: float | None = None
    unit: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody has to say what it is."""
        return self.role is None and self.size > 1


@dataclass(frozen=True)
class Axes:
    """The axes of an array, in its order.

    Raises:
        ImageError: two have one role, or there are more than are read.

    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        taken = [axis.role for axis in self.axes if axis.role not in (None, "other")]
        twice = [role for role in taken if taken.count(role) > 1]
        if twice and twice[0] is not None:
            role = tr(ROLE_NAMES[twice[0]])
            raise ImageError(
                tr("Two axes are {role}: one of them must be something else.", role=role)
            )
        if len(self.axes) > _MOST:
            raise ImageError(tr("An array of {n} axes is not read.", n=len(self.axes)))

    def __iter__(self) -> Iterator[Axis]:
        return iter(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """How long each is."""
        return tuple(axis.size for axis in self.axes)

    def place(self, role: Role) -> int | None:
        """Return which of them has a role; None where none has."""
        return next((i for i, axis in enumerate(self.axes) if axis.role == role), None)

    def of(self, role: Role) -> Axis | None:
        """Return the axis that has a role; None where there is none."""
        place = self.place(role)
        return None if place is None else self.axes[place]

    @property
    def question(self) -> str | None:
        """What a person has to say before anything can be done with it; None where all is known."""
        if any(self.place(role) is None for role in ("rows", "columns")):
            sides = " × ".join(map(str, self.shape))
            return tr("Which axes of these {sides} numbers are rows and columns?", sides=sides)
        axis = next((axis for axis in self.axes if axis.is_open), None)
        if axis is None:
            return None
        if axis.size in _COLOURS:
            return tr(
                "The file does not say what its {n} planes are: slices, moments, channels or "
                "colours?",
                n=axis.size,
            )
        return tr(
            "The file does not say what its {n} planes are: slices, moments or channels?",
            n=axis.size,
        )

    @property
    def along(self) -> tuple[int, ...]:
        """The places of the axes along which there is one image after the other.

        All but rows, columns, channels and colours; a mask belongs to all channels of its plane.
        """
        kinds = ("rows", "columns", "channels", "colours")
        return tuple(i for i, axis in enumerate(self.axes) if axis.role not in kinds)

    @property
    def is_stack(self) -> bool:
        """Whether somebody has to say which plane or which channels are meant.

        Three channels without colours of their own are taken for colours, as they ever were.
        """
        channels = 1 if (axis := self.of("channels")) is None else axis.size
        several = channels > 1 and (channels != _COLOURS[0] or self.of("colours") is not None)
        return several or any(self.axes[i].size > 1 for i in self.along)

    @property
    def planes(self) -> list[tuple[int, ...]]:
        """Where each plane is along `along`, in the order of the axes."""
        return list(product(*(range(self.axes[place].size) for place in self.along)))

    def parts_of(self, plane: Sequence[int]) -> Parts:
        """Return where a plane lies along each axis, or what the axis is in it."""
        at = dict(zip(self.along, plane, strict=True))
        return tuple(at.get(i, axis.role or "other") for i, axis in enumerate(self.axes))

    def with_roles(self, roles: Sequence[Role | None]) -> Axes:
        """Return them as a person says they are, one role for each.

        Raises:
            ImageError: not one for each, or two axes have one role.

        """
        if len(roles) != len(self.axes):
            raise ImageError(tr("There are {n} axes, not {m}.", n=len(self.axes), m=len(roles)))
        pairs = zip(self.axes, roles, strict=True)
        return Axes(tuple(replace(axis, role=role) for axis, role in pairs))

    def name_of(self, plane: Sequence[int]) -> str:
        """Return a plane as people read it, "z 3, t 0": axes that are one plane long are left out.

        Args:
            plane: where it is along each axis of `along`.

        """
        several = [(self.axes[i], at) for i, at in zip(self.along, plane, strict=True)]
        shown = [
            str(at) if axis.role is None else f"{letter_of(axis)} {at}"
            for axis, at in several
            if axis.size > 1
        ]
        return ", ".join(shown)

    def to_json(self) -> list[dict[str, Any]]:
        """Return them as plain values."""
        return [dict(vars(axis)) for axis in self.axes]

    @classmethod
    def from_json(cls, said: object) -> Axes:
        """Read them from plain values.

        Raises:
            KeyError, TypeError, ValueError: they are none.

        """
        if not isinstance(said, Sequence) or isinstance(said, str):
            raise TypeError(f"axes were expected, not {said!r}")
        try:
            return cls(tuple(_axis(one) for one in said))
        except ImageError as error:
            raise ValueError(str(error)) from error


def letter_of(axis: Axis) -> str:
    """Return what an axis is called in the names of planes: z, t, or as the file calls it."""
    short = SHORT.get(axis.role or "other", "p")
    return short if axis.role in ("slices", "time") else axis.name.lower() or short


def _axis(said: object) -> Axis:
    if not isinstance(said, Mapping):
        raise TypeError(f"an axis was expected, not {said!r}")
    role = next((known for known in ROLES if known == said["role"]), None)
    if role is None and said["role"] is not None:
        raise ValueError(f"{said['role']!r} is no role of an axis")
    size, name = said["size"], said["name"]
    if type(size) is not int or size < 1 or not is_text(name):
        raise ValueError(f"{said!r} is no axis")
    return Axis(name, size, role, length(said.get("step")), unit_named(said.get("unit")))


def role_named(word: str) -> Role | None:
    """Return what an axis is by what it is called, in any case; None where that says nothing."""
    return _WORDS.get(word.strip().lower())


def unit_named(word: object) -> str | None:
    """Return a unit in the words of OME-Zarr; None where it is none, or pixels."""
    if not is_text(word):
        return None
    said = str(word).strip()
    return None if said.lower() in _NO_UNITS else _UNITS.get(said.lower(), said[:40])


def length(value: object) -> float | None:
    """Return a step along an axis; None where it is no number above 0."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 < number < math.inf else None


def as_said(axes: Axes, letters: str) -> Axes:
    """Return axes as a person says by letters that they are.

    Args:
        axes: as the file says.
        letters: one for each axis, or for each that is longer than one: Z slices, T moments, C
            channels of one picture, S colours, Y rows, X columns, Q images by themselves.

    Raises:
        ImageError: they are no such letters, or too many or too few for these axes.

    """
    said = letters_named(letters)
    several = [i for i, axis in enumerate(axes) if axis.size > 1]
    places = list(range(len(axes.axes))) if len(said) == len(axes.axes) else several
    if len(said) != len(places):
        raise ImageError(
            tr(
                "{letters} names {n} axes, and there are {m}: {sides}.",
                letters=said,
                n=len(said),
                m=len(several),
                sides=" × ".join(map(str, axes.shape)),
            )
        )
    roles = dict(zip(places, (role_named(one) or "other" for one in said), strict=True))
    named = [roles.get(i, axis.role) for i, axis in enumerate(axes)]
    # an axis one plane long that nobody speaks of leaves its role to the one that is meant
    freed = [None if i not in roles and r in roles.values() else r for i, r in enumerate(named)]
    return axes.with_roles(freed)


def letters_named(letters: str) -> str:
    """Return the letters of axes as `as_said` takes them, in capitals.

    Raises:
        ImageError: they name no axes, whatever the file.

    """
    said = letters.strip().upper()
    once = said.replace("Q", "")
    if set(said) - _LETTERS or not {"Y", "X"} <= set(said) or len(set(once)) < len(once):
        raise ImageError(
            tr(
                "“{letters}” names no axes: give a letter for each, in the order of the file. Z is "
                "slices, T moments, C channels, Y rows, X columns, S colours, and Q images by "
                "themselves, as in TZCYX.",
                letters=letters,
            )
        )
    return said


def letters_like(axes: Axes) -> str:
    """Return letters that could be said of axes, as an example: slices where nothing is known."""
    known: dict[Role | None, str] = {
        "slices": "Z", "time": "T", "channels": "C", "rows": "Y", "columns": "X", "colours": "S",
    }  # fmt: skip
    free = iter([one for one in "ZT" if one not in {known.get(axis.role) for axis in axes}])
    several = [axis for axis in axes if axis.size > 1]
    return "".join(known.get(axis.role) or next(free, "Q") for axis in several)


def check_parts(parts: Parts, shape: Sequence[int], called: str) -> None:
    """Refuse a plane that an array does not have.

    Raises:
        ImageError: there is no such plane.

    """
    fits = len(parts) == len(shape) and all(
        isinstance(part, str) or 0 <= part < size for part, size in zip(parts, shape, strict=False)
    )
    if not fits:
        raise ImageError(
            tr(
                "{called} has no such plane any more: it is {shape}. Put the original back.",
                called=called,
                shape=" × ".join(map(str, shape)),
            )
        )


def axes_of_letters(letters: str, shape: Sequence[int]) -> Axes:
    """Return axes by tifffile's letters: X, Y, Z, T, C and S (colours); all others say nothing.

    One of three or four at the end of Q's is a picture whose colours were written as columns.

    Raises:
        ImageError: two have one role.

    """
    if letters == "QYX" and shape[-1] in _COLOURS:
        letters = "YXS"
    axes = (
        Axis(letter, int(size), role_named(letter))
        for letter, size in zip(letters, shape, strict=True)
    )
    return Axes(tuple(axes))


def axes_of_labels(
    labels: Sequence[str],
    shape: Sequence[int],
    steps: Sequence[float] = (),
    units: Sequence[object] = (),
) -> Axes:
    """Return the axes of an array by what they are called, as a napari layer's `axis_labels`.

    The last two are rows and columns whatever they are called, for that is how they are shown.

    Args:
        labels: one for each axis; those that say nothing leave a question.
        shape: of the array, without colours.
        steps: from one to the next, in `units`.
        units: names of units; pixels are none.

    Raises:
        ImageError: two have one role.

    """
    count = len(shape)
    named = [*labels, *([""] * (count - len(labels)))]
    roles: list[Role | None] = [role_named(str(label)) for label in named[:-2]]
    unit = [unit_named(str(one)) for one in units] or [None] * count
    sizes = [length(step) for step in steps] or [None] * count
    return Axes(
        tuple(
            Axis(str(name), int(size), role, sizes[i] if unit[i] else None, unit[i])
            for i, (name, size, role) in enumerate(
                zip(named, shape, (*roles, "rows", "columns"), strict=True)
            )
        )
    )
