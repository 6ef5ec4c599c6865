"""From an empty dock to a person at work, and back: choosing, loading, resuming, closing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from napari.settings import get_settings
from qtpy.QtCore import QCoreApplication, QObject

from napari_sam_tune.core.errors import CheckpointMissing, ProjectError, SamTuneError, StorageError
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS
from napari_sam_tune.ui.canvas.layers import LabellingLayers
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.guiding import Guiding
from napari_sam_tune.ui.inference import Inference, Kind
from napari_sam_tune.ui.model_code import import_model_code
from napari_sam_tune.ui.preferences import PreferencesSource
from napari_sam_tune.ui.queue import (
    SAMPLE_IMAGES,
    ImageQueue,
    folder_queue,
    image_layers,
    viewer_queue,
)
from napari_sam_tune.ui.recent import load_recent, save_recent
from napari_sam_tune.ui.remembered import load_folded, save_folded
from napari_sam_tune.ui.views.look import Look
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.views.start import Choices
from napari_sam_tune.ui.work.work import Work
from napari_sam_tune.ui.work.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.utils.events import Event

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.ui.export.exporting import Exporting
    from napari_sam_tune.ui.views.panel import Panel


class Controller(QObject):
    """Owns everything behind the panel.

    Args:
        viewer: the viewer the panel is docked in.
        panel: the views.
        runner: where rounds run.
        config: how they train.

    Attributes:
        work: the person at work, or None while nothing is open.
        guiding: the page of the keys and the tour.

    """

    def __init__(
        self,
        viewer: ViewerModel,
        panel: Panel,
        *,
        runner: str | Runner = "process",
        config: TrainConfig | None = None,
    ) -> None:
        super().__init__()
        self.viewer, self.panel = viewer, panel
        self._runner, self._config = runner, config
        self._preferences = PreferencesSource()
        self._inference = Inference(self)
        self.work: Work | None = None
        self._exporting: Exporting | None = None
        self._is_closed = False
        self._connect_panel()
        self.guiding = Guiding(self.panel, self._preferences, self._open_samples_anew, self)
        self._inference.submit(Kind.LOAD, import_model_code, _done, self._on_load_failed)

    # -------------------------------------------------------------- choosing

    def open_folder(self, folder: Path) -> None:
        """Label the images of a folder."""
        self._begin(partial(folder_queue, folder))

    def resume(self) -> None:
        """Go on where the person stopped last time."""
        recent = load_recent()
        if recent is None:
            self._show_resume()
            return
        self.panel.start.show_choices(Choices(recent.project, recent.model, recent.device))
        self.open_folder(recent.folder)

    def open_viewer(self) -> None:
        """Label the images that are in the viewer."""
        self._begin(lambda: viewer_queue(self.viewer, _documents() / "viewer.project"))

    def open_samples(self) -> None:
        """Label the sample images that come with the plugin."""
        queue = partial(folder_queue, SAMPLE_IMAGES)
        self._begin(lambda: ImageQueue(queue().images, _documents() / "samples.project"))

    def _open_samples_anew(self) -> None:
        self.leave()
        self.open_samples()

    def _begin(self, make_queue: Callable[[], ImageQueue]) -> None:
        try:
            queue = make_queue()
        except SamTuneError as error:
            self.panel.notice.show_notice(Notice(str(error), "error"))
            return
        choices = self.panel.start.choices()
        self._load(queue, choices, download=False)

    # --------------------------------------------------------------- loading

    def _load(self, queue: ImageQueue, choices: Choices, *, download: bool) -> None:
        self.panel.start.setEnabled(False)
        text = "Downloading the model…" if download else "Loading the model…"
        self.panel.notice.show_notice(Notice(text, busy=True))
        self._inference.submit(
            Kind.LOAD,
            partial(_open_project_and_model, queue.home, choices, download),
            partial(self._on_loaded, queue, choices),
            partial(self._on_choices_failed, queue, choices),
        )

    def _on_loaded(
        self, queue: ImageQueue, choices: Choices, loaded: tuple[Project, Predictor]
    ) -> None:
        from napari_sam_tune.core.session.session import Session

        project, predictor = loaded
        self.panel.start.setEnabled(True)
        try:
            session = Session(project, predictor, self._runner, config=self._config)
        except SamTuneError as error:
            self.panel.notice.show_notice(Notice(str(error), "error"))
            return
        self.panel.notice.show_notice(
            Notice(session.notice, stays=True) if session.notice else None
        )
        if queue.folder is not None:
            save_recent(queue.folder, project.path, choices)
        image_id = project.place().get("image_id")
        if isinstance(image_id, str):
            queue.go_to(image_id)
        place = Workplace(
            viewer=self.viewer,
            panel=self.panel,
            layers=LabellingLayers(self.viewer),
            inference=self._inference,
            session=session,
            queue=queue,
            preferences=self._preferences.read(),
        )
        self.work = Work(place, self._preferences, self)
        self.work.image_removed.connect(self.leave)
        self.panel.show_work()
        self.guiding.follow(self.work)

    def _on_load_failed(self, error: Exception) -> None:
        self.panel.notice.show_notice(Notice(str(error), "error"))

    def _on_choices_failed(self, queue: ImageQueue, choices: Choices, error: Exception) -> None:
        self.panel.start.setEnabled(True)
        remedy, act = "Try again", partial(self._load, queue, choices, download=False)
        if isinstance(error, CheckpointMissing) and not Path(choices.model).suffix:
            remedy, act = "Download it now", partial(self._load, queue, choices, download=True)
        elif isinstance(error, ProjectError | StorageError) and choices.project is None:
            elsewhere = replace(choices, project=_documents() / f"{queue.home.parent.name}.project")
            remedy = "Keep the project in my documents"
            act = partial(self._load, queue, elsewhere, download=False)
        self.panel.notice.show_notice(Notice(explain(error), "error", remedy=remedy, act=act))

    def _on_viewer_layers_changed(self, _: Event | None = None) -> None:
        self.panel.start.show_images_in_viewer(len(image_layers(self.viewer)))

    # ----------------------------------------------------------------- leaving

    def leave(self) -> None:
        """Close the project and show the start view again."""
        if self._is_closed:
            return
        self._stop_work()
        self.panel.start.show_choices(Choices())
        self._show_resume()
        self.panel.show_start()
        self._on_viewer_layers_changed()

    def close(self, *, wait: bool = True) -> None:
        """Stop everything: round, worker, thread, keys. May be called more than once.

        Args:
            wait: for the task the inference thread is at.

        """
        if self._is_closed:
            return
        self._is_closed = True
        self._disconnect_viewer()
        self._stop_work()
        self._inference.close(timeout=10.0 if wait else 0.0)

    def _on_export_asked(self) -> None:
        from napari_sam_tune.ui.export.exporting import Exporting

        if self._exporting is not None and not self._exporting.is_closed:
            self._exporting.dialog.raise_()
        elif self.work is not None:
            self._exporting = Exporting(self.work.place.session.project, window=self.panel)

    def _stop_work(self) -> None:
        if self._exporting is not None:
            self._exporting.close()
        self.guiding.stop()
        work, self.work = self.work, None
        if work is not None:
            work.close()

    # --------------------------------------------------------------- the panel

    def _connect_panel(self) -> None:
        panel = self.panel
        panel.start.folder_chosen.connect(self.open_folder)
        panel.start.viewer_chosen.connect(self.open_viewer)
        panel.start.samples_chosen.connect(self.open_samples)
        panel.start.resume_chosen.connect(self.resume)
        panel.image.leave.connect(self.leave)
        panel.export_asked.connect(self._on_export_asked)
        folded = load_folded()
        if folded is not None:
            panel.show_folded(folded)
        panel.folded.connect(save_folded)
        panel.left.connect(self._on_panel_left)
        panel.destroyed.connect(self._on_napari_closing)
        QCoreApplication.instance().aboutToQuit.connect(self._on_napari_closing)
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.connect(self._on_viewer_layers_changed)
        for event in self._look_events():
            event.connect(self._on_look_changed)
        self._on_look_changed()
        self._on_viewer_layers_changed()
        self._show_resume()
        panel.show_keys(DEFAULT_KEYS)

    def _show_resume(self) -> None:
        recent = load_recent()
        self.panel.start.show_resume(None if recent is None else recent.folder)

    def _on_panel_left(self) -> None:
        # The viewer goes on, and must not wait for an image that is being encoded.
        self.close(wait=False)

    def _on_napari_closing(self, _: object = None) -> None:
        self.close()

    def _look_events(self) -> tuple[Any, Any]:
        return self.viewer.events.theme, get_settings().appearance.events.font_size

    def _on_look_changed(self, _: Event | None = None) -> None:
        self.panel.show_look(Look.of(self.viewer.theme))

    def _disconnect_viewer(self) -> None:
        for event in self._look_events():
            event.disconnect(self._on_look_changed)
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.disconnect(self._on_viewer_layers_changed)
        QCoreApplication.instance().aboutToQuit.disconnect(self._on_napari_closing)


def _open_project_and_model(
    home: Path, choices: Choices, download: bool
) -> tuple[Project, Predictor]:
    from napari_sam_tune.core.project.project import Project

    project = Project.open(choices.project or home)
    import_model_code()
    from napari_sam_tune.core.answers.predictor import Predictor

    return project, Predictor.from_checkpoint(choices.model, choices.device, download=download)


def _documents() -> Path:
    return Path(platformdirs.user_documents_dir()) / "napari-sam-tune"


def _done(_: object) -> None:
    """Nothing to be shown."""
