"""A project labelled before: a picture, its name, how much is in it; a click goes on there."""

from __future__ import annotations

from time import localtime, strftime
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.style import Button, OneLine, tip

if TYPE_CHECKING:
    from qtpy.QtGui import QImage

    from napari_sam_tune.ui.recent import Recent

_PICTURE: Final = 40
"""Its side, in px."""


class RecentRow(QWidget):
    """One project; one that is gone says so, and can be taken off the list.

    Args:
        recent: the project.
        picture: its thumbnail; null where there is none.

    Attributes:
        open: the button that goes on with it.
        chosen: emitted to go on with it.
        forgotten: emitted to take it off the list.

    """

    chosen = Signal()
    forgotten = Signal()

    def __init__(self, recent: Recent, picture: QImage) -> None:
        super().__init__()
        # napari's styles let a button be lower than what it shows
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.open = _Project(recent.name, _detail(recent), picture)
        self.open.setEnabled(recent.is_there)
        self.open.setToolTip(tip(str(recent.project)))
        self.open.clicked.connect(self.chosen)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        line.addWidget(self.open, 1)
        if not recent.is_there:
            forget = Button(tr("Take off"), "small")
            forget.setToolTip(tr("Offer it no more. Nothing is deleted."))
            forget.clicked.connect(self.forgotten)
            line.addWidget(forget, 0, Qt.AlignmentFlag.AlignVCenter)  # else as low as this


class _Project(QPushButton):
    """A button of a picture and two lines."""

    def __init__(self, name: str, detail: str, picture: QImage) -> None:
        super().__init__()
        self.setAccessibleName(tr("Go on with {name}", name=name))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        shown = QLabel()
        shown.setFixedSize(_PICTURE, _PICTURE)
        shown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        if not picture.isNull():
            fitted = picture.scaled(
                _PICTURE,
                _PICTURE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            shown.setPixmap(QPixmap.fromImage(fitted))
        lines = QVBoxLayout()
        lines.setSpacing(0)
        for text, role in ((name, "title"), (detail, "")):
            label = OneLine(role)
            label.setText(text)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            lines.addWidget(label)
        line = QHBoxLayout(self)
        line.setContentsMargins(6, 4, 6, 4)
        line.setSpacing(8)
        line.addWidget(shown)
        line.addLayout(lines, 1)
        for label in self.findChildren(QLabel):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the picture and both lines; a button knows only its own text."""
        return self.layout().sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the picture and a few letters."""
        return QSize(2 * _PICTURE, self.sizeHint().height())


def _detail(recent: Recent) -> str:
    """Return what there is to say of a project beside its name."""
    if not recent.is_there:
        return tr("not found")
    said = []
    if recent.masks is not None:
        said.append(tr("{n:,} masks", "1 mask", n=recent.masks))
    if recent.when:
        said.append(strftime(tr("%d %b"), localtime(recent.when)))
    return " · ".join(said)
