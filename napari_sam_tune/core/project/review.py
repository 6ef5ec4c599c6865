"""What was said of images and of accepted masks: states, notes, tags, and values of attributes."""

from __future__ import annotations

import getpass
import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.texts.plain_text import is_text
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ImageState = Literal["to_do", "done", "second_look", "approved", "excluded"]
ObjectState = Literal["accepted", "second_look", "approved", "excluded"]
State = Literal["to_do", "done", "accepted", "second_look", "approved", "excluded"]
Value = str | float
IMAGE_STATES: Final[tuple[ImageState, ...]] = get_args(ImageState)
OBJECT_STATES: Final[tuple[ObjectState, ...]] = get_args(ObjectState)
_SET_ASIDE: Final = frozenset({"second_look", "excluded"})
_AT_FIRST: Final = frozenset({"to_do", "done", "accepted"})
AttributeKind = Literal["text", "number", "choice"]
ATTRIBUTE_KINDS: Final[tuple[AttributeKind, ...]] = get_args(AttributeKind)
RESERVED: Final = frozenset(
    {
        *("state", "note", "tags", "class", "record", "score", "occluded", "attributes"),
        *("weights_version", "prompts", "reviewed", "source", "created"),
    }
)
"""What formats say of objects besides; no attribute is called so."""


@dataclass(frozen=True)
class Review:
    """What was said of an image or an accepted mask.

    Attributes:
        state: of an image "to_do", "done", "second_look", "approved" or "excluded"; of a mask
            "accepted" in place of the first two.
        by: who said so; None where nobody said anything.
        when: and when, UTC, seconds since 1970.
        note: free text.
        tags: in the order they were given.
        values: of the attributes of its class, by name.

    """

    state: State
    by: str | None = None
    when: float | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of_mask(cls, fields: Mapping[str, Any]) -> Review:
        """Return what fields say of a mask: state, note, tags, values; all may be missing.

        Raises:
            TypeError, ValueError: they make no sense.

        """
        reviews = Reviews()
        reviews.of_objects({"": fields}, None, 0.0)
        return replace(reviews.objects[""].review("accepted"), when=None)

    @classmethod
    def of_image(cls, fields: Mapping[str, Any]) -> Review:
        """Return what fields say of an image: state, note, tags; all may be missing.

        Raises:
            TypeError, ValueError: they make no sense.

        """
        reviews = Reviews()
        reviews.of_image("", fields, None, 0.0)
        return replace(reviews.images[""].review("to_do"), when=None)

    def fields(self) -> dict[str, Any]:
        """Return what it says, for a line of the log, but for what is as at first, and marks."""
        said = {"note": self.note, "tags": list(self.tags), "values": dict(self.values)}
        state = {} if self.state in _AT_FIRST else {"state": self.state}
        return state | {name: value for name, value in said.items() if value}

    @property
    def counts(self) -> bool:
        """Whether it trains and judges: it is not excluded and waits for no second look."""
        return self.state not in _SET_ASIDE

    @property
    def says_anything(self) -> bool:
        """Whether there is more than the state everything begins with."""
        return self != Review(self.state) or self.state not in _AT_FIRST


@dataclass(frozen=True)
class Attribute:
    """Something that is noted of every object of a class, such as its severity.

    Attributes:
        name: what people call it.
        kind: "text", "number" or "choice".
        choices: of a choice, what can be chosen.

    """

    name: str
    kind: AttributeKind = "text"
    choices: tuple[str, ...] = ()

    def checked(self, value: object) -> Value:
        """Return a value as it is kept.

        Raises:
            ProjectError: it is none of this attribute; says what would be.

        """
        if self.kind == "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and math.isfinite(float(value)):  # type: ignore[arg-type]
                return float(value)  # type: ignore[arg-type]
            raise ProjectError(
                tr("“{name}” is a number; {value!r} is none.", name=self.name, value=value)
            )
        if not is_text(value):
            raise ProjectError(
                tr("“{name}” is a text; {value!r} is none.", name=self.name, value=value)
            )
        if self.kind == "choice" and value not in self.choices:
            raise ProjectError(
                tr(
                    "“{name}” is one of {choices}; {value!r} is none of them.",
                    name=self.name,
                    choices=", ".join(self.choices),
                    value=value,
                )
            )
        return str(value)

    def check(self) -> None:
        """Refuse what is no attribute.

        Raises:
            ProjectError: it has no name, or is a choice without choices.

        """
        if not all(is_text(text) and text.strip() for text in (self.name, *self.choices)):
            raise ProjectError(tr("An attribute, and each of its choices, needs a name."))
        if self.name in RESERVED:
            raise ProjectError(
                tr(
                    "Exports keep the name “{name}” for something else: call the attribute "
                    "otherwise.",
                    name=self.name,
                )
            )
        if self.kind not in ATTRIBUTE_KINDS:
            raise ProjectError(
                tr("“{kind}” is none of {kinds}.", kind=self.kind, kinds=", ".join(ATTRIBUTE_KINDS))
            )
        if (self.kind == "choice") != bool(self.choices):
            raise ProjectError(
                tr(
                    "“{name}”: a choice needs something to choose from, and nothing else does.",
                    name=self.name,
                )
            )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"name": self.name, "kind": self.kind, "choices": list(self.choices)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Attribute:
        """Read it from plain values.

        Raises:
            KeyError, TypeError, ValueError: they are none.

        """
        kind = next((known for known in ATTRIBUTE_KINDS if known == said["kind"]), None)
        choices = _texts(said["choices"])
        if kind is None or (kind == "choice") != bool(choices):
            raise ValueError(f"{said!r} is no attribute")
        return cls(_text(said["name"]), kind, choices)


