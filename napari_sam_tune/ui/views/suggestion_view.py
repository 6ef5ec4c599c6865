"""Passive view of the suggestions: ask for some, see how many are left and where others are."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.head_view import HeadView
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import (
    Bar,
    Button,
    CheckBox,
    KeyButton,
    OneLine,
    Section,
    Text,
)

KINDS = (
    ("similar", mark("Like the accepted")),
    ("head", mark("Trained finder")),
    ("everything", mark("Anything that stands out")),
    ("recalled", mark("Masks of this part")),
)
_ORDERS = (mark("Unsure first"), mark("Sure first"))


@dataclass(frozen=True)
class SuggestionSnapshot:
    """Where the review of the open image is.

    Attributes:
        sentence: what there is to know, in one sentence.
        counter: "3 of 12", or nothing.
        reviewing: suggestions are being made or shown.
        has_image: there is an image to look at.
        has_masks: some were accepted, like which others can be found.
        least_images: on so many images there must be some before that; 0 where there are.

    """

    sentence: str
    counter: str = ""
    reviewing: bool = False
    has_image: bool = True
    has_masks: bool = True
    least_images: int = 0


@dataclass(frozen=True)
class SurveySnapshot:
    """What is expected on the images of the folder that are not done.

    Attributes:
        sentence: in one sentence; nothing while the folder is not looked through.
        by_image: a line for each image with finds.
        fraction: of the images that were looked at, from 0 to 1; None once that is over.
        has_next: there is another image with finds.

    """

    sentence: str = ""
    by_image: str = ""
    fraction: float | None = None
    has_next: bool = False


class SurveyView(QWidget):
    """How much there is to find in the folder, and the way there.

    Attributes:
        action: emitted with "next_finds" to go to the next image with finds.
        cancel: emitted to look through no more images.

    """

    action = Signal(str)
    cancel = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._sentence = Text()
        self._bar = Bar()
        self._cancel = Button(tr("Cancel"))
        self._cancel.clicked.connect(self.cancel)
        self.button = KeyButton(
            "next_finds",
            tr("Next with finds"),
            tr("Open the next image on which finds are expected"),
        )
        self.button.clicked.connect(lambda: self.action.emit("next_finds"))
        self._by_need = CheckBox(tr("Most needed first"))
        self._by_need.setToolTip(
            tr(
                "After “Done”, open the image with the surest finds that is least like those "
                "labelled; near-duplicates come last"
            )
        )
        status = QHBoxLayout()
        status.addWidget(self._sentence, 1)
        status.addWidget(self._cancel)
        column.addLayout(status)
        column.addWidget(self._bar)
        column.addWidget(Row(self.button, self._by_need))
        self.show_survey(SurveySnapshot())

    @property
    def is_by_need(self) -> bool:
        """Whether the images most worth labelling come first."""
        return bool(self._by_need.isChecked())

    def show_survey(self, shown: SurveySnapshot) -> None:
        """Show what is expected."""
        self.setVisible(bool(shown.sentence))
        self._sentence.setText(shown.sentence)
        self._sentence.setToolTip(shown.by_image or shown.sentence)
        for widget in (self._bar, self._cancel):
            widget.setVisible(shown.fraction is not None)
        self._bar.show_fraction(shown.fraction or 0)
        self.button.setEnabled(shown.has_next)


class SuggestionView(QWidget):
    """The section of the suggestions.

    Attributes:
        head: the finder that is trained on the masks.
        survey: what there is to find on the other images.
        action: emitted with "propose" or "find_similar" to begin or to stop.
        kind_chosen: emitted when something else is to propose, or another class is to be found.
        order_chosen: emitted with whether the surest comes first.

    """

    action = Signal(str)
    kind_chosen = Signal()
    order_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._has_chosen = False
        section = Section(mark("Suggestions"))
        self._counter = OneLine("badge")
        section.head.addWidget(self._counter, 0, Qt.AlignmentFlag.AlignVCenter)
        self.button = KeyButton(
            "propose",
            tr("Propose"),
            tr("Let the model look for objects; accept or reject each of them"),
        )
        self.button.setCheckable(True)
        self.button.clicked.connect(lambda: self.action.emit("propose"))
        self.find_button = KeyButton(
            "find_similar",
            tr("Find all like these"),
            tr("Look for all that looks like the masks you accepted, here and in the whole folder"),
        )
        self.find_button.setCheckable(True)
        self.find_button.clicked.connect(lambda: self.action.emit("find_similar"))
        self._kinds = ComboBox({kind: tr(said) for kind, said in KINDS})
        self._kinds.setToolTip(
            tr(
                "What proposes: what looks like the masks you accepted, the finder trained on "
                "them, SAM itself, or what you accepted on other photographs of the same part"
            )
        )
        self._kinds.activated.connect(lambda _: self._choose())
        self._labels = ComboBox()
        self._labels.setToolTip(tr("Find objects of all classes, or of one"))
        self._labels.activated.connect(lambda _: self.kind_chosen.emit())
        self._orders = ComboBox()
        self._orders.setToolTip(tr("From unsure suggestions the model learns most"))
        self._orders.addItems([tr(order) for order in _ORDERS])
        self._orders.currentIndexChanged.connect(lambda n: self.order_chosen.emit(n == 1))
        self._sentence = Text("", "quiet")
        # room for two lines, so that what lies below does not jump
        self._sentence.setMinimumHeight(2 * self._sentence.fontMetrics().lineSpacing() + 4)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.head, self.survey = HeadView(), SurveyView()
        section.body.addWidget(Row(self.button, self.find_button))
        section.body.addWidget(Row(self._kinds, self._orders))
        section.body.addWidget(self._labels)
        section.body.addWidget(self._sentence)
        section.body.addWidget(self.head)
        section.body.addWidget(self.survey)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(section)
        self.offer_labels([])
        self.show_suggestions(SuggestionSnapshot(""))

    @property
    def state(self) -> QWidget:
        """What says where the review is."""
        return self._sentence

    @property
    def kind(self) -> str:
        """What is to propose: "similar", "head", "everything" or "recalled"."""
        return str(self._kinds.currentData())

    @property
    def label(self) -> str | None:
        """The only class to be found; None: all are."""
        label = self._labels.currentData()
        return None if label is None or self.kind != "similar" else str(label)

    def offer_labels(self, labels: list[str]) -> None:
        """Let the person choose among these classes where there are two or more of them."""
        chosen = self._labels.currentData()
        self._labels.clear()
        self._labels.addItem(tr("All classes"), None)
        for label in labels:
            self._labels.addItem(tr("Only “{label}”", label=label), label)
        self._labels.setCurrentIndex(max(0, self._labels.findData(chosen)))
        self._has_classes = len(labels) > 1
        self._show_labels()

    def _show_labels(self) -> None:
        self._labels.setVisible(self._has_classes and self.kind == "similar")

    def choose_kind(self, kind: str) -> None:
        """Choose what is to propose, as the person does."""
        self._kinds.setCurrentIndex(self._kinds.findData(kind))
        self._choose()

    def offer_kind(self, kind: str) -> None:
        """Choose for a person who has not chosen; nothing is emitted."""
        if not self._has_chosen:
            self._kinds.setCurrentIndex(self._kinds.findData(kind))
            self._show_labels()

    def _choose(self) -> None:
        self._has_chosen = True
        self._show_labels()
        self.kind_chosen.emit()

    def show_keys(self, keys: dict[str, str]) -> None:
        """Write the keys on the buttons."""
        for button in (self.button, self.find_button, self.survey.button):
            button.show_key(keys[button.action])

    def show_suggestions(self, shown: SuggestionSnapshot) -> None:
        """Show where the review is."""
        self._sentence.setText(shown.sentence)
        self._counter.setText(shown.counter)
        self._counter.setVisible(bool(shown.counter))
        self.button.allow(shown.has_image, tr("First an image must be open."))
        why_not = (
            tr(
                "Accept masks on {images} images first, or in as many places of a large one: what "
                "looks like them can be found then.",
                images=shown.least_images,
            )
            if shown.least_images
            else tr("Accept some masks first: what looks like them can be found then.")
        )
        can_find = shown.has_image and shown.has_masks and not shown.least_images
        self.find_button.allow(shown.reviewing or can_find, why_not)
        self.button.setChecked(shown.reviewing)
        self.find_button.setChecked(shown.reviewing and self.kind == "similar")
        self.button.setText(tr("Stop proposing") if shown.reviewing else tr("Propose"))
