"""Counts a project for the window of its numbers, and keeps them as a picture and tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.views.charts import Bar
from napari_sam_tune.ui.views.look import ACCENT
from napari_sam_tune.ui.views.numbers import NumbersSnapshot, NumbersView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.evaluation.numbers import Numbers
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.ui.work.workplace import Workplace

_GREY: Final = "#8a8f98"
_GROUPS: Final = 12
"""Columns in which masks are put together, in their order."""


class Counting(QObject):
    """The window of the numbers; there is one at a time.

    Attributes:
        view: it, or None where it is closed.

    """

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._project = place, place.session.project
        self._background = Background(self)
        self.view: NumbersView | None = None
        place.panel.images.numbers_asked.connect(self.open)

    def close(self) -> None:
        """Close the window."""
        self._background.close()
        if self.view is not None:
            self.view.close()

    def open(self) -> None:
        """Count, and show what comes of it."""
        if self.view is None:
            self.view = NumbersView(self._place.panel.window())
            self.view.save_asked.connect(self._on_save_asked)
            self.view.finished.connect(self._on_view_closed)
        self.view.show()
        self.view.raise_()
        self._background.submit(
            "count", partial(_counted, self._project), self._on_counted, self._place.complain
        )

    def save(self, folder: Path) -> None:
        """Write `numbers.png` and tables into a folder."""
        self._background.submit(
            "save",
            partial(_save, self._project, folder),
            lambda _: self._place.tell(tr("The numbers are in {folder}.", folder=folder)),
            self._place.complain,
        )

    def _on_counted(self, numbers: Numbers) -> None:
        if self.view is not None:
            self.view.show_numbers(_shown(numbers, len(self._place.queue.images)))

    def _on_save_asked(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self.view, tr("Folder for numbers.png and the tables"), str(self._project.path.parent)
        )
        if folder:
            self.save(Path(folder))

    def _on_view_closed(self, _: int) -> None:
        self.view = None


def _counted(project: Project) -> Numbers:
    from napari_sam_tune.core.evaluation.numbers import numbers_of

    return numbers_of(project)


def _save(project: Project, folder: Path) -> None:
    # matplotlib takes a moment to import
    from napari_sam_tune.core.evaluation.number_charts import draw_numbers
    from napari_sam_tune.core.evaluation.numbers import numbers_of, write_tables

    numbers = numbers_of(project)
    write_tables(numbers, folder)
    draw_numbers(numbers, folder / "numbers.png")


def _shown(numbers: Numbers, queued: int) -> NumbersSnapshot:
    """Return what the window shows, in a folder of so many images."""
    without, labelled = len(numbers.without_masks), sum(bool(i.masks) for i in numbers.images)
    empty = sum(image.no_defect for image in numbers.images)
    headline = tr(
        "{masks} on {images}. Images without a mask: {without:,} that were opened, {empty:,} "
        "marked as having no defect, {unseen:,} not opened so far.",
        masks=tr("{n:,} masks", "1 mask", n=numbers.masks),
        images=tr("{n:,} images", "1 image", n=labelled),
        without=without,
        empty=empty,
        unseen=max(0, queued - len(numbers.images)),
    )
    aside = sum(numbers.states.get(state, 0) for state in ("excluded", "second_look"))
    if aside:
        more = tr(
            "{n:,} of the masks are excluded or wait for a second look; they are counted here.",
            "1 of the masks is excluded or waits for a second look; it is counted here.",
            n=aside,
        )
        headline = join_sentences(headline, more)
    most = sorted((c for c in numbers.classes if c.masks), key=lambda one: -one.masks)
    sizes = np.sum([one.sizes for one in numbers.classes], axis=0) if numbers.masks else []
    edges = [_short(edge) for edge in numbers.size_edges]
    first = next((n for n, count in enumerate(sizes) if count), 0)
    return NumbersSnapshot(
        headline=headline,
        classes=tuple(
            Bar(one.name, one.masks, f"{one.masks:,}", one.colour or _GREY) for one in most
        ),
        sizes=tuple(
            Bar(f"{edge}", float(count), f"{count:,}" if count else "")
            for edge, count in list(zip(edges, sizes, strict=False))[first:]
        ),
        noted=tuple(
            Bar(one.values.text, one.masks, f"{one.masks:,}", _GREY) for one in numbers.noted
        ),
        places=numbers.places,
        effort=_over_time([float(cost.actions) for cost in numbers.costs], ACCENT),
        seconds=_over_time([cost.seconds for cost in numbers.costs], "#4a6785"),
    )


def _over_time(values: Sequence[float], colour: str) -> tuple[Bar, ...]:
    """Return means of groups of masks that follow each other, named by the first one's number."""
    if not values:
        return ()
    groups = np.array_split(np.array(values), min(_GROUPS, len(values)))
    firsts = np.cumsum([1, *(len(group) for group in groups)])
    return tuple(
        Bar(f"{first}", float(group.mean()), f"{group.mean():.1f}", colour)
        for first, group in zip(firsts, groups, strict=False)
    )


def _short(number: int) -> str:
    """Return a number as it fits below a column: "512", "4k", "2M"."""
    for unit, name in ((1 << 20, "M"), (1 << 10, "k")):
        if number >= unit:
            return f"{number // unit}{name}"
    return f"{number}"
