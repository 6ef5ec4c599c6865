"""The lines of a log as they lie in its file, each with a checksum; see `chained_log`."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.storage.own_files import read_own
from napari_sam_tune.core.storage.plain_json import parse_object

if TYPE_CHECKING:
    from pathlib import Path

LINE: Final = re.compile(rb'(\{.*),"sum":"([0-9a-f]{8})"\}', re.DOTALL)
"""What was said, without its last brace, and the checksum."""


def chained(lines: bytes, before: int) -> int | None:
    """Return the checksum over all of a log up to the end of these lines.

    Args:
        lines: whole lines of a log.
        before: the checksum over all that stands before them.

    Returns:
        None where they do not go on from there.

    """
    for line in lines.split(b"\n")[:-1]:
        found = LINE.fullmatch(line)
        before = 0 if found is None else zlib.crc32(found[1], before)
        if found is None or f"{before:08x}".encode() != found[2]:
            return None
    return before if lines.endswith(b"\n") else None


def last_checksum(lines: bytes) -> int:
    """Return the checksum that stands in the last of these lines; 0 where they have none."""
    found = LINE.fullmatch(lines[lines.rfind(b"\n", 0, -1) + 1 : -1])
    return 0 if found is None else int(found[2], 16)


def salvage(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read what can be read of a damaged log, checksums or not.

    Returns:
        The entries, in the order of their lines, and how many lines are none.

    Raises:
        ProjectError: it is not a file.
        OSError: it cannot be read.

    """
    entries, lost = [], 0
    for line in read_own(path).split(b"\n"):
        if not line.strip(b"\0 "):
            continue
        found = LINE.fullmatch(line)
        try:
            entries.append(parse_object(line if found is None else found[1] + b"}"))
        except ValueError:
            lost += 1
    return entries, lost


def begins_with_checksums(content: bytes) -> bool:
    """Tell whether these are the first lines of a log that has any, or of none yet."""
    complete = content.split(b"\n")[:-1]  # of a line cut short nothing can be said
    lines = [line for line in complete if line.strip(b"\0")]
    return not lines or any(LINE.fullmatch(line) for line in lines)
