"""The numbers of a project as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.evaluation.charts import GREY, save_figure
from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from napari_sam_tune.core.evaluation.numbers import Numbers

_FONTS: Final = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei"),
    *("Yu Gothic", "Microsoft YaHei", "Hiragino Sans", "PingFang SC"),
)
"""matplotlib's own, and those of systems that have the characters it lacks."""
_LONGEST: Final = 24
"""Characters of a class's name beside its bar."""
_MOST_BARS: Final = 12
_SMOOTHED: Final = 20
"""Masks over which what they cost is averaged."""


def draw_numbers(numbers: Numbers, path: Path) -> None:
    """Draw masks by class, sizes, places and effort over time.

    Args:
        numbers: of a project.
        path: a .png, .svg or .pdf file.

    """
    from matplotlib import font_manager, rc_context
    from matplotlib.figure import Figure

    there = {font.name for font in font_manager.fontManager.ttflist}
    with rc_context({"font.family": [name for name in _FONTS if name in there]}):
        figure = Figure(figsize=(10, 7.4), layout="constrained")
        panels = figure.subplots(2, 2)
        _draw_classes(panels[0, 0], numbers)
        _draw_sizes(panels[0, 1], numbers)
        _draw_places(panels[1, 0], numbers)
        _draw_costs(panels[1, 1], numbers)
        for panel in panels.ravel():
            panel.spines[["top", "right"]].set_visible(False)
        save_figure(figure, path)


def _draw_classes(panel: Axes, numbers: Numbers) -> None:
    most = sorted(numbers.classes, key=lambda one: one.masks, reverse=True)[:_MOST_BARS]
    for place, one in enumerate(most):
        panel.barh(place, one.masks, color=one.colour or GREY, height=0.7)
        panel.text(one.masks, place, f" {one.masks}", va="center", fontsize=9)
    panel.set_yticks(range(len(most)), [_shortened(one.name) for one in most])
    for label in panel.get_yticklabels():
        label.set_parse_math(False)
    panel.invert_yaxis()
    panel.set_title(_more("Masks by class", len(numbers.classes)))
    panel.set_xlabel("masks")
    panel.margins(x=0.12)


def _more(title: str, classes: int) -> str:
    more = classes - _MOST_BARS
    return f"{title}, the {_MOST_BARS} largest of {classes}" if more > 0 else title


def _draw_sizes(panel: Axes, numbers: Numbers) -> None:
    panel.set_title("Sizes")
    panel.set_xlabel("area in px")
    panel.set_ylabel("masks")
    if not numbers.size_edges:
        return
    edges = np.array(numbers.size_edges, float)
    below = np.zeros(len(edges) - 1)
    for one in numbers.classes:
        panel.bar(
            edges[:-1],
            one.sizes,
            np.diff(edges),
            bottom=below,
            align="edge",
            color=one.colour or GREY,
            edgecolor="white",
            linewidth=0.5,
        )
        below += one.sizes
    panel.set_xscale("log")
    used = np.flatnonzero(below)
    panel.set_xlim(edges[used[0]], edges[used[-1] + 1])


def _draw_places(panel: Axes, numbers: Numbers) -> None:
    panel.imshow(numbers.places, cmap="magma", extent=(0, 1, 1, 0), vmin=0, aspect="auto")
    panel.set_title("Places: where in their images masks lie")
    panel.set_xticks((0, 0.5, 1), ("left", "middle", "right"))
    panel.set_yticks((0, 0.5, 1), ("top", "middle", "bottom"))


def _draw_costs(panel: Axes, numbers: Numbers) -> None:
    panel.set_title(f"Effort: mean of {_SMOOTHED} masks" if numbers.costs else "Effort")
    panel.set_xlabel("mask, in the order they were accepted")
    panel.set_ylabel("seconds a mask")
    if not numbers.costs:
        return
    seconds = np.array([one.seconds for one in numbers.costs])
    window = min(_SMOOTHED, len(seconds))
    total = np.cumsum(np.concatenate([[0.0], seconds]))
    starts = np.maximum(np.arange(1, len(seconds) + 1) - window, 0)
    ends = np.arange(1, len(seconds) + 1)
    panel.plot(ends, seconds, ".", color="#cccccc", markersize=3)
    panel.plot(ends, (total[ends] - total[starts]) / (ends - starts), color="#3d6cb9", lw=2)
    panel.set_ylim(0, max(1.0, float(np.quantile(seconds, 0.98)) * 1.1))


def _shortened(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
