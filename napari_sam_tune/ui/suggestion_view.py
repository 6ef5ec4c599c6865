"""Passive view of the suggestions: ask for some, see how many are left, choose the order."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_sam_tune.ui.style import KeyButton, Section, Text, row

KINDS = (
    ("similar", "All like these"),
    ("head", "Trained head"),
    ("everything", "Segment everything"),
    ("recalled", "Masks of this part"),
)
_ORDERS = ("Unsure first", "Sure first")


@dataclass(frozen=True)
class SuggestionSnapshot:
    """Where the review of the open image is.

    Attributes:
        sentence: what there is to know, in one sentence.
        counter: "3 of 12", or nothing.
        reviewing: suggestions are being made or shown.

    """

    sentence: str
    counter: str = ""
    reviewing: bool = False


class SuggestionView(QWidget):
    """The section of the suggestions.

    Attributes:
        action: emitted with "propose" to begin or to stop.
        kind_chosen: emitted when something else is to propose.
        order_chosen: emitted with whether the surest comes first.

    """

    action = Signal(str)
    kind_chosen = Signal()
    order_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._has_chosen = False
        section = Section("Suggestions")
        self._counter = Text("", "badge", wrap=False)
        section.head.addWidget(self._counter)
        self.button = KeyButton(
            "propose", "Propose", "Let the model look for objects; accept or reject each of them"
        )
        self.button.setCheckable(True)
        self.button.clicked.connect(lambda: self.action.emit("propose"))
        self._kinds = QComboBox()
        self._kinds.setToolTip(
            "What proposes: what looks like the masks you accepted, the head trained for this "
            "project, SAM itself, or what you accepted on other photographs of the same part"
        )
        for kind, text in KINDS:
            self._kinds.addItem(text, kind)
        self._kinds.activated.connect(lambda _: self._choose())
        self._orders = QComboBox()
        self._orders.setToolTip("From unsure suggestions the model learns most")
        self._orders.addItems(_ORDERS)
        self._orders.currentIndexChanged.connect(lambda n: self.order_chosen.emit(n == 1))
        self._sentence = Text("", "quiet")
        # room for two lines, so that what lies below does not jump
        self._sentence.setMinimumHeight(2 * self._sentence.fontMetrics().lineSpacing() + 4)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        section.body.addWidget(self.button)
        section.body.addLayout(row(self._kinds, self._orders))
        section.body.addWidget(self._sentence)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(section)
        self.show_suggestions(SuggestionSnapshot(""))

    @property
    def kind(self) -> str:
        """What is to propose: "similar", "head", "everything" or "recalled"."""
        return str(self._kinds.currentData())

    def choose_kind(self, kind: str) -> None:
        """Choose what is to propose, as the person does."""
        self._kinds.setCurrentIndex(self._kinds.findData(kind))
        self._choose()

    def offer_kind(self, kind: str) -> None:
        """Choose for a person who has not chosen; nothing is emitted."""
        if not self._has_chosen:
            self._kinds.setCurrentIndex(self._kinds.findData(kind))

    def _choose(self) -> None:
        self._has_chosen = True
        self.kind_chosen.emit()

    def show_key(self, key: str) -> None:
        """Write the key on the button."""
        self.button.show_key(key)

    def show_suggestions(self, shown: SuggestionSnapshot) -> None:
        """Show where the review is."""
        self._sentence.setText(shown.sentence)
        self._counter.setText(shown.counter)
        self._counter.setVisible(bool(shown.counter))
        self.button.setChecked(shown.reviewing)
        self.button.setText("Stop proposing" if shown.reviewing else "Propose")
