"""The dock, put together from passive views: it shows snapshots and says what was pressed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.canvas.keys import key_text
from napari_sam_tune.ui.views.classes import ClassView
from napari_sam_tune.ui.views.helping import HelpingView
from napari_sam_tune.ui.views.history import HistoryView
from napari_sam_tune.ui.views.image_page import ImagePage
from napari_sam_tune.ui.views.labelling import ImageView, ObjectView
from napari_sam_tune.ui.views.learning import CurveSnapshot, LearningSnapshot, LearningView
from napari_sam_tune.ui.views.look import Look, stylesheet
from napari_sam_tune.ui.views.notice import Notice, NoticeBar
from napari_sam_tune.ui.views.object_page import ObjectPage
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.stack_view import StackView
from napari_sam_tune.ui.views.start import StartView
from napari_sam_tune.ui.views.style import Button, KeyButton, Section
from napari_sam_tune.ui.views.suggestion_view import SuggestionView
from napari_sam_tune.ui.views.tour_card import TourCard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from qtpy.QtGui import QDragEnterEvent, QDropEvent

_LEAST_WIDTH, _GOOD_WIDTH = 300, 372
_AROUND = 6  # px seen above and below what is brought into view


class Panel(QWidget):
    """The dock's widget.

    Args:
        parent: what it is put into; its style is the panel's, too.
        in_turns: the views are not made before `filling` is gone through, step by step.

    Attributes:
        filling: what is left to be done until all views are there.
        keys: what stands on the buttons, by action.
        notice: messages, above the line that is always in view.
        start: choosing images; shown while none are open.
        masks, images: the pages with the lists of both.
        image, classes, object, suggestions, stack, learning, history, helping: shown while
            labelling.
        left: emitted when napari takes the panel out of its dock.
        helping_opened: emitted when "Is it helping?" is unfolded.
        page_shown: emitted when another page is in view.
        export_asked: emitted to take masks or weights out.
        tour: the card of the tour, above the pages.
        keys_asked: emitted to see all keys.
        dropped: emitted with the list of `Path` that were dropped on the dock.
        folded: emitted with the titles of the sections that are folded, when that changes.

    """

    left = Signal()
    helping_opened = Signal()
    export_asked = Signal()
    page_shown = Signal()
    folded = Signal(object)
    keys_asked = Signal()
    dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, in_turns: bool = False) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAcceptDrops(True)
        self.show_look(Look.of())
        self.keys: dict[str, str] = {}
        self._brought: list[QWidget] = []
        self.setMinimumWidth(_LEAST_WIDTH)
        # else napari adds a stretch below, and the panel gets half the height
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.filling = self._fill()
        if not in_turns:
            for _ in self.filling:
                pass

    def _fill(self) -> Iterator[None]:
        """Make the views, and yield after each that takes long.

        What they are put into is there before them: Qt works out the looks of all that is in a
        widget when that comes under a style sheet.
        """
        self._pages, self._tabs = QStackedWidget(self), QTabWidget()
        self._pages.hide()
        self.notice = NoticeBar()
        self.tour = TourCard()
        self.notice.changed.connect(self._on_notice_changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.tour)
        column.addWidget(self._pages, 1)
        column.addWidget(self.notice)  # not above: what comes and goes must not move the buttons
        yield
        self.start = StartView()
        self._pages.addWidget(_scrolling(self.start))
        self._pages.addWidget(self._tabs)
        yield
        yield from self._fill_pages()
        column.addWidget(self._status())
        self.show_start()
        self._pages.show()

    def _fill_pages(self) -> Iterator[None]:
        """Make the pages for work, and yield after each view."""
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._tabs.tabBar().setExpanding(True)
        self._page = QWidget()
        self._add_page(self._page, tr("Label"), tr("Click, accept, learn"))
        bar = self._tabs.widget(0).verticalScrollBar()
        bar.rangeChanged.connect(lambda *_: self._bring(*self._brought))
        bar.actionTriggered.connect(lambda _: self._brought.clear())
        yield from self._fill_work(self._page)
        self.masks = ObjectPage()
        says = tr("All masks: go there, change the class, correct, review")
        self._add_page(self.masks, tr("Masks"), says)
        yield
        self.images = ImagePage()
        says = tr("All images: what is done, what is on them, go there")
        self._add_page(self.images, tr("Images"), says)
        self._tabs.currentChanged.connect(lambda _: self.page_shown.emit())
        yield

    def _add_page(self, page: QWidget, title: str, says: str) -> None:
        self._tabs.addTab(_scrolling(page), title)
        self._tabs.setTabToolTip(self._tabs.count() - 1, says)

    def _fill_work(self, page: QWidget) -> Iterator[None]:
        """Make what is shown while labelling, and yield after each section."""
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.image = ImageView()
        column.addWidget(self.image)
        self.stack = StackView()
        column.addWidget(self.stack)
        self.classes = ClassView()
        column.addWidget(self.classes)
        yield
        self.object = ObjectView()
        column.addWidget(self.object)
        yield
        self.suggestions = SuggestionView()
        column.addWidget(self.suggestions)
        yield
        self.learning = LearningView()
        column.addWidget(self.learning)
        yield
        self.history, self.helping = HistoryView(), HelpingView()
        self._helping_section = Section(mark("Is it helping?"), is_open=False)
        self._helping_section.body.addWidget(self.helping)
        self._helping_section.toggled.connect(self._on_helping_toggled)
        history = Section(mark("History of versions"), is_open=False)
        history.body.addWidget(self.history)
        column.addWidget(self._helping_section)
        column.addWidget(history)
        column.addStretch()
        for section in page.findChildren(Section):
            section.toggled.connect(self._on_section_toggled)
        yield

    def show_look(self, look: Look) -> None:
        """Follow napari's theme."""
        rules = stylesheet(look)
        if rules != self.styleSheet():  # else Qt works out the looks of all widgets again
            self.setStyleSheet(rules)

    def show_start(self) -> None:
        """Show the empty state; what was said of a project that is closed is true no more."""
        self.notice.show_notice(None)
        self.image.show_no_image()
        self.learning.show_learning(LearningSnapshot())
        self.learning.show_curve(CurveSnapshot())
        self._show_page(0)

    def show_closing(self) -> None:
        """Say, before that takes its time, that a project is being closed."""
        self.notice.show_notice(Notice(tr("Closing the project…"), busy=True))
        self.layout().activate()
        self.repaint()  # now: the viewer's thread is about to be busy

    def show_work(self) -> None:
        """Show the labelling views."""
        self._show_page(1)

    def show_folded(self, titles: Collection[str]) -> None:
        """Fold these sections and open all others."""
        for section in self._sections():
            section.open(section.title not in titles)

    def show_decision(self) -> None:
        """Bring what is said of the object in progress, and “Accept”, into view.

        With large letters, or many classes, they may lie below what is in view.
        """
        self._bring(*self.object.decision)

    def show_review(self) -> None:
        """Bring what is said of the suggestions into view, for who asked for some."""
        self._bring(self.suggestions.state)

    def _bring(self, *widgets: QWidget) -> None:
        """Bring these into view; there they stay, until somebody scrolls, where room is taken."""
        self._brought[:] = widgets
        for widget in widgets:
            self._tabs.widget(0).ensureWidgetVisible(widget, 0, _AROUND)

    def show_exportable(self, possible: bool) -> None:
        """Let masks and weights be exported, once there are any."""
        self.export.allow(possible, tr("There is nothing to export yet: accept a mask first."))

    def _show_page(self, page: int) -> None:
        self._pages.setCurrentIndex(page)
        for widget in (self.image.line, self.learning.line, self.export):
            widget.setVisible(page == 1)
        self.learning.line_bar.hide()

    @property
    def is_working(self) -> bool:
        """Whether the labelling views are shown."""
        return self._pages.currentIndex() == 1

    @property
    def is_helping_open(self) -> bool:
        """Whether "Is it helping?" is unfolded."""
        return self._helping_section.is_open

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a width in which buttons stand in pairs."""
        return QSize(_GOOD_WIDTH, super().sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Notice being taken out of the dock; napari has no signal for it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.left.emit()
        return bool(super().event(event))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files and folders; what else is dragged here is napari's."""
        event.setAccepted(bool(_paths(event)))

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Say what was dropped."""
        event.acceptProposedAction()
        self.dropped.emit(_paths(event))

    def _on_notice_changed(self) -> None:
        notice = self.notice.notice
        self.tour.give_way(notice is not None and notice.level == "error")

    def _on_helping_toggled(self, is_open: bool) -> None:
        if is_open:
            self.helping_opened.emit()

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        self.keys = texts = {action: key_text(key) for action, key in keys.items()}
        self.image.show_keys(texts)
        self.object.show_keys(texts)
        self.suggestions.show_keys(texts)
        self.stack.show_keys(texts)
        self.masks.show_keys(texts)
        self.images.show_keys(texts)
        self.learning.show_key(texts["fine_tune"])

    @property
    def shown_page(self) -> QWidget | None:
        """The page in view while labelling; None while nothing is open."""
        if not self.is_working:
            return None
        return self._tabs.currentWidget().widget()

    def show_page(self, page: QWidget) -> None:
        """Bring a page into view."""
        places = range(self._tabs.count())
        self._tabs.setCurrentIndex(next(n for n in places if self._tabs.widget(n).widget() is page))

    def _sections(self) -> list[Section]:
        return list(self._page.findChildren(Section))

    def _on_section_toggled(self, _: bool) -> None:
        self.folded.emit([s.title for s in self._sections() if not s.is_open])

    def _status(self) -> QFrame:
        """Return what is in view however the page is scrolled."""
        bar = QFrame()
        bar.setProperty("role", "card")
        column = QVBoxLayout(bar)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(4)
        self.export = Button(tr("Export…"), "wide")
        self.export.setToolTip(tr("Write masks or weights for other programs: COCO, YOLO, SAM …"))
        self.export.clicked.connect(self.export_asked)
        keys = KeyButton("keys", tr("Keys and tour"), tr("All keys on one page, and the tour"))
        keys.show_key("?")
        keys.clicked.connect(self.keys_asked)
        for widget in (
            self.image.line,
            self.learning.gain,
            self.learning.line,
            self.learning.line_bar,
            Row(self.export, keys),
        ):
            column.addWidget(widget)
        self.show_exportable(False)
        return bar


def _paths(event: QDropEvent) -> list[Path]:
    """Return the files and folders of this computer that are dragged."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


def _scrolling(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setMinimumHeight(1)  # a long message may need the room
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
