"""Is it helping? What accepted masks cost, by the weights that proposed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Effort


RECALLED: Final = "recalled"
"""Stands for a version where earlier masks answered together with the weights."""


@dataclass(frozen=True)
class EffortRow:
    """Mean effort per accepted mask under one weights version.

    Attributes:
        version: the weights that answered, or `RECALLED`.
        masks: accepted masks.
        clicks: clicks per mask, both signs.
        boxes: boxes per mask.
        strokes: brush strokes per mask.
        painted_pixels: pixels changed by hand per mask.
        seconds: seconds per mask.
        actions_error: standard error of clicks + boxes + strokes per mask; None for one mask.

    """

    version: str
    masks: int
    clicks: float
    boxes: float
    strokes: float
    painted_pixels: float
    seconds: float
    actions_error: float | None


@dataclass
class _Sums:
    """What the masks of one version cost together."""

    masks: int = 0
    clicks: int = 0
    boxes: int = 0
    strokes: int = 0
    painted_pixels: int = 0
    seconds: float = 0.0
    actions: int = 0
    squared_actions: int = 0

    def add(self, effort: Effort) -> None:
        actions = effort.actions
        self.masks += 1
        self.clicks += effort.clicks
        self.boxes += effort.boxes
        self.strokes += effort.strokes
        self.painted_pixels += effort.painted_pixels
        self.seconds += effort.seconds
        self.actions += actions
        self.squared_actions += actions * actions

    def row(self, version: str) -> EffortRow:
        masks = self.masks
        spread = self.squared_actions - self.actions**2 / masks
        return EffortRow(
            version=version,
            masks=masks,
            clicks=self.clicks / masks,
            boxes=self.boxes / masks,
            strokes=self.strokes / masks,
            painted_pixels=self.painted_pixels / masks,
            seconds=self.seconds / masks,
            actions_error=(max(0.0, spread) / (masks - 1) / masks) ** 0.5 if masks > 1 else None,
        )


class EffortTally:
    """Summarises records as they come: of a list that has grown only what is new is looked at."""

    def __init__(self) -> None:
        self._seen: list[Annotation] = []
        self._sums: dict[str, _Sums] = {}

    def rows(self, annotations: list[Annotation]) -> list[EffortRow]:
        """Summarise the records made by prompting, in the order the versions were first used.

        Masks that were recalled have a row of their own, the last: what they cost says little of
        the weights.
        """
        known = len(self._seen)
        if annotations[:known] != self._seen:
            known, self._sums = 0, {}
        self._seen = annotations
        for annotation in annotations[known:]:
            if annotation.source in {"adopted", "import"}:  # they cost no clicks
                continue
            recalled = annotation.recalled or annotation.suggested_by == RECALLED
            version = RECALLED if recalled else annotation.weights_version
            self._sums.setdefault(version, _Sums()).add(annotation.effort)
        rows = [sums.row(version) for version, sums in self._sums.items()]
        return sorted(rows, key=lambda row: row.version == RECALLED)


def effort_by_version(project: Project) -> list[EffortRow]:
    """Summarise what the masks of a project cost; see `EffortTally.rows`."""
    return EffortTally().rows(project.annotations())
