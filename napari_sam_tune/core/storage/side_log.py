"""A file of lines beside a project's log: worth keeping, but nothing may stop for want of it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam_tune.core.errors import ProjectError, StorageError
from napari_sam_tune.core.storage.append_log import append_line
from napari_sam_tune.core.storage.own_files import read_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)
_Entry = TypeVar("_Entry")


class SideLog:
    """Lines are only ever appended; what goes wrong is said in the program's log.

    Args:
        path: the file; made with the first line.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, parse: Callable[[dict[str, Any]], _Entry]) -> list[_Entry]:
        """Return what the lines say, oldest first; those that cannot be understood are passed over.

        Args:
            parse: makes something of a line; may raise what a wrong one makes it raise.

        """
        try:
            lines = [line for line in read_own(self._path).splitlines() if line.strip()]
        except FileNotFoundError:
            return []
        except (OSError, ProjectError) as error:
            _log.warning("%s cannot be read (%s): it counts as empty.", self._path, error)
            return []
        found = []
        for line in lines:
            try:
                found.append(parse(json.loads(line)))
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
        if len(found) < len(lines):
            _log.warning(
                "%s: %d of %d lines cannot be understood and are passed over.",
                self._path,
                len(lines) - len(found),
                len(lines),
            )
        return found

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line, as far as the disk lets it."""
        try:
            append_line(self._path, entry)
        except (StorageError, ProjectError) as error:
            _log.warning("What was found is known until the project is closed: %s", error)
