"""Chunks packed by Blosc, looked at before they are unpacked.

Blosc goes where a damaged header sends it, out of its memory too, which ends the whole program. So
the header of every chunk is compared with the file and the array first (format: c-blosc's
README_CHUNK_FORMAT.rst).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import zarr

_HEADER: Final = struct.Struct("<BBBBIII")
"""Version, that of the compressor, flags, size of a number, bytes unpacked, in a block, packed."""
_VERSIONS: Final = (1, 2)
_COPIED: Final = 2
"""The flag of what is only copied."""
_METADATA: Final = (".zarray", ".zattrs", "zarr.json")


def check_blosc(path: Path, array: zarr.Array[Any], chunks: Iterable[Path] | None = None) -> None:
    """Refuse an array that Blosc cannot be trusted to unpack.

    Args:
        path: the array's folder.
        array: the same, opened.
        chunks: the files that are to be unpacked; None for all. One that is not there is no fault.

    Raises:
        ImageError: a chunk is damaged (named), or lies where it cannot be looked at.
        OSError: a chunk cannot be read.

    """
    said = array.metadata.to_dict()
    filters: Any = said.get("filters") or ()
    codecs: Any = said.get("codecs") or (*filters, said.get("compressor"))
    *others, last = codecs
    if "'blosc'" not in repr(codecs):
        return
    if "'blosc'" in repr(others) or "blosc" not in last.values():
        raise ImageError(
            tr(
                "{path} is packed by Blosc inside of something else, where it cannot be checked "
                "before it is unpacked. Write it without shards, or packed by zstd.",
                path=path,
            )
        )
    nbytes = math.prod(array.chunks) * array.dtype.itemsize
    for file in path.rglob("*") if chunks is None else chunks:
        if file.name not in _METADATA and file.is_file() and not _is_sound(file, nbytes):
            raise ImageError(tr("{file} is a damaged chunk. Write it again.", file=file))


def _is_sound(file: Path, nbytes: int) -> bool:
    """Whether a chunk's header keeps within its file and what it is to become."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return False
        version, _, flags, itemsize, unpacked, block, packed = _HEADER.unpack(head)
        if version not in _VERSIONS or not itemsize or (unpacked, packed) != (nbytes, size):
            return False
        if flags & _COPIED:
            return bool(packed == unpacked + _HEADER.size)
        if not 0 < block <= max(unpacked, 1):
            return False
        count = -(-unpacked // block)
        starts = opened.read(4 * count)
    first = _HEADER.size + 4 * count
    if len(starts) < 4 * count:
        return False
    return all(first <= start <= size - 4 for (start,) in struct.iter_unpack("<I", starts))
