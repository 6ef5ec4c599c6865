"""What readers of text formats share: file names that stay inside."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from pathlib import Path


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
    return literal if literal.exists() else folder.joinpath(*either.parts)
