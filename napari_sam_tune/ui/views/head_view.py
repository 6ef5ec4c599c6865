"""Passive view of the finder that is trained on a project's masks: what it is, and its training."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.style import Bar, Button, Text


@dataclass(frozen=True)
class HeadSnapshot:
    """Where the finder is.

    Attributes:
        sentence: what there is to know; nothing hides the view.
        train: what stands on the button that trains it; nothing where that is of no use.
        why_not: what keeps it from being trained now, or nothing.
        training: it is being trained.
        fraction: of the training that is done, from 0 to 1; None while unknown.

    """

    sentence: str = ""
    train: str = ""
    why_not: str = ""
    training: bool = False
    fraction: float | None = None


class HeadView(QWidget):
    """What the finder knows, and its training.

    Attributes:
        start: emitted to train it.
        cancel: emitted to stop its training.

    """

    start = Signal()
    cancel = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._sentence = Text()
        self._why_not = Text("", "quiet")
        self._train = Button()
        self._train.setToolTip(
            tr(
                "Train the finder on the accepted masks in the background; you can go on "
                "labelling. It looks at whole images: what no mask covers counts as free of objects"
            )
        )
        self._train.clicked.connect(self.start)
        self._cancel = Button(tr("Cancel"))
        self._cancel.clicked.connect(self.cancel)
        self._bar = Bar()
        status = QHBoxLayout()
        status.addWidget(self._sentence, 1)
        status.addWidget(self._cancel)
        column.addLayout(status)
        for widget in (self._bar, self._why_not, self._train):
            column.addWidget(widget)
        self.show_head(HeadSnapshot())

    def show_head(self, shown: HeadSnapshot) -> None:
        """Show where the finder is."""
        self.setVisible(bool(shown.sentence))
        self._sentence.setText(shown.sentence)
        for widget in (self._bar, self._cancel):
            widget.setVisible(shown.training)
        self._bar.show_fraction(shown.fraction)
        self._train.setText(shown.train)
        self._train.setVisible(bool(shown.train) and not shown.training)
        self._train.allow(not shown.why_not, shown.why_not)
        self._why_not.setText(shown.why_not)
        self._why_not.setVisible(bool(shown.train and shown.why_not) and not shown.training)
