"""A list of thousands of rows, each a thumbnail and two lines; only what is in view is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import (
    QAbstractListModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyledItemDelegate

from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.ui.views.look import ACCENT
from napari_sam_tune.ui.views.style import tip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qtpy.QtGui import QKeyEvent, QResizeEvent
    from qtpy.QtWidgets import QStyleOptionViewItem, QWidget

    from napari_sam_tune.core.project.noted import Noted

_THUMBNAIL = 44
_GAP = 6
_FEWEST = 3
_SELECTED = QColor(42, 157, 143, 110)
_HOVERED = QColor(127, 127, 127, 40)
_BLANK = QColor(127, 127, 127, 60)
# What moves about in a list; every other key is the viewer's, as if the list had no focus.
_OWN_KEYS = frozenset(
    {
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    }
)


@dataclass(frozen=True)
class ListRow:
    """What a list shows of one thing, and what it is found by.

    Attributes:
        id: of the thing.
        title: the first line.
        detail: the second line.
        colour: of the chip before the title, "#rrggbb"; none for "".
        mark: a word or two on the right, such as a state.
        mark_colour: of their ground.
        labels: its classes, for the filter.
        state: its state, for the filter.
        words: what is looked through for a text, in lower case.
        values: what is noted of it, attributes with their values, for the filter.
        ranks: its place in each order the list offers.

    """

    id: str
    title: str
    detail: str = ""
    colour: str = ""
    mark: str = ""
    mark_colour: str = ACCENT
    labels: tuple[str, ...] = ()
    state: str = ""
    words: str = ""
    values: tuple[Noted, ...] = ()
    ranks: tuple[float, ...] = ()


class RowModel(QAbstractListModel):
    """The rows that passed the filter, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[ListRow, ...] = ()
        self._index: dict[str, int] = {}

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Return how many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a row's title, its tool tip, or all of it (`UserRole`)."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(row.title)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(f"{row.title}\n{row.detail}" + (f"\n{row.mark}" if row.mark else ""))
        return row if role == Qt.ItemDataRole.UserRole else None

    def show_rows(self, rows: tuple[ListRow, ...]) -> bool:
        """Show these rows; return whether other things are listed now, or in another order."""
        before, ids = self.rows, [row.id for row in rows]
        if [row.id for row in before] == ids:
            self.rows = rows
            changed = [n for n, (a, b) in enumerate(zip(before, rows, strict=True)) if a != b]
            if changed:
                self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))
            return False
        self.beginResetModel()
        self.rows = rows
        self._index = {identity: number for number, identity in enumerate(ids)}
        self.endResetModel()
        return True

    def find(self, identity: str) -> QModelIndex:
        """Return where a thing is; an invalid index where it is not."""
        number = self._index.get(identity)
        return QModelIndex() if number is None else self.index(number)


