"""What readers of text formats share: JSON with plain errors, and file names that stay inside."""

from __future__ import annotations

import json
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        SamTuneError: it is missing, malformed (says where), or holds something else.

    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SamTuneError(f"{path} cannot be read: {error.strerror}. Check its name.") from error
    except (ValueError, RecursionError) as error:
        raise SamTuneError(f"{path} is not valid JSON: {error}. Export it again.") from error
    if not isinstance(document, dict):
        raise SamTuneError(f"{path} should hold a JSON object {{…}}; export it again.")
    return document


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
    return folder / name
