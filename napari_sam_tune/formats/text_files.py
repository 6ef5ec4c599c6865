"""What readers of text formats share: lines, and names of splits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.documents import decoded
from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.project.split import Split

SPLIT_NAMES: Final[dict[str, Split]] = {
    "train": "train",
    "training": "train",
    "val": "held_out",
    "valid": "held_out",
    "validation": "held_out",
    "test": "test",
    "testing": "test",
}
"""What programs call the splits."""


def split_named(name: str) -> Split | None:
    """Return the split that a name ends with, as in "instances_train"; None where it has none."""
    return SPLIT_NAMES.get(re.split(r"[^a-z]+", name.lower().strip("0123456789_- "))[-1])


def lines_of(file: Path) -> list[str]:
    """Read the lines of a text file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        SamTuneError: it cannot be read as text.

    """
    try:
        return decoded(file.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SamTuneError(f"{file} cannot be read as text: {error}.") from error
