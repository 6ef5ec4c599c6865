"""Charts of an evaluation and of a sweep, as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.evaluation.measuring import IN_WORDS, PROMPTS
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_sam_tune.core.evaluation.comparison import Difference, Summary
    from napari_sam_tune.core.evaluation.evaluation import ObjectComparison

GREY: Final = "#888888"
RED: Final = "#d1495b"
_BLUE: Final = "#3d6cb9"
_LINE: Final = "#cccccc"
_LEAST_SPAN: Final = 0.05
"""Of a chart's scores."""


def save_figure(figure: Figure, path: Path, dpi: int = 130) -> None:
    """Save a chart, as what its suffix says, whole or not at all.

    Raises:
        StorageError: the disk is full or not writable; an earlier file is untouched.

    """
    with replacing_file(path) as file:
        figure.savefig(file, dpi=dpi, format=path.suffix[1:])


def draw_objects(objects: Sequence[ObjectComparison], path: Path) -> None:
    """Draw the IoU of every object, tuned over base: above the diagonal is better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.9), layout="constrained")
    for panel, prompt in zip(figure.subplots(1, 2, sharey=True), PROMPTS, strict=True):
        before = np.array([getattr(row.base, prompt).iou for row in objects])
        after = np.array([getattr(row.tuned, prompt).iou for row in objects])
        panel.plot((0, 1), (0, 1), color=_LINE, lw=1, zorder=0)
        better = after > before
        for chosen, colour in ((better, RED), (~better, GREY)):
            panel.scatter(before[chosen], after[chosen], s=22, color=colour, alpha=0.7, lw=0)
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1)
        panel.set_title(f"asked with a {IN_WORDS[prompt]}: {better.sum()} of {len(objects)} better")
        panel.set_xlabel("IoU of the base model")
        panel.spines[["top", "right"]].set_visible(False)
        if prompt == PROMPTS[0]:
            panel.set_ylabel("IoU of the tuned weights")
    save_figure(figure, path)


def draw_classes(classes: Mapping[str, Summary], path: Path) -> None:
    """Draw the mean IoU of each class before and after, with the interval of the difference."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.45 * len(classes)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, prompt in zip(panels, PROMPTS, strict=True):
        for place, summary in enumerate(classes.values()):
            _draw_class(panel, summary.metrics[f"{prompt}_iou"], place)
        panel.set_xlim(0, 1)
        panel.set_title(f"asked with a {IN_WORDS[prompt]}")
        panel.set_xlabel("mean IoU")
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    names = [f"{visible(name)} ({summary.objects})" for name, summary in classes.items()]
    panels[0].set_yticks(range(len(names)), names, parse_math=False)  # a class may hold a $
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    handles = [
        panels[1].plot([], [], "o", color=colour, label=name)[0]
        for colour, name in ((GREY, "base"), (RED, "tuned, 95 % interval of the difference"))
    ]
    figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=2)
    save_figure(figure, path)


def _draw_class(panel: Axes, found: Difference, place: int) -> None:
    panel.plot((found.base, found.tuned), (place, place), color=_LINE, lw=3, zorder=0)
    if found.interval is not None:
        low, high = found.interval
        panel.plot((found.base + low, found.base + high), (place, place), color=RED, lw=1)
    panel.plot(found.base, place, "o", color=GREY)
    panel.plot(found.tuned, place, "o", color=RED)


def draw_losses(losses: Sequence[float], path: Path) -> None:
    """Draw the loss of every step, and its running mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.add_subplot()
    steps = np.arange(1, len(losses) + 1)
    window = max(1, min(25, len(losses) // 5))
    panel.plot(steps, losses, color=_LINE, lw=1, label="each step")
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    panel.plot(steps[window - 1 :], smooth, color=RED, lw=2, label=f"mean of {window}")
    panel.set_xlabel("step")
    panel.set_ylabel("loss")
    panel.set_ylim(bottom=0)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    save_figure(figure, path)


def draw_sweep(
    scores: Mapping[str, Mapping[str, Sequence[float]]], baseline: float, path: Path
) -> None:
    """Draw the score over the values of each setting, with the spread over seeds.

    Args:
        scores: setting to value to the score of each seed.
        baseline: the base model's score, a dashed line.
        path: where to.

    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6, 5 * len(scores)), 4.2), layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for panel, (name, values) in zip(panels, scores.items(), strict=True):
        _draw_values(panel, values)
        panel.axhline(baseline, color=GREY, ls="--", lw=1.5, label=f"base model, {baseline:.3f}")
        panel.set_xlabel(name)
        panel.spines[["top", "right"]].set_visible(False)
    low, high = panels[0].get_ylim()
    if high - low < _LEAST_SPAN:  # else nothing at all would look like a steep gain
        middle = (low + high) / 2
        panels[0].set_ylim(middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2)
    panels[0].set_ylabel("score on held-out objects")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=2)
    save_figure(figure, path)


def _draw_values(panel: Axes, values: Mapping[str, Sequence[float]]) -> None:
    """Draw one setting: a dot for each seed, the mean, and one standard deviation around it."""
    places = np.arange(len(values))
    means = np.array([np.mean(seeds) for seeds in values.values()])
    spread = np.array([np.std(seeds, ddof=1 if len(seeds) > 1 else 0) for seeds in values.values()])
    panel.fill_between(places, means - spread, means + spread, color=RED, alpha=0.15, lw=0)
    panel.plot(places, means, "o-", color=RED, lw=2, label="tuned, mean ± s.d. over seeds")
    for place, seeds in zip(places, values.values(), strict=True):
        panel.plot([place] * len(seeds), seeds, "o", color=_BLUE, ms=3.5, alpha=0.8)
    panel.set_xticks(places, list(values))
    panel.set_xlim(-0.4, len(values) - 0.6)
