"""How what was learnt at every accept came to be worth what it is: a file beside the project's log.

The file only ever grows. Nothing depends on it: without it the line over masks begins anew.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.durable import saving
from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.log import AppendLog
from napari_sam_tune.core.pixel_classifier.learnt import Learnt

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


class LearntHistory:
    """One `Learnt` for every number of accepted masks that was judged.

    May be read from any thread while one adds to it.

    Args:
        path: the file; made with the first entry.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._points: dict[int, Learnt] = {}
        for learnt in self._read():
            self._take(learnt)

    @property
    def points(self) -> tuple[Learnt, ...]:
        """The way to the masks that are accepted now, fewest masks first."""
        return tuple(self._points.values())

    def add(self, learnt: Learnt) -> None:
        """Keep what was found, unless it is nothing new; a refusal of the disk goes to the log."""
        if not learnt.judged or self.points[-1:] == (learnt,):
            return
        self._take(learnt)
        try:
            with saving("The line of what was learnt", self._path):
                self._path.touch()
            AppendLog(self._path).append(asdict(learnt))
        except StorageError as error:
            _log.warning("What was learnt is known until the project is closed: %s", error)

    def _take(self, learnt: Learnt) -> None:
        """Put in what follows on fewer masks; of more that were taken back nothing is said."""
        before = {masks: one for masks, one in self._points.items() if masks < learnt.masks}
        self._points = {**before, learnt.masks: learnt}

    def _read(self) -> list[Learnt]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("%s cannot be read (%s); its line begins anew.", self._path, error)
            return []
        entries = [_parsed(line) for line in lines if line.strip()]
        found = [entry for entry in entries if entry is not None]
        if len(found) < len(entries):
            _log.warning(
                "%s: %d of %d lines cannot be understood and are passed over.",
                self._path,
                len(entries) - len(found),
                len(entries),
            )
        return found


def _parsed(line: bytes) -> Learnt | None:
    try:
        entry: dict[str, Any] = json.loads(line)
        learnt = Learnt(
            masks=int(entry["masks"]),
            images=int(entry["images"]),
            judged=int(entry["judged"]),
            without=float(entry["without"]),
            with_it=float(entry["with_it"]),
            weight=float(entry["weight"]),
            precision=float(entry["precision"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    is_possible = 0 <= learnt.without <= 1 and 0 <= learnt.with_it <= 1
    return learnt if is_possible else None