@dataclass(frozen=True)
class Said:
    """What the log says of one image or mask; None of what it does not speak of."""

    state: State | None = None
    by: str | None = None
    when: float | None = None
    note: str | None = None
    tags: tuple[str, ...] | None = None
    values: Mapping[str, Value] | None = None

    def with_fields(self, fields: Mapping[str, Any], by: str | None, when: float) -> Said:
        """Return what is said once a line of the log spoke of it, too.

        Raises:
            TypeError, ValueError: the line makes no sense.

        """
        known: dict[str, Any] = {"by": _by(fields.get("by", by)), "when": fields.get("when", when)}
        for name, read in _FIELDS.items():
            if name in fields:
                known[name] = None if fields[name] is None else read(fields[name])
        return replace(self, **known)

    def over(self, earlier: Said) -> Said:
        """Return what is said of a later form of an object: what stays unsaid is as it was."""
        return replace(
            self,
            note=earlier.note if self.note is None else self.note,
            tags=earlier.tags if self.tags is None else self.tags,
            values=earlier.values if self.values is None else self.values,
        )

    def review(self, state: State) -> Review:
        """Return it for those who read; in this state where none was said."""
        return Review(
            self.state or state, self.by, self.when, self.note or "", self.tags or (),
            dict(self.values or {}),
        )  # fmt: skip


@dataclass
class Reviews:
    """All that the log says of images and masks.

    Attributes:
        images: image id to what is said of it; its state only where it is not that of its mark.
        objects: annotation id to what is said of it.
        attributes: class to its attributes.

    """

    images: dict[str, Said] = field(default_factory=dict)
    objects: dict[str, Said] = field(default_factory=dict)
    attributes: dict[str, tuple[Attribute, ...]] = field(default_factory=dict)
    _moved: dict[str, dict[str, tuple[Attribute, ...]]] = field(default_factory=dict)

    def __copy__(self) -> Reviews:
        """Return one that changes by itself."""
        return Reviews(*(copy(value) for value in vars(self).values()))

    def of_objects(
        self, said: Mapping[str, Mapping[str, Any]], by: str | None, when: float
    ) -> None:
        """Take in what a line says of masks."""
        for name, fields in said.items():
            if fields.get("state") not in {None, *OBJECT_STATES}:
                raise ValueError(f"no mask has the state {fields['state']!r}")
            known = self.objects.get(name, Said())
            self.objects[name] = known.with_fields(fields, by, when)

    def of_image(self, name: str, fields: Mapping[str, Any], by: str | None, when: float) -> None:
        """Take in what a line says of an image, but for whether it is done."""
        if fields.get("state") not in {None, *IMAGE_STATES}:
            raise ValueError(f"no image has the state {fields['state']!r}")
        known = self.images.get(name, Said())
        if fields.get("state") in {"to_do", "done"}:
            fields = {**fields, "state": None}
        self.images[name] = known.with_fields(fields, by, when)

    def class_given(self, annotation_ids: Iterable[str]) -> None:
        """Masks got another class: what was approved is to be looked at again."""
        for name in annotation_ids:
            known = self.objects.get(name)
            if known is not None and known.state == "approved":
                self.objects[name] = replace(known, state=None)

    def marked(self, image_id: str, by: object, when: float) -> None:
        """An image was marked done, or not: that is its state."""
        known, who = self.images.get(image_id, Said()), _by(by)
        at = None if who is None else when
        self.images[image_id] = replace(known, state=None, by=who, when=at)

    def rename_class(self, key: str, old: str, new: str) -> None:
        """Attributes go with their class; those of a class that is there come first."""
        before = {name: self.attributes.get(name, ()) for name in (old, new)}
        self._moved[key] = before
        names = {attribute.name for attribute in before[new]}
        added = (attribute for attribute in before[old] if attribute.name not in names)
        self.attributes |= {old: (), new: (*before[new], *added)}

    def take_back(self, key: str, *, is_merge: bool) -> None:
        """Part the attributes of a class that was renamed from those of the class it became.

        What was changed or added meanwhile stays with the class there is: of two that were merged
        the one that was there before, else the one that has its name back.
        """
        (old, own), (new, others) = self._moved[key].items()
        now, names = self.attributes[new], {attribute.name for attribute in others}
        if is_merge:
            came = {attribute.name for attribute in own} - names
            parted = own, tuple(one for one in now if one.name not in came)
        else:
            parted = tuple(one for one in now if one.name not in names), others
        self.attributes |= dict(zip((old, new), parted, strict=True))

    def set_aside(self) -> tuple[set[str], set[str]]:
        """Return ids of the images, and of the masks, that are excluded or wait to be looked at."""
        images, objects = (
            {name for name, said in all_said.items() if said.state in _SET_ASIDE}
            for all_said in (self.images, self.objects)
        )
        return images, objects


def person() -> str:
    """Return the name of whoever works at this machine, as the system knows it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
    return name if is_text(name) else "unknown"


def _text(value: object) -> str:
    if not is_text(value):
        raise TypeError(f"a text was expected, not {value!r}")
    return str(value)


def _by(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"a list of texts was expected, not {value!r}")
    return tuple(_text(one) for one in value)


def _values(value: object) -> dict[str, Value]:
    if not isinstance(value, Mapping):
        raise TypeError(f"names and values were expected, not {value!r}")
    return {_text(name): _value(one) for name, one in value.items()}


def _value(value: object) -> Value:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no number to keep")
        return float(value)
    return _text(value)


_FIELDS: Final[Mapping[str, Callable[[object], object]]] = {
    "state": _text,
    "note": _text,
    "tags": _texts,
    "values": _values,
}
