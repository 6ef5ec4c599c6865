"""Is it helping? What accepted masks cost, by the weights that proposed them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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


def effort_by_version(project: Project) -> list[EffortRow]:
    """Summarise the records made by prompting, in the order the versions were first used.

    Masks that were recalled have a row of their own, the last: what they cost says little of the
    weights.
    """
    versions: dict[str, list[int]] = {}
    efforts: list[Effort] = []
    for annotation in project.annotations():
        if annotation.source in {"adopted", "import"}:  # they cost no clicks
            continue
        recalled = annotation.recalled or annotation.suggested_by == RECALLED
        version = RECALLED if recalled else annotation.weights_version
        versions.setdefault(version, []).append(len(efforts))
        efforts.append(annotation.effort)
    rows = []
    for version, indices in sorted(versions.items(), key=lambda item: item[0] == RECALLED):
        own = [efforts[i] for i in indices]
        actions = [float(e.actions) for e in own]
        rows.append(
            EffortRow(
                version=version,
                masks=len(own),
                clicks=fmean(e.clicks for e in own),
                boxes=fmean(e.boxes for e in own),
                strokes=fmean(e.strokes for e in own),
                painted_pixels=fmean(e.painted_pixels for e in own),
                seconds=fmean(e.seconds for e in own),
                actions_error=stdev(actions) / len(own) ** 0.5 if len(own) > 1 else None,
            )
        )
    return rows
