"""The first thing a person sees: where the images are, and the choices that have good defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QVBoxLayout, QWidget

from napari_sam_tune.core.models.catalogue import OFFICIAL, STARTER
from napari_sam_tune.core.project.folder import is_project
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.queue import PROJECT_NAME
from napari_sam_tune.ui.servers import PREFIX, address_of, check_server, load_servers, save_server
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.recent_row import RecentRow
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.server_dialog import ServerDialog
from napari_sam_tune.ui.views.style import Button, OneLine, Section, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QImage

    from napari_sam_tune.ui.recent import Recent

MODELS = {STARTER: mark("Starter (built in)")} | {
    model.name: f"{model.title} ({model.size})"
    for model in sorted(OFFICIAL.values(), key=lambda model: model.megabytes)
}
DEVICES = {
    "auto": mark("Automatic"),
    "cpu": mark("Processor (CPU)"),
    "cuda": mark("NVIDIA GPU (CUDA)"),
    "mps": mark("Apple GPU (MPS)"),
}


@dataclass(frozen=True)
class Choices:
    """What was chosen beside the images.

    Attributes:
        project: folder of the project, or None for the default place.
        model: a model's name or the path of a weights file.
        device: "auto", "cpu", "cuda" or "mps"; or a server, see `ui.servers`.

    """

    project: Path | None = None
    model: str = STARTER
    device: str = "auto"


class StartView(QWidget):
    """Empty state of the dock.

    Attributes:
        folder_chosen: emitted with the `Path` of a folder of images.
        viewer_chosen: emitted to label the images in the viewer.
        samples_chosen: emitted to label the plugin's sample images.
        project_chosen: emitted with the `Path` of a project that is there already.
        recent_chosen: emitted with a `Recent` to go on with.
        recent_forgotten: emitted with a `Recent` to offer no more.

    """

    folder_chosen = Signal(object)
    viewer_chosen = Signal()
    samples_chosen = Signal()
    project_chosen = Signal(object)
    recent_chosen = Signal(object)
    recent_forgotten = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._place: Path | None = None
        self._home_of_viewer: Path | None = None
        self._home_of_samples: Path | None = None
        self._runs_on = "auto"
        # what a person chose, by the fields of `Choices`
        self._chosen: dict[str, str] = {}
        self._is_model_new = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(Text(tr("Label defects by clicking"), "heading"))
        column.addWidget(
            Text(
                tr(
                    "Click on a defect, and the model proposes its outline. It learns from every "
                    "outline you accept, while you go on."
                ),
                "quiet",
            )
        )
        self._recent = Section(mark("Go on with"), folds=False)
        self._rows = QVBoxLayout()
        self._recent.body.addLayout(self._rows)
        self._reading = Text(tr("Reading what you labelled last…"), "quiet")
        self._reading.hide()
        self._recent.body.addWidget(self._reading)
        column.addWidget(self._recent)
        column.addWidget(self._images())
        column.addWidget(self._options())
        self.show_recent(())
        self.show_images_in_viewer(0, Path())
        column.addStretch()

    def choices(self) -> Choices:
        """Return what is chosen now."""
        return Choices(
            project=self._place,
            model=self._model.currentData(),
            device=self._device.currentData(),
        )

    def show_choices(self, choices: Choices) -> None:
        """Show these choices."""
        self._place = choices.project
        self._show_place()
        if self._model.findData(choices.model) < 0:
            self._add_file(choices.model)
        self._model.setCurrentIndex(self._model.findData(choices.model))
        server = address_of(choices.device)
        if server is not None and self._device.findData(choices.device) < 0:
            self._add_server(server)
        self._device.setCurrentIndex(max(0, self._device.findData(choices.device)))
        self._runs_on = self._device.currentData()

    def show_chosen(self) -> None:
        """Show what a person chose here, for whatever is opened next."""
        self._is_model_new = False
        self.show_choices(Choices(None, **self._chosen))

    def choices_for(self, recent: Recent) -> Choices:
        """Return with what to go on: where a person chose so here, else as it was labelled.

        Where the model runs is a matter of the computer, and counts for all that is opened. A model
        chosen for one project says nothing of the others: it counts until something is opened.
        """
        before = {"model": recent.model, "device": recent.device}
        counts = before if self._is_model_new else ("device",)
        chosen = {name: value for name, value in self._chosen.items() if name in counts}
        return Choices(recent.project, **before | chosen)

    def show_images_in_viewer(self, count: int, home: Path) -> None:
        """Say how many images the viewer holds, and where their project goes."""
        self._viewer.setEnabled(count > 0)
        self._viewer.setText(
            tr("Images in viewer ({count})", count=count) if count else tr("No image in the viewer")
        )
        self._home_of_viewer = home if count else None
        self._show_place()

    def show_home_of_samples(self, home: Path) -> None:
        """Say where the project of the sample images goes."""
        self._home_of_samples = home
        self._show_place()

    def _show_place(self) -> None:
        """Say where masks will be kept."""
        text = tr("Your masks are kept beside the images, in “{name}”.", name=PROJECT_NAME)
        place = None
        if self._place is not None:
            text, place = tr("Your masks are kept in"), self._place
        elif self._home_of_viewer is not None:
            place = self._home_of_viewer
            text = tr(
                "Masks on a folder of images are kept beside them, in “{name}”; masks on the "
                "images in the viewer in",
                name=PROJECT_NAME,
            )
        self._where.setText(text)
        samples = self._home_of_samples if self._place is None else None
        self._of_samples.setVisible(samples is not None)
        for label, path in ((self._shown_place, place), (self._samples_place, samples)):
            label.setText("" if path is None else str(path))
            label.setVisible(path is not None)
        self._usual.setVisible(self._place is not None)

    def show_recent(self, recent: Sequence[tuple[Recent, QImage]]) -> None:
        """Offer to go on with these, each with its thumbnail."""
        while (item := self._rows.takeAt(0)) is not None:
            item.widget().deleteLater()
        for one, picture in recent:
            self._rows.addWidget(self._row(one, picture))
        self._show_recent()
        # The likeliest thing to do is the one that stands out.
        self._folder.setProperty("role", "wide" if recent else "primary")
        self._folder.style().unpolish(self._folder)
        self._folder.style().polish(self._folder)

    def show_reading(self, is_going_on: bool) -> None:
        """Say that it is being found out what there is to go on with, or no more."""
        self._reading.setVisible(is_going_on)
        self._show_recent()

    def _show_recent(self) -> None:
        self._recent.setVisible(self._rows.count() > 0 or not self._reading.isHidden())

    def _row(self, recent: Recent, picture: QImage) -> RecentRow:
        row = RecentRow(recent, picture)
        row.chosen.connect(partial(self.recent_chosen.emit, recent))
        row.forgotten.connect(partial(self.recent_forgotten.emit, recent))
        return row

    def _images(self) -> Section:
        section = Section(mark("Where are your images?"), folds=False)
        folder = self._folder = Button(tr("Choose a folder…"))
        folder.setToolTip(tr("A folder of images, or a project"))
        folder.clicked.connect(self._on_folder_clicked)
        self._viewer = Button(role="wide")
        self._viewer.clicked.connect(self.viewer_chosen)
        samples = Button(tr("Try sample images"), "wide")
        samples.clicked.connect(self.samples_chosen)
        for widget in (folder, self._viewer, samples):
            section.body.addWidget(widget)
        section.body.addWidget(Text(tr("Or drop images, a folder or a project here."), "quiet"))
        return section

    def _options(self) -> Section:
        section = Section(mark("Project and model"), folds=False)
        self._where = Text()
        self._of_samples = Text(tr("Masks on the sample images are kept in"))
        self._shown_place, self._samples_place = OneLine(), OneLine()
        for place in (self._shown_place, self._samples_place):
            place.setElideMode(Qt.TextElideMode.ElideMiddle)
        self._usual = Button(tr("In the usual place"), "wide")
        self._usual.setToolTip(tr("Keep masks beside the images, or in the documents folder"))
        self._usual.clicked.connect(self._on_usual_clicked)
        change = Button(tr("Keep masks elsewhere…"), "wide")
        change.setToolTip(tr("Choose a folder for the project. One that is a project is opened."))
        change.clicked.connect(self._on_project_clicked)
        for widget in (
            self._where,
            self._shown_place,
            self._of_samples,
            self._samples_place,
            Row(change, self._usual),
        ):
            section.body.addWidget(widget)
        self._model = ComboBox({name: tr(title) for name, title in MODELS.items()})
        self._model.addItem(tr("A weights file…"), "")
        self._model.activated.connect(self._on_model_activated)
        self._device = ComboBox({name: tr(title) for name, title in DEVICES.items()})
        for address in load_servers():
            self._add_server(address)
        self._device.addItem(tr("A server…"), "")
        self._device.activated.connect(self._on_device_activated)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Model"), self._model)
        form.addRow(tr("Runs on"), self._device)
        section.body.addLayout(form)
        return section

    def _on_folder_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder of images"))
        if folder:
            self.folder_chosen.emit(Path(folder))

    def _on_project_clicked(self) -> None:
        text = QFileDialog.getExistingDirectory(
            self, tr("Project folder: a new one, or one to open")
        )
        if not text:
            return
        folder = Path(text)
        if is_project(folder):
            self.project_chosen.emit(folder)
        else:
            self.show_choices(replace(self.choices(), project=folder))

    def _on_usual_clicked(self) -> None:
        self.show_choices(replace(self.choices(), project=None))

    def _on_model_activated(self, index: int) -> None:
        if self._model.itemData(index) != "":
            self._choose_model(self._model.itemData(index))
            return
        path, _ = QFileDialog.getOpenFileName(
            self, tr("Weights file"), "", tr("SAM weights") + " (*.pth *.pt *.safetensors)"
        )
        if path:
            self._add_file(path)
            self._choose_model(path)
        model = self._chosen.get("model", STARTER)
        self._model.setCurrentIndex(self._model.findData(model))

    def _choose_model(self, model: str) -> None:
        self._chosen["model"], self._is_model_new = model, True

    def _on_device_activated(self, index: int) -> None:
        if self._device.itemData(index) != "":
            self._runs_on = self._chosen["device"] = self._device.itemData(index)
            return
        dialog = ServerDialog(check_server, self)
        known = load_servers()
        if known:
            dialog.show_server(*next(reversed(known.items())))
        if dialog.exec():
            save_server(dialog.address, dialog.token)
            self._add_server(dialog.address)
            self._runs_on = self._chosen["device"] = PREFIX + dialog.address
        dialog.deleteLater()
        self._device.setCurrentIndex(max(0, self._device.findData(self._runs_on)))

    def _add_server(self, address: str) -> None:
        if self._device.findData(PREFIX + address) < 0:
            last = self._device.findData("")
            at = self._device.count() if last < 0 else last
            title = tr("Server {address}", address=address.partition("://")[2])
            self._device.insertItem(at, title, PREFIX + address)

    def _add_file(self, path: str) -> None:
        if self._model.findData(path) < 0:
            self._model.insertItem(self._model.count() - 1, Path(path).name, path)
