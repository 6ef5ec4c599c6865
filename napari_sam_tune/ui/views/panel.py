"""The dock, put together from passive views: it shows snapshots and says what was pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_sam_tune.ui.canvas.keys import key_text
from napari_sam_tune.ui.views.helping import HelpingView
from napari_sam_tune.ui.views.history import HistoryView
from napari_sam_tune.ui.views.labelling import ClassView, ImageView, ObjectView
from napari_sam_tune.ui.views.learning import LearningView
from napari_sam_tune.ui.views.look import Look, stylesheet
from napari_sam_tune.ui.views.notice import NoticeBar
from napari_sam_tune.ui.views.start import StartView
from napari_sam_tune.ui.views.style import Button, Row, Section
from napari_sam_tune.ui.views.suggestion_view import SuggestionView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LEAST_WIDTH = 300


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
        folded: emitted with the titles of the sections that are folded, when that changes.

    """

    left = Signal()
    helping_opened = Signal()
    export_asked = Signal()
    folded = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.show_look(Look.of())
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
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.notice)
        column.addWidget(self._pages, 1)
        column.addWidget(self._status())
        self.setMinimumWidth(_LEAST_WIDTH)
        # else napari adds a stretch below, and the panel gets half the height
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def show_look(self, look: Look) -> None:
        """Follow napari's theme."""
        self.setStyleSheet(stylesheet(look))

    def show_start(self) -> None:
        """Show the empty state."""
        self._status_bar.hide()
        self._pages.setCurrentIndex(0)

    def show_work(self) -> None:
        """Show the labelling views."""
        self._status_bar.show()
        self._pages.setCurrentIndex(1)

    def show_folded(self, titles: Collection[str]) -> None:
        """Fold these sections and open all others."""
        for section in self._sections():
            section.open(section.title not in titles)

    @property
    def is_working(self) -> bool:
        """Whether the labelling views are shown."""
        return self._pages.currentIndex() == 1

    @property
    def is_helping_open(self) -> bool:
        """Whether "Is it helping?" is unfolded."""
        return self._helping_section.is_open

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
        self._helping_section = Section("Is it helping?", is_open=False)
        self._helping_section.body.addWidget(self.helping)
        self._helping_section.toggled.connect(self._on_helping_toggled)
        history = Section("History of versions", is_open=False)
        history.body.addWidget(self.history)
        for widget in (
            self.image,
            self.classes,
            self.object,
            self.suggestions,
            self.learning,
            self._helping_section,
            history,
        ):
            column.addWidget(widget)
        column.addStretch()
        for section in page.findChildren(Section):
            section.toggled.connect(self._on_section_toggled)
        self._page = page
        return page

    def _sections(self) -> list[Section]:
        return list(self._page.findChildren(Section))

    def _on_section_toggled(self, _: bool) -> None:
        self.folded.emit([s.title for s in self._sections() if not s.is_open])

    def _status(self) -> QFrame:
        """Return what is in view however the page is scrolled."""
        self._status_bar = QFrame()
        self._status_bar.setProperty("role", "card")
        column = QVBoxLayout(self._status_bar)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(4)
        self.export = Button("Export…", "wide")
        self.export.setToolTip("Write masks or weights for other programs: COCO, YOLO, SAM …")
        self.export.clicked.connect(self.export_asked)
        for widget in (
            self.image.line,
            self.learning.line,
            self.learning.line_bar,
            Row(self.export),
        ):
            column.addWidget(widget)
        self._status_bar.hide()
        return self._status_bar


def _scrolling(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
