"""What readers of text formats share: file names that stay inside, lines, names of splits."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.documents import decoded
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.names import place_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.project.split import Split

_SPLITS: Final[dict[str, Split]] = {
    "train": "train",
    "training": "train",
    "val": "held_out",
    "valid": "held_out",
    "validation": "held_out",
    "test": "test",
    "testing": "test",
}


def inside(folder: Path, name: object, entry: str) -> Path:
    """Return the path of a file that is named in another file.

    Args:
        folder: where it must lie.
        name: as it was read.
        entry: what names it, for the error.

    Raises:
        SamTuneError: not a name, an absolute one, or one that climbs out of the folder.

    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise SamTuneError(f"{entry} has no file name (it says {name!r}).")
    either = PureWindowsPath(name)  # knows both separators
    if PurePosixPath(name).is_absolute() or either.anchor or ".." in either.parts:
        raise SamTuneError(
            f"{entry} names the file {name!r}, which is not inside {folder}. Names must be "
            "relative to that folder, without “..”."
        )
    literal = folder / name
    return literal if literal.exists() else place_of(folder, either.parts)


def split_named(name: str) -> Split | None:
    """Return the split that a name ends with, as in "instances_train"; None where it has none."""
    return _SPLITS.get(re.split(r"[^a-z]+", name.lower().strip("0123456789_- "))[-1])


def lines_of(file: Path) -> list[str]:
    """Read the lines of a text file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        SamTuneError: it cannot be read as text.

    """
    try:
        return decoded(file.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SamTuneError(f"{file} cannot be read as text: {error}.") from error
