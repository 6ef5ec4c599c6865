"""What of an object has pixels, packed: its masks to the pixel, without the model's logits."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.session.correction import Correction
from napari_sam_tune.core.storage.own_pages import in_own_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape

WithPixels = Proposal | Correction | Prompt
"""Of these, with all that is in them, masks are packed and logits dropped."""
_LARGE: Final = 1 << 15
"""Bytes from which an array is worth pages of its own."""
_QUICKEST: Final = 1
"""Of zlib's levels. Masks are large areas of one value, which all levels make small."""


@dataclass(frozen=True)
class _PackedMask:
    """A mask in its box as bits, deflated; `bbox` is None where it is empty."""

    shape: Shape
    bbox: BoundingBox | None
    bits: bytes

    @classmethod
    def of(cls, mask: PlacedMask) -> _PackedMask:
        bits = np.packbits(mask.cropped).tobytes()
        return cls(mask.shape, mask.bbox, zlib.compress(bits, _QUICKEST))

    def unpack(self) -> PlacedMask:
        if self.bbox is None:
            return PlacedMask.empty(self.shape)
        height, width = shape_of(self.bbox)
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        inside = np.unpackbits(bits, count=height * width).view(bool).reshape(height, width)
        return PlacedMask.in_window(inside, self.bbox, self.shape)


@dataclass(frozen=True)
class _Packed:
    """Something `WithPixels`: its type and its packed fields."""

    kind: type[WithPixels]
    content: dict[str, Any]


def pack(value: Any) -> Any:
    """Return a value with all masks in it packed, and arrays of numbers emptied."""
    if isinstance(value, PlacedMask):
        return _PackedMask.of(value)
    if isinstance(value, np.ndarray):
        if value.dtype == bool:  # a prompt's, given as an array
            return _PackedMask.of(PlacedMask.of(value))
        return np.empty((0,) * value.ndim, value.dtype)
    if isinstance(value, tuple):
        return tuple(map(pack, value))
    if isinstance(value, WithPixels):
        return _Packed(type(value), {f.name: pack(getattr(value, f.name)) for f in fields(value)})
    return value


def unpack(packed: Any) -> Any:
    """Return what was packed; its logits are empty."""
    if isinstance(packed, _PackedMask):
        return packed.unpack()
    if isinstance(packed, tuple):
        return tuple(map(unpack, packed))
    if isinstance(packed, _Packed):
        return packed.kind(**{name: unpack(part) for name, part in packed.content.items()})
    return packed


def with_own_pages(value: Any, moved: dict[int, NDArray[Any]] | None = None) -> Any:
    """Return a value whose large arrays have pages of memory of their own.

    Args:
        value: is left as it is.
        moved: arrays by the ids of those they were made of, each of which is moved once.

    """
    moved = {} if moved is None else moved
    if isinstance(value, np.ndarray):
        if value.nbytes >= _LARGE and id(value) not in moved:
            moved[id(value)] = in_own_pages(value)
        return moved.get(id(value), value)
    if isinstance(value, PlacedMask):
        return replace(value, cropped=with_own_pages(value.cropped, moved))
    if isinstance(value, tuple):
        return tuple(with_own_pages(part, moved) for part in value)
    if isinstance(value, WithPixels):
        parts = {f.name: with_own_pages(getattr(value, f.name), moved) for f in fields(value)}
        return type(value)(**parts)
    return value


def size_of(value: Any) -> int:
    """Return the bytes that the arrays in a value take; one array counts once."""
    return sum({id(array): array.nbytes for array in _arrays_in(value)}.values())


def _arrays_in(value: Any) -> Iterator[NDArray[Any]]:
    if isinstance(value, PlacedMask):
        yield value.cropped
    elif isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _arrays_in(part)
    elif isinstance(value, WithPixels):
        for field in fields(value):
            yield from _arrays_in(getattr(value, field.name))
