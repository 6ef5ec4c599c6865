"""How what was learnt at every accept came to be worth what it is, from mask to mask."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.pixel_classifier.learnt import Learnt
from napari_sam_tune.core.storage.side_log import SideLog

if TYPE_CHECKING:
    from pathlib import Path


class LearntHistory:
    """One `Learnt` for every number of accepted masks that was judged.

    May be read from any thread while one adds to it.

    Args:
        path: where it is kept.

    """

    def __init__(self, path: Path) -> None:
        self._file = SideLog(path)
        self._points: dict[int, Learnt] = {}
        for learnt in self._file.read(_parsed):
            self._take(learnt)

    @property
    def points(self) -> tuple[Learnt, ...]:
        """The way to the masks that are accepted now, fewest masks first."""
        return tuple(self._points.values())

    def add(self, learnt: Learnt) -> None:
        """Keep what was found, unless it is nothing new."""
        if learnt.judged and self.points[-1:] != (learnt,):
            self._take(learnt)
            self._file.append(asdict(learnt))

    def _take(self, learnt: Learnt) -> None:
        """Put in what follows on fewer masks; of more that were taken back nothing is said."""
        before = {masks: one for masks, one in self._points.items() if masks < learnt.masks}
        self._points = {**before, learnt.masks: learnt}


def _parsed(entry: dict[str, Any]) -> Learnt:
    learnt = Learnt(
        masks=int(entry["masks"]),
        images=int(entry["images"]),
        judged=int(entry["judged"]),
        without=float(entry["without"]),
        with_it=float(entry["with_it"]),
        weight=float(entry["weight"]),
        lift=float(entry["lift"]),
        precision=float(entry["precision"]),
    )
    if not (0 <= learnt.without <= 1 and 0 <= learnt.with_it <= 1):
        raise ValueError
    return learnt
