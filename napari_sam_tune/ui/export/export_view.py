"""The export dialog: what, in which format, where to; how far it is, and what could not be held."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.exchange.outgoing import (
    ALL_EXCLUDED,
    EXCLUDED,
    MASK_EXCLUDED,
    NOT_LABELLED,
)
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.formats.registry import FORMATS
from napari_sam_tune.formats.weights.catalogue import WEIGHTS_FORMATS
from napari_sam_tune.formats.writer import ExportOptions
from napari_sam_tune.ui.export.export_request import (
    MASKS,
    ExportContent,
    ExportRequest,
)
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.look import Look, stylesheet
from napari_sam_tune.ui.views.notice import NoticeBar
from napari_sam_tune.ui.views.style import Button, Text


class ExportDialog(QDialog):
    """A passive view.

    Args:
        content: what there is.
        tab: `MASKS` or `WEIGHTS`, shown first.
        parent: the window it belongs to.

    Attributes:
        asked: emitted with an `ExportRequest`.
        cancelled: emitted when the person stops what is under way.
        notice: messages.

    """

    asked = Signal(object)
    cancelled = Signal()

    def __init__(self, content: ExportContent, tab: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setStyleSheet(stylesheet(Look.of()))
        self.setWindowTitle(tr("Export"))
        self._content = content
        self._is_own_place = False
        self.notice = NoticeBar()
        self._tabs = QTabWidget()
        self._tabs.addTab(self._masks(), tr("Masks"))
        self._tabs.addTab(self._weights(), tr("Weights"))
        self._tabs.setCurrentIndex(tab)
        self.bar = QProgressBar()
        self.bar.setFixedHeight(6)
        self.bar.setTextVisible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(Text(tr("Export from “{name}”", name=content.name), "heading"))
        column.addWidget(Text(self._what_goes_out(), "quiet"))
        column.addWidget(self._tabs)
        column.addLayout(self._place())
        column.addWidget(self.bar)
        column.addWidget(self.notice)
        column.addStretch()
        column.addLayout(self._buttons())
        self.setMinimumWidth(480)
        self._tabs.currentChanged.connect(self._on_choice_changed)
        self._on_choice_changed()
        self.show_idle()

    def event(self, event: QEvent) -> bool:
        """Grow with what is shown: Qt minds the lines that a text takes only at first."""
        handled = bool(super().event(event))
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self.layout().totalHeightForWidth(self.width())
            if needed > self.height():
                self.resize(self.width(), needed)
        return handled

    # ------------------------------------------------------------- what is chosen

    @property
    def suffix(self) -> str:
        """Of the file that is written; "" for a folder."""
        if self._tabs.currentIndex() == MASKS:
            return FORMATS[self.form].suffix
        return WEIGHTS_FORMATS[self.form].suffix

    @property
    def form(self) -> str:
        """Name of the format chosen."""
        chosen = self.formats if self._tabs.currentIndex() == MASKS else self.weights_formats
        return str(chosen.currentData())

    def request(self, *, overwrite: bool = False) -> ExportRequest:
        """Return what is chosen now."""
        unit = self._unit.text().strip()
        return ExportRequest(
            tab=self._tabs.currentIndex(),
            form=self.form,
            out=Path(self.place.text().strip()).expanduser(),
            overwrite=overwrite,
            options=ExportOptions(self._copy.isChecked(), self._pixel.value(), unit or "pixel"),
            version=str(self._versions.currentData()),
            only_approved=self._approved.isChecked(),
        )

    # -------------------------------------------------------------------- showing

    def show_running(self, steps: int) -> None:
        """Show that an export is under way; 0 steps where they cannot be counted."""
        self.notice.show_notice(None)
        self.bar.setRange(0, steps)
        self.bar.setValue(0)
        self._show(running=True)
        self._close.setEnabled(steps > 0)  # what has no steps ends soon, and not half-way

    def show_step(self, step: int) -> None:
        """Show how far it is."""
        self.bar.setValue(step)

    def show_idle(self) -> None:
        """Show that nothing is under way."""
        self._show(running=False)
        self._close.setEnabled(True)

    def _show(self, *, running: bool) -> None:
        for widget in (self._tabs, self.place, self._browse, self.export):
            widget.setEnabled(not running)
        self.bar.setVisible(running)
        self._close.setText(tr("Cancel") if running else tr("Close"))

    # ------------------------------------------------------------------- the parts

    def _masks(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.formats = ComboBox(
            {
                n: tr(known.title)[:1].upper() + tr(known.title)[1:]
                for n, known in FORMATS.items()
                if known.writer
            }
        )
        self.formats.setToolTip(
            tr(
                "Each is called after the programs that read it; “Table of measures” opens in a "
                "spreadsheet"
            )
        )
        self.formats.currentIndexChanged.connect(self._on_choice_changed)
        self._copy = QCheckBox(tr("Put the images in, if the format has a place for them"))
        self._copy.setChecked(True)
        self._approved = QCheckBox(
            tr("Only what is approved ({images})", images=_images(self._content.approved))
        )
        self._approved.setEnabled(self._content.approved > 0)
        self._approved.setToolTip(
            tr("Masks and images that somebody approved; the others stay here.")
        )
        self._pixel = QDoubleSpinBox()
        self._pixel.setDecimals(6)
        self._pixel.setRange(1e-6, 1e9)
        self._pixel.setValue(1.0)
        self._pixel.setToolTip(tr("Length of a pixel's side: areas and lengths are given in it."))
        self._unit = QLineEdit("pixel")
        self._unit.setToolTip(tr("Its unit, such as micrometer."))
        self._size = QWidget()
        line = QHBoxLayout(self._size)
        line.setContentsMargins(0, 0, 0, 0)
        for widget in (Text(tr("A pixel is"), wrap=False), self._pixel, self._unit):
            line.addWidget(widget)
        form.addRow(tr("Format"), self.formats)
        form.addRow("", Text(tr("COCO is read by most programs."), "quiet", wrap=False))
        form.addRow("", self._copy)
        form.addRow("", self._approved)
        form.addRow("", self._size)
        return page

    def _what_goes_out(self) -> str:
        images = _images(self._content.images)
        said = tr("{images} with the masks accepted so far.", images=images)
        stays = [_left_out(kind, count) for kind, count in self._content.left_out.items()]
        if not stays:
            return said
        return join_sentences(said, tr("Not in it: {what}.", what="; ".join(stays)))

    def _weights(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        titles = {known.name: tr(known.title) for known in WEIGHTS_FORMATS.values()}
        self.weights_formats = ComboBox(titles)
        self.weights_formats.currentIndexChanged.connect(self._on_choice_changed)
        self._versions = ComboBox(self._content.versions)
        form.addRow(tr("Format"), self.weights_formats)
        form.addRow(tr("Version"), self._versions)
        return page

    def _place(self) -> QHBoxLayout:
        self.place = QLineEdit()
        self.place.textEdited.connect(self._on_place_edited)
        self._browse = Button(tr("Choose…"), "wide")
        self._browse.setAutoDefault(False)
        self._browse.setToolTip(tr("Choose where to"))
        self._browse.clicked.connect(self._on_browse_clicked)
        line = QHBoxLayout()
        self._place_title = Text("", "title", wrap=False)
        for widget in (self._place_title, self.place, self._browse):
            line.addWidget(widget)
        return line

    def _buttons(self) -> QHBoxLayout:
        self._close = Button(tr("Close"))
        self._close.setProperty("role", "wide")
        self._close.setAutoDefault(False)
        self._close.clicked.connect(self.reject)
        self.export = Button(tr("Export"))
        self.export.setProperty("role", "primary")
        self.export.setDefault(True)
        self.export.clicked.connect(lambda: self.asked.emit(self.request()))
        line = QHBoxLayout()
        line.addStretch()
        line.addWidget(self._close)
        line.addWidget(self.export)
        return line

    # -------------------------------------------------------------------- answering

    def _on_choice_changed(self, _: int = 0) -> None:
        self._copy.setVisible(not self.suffix)
        self._size.setVisible(self.suffix == ".csv")
        self._place_title.setText(tr("File") if self.suffix else tr("Folder"))
        self.notice.show_notice(None)
        place = Path(self.place.text())
        if self._is_own_place:
            self.place.setText(str(place.with_suffix(self.suffix)))
        else:
            what = self.form if self._tabs.currentIndex() == MASKS else "weights"
            name = self._content.name.removesuffix(".project")
            self.place.setText(str(self._content.home / f"{name}-{what}{self.suffix}"))

    def _on_place_edited(self, _: str) -> None:
        self._is_own_place = True
        self.notice.show_notice(None)

    def _on_browse_clicked(self) -> None:
        # What is there already is asked about by this dialog, once.
        plain = QFileDialog.Option.DontConfirmOverwrite
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Export to"), self.place.text(), f"*{self.suffix}", options=plain
        )
        if chosen:
            place = Path(chosen)
            self.place.setText(str(place if place.suffix else place.with_suffix(self.suffix)))
            self._on_place_edited(chosen)

    def reject(self) -> None:
        """Close, or stop what is under way: by the button, Escape, or the window's own."""
        if self.bar.isVisible():
            self.cancelled.emit()
        else:
            super().reject()


def _images(count: int) -> str:
    return tr("{n:,} images", "1 image", n=count)


def _left_out(kind: str, count: int) -> str:
    """Say how many of a kind are not written; see `selection`."""
    return {
        NOT_LABELLED: tr(
            "{n:,} images that were not labelled yet",
            "1 image that was not labelled yet",
            n=count,
        ),
        EXCLUDED: tr("{n:,} images that are excluded", "1 image that is excluded", n=count),
        ALL_EXCLUDED: tr(
            "{n:,} images whose masks are all excluded",
            "1 image whose masks are all excluded",
            n=count,
        ),
        MASK_EXCLUDED: tr("{n:,} masks that are excluded", "1 mask that is excluded", n=count),
    }[kind]
