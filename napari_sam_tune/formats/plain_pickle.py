"""Pickled dictionaries of numpy arrays, read without running what they say.

A pickle names functions to call. Only the few that numpy's arrays are pickled with are known here,
and stand for classes of our own: nothing of the file's choosing is called, and numpy's own way to
set an array's state, which trusts it, is not used either.
"""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import MaskError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 1 << 31
_KINDS: Final = frozenset("biufcSU")


class _Type:
    """A numpy type."""

    def __init__(self, name: str, *_: object) -> None:
        self.name, self.order = str(name), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def plain(self) -> np.dtype[Any]:
        """Return the type, which holds numbers or texts alone."""
        found = np.dtype(self.name)
        if found.kind not in _KINDS:
            raise ValueError(f"arrays of {found} are not read")
        return found.newbyteorder(">") if self.order == ">" else found


class _Array:
    """A numpy array, while its file is read."""

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, content = state
        if isinstance(content, list):  # of objects
            self.value = content
        else:
            self.value = _array(content, kind, shape, "F" if is_fortran else "C")


def _array(content: Any, kind: _Type, shape: Any, order: str) -> Any:
    return np.frombuffer(content, kind.plain()).reshape(shape, order="F" if order == "F" else "C")


def _empty(*_: object) -> _Array:
    return _Array()


def _scalar(kind: _Type, content: Any = b"") -> Any:
    return np.frombuffer(content, kind.plain())[0]


def _bytes(text: str, *_: object) -> bytes:
    """Return what pickles of Python 2 spell as text."""
    return text.encode("latin-1")


_KNOWN: Final = {
    ("_codecs", "encode"): _bytes,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}


class _Unpickler(pickle.Unpickler):
    """Knows numbers, texts, lists, dictionaries and numpy's arrays, and refuses the rest."""

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module.replace("numpy._core.", "numpy.core."), name))
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not run")
        return known


def read_pickled(path: Path) -> Any:
    """Read a `.npy` file in which numpy has pickled one object.

    Raises:
        MaskError: it cannot be read, or holds anything but plain values and arrays of them.

    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MaskError(f"{path} is larger than 2 GB, which is the most that is read of it.")
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            is_first = version == (1, 0)
            form = np.lib.format
            header = form.read_array_header_1_0 if is_first else form.read_array_header_2_0
            shape, _, kind = header(file)
            if kind.kind != "O" or math.prod(shape) != 1:
                raise MaskError(f"{path} holds an array and no dictionary; export it again.")
            return _plain(_Unpickler(file).load())
    except MaskError:
        raise
    except OSError as error:
        raise MaskError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # whatever a damaged pickle makes of itself
        raise MaskError(
            f"{path} is damaged, or holds more than arrays and plain values ({error}). Save it "
            "again in Cellpose, or export the masks as PNG or TIFF."
        ) from error


def _plain(found: Any) -> Any:
    """Return the one object in the array, and the arrays that are its values."""
    if isinstance(found, _Array) and isinstance(found.value, list) and len(found.value) == 1:
        found = found.value[0]
    if not isinstance(found, dict):
        return found
    return {k: v.value if isinstance(v, _Array) else v for k, v in found.items()}
