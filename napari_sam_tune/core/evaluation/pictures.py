"""Masks drawn on images: overlays in image pixels, and before/after sheets of an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.texts.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Prompt

    Picture = NDArray[np.uint8]

TRUE: Final = "#12b76a"
BASE: Final = "#f5a623"
TUNED: Final = "#d1495b"
PROMPT: Final = "#2f80ed"
OBJECT_COLOURS: Final = (TUNED, PROMPT, TRUE, BASE, "#9b51e0", "#00b8d9", "#e0508a", "#7f8c1f")
"""Of the first object, the second …, in overlays and indexed masks; then again from the first."""
_FILL: Final = 0.35
_PX_A_LINE: Final = 400
"""Image px for each px of an outline's width, so that it is seen in large images too."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Turn "#rrggbb" into three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def overlay(image: Picture, masks: Sequence[Mask]) -> Picture:
    """Tint and outline masks, each in the next of `OBJECT_COLOURS`.

    Args:
        image: (H, W, 3).
        masks: (H, W) each; later ones are drawn over earlier ones.

    Returns:
        (H, W, 3).

    """
    drawn = image.copy()
    width = max(1, round(max(image.shape[:2]) / _PX_A_LINE))
    for number, mask in enumerate(masks):
        if not mask.any():
            continue
        colour = np.array(rgb(OBJECT_COLOURS[number % len(OBJECT_COLOURS)]))
        y0, x0, y1, x1 = bounding_box(mask)
        seen, inside = drawn[y0:y1, x0:x1], np.pad(mask[y0:y1, x0:x1], 1)
        edge = inside & ~ndimage.binary_erosion(inside, iterations=width)
        inside, edge = inside[1:-1, 1:-1], edge[1:-1, 1:-1]
        seen[inside] = np.rint((1 - _FILL) * seen[inside] + _FILL * colour)
        seen[edge] = colour
    return drawn


@dataclass(frozen=True, eq=False)
class Row:
    """One prompt about one object, and what was answered.

    Attributes:
        name: of the prompt.
        prompt: it.
        base, tuned: (H, W) answers.
        captions: what is written under them.

    """

    name: str
    prompt: Prompt
    base: Mask
    tuned: Mask
    captions: tuple[str, str]


def draw_before_after(
    path: Path, title: str, image: Picture, truth: Mask, rows: Sequence[Row]
) -> None:
    """Write a sheet (PNG): a row for each prompt; columns image, truth, base, tuned.

    Everything is cut to a window that holds the truth and all answers; beside an answer the truth
    is a thin line.

    Args:
        path: where to.
        title: stands above.
        image: (H, W, 3).
        truth: (H, W).
        rows: what was asked and answered.

    """
    from matplotlib.figure import Figure

    # imports torch, which writers of masks, who want colours of this module, do without
    from napari_sam_tune.core.evaluation.charts import save_figure

    answered = [mask for row in rows for mask in (row.base, row.tuned)]
    y0, x0, y1, x1 = _window(np.any([truth, *answered], axis=0))
    height = 2.65 * (y1 - y0) / (x1 - x0) + 0.3
    figure = Figure(figsize=(11, len(rows) * height + 0.55), layout="constrained")
    figure.suptitle(visible(title), fontsize=12, x=0.01, ha="left", parse_math=False)
    axes = figure.subplots(len(rows), 4, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        panels = (None, truth, row.base, row.tuned)
        for panel, mask, colour in zip(line, panels, (PROMPT, TRUE, BASE, TUNED), strict=True):
            _show(panel, image[y0:y1, x0:x1], (y0, x0))
            if mask is not None:
                _outline(panel, truth[y0:y1, x0:x1], (y0, x0), TRUE, 1.0)
                _fill(panel, mask[y0:y1, x0:x1], (y0, x0), colour)
        _draw_prompt(line[0], row.prompt)
        line[0].set_xlabel(f"asked with a {row.name}", fontsize=10)
        for panel, caption in zip(line[2:], row.captions, strict=True):
            panel.set_xlabel(caption, fontsize=10)
    for panel, name in zip(axes[0], ("image", "truth", "base", "tuned"), strict=True):
        panel.set_title(name, fontsize=11)
    save_figure(figure, path, dpi=100)


def _window(mask: Mask) -> tuple[int, int, int, int]:
    """Return a window (y0, x0, y1, x1) around a mask, with room, not too narrow either way."""
    y0, x0, y1, x1 = bounding_box(mask)
    sides = y1 - y0, x1 - x0
    bounds = []
    for low, side, room in ((y0, sides[0], mask.shape[0]), (x0, sides[1], mask.shape[1])):
        length = min(max(int(1.5 * side), int(0.75 * max(sides)), 48), room)
        start = min(max(low + side // 2 - length // 2, 0), room - length)
        bounds.append((start, start + length))
    (top, bottom), (left, right) = bounds
    return top, left, bottom, right


def _show(panel: Axes, picture: Picture, corner: tuple[int, int]) -> None:
    height, width = picture.shape[:2]
    top, left = corner
    edges = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    panel.imshow(picture, extent=edges, interpolation="nearest")
    panel.set(xticks=[], yticks=[], xlim=edges[:2], ylim=edges[2:])
    panel.spines[:].set_visible(False)


def _fill(panel: Axes, mask: Mask, corner: tuple[int, int], colour: str) -> None:
    if mask.any():
        x, y, padded = _padded(mask, corner)
        panel.contourf(x, y, padded, levels=(0.5, 1.5), colors=colour, alpha=_FILL)
        _outline(panel, mask, corner, colour, 1.8)


def _outline(panel: Axes, mask: Mask, corner: tuple[int, int], colour: str, width: float) -> None:
    if mask.any():
        x, y, padded = _padded(mask, corner)
        panel.contour(x, y, padded, levels=(0.5,), colors=colour, linewidths=width)


def _padded(
    mask: Mask, corner: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return x, y and values with a border of outside, so that outlines close at the edge."""
    top, left = corner
    x = np.arange(left - 1, left + mask.shape[1] + 1)
    y = np.arange(top - 1, top + mask.shape[0] + 1)
    return x, y, np.pad(mask, 1).astype(float)


def _draw_prompt(panel: Axes, prompt: Prompt) -> None:
    from matplotlib.patches import Rectangle

    around: dict[str, Any] = {"edgecolor": PROMPT, "facecolor": "none", "lw": 2, "clip_on": False}
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        panel.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **around))
    for x, y in prompt.points:
        panel.plot(x, y, "o", ms=9, mfc=PROMPT, mec="white", mew=1.5)
