"""Objects in progress as they were at steps, of all images, within one budget of memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary, ref

from napari_sam_tune.core.session.packing import pack, size_of, unpack, with_own_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.core.suggestions.suggestion import Suggestion

_WITH_PIXELS: Final = ("prompt", "proposal", "start", "correction")


class _Part:
    """What of an object has pixels: whole, or packed. Objects one after the other share it."""

    def __init__(self, value: object) -> None:
        self._given = ref(value)
        self._value: object | None = with_own_pages(value)
        self._packed: object | None = None
        self.nbytes = size_of(value)

    def holds(self, value: object) -> bool:
        is_whole = self._value is not None  # of what was packed, packing again would leave nothing
        return is_whole and (value is self._value or value is self._given())

    def get(self) -> Any:
        return unpack(self._packed) if self._value is None else self._value

    def pack(self) -> None:
        self._packed, self._value = pack(self._value), None


class Kept:
    """An object in progress as it was at a step.

    Args:
        current: the object.
        parts: what of it has pixels, by the name of its field.

    Attributes:
        is_suggestion: see `OpenObject`.

    """

    def __init__(self, current: OpenObject, parts: Mapping[str, _Part]) -> None:
        nothing: dict[str, Any] = dict.fromkeys(parts)
        self._rest = replace(current, **nothing)
        self._parts = parts
        self.is_suggestion = current.is_suggestion

    @property
    def suggestion(self) -> Suggestion | None:
        """Its `OpenObject.suggestion`."""
        return self._rest.suggestion

    @property
    def reopened(self) -> str | None:
        """Its `OpenObject.reopened`."""
        return self._rest.reopened

    def open(self) -> OpenObject:
        """Return the object; where it was packed, its masks are the same and its logits empty."""
        return replace(self._rest, **{name: part.get() for name, part in self._parts.items()})

    def part(self, name: str, value: object) -> _Part:
        """Return the part of that name if it holds just this value, or a new one."""
        part = self._parts.get(name)
        return part if part is not None and part.holds(value) else _Part(value)


class Shelf:
    """Keeps objects for the histories of all images.

    Those used last are kept as they are; of the others nothing gets lost but logits, which only an
    answer asked for from just there would have begun with.
    """

    BYTES: Final = 256 * 2**20
    """For what is not packed: sixty answers on images of 1024 × 1024 px, seven on 12 megapixels."""
    MOST: Final = 100
    """Answers, and masks begun with, that are not packed: more than anybody steps back and then
    asks on from. Without it small answers would go on filling the budget for thousands of accepts.
    A packed one takes some hundred bytes to some kilobytes."""

    def __init__(self) -> None:
        self._whole: WeakValueDictionary[int, _Part] = WeakValueDictionary()  # longest unused first

    def keep(self, current: OpenObject, former: Kept | None = None) -> Kept:
        """Keep an object, and pack what was used longest ago as far as there is no room.

        Args:
            current: the object.
            former: the one it came from, with which it shares what did not change.

        """
        values = {name: getattr(current, name) for name in _WITH_PIXELS}
        parts = {
            name: _Part(value) if former is None else former.part(name, value)
            for name, value in values.items()
            if value is not None and size_of(value)
        }
        kept = Kept(current, parts)
        for part in parts.values():
            self._whole.pop(id(part), None)
        self._make_room(len(parts), sum(part.nbytes for part in parts.values()))
        self._whole.update({id(part): part for part in parts.values()})
        return kept

    def _make_room(self, more: int, nbytes: int) -> None:
        """Pack what was used longest ago until so many more, of so many bytes, have room."""
        older = list(self._whole.values())
        too_many = len(older) + more - self.MOST
        excess = sum(part.nbytes for part in older) + nbytes - self.BYTES
        for part in older:
            if excess <= 0 and too_many <= 0:
                break
            part.pack()
            del self._whole[id(part)]
            excess -= part.nbytes
            too_many -= 1