class RowView(QListView):
    """The list.

    Attributes:
        chosen: emitted with the id of the one row that was clicked or reached by the arrow keys.
        selected: emitted with the ids selected, whenever a person changes them.
        changed: emitted when others are selected, whoever did it.
        menu_asked: emitted with the place on the screen where a menu is asked for.
        thumbnail: returns a row's picture, or None while there is none.

    """

    chosen = Signal(str)
    selected = Signal(tuple)
    changed = Signal()
    menu_asked = Signal(QPoint)

    def __init__(self) -> None:
        super().__init__()
        self.thumbnail: Callable[[ListRow], QImage | None] = no_thumbnail
        self._model = RowModel()
        self._is_told = False  # what is selected is set from outside
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMouseTracking(True)
        # the theme's ground for lists is darker than text of a lesser weight can stand
        self.setStyleSheet("QListView { background: transparent; border: none; }")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda where: self.menu_asked.emit(self.viewport().mapToGlobal(where))
        )
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.clicked.connect(self._on_clicked)

    @property
    def rows(self) -> tuple[ListRow, ...]:
        """The rows shown, in their order."""
        return self._model.rows

    @property
    def selection(self) -> tuple[str, ...]:
        """The ids of the rows selected, in the list's order."""
        numbers = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return tuple(self._model.rows[number].id for number in numbers)

    def show_rows(self, rows: Sequence[ListRow]) -> None:
        """Show these rows; those that were selected and are still there stay so."""
        kept, place = self.selection, self.verticalScrollBar().value()
        if self._model.show_rows(tuple(rows)):
            self.verticalScrollBar().setValue(place)
            self.select(kept, scroll=False)
            self.updateGeometry()

    def select(self, ids: Iterable[str], *, scroll: bool = True) -> None:
        """Select rows by their ids, as if it had always been so: nothing is emitted."""
        if (wanted := tuple(ids)) == self.selection:
            return
        numbers = sorted(index.row() for i in wanted if (index := self._model.find(i)).isValid())
        chosen = QItemSelection()
        for start, end in _runs(numbers):  # thousands of single rows would take Qt seconds
            chosen.select(self._model.index(start), self._model.index(end))
        first = self._model.index(numbers[0]) if numbers else QModelIndex()
        flag = QItemSelectionModel.SelectionFlag
        self._is_told = True
        if first.isValid():
            self.selectionModel().setCurrentIndex(first, flag.NoUpdate)
        self.selectionModel().select(chosen, flag.ClearAndSelect)
        self._is_told = False
        if scroll and first.isValid():
            self.scrollTo(first)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for a few rows."""
        return QSize(0, _FEWEST * self.sizeHintForRow(0) if self.rows else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the row selected in view where there is less room for rows."""
        super().resizeEvent(event)
        if len(self.selection) == 1:
            self.scrollTo(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move about; all other keys go on to the viewer."""
        is_all = event.key() == Qt.Key.Key_A and (
            event.modifiers() == Qt.KeyboardModifier.ControlModifier
        )
        if event.key() not in _OWN_KEYS and not is_all:
            event.ignore()
            return
        super().keyPressEvent(event)
        if not is_all:
            self._on_clicked()

    def _on_clicked(self, _: QModelIndex | None = None) -> None:
        if len(self.selection) == 1:
            self.chosen.emit(self.selection[0])

    def _on_selection_changed(self) -> None:
        if not self._is_told:
            self.selected.emit(self.selection)
        self.changed.emit()


def no_thumbnail(_: ListRow) -> QImage | None:
    """Return None: where nothing makes pictures there are none."""
    return None


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of numbers that follow each other, ascending."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


class _Delegate(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, view: RowView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, _: QModelIndex) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the thumbnail, or for two lines where these are higher."""
        lines = QFontMetrics(self._view.font()).lineSpacing() * 2 + 4
        return QSize(0, max(_THUMBNAIL, lines) + _GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw the thumbnail, the chip of the class, two lines, and the mark."""
        row: ListRow = index.data(Qt.ItemDataRole.UserRole)
        state = type(option.state)
        whole: QRect = option.rect
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & state.State_Selected:
            painter.fillRect(whole, _SELECTED)
        elif option.state & state.State_MouseOver:
            painter.fillRect(whole, _HOVERED)
        place = QRect(whole.left() + _GAP // 2, whole.top() + _GAP // 2, _THUMBNAIL, whole.height())
        place.setHeight(whole.height() - _GAP)
        _paint_picture(painter, place, self._view.thumbnail(row))
        text = whole.adjusted(_THUMBNAIL + 2 * _GAP, _GAP // 2, -_GAP, -_GAP // 2)
        _paint_text(painter, text, row, self._view)
        painter.restore()


def _paint_picture(painter: QPainter, place: QRect, picture: QImage | None) -> None:
    if picture is None or picture.isNull():
        square = QRect(0, 0, _THUMBNAIL, _THUMBNAIL)
        square.moveCenter(place.center())
        painter.fillRect(square, _BLANK)
        return
    size = picture.size().scaled(_THUMBNAIL, _THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio)
    target = QRect(QPoint(0, 0), size)
    target.moveCenter(place.center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(target, picture)


def _paint_text(painter: QPainter, place: QRect, row: ListRow, view: QWidget) -> None:
    ink = QColor(view.palette().color(view.foregroundRole()))
    small = QFont(view.font())
    small.setPointSizeF(max(small.pointSizeF() - 1, 7.0))
    upper = QRect(place.left(), place.top(), place.width(), place.height() // 2)
    lower = QRect(upper)
    lower.moveBottom(place.bottom())
    if row.mark:
        upper = _paint_mark(painter, upper, row, small)
    painter.setFont(view.font())
    if row.colour:
        chip = QRect(upper.left(), upper.center().y() - 4, 10, 10)
        painter.fillRect(chip, QColor(row.colour))
        upper.setLeft(chip.right() + _GAP)
    _draw(painter, upper, row.title, ink)
    ink.setAlpha(200)
    painter.setFont(small)
    _draw(painter, lower, row.detail, ink)


def _paint_mark(painter: QPainter, line: QRect, row: ListRow, font: QFont) -> QRect:
    """Draw the mark at the line's right end; return what is left of the line."""
    metrics = QFontMetrics(font)
    width = min(metrics.horizontalAdvance(row.mark) + 14, 2 * line.width() // 3)
    chip = QRect(line.right() - width, line.top(), width, metrics.height() + 2)
    chip.moveTop(line.center().y() - chip.height() // 2)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(row.mark_colour))
    painter.drawRoundedRect(chip, 6, 6)
    painter.setFont(font)
    _draw(painter, chip.adjusted(6, 0, -6, 0), row.mark, QColor("white"))
    return line.adjusted(0, 0, -width - _GAP, 0)


def _draw(painter: QPainter, place: QRect, text: str, ink: QColor) -> None:
    painter.setPen(ink)
    shown = painter.fontMetrics().elidedText(
        visible(text), Qt.TextElideMode.ElideRight, place.width()
    )
    flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(place, flags, shown)
