"""The first thing a person sees: where the images are, and the choices that have good defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam_tune.core.models.catalogue import OFFICIAL, STARTER
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.style import Button, Section, Text, on_a_button, tip

MODELS = {STARTER: "Starter (built in)"} | {
    model.name: f"{model.title} ({model.size})"
    for model in sorted(OFFICIAL.values(), key=lambda model: model.megabytes)
}
DEVICES = {
    "auto": "Automatic",
    "cpu": "Processor (CPU)",
    "cuda": "NVIDIA GPU (CUDA)",
    "mps": "Apple GPU (MPS)",
}


@dataclass(frozen=True)
class Choices:
    """What was chosen beside the images.

    Attributes:
        project: folder of the project, or None for the default place.
        model: a model's name or the path of a weights file.
        device: "auto", "cpu", "cuda" or "mps".

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
        resume_chosen: emitted to go on where the person stopped last time.

    """

    folder_chosen = Signal(object)
    viewer_chosen = Signal()
    samples_chosen = Signal()
    resume_chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(Text("Label defects by clicking", "heading"))
        column.addWidget(
            Text(
                "Click on a defect, and the model proposes its outline. It learns from every "
                "outline you accept, while you go on.",
                "quiet",
            )
        )
        column.addWidget(self._images())
        column.addWidget(self._options())
        column.addStretch()

    def choices(self) -> Choices:
        """Return what is chosen now."""
        text = self._project.text().strip()
        return Choices(
            project=Path(text).expanduser() if text else None,
            model=self._model.currentData(),
            device=self._device.currentData(),
        )

    def show_choices(self, choices: Choices) -> None:
        """Show these choices."""
        self._project.setText("" if choices.project is None else str(choices.project))
        if self._model.findData(choices.model) < 0:
            self._add_file(choices.model)
        self._model.setCurrentIndex(self._model.findData(choices.model))
        self._device.setCurrentIndex(max(0, self._device.findData(choices.device)))

    def show_images_in_viewer(self, count: int) -> None:
        """Say how many images the viewer holds."""
        self._viewer.setEnabled(count > 0)
        self._viewer.setText(f"Images in viewer ({count})" if count else "No image in the viewer")

    def show_resume(self, folder: Path | None) -> None:
        """Offer to go on with a folder, or not."""
        self._resume.setVisible(folder is not None)
        if folder is not None:
            self._resume.setText(on_a_button(f"Go on with “{folder.name}”"))
            self._resume.setToolTip(tip(str(folder)))
        # The likeliest thing to do is the one that stands out.
        self._folder.setProperty("role", "primary" if folder is None else "wide")
        self._folder.style().unpolish(self._folder)
        self._folder.style().polish(self._folder)

    def _images(self) -> Section:
        section = Section("Where are your images?", folds=False)
        self._resume = Button()
        self._resume.setProperty("role", "primary")
        self._resume.clicked.connect(self.resume_chosen)
        folder = self._folder = Button("Choose a folder…")
        folder.clicked.connect(self._on_folder_clicked)
        self._viewer = Button()
        self._viewer.clicked.connect(self.viewer_chosen)
        samples = Button("Try sample images")
        samples.clicked.connect(self.samples_chosen)
        for button in (self._viewer, samples):
            button.setProperty("role", "wide")
        for button in (self._resume, folder, self._viewer, samples):
            section.body.addWidget(button)
        self.show_resume(None)
        self.show_images_in_viewer(0)
        return section

    def _options(self) -> Section:
        section = Section("Project and model", folds=False)
        self._project = QLineEdit()
        self._project.setPlaceholderText("beside the images")
        self._project.setToolTip(
            "Folder that keeps accepted masks and learnt weights. Choose an existing one to go on."
        )
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip("Choose a project folder")
        browse.clicked.connect(self._on_project_clicked)
        line = QHBoxLayout()
        line.addWidget(self._project)
        line.addWidget(browse)
        self._model = ComboBox(MODELS)
        self._model.addItem("A weights file…", "")
        self._model.activated.connect(self._on_model_activated)
        self._device = ComboBox(DEVICES)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Project", line)
        form.addRow("Model", self._model)
        form.addRow("Runs on", self._device)
        section.body.addLayout(form)
        return section

    def _on_folder_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of images")
        if folder:
            self.folder_chosen.emit(Path(folder))

    def _on_project_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Project folder")
        if folder:
            self._project.setText(folder)

    def _on_model_activated(self, index: int) -> None:
        if self._model.itemData(index) != "":
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "Weights file", "", "SAM weights (*.pth *.pt *.safetensors)"
        )
        if path:
            self._add_file(path)
        self._model.setCurrentIndex(self._model.findData(path) if path else 0)

    def _add_file(self, path: str) -> None:
        if self._model.findData(path) < 0:
            self._model.insertItem(self._model.count() - 1, Path(path).name, path)
