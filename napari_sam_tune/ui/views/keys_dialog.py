"""All keys on one page, as they are bound now, and what the mouse does."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.style import Button, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qtpy.QtWidgets import QWidget

FIXED: Final = (
    ("Z, P, E", mark("Click, brush, eraser")),
    ("[, ]", mark("Smaller, larger brush")),
    (
        "Esc",
        mark("Leave strokes, the brush, the eraser, a box, Correct and Delete: back to clicking"),
    ),
    ("Ctrl+Z, Ctrl+⇧+Z", mark("Undo, redo")),
    (mark("Space, held"), mark("Drag to move the view")),
    (mark("Wheel"), mark("Zoom")),
    ("?", mark("This page")),
)
"""Keys that are napari's own, or the same for everybody."""


class KeysDialog(QDialog):
    """A page that can stay open beside the work.

    Args:
        titles: what each action does, by name.
        keys: the key of each action, as it is written.
        drag_draws_box: what a drag does, as in Preferences.
        parent: the dock.

    Attributes:
        tour_asked: emitted to take the tour.

    """

    tour_asked = Signal()

    def __init__(
        self,
        titles: Mapping[str, str],
        keys: Mapping[str, str],
        *,
        drag_draws_box: bool,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keys and mouse"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        mouse = (
            (tr("Click"), tr("This is part of it")),
            (tr("Right click, ⇧+click"), tr("This is not part of it")),
            (tr("Drag") if drag_draws_box else tr("Ctrl+drag"), tr("A box around it")),
            (tr("Ctrl+click"), tr("Select a mask you accepted: class and review keys are for it")),
        )
        ours = ((keys.get(name, ""), title) for name, title in titles.items())
        rows = (*mouse, *ours, *((tr(key), tr(what)) for key, what in FIXED))
        table = QLabel(_table(rows))
        table.setTextFormat(Qt.TextFormat.RichText)
        table.setWordWrap(True)
        table.setMargin(6)
        area = QScrollArea()
        area.setWidget(table)
        area.setWidgetResizable(True)
        tour = Button(tr("Take the tour"), "wide")
        tour.clicked.connect(self._on_tour_clicked)
        close = Button(tr("Close"), "wide")
        close.clicked.connect(self.close)
        line = QHBoxLayout()
        line.addWidget(tour)
        line.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(area, 1)
        column.addWidget(Text(tr("Keys are changed in Preferences ▸ SAM Tune."), "quiet"))
        column.addLayout(line)
        self.resize(420, 620)

    def _on_tour_clicked(self) -> None:
        self.close()
        self.tour_asked.emit()


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (
        f'<tr><td style="padding-right: 14px"><b>{escape(key)}</b></td><td>{escape(what)}</td></tr>'
        for key, what in rows
        if key
    )
    return f"<table cellpadding='2'>{''.join(cells)}</table>"
