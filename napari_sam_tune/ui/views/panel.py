"""The dock, put together from passive views: it shows snapshots and says what was pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_sam_tune.ui.canvas.keys import key_text
from napari_sam_tune.ui.views.helping import HelpingView
from napari_sam_tune.ui.views.history import HistoryView
from napari_sam_tune.ui.views.labelling import ClassView, ImageView, ObjectView
from napari_sam_tune.ui.views.learning import LearningView
from napari_sam_tune.ui.views.notice import NoticeBar
from napari_sam_tune.ui.views.start import StartView
from napari_sam_tune.ui.views.style import STYLE
from napari_sam_tune.ui.views.suggestion_view import SuggestionView

if TYPE_CHECKING:
    from collections.abc import Mapping


class Panel(QWidget):
    """The dock's widget.

    Attributes:
        keys: what stands on the buttons, by action.
        notice: messages, above everything else.
        start: choosing images; shown while none are open.
        image, classes, object, suggestions, learning, history, helping: shown while labelling.
        left: emitted when napari takes the panel out of its dock.
        helping_opened: emitted when "Is it helping?" is unfolded.
        export_asked: emitted to take masks or weights out.

    """

    left = Signal()
    helping_opened = Signal()
    export_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setStyleSheet(STYLE)
        self.keys: dict[str, str] = {}
        self.notice = NoticeBar()
        self.start = StartView()
        self.image = ImageView()
        self.classes = ClassView()
        self.object = ObjectView()
        self.suggestions = SuggestionView()
        self.learning = LearningView()
        self.history = HistoryView()
        self.helping = HelpingView()
        self._pages = QStackedWidget()
        self._pages.addWidget(_scrolling(self.start))
        self._pages.addWidget(_scrolling(self._work()))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.notice)
        column.addWidget(self._pages, 1)
        column.addWidget(self.learning.learnt_line)  # in view however the page is scrolled
        self.setMinimumWidth(376)
        # else napari adds a stretch below, and the panel gets half the height
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def show_start(self) -> None:
        """Show the empty state."""
        self.learning.learnt_line.hide()
        self._pages.setCurrentIndex(0)

    def show_work(self) -> None:
        """Show the labelling views."""
        self._pages.setCurrentIndex(1)

    @property
    def is_working(self) -> bool:
        """Whether the labelling views are shown."""
        return self._pages.currentIndex() == 1

    @property
    def is_helping_open(self) -> bool:
        """Whether "Is it helping?" is unfolded."""
        return bool(self._helping_fold.isExpanded())

    def event(self, event: QEvent) -> bool:
        """Notice being taken out of the dock; napari has no signal for it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.left.emit()
        return bool(super().event(event))

    def _on_helping_toggled(self, is_open: bool) -> None:
        if is_open:
            self.helping_opened.emit()

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        self.keys = texts = {action: key_text(key) for action, key in keys.items()}
        self.image.show_keys(texts)
        self.object.show_keys(texts)
        self.suggestions.show_keys(texts)
        self.learning.show_key(texts["fine_tune"])

    def _work(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self.image, self.classes, self.object, self.suggestions, self.learning):
            column.addWidget(widget)
        self._helping_fold = _folded("Is it helping?", self.helping)
        self._helping_fold.toggled.connect(self._on_helping_toggled)
        column.addWidget(self._helping_fold)
        self._history_fold = _folded("History of versions", self.history)
        column.addWidget(self._history_fold)
        self.export = QPushButton("Export masks or weights…")
        self.export.setProperty("role", "wide")
        self.export.setToolTip("Write them for other programs: COCO, YOLO, label images, SAM …")
        self.export.clicked.connect(self.export_asked)
        column.addWidget(self.export)
        column.addStretch()
        return page


def _scrolling(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def _folded(title: str, widget: QWidget) -> QCollapsible:
    fold = QCollapsible(title)
    fold.setDuration(0)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    fold.addWidget(widget)
    fold.collapse(animate=False)
    return fold
