"""Is it helping? What is learnt at every accept, and what masks cost by the weights in use."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.history import fill, table
from napari_sam_tune.ui.views.learnt_chart import LearntChart, LearntPoint
from napari_sam_tune.ui.views.style import Text

# Means over fewer masks than this say more about the masks than about the weights.
_FEWEST_MASKS = 5
_STROKES = 3  # its column: many draw none


@dataclass(frozen=True)
class HelpingRow:
    """Mean effort per accepted mask under one version, oldest version first.

    `recalled` says that it is not one version's: earlier masks answered together with the weights.
    """

    name: str
    masks: int
    clicks: float
    strokes: float
    seconds: float
    recalled: bool = False


class HelpingView(QWidget):
    """What was learnt from accepted masks, then what they cost: each a sentence and its figures."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._learnt = Text()
        self._learnt_chart = LearntChart()
        self._verdict = Text()
        self._table = table(tr("Version"), tr("Masks"), tr("Clicks"), tr("Strokes"), tr("Seconds"))
        for widget in (self._learnt, self._learnt_chart, self._verdict, self._table):
            column.addWidget(widget)
        self.show_learnt("", ())
        self.show_effort(())

    def show_learnt(self, sentence: str, points: tuple[LearntPoint, ...]) -> None:
        """Show what learning at every accept is worth; an empty sentence is not shown."""
        self._learnt.setText(sentence)
        self._learnt.setVisible(bool(sentence))
        self._learnt_chart.show_points(points)

    def show_effort(self, rows: tuple[HelpingRow, ...]) -> None:
        """Show what accepted masks cost."""
        self._verdict.setText(verdict(rows))
        self._table.setVisible(bool(rows))
        texts = [
            (r.name, str(r.masks), f"{r.clicks:.1f}", f"{r.strokes:.1f}", f"{r.seconds:.0f}")
            for r in rows
        ]
        fill(self._table, texts, [tr("mean per accepted mask")] * len(rows))
        self._table.setColumnHidden(_STROKES, not any(row.strokes for row in rows))


def verdict(rows: tuple[HelpingRow, ...]) -> str:
    """Say in one sentence whether the learnt weights save work; rows are oldest first."""
    if not rows:
        return tr("Accept some masks, and this shows what each one cost you.")
    rows = tuple(row for row in rows if not row.recalled)
    if len(rows) < 2:
        return tr("One version so far: there is nothing to compare with yet.")
    first, last = rows[0], rows[-1]
    if min(first.masks, last.masks) < _FEWEST_MASKS:
        return tr(
            "Too few masks to compare yet: {count} with each version are needed.",
            count=_FEWEST_MASKS,
        )
    before, after = first.clicks + first.strokes, last.clicks + last.strokes
    change = (after - before) / before if before else 0.0
    if abs(change) < 0.05:
        return tr(
            "No clear change: {after:.1f} clicks and strokes per mask, {before:.1f} at first.",
            after=after,
            before=before,
        )
    told = (
        mark(
            "{change:.0%} less work per mask: {after:.1f} clicks and strokes, {before:.1f} at "
            "first."
        )
        if change < 0
        else mark(
            "{change:.0%} more work per mask: {after:.1f} clicks and strokes, {before:.1f} at "
            "first."
        )
    )
    return tr(told, change=abs(change), after=after, before=before)
