"""From an empty dock to a person at work, and back: choosing, loading, resuming, closing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from napari.settings import get_settings
from qtpy.QtCore import QCoreApplication, QObject
from qtpy.QtWidgets import QFileDialog

from napari_sam_tune.core.errors import CheckpointMissing, ProjectError, SamTuneError, StorageError
from napari_sam_tune.core.images.files import IMAGE_SUFFIXES
from napari_sam_tune.core.project.folder import is_project
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS
from napari_sam_tune.ui.canvas.layers import LabellingLayers
from napari_sam_tune.ui.canvas.own_context import OwnContext
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.garbage import pass_over_imports
from napari_sam_tune.ui.going_on import GoingOn
from napari_sam_tune.ui.guiding import Guiding
from napari_sam_tune.ui.inference import Inference, Kind
from napari_sam_tune.ui.loading import find_images, open_all
from napari_sam_tune.ui.model_code import import_model_code
from napari_sam_tune.ui.preferences import PreferencesSource
from napari_sam_tune.ui.queue import (
    SAMPLE_IMAGES,
    ImageQueue,
    file_queue,
    folder_queue,
    image_layers,
    viewer_home,
    viewer_queue,
)
from napari_sam_tune.ui.remembered import load_folded, save_folded
from napari_sam_tune.ui.servers import address_of, runner_of
from napari_sam_tune.ui.views.look import Look
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.work.work import Work
from napari_sam_tune.ui.work.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.components import ViewerModel
    from napari.utils.events import Event

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.ui.export.exporting import Exporting
    from napari_sam_tune.ui.loading import FindImages, Opened
    from napari_sam_tune.ui.recent import Recent
    from napari_sam_tune.ui.views.panel import Panel
    from napari_sam_tune.ui.views.start import Choices


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
        self._inference, self._background = Inference(self), Background(self)
        self.work: Work | None = None
        self._exporting: Exporting | None = None
        self._is_closed = False
        self._own_context = OwnContext(viewer)
        self._going_on = GoingOn(panel.start, self)
        self._connect_panel()
        self.guiding = Guiding(self.panel, self._preferences, self._open_samples_anew, self)
        self._inference.submit(
            Kind.LOAD, import_model_code, partial(pass_over_imports, viewer), self._on_load_failed
        )

    # -------------------------------------------------------------- choosing

    def open_folder(self, folder: Path) -> None:
        """Label the images of a folder, or open it where it is a project."""
        if is_project(folder):
            self.open_project(folder)
        else:  # listed beside the viewer: there may be very many, or they lie far away
            self.panel.start.setEnabled(False)
            looking = Notice(tr("Looking for images in the folder…"), busy=True)
            self.panel.notice.show_notice(looking)
            find = partial(folder_queue, folder)
            self._background.submit("folder", find, self._open_queue, self._on_not_listed)

    def _on_not_listed(self, error: Exception) -> None:
        self.panel.start.setEnabled(True)
        self._on_load_failed(error)

    def open_project(self, project: Path, *, look_in: Path | None = None) -> None:
        """Open a project with its images, where they are.

        Args:
            project: its folder.
            look_in: a folder in which images are looked for that are not where they were.

        """
        choices = replace(self.panel.start.choices(), project=project)
        self._load(project, partial(find_images, folder=None, look_in=look_in), choices)

    def open_dropped(self, paths: Sequence[Path]) -> None:
        """Label what was dropped on the dock: image files, or one folder or project.

        Images join the project that is open; a folder or a project takes its place.
        """
        files = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
        if len(paths) == 1 and paths[0].is_dir():
            self.leave()
            self.open_folder(paths[0])
        elif len(files) < len(paths):
            other = next(path for path in paths if path not in files)
            text = tr(
                "{name} is no image file. Drop PNG, JPEG, TIFF, BMP or WebP files, or one folder, "
                "or one project.",
                name=other.name,
            )
            self.panel.notice.show_notice(Notice(text, "error"))
        elif self.work is not None:
            self.work.place.queue.join_files(files)
            self.work.opening.open_current()
        else:
            self._begin(lambda: file_queue(files, _viewer_home()))

    def resume(self, recent: Recent) -> None:
        """Go on with what was labelled before."""
        choices = self.panel.start.choices_for(recent)
        self.panel.start.show_choices(choices)
        self._load(recent.project, partial(find_images, folder=recent.folder), choices)

    def open_viewer(self) -> None:
        """Label the images that are in the viewer."""
        self.panel.start.setEnabled(False)
        find = partial(viewer_queue, image_layers(self.viewer), _viewer_home())
        self._background.submit("folder", find, self._open_queue, self._on_not_listed)

    def open_samples(self) -> None:
        """Label the sample images that come with the plugin."""
        queue = partial(folder_queue, SAMPLE_IMAGES)
        self._begin(lambda: ImageQueue(queue().images, _samples_home(), SAMPLE_IMAGES))

    def _open_samples_anew(self) -> None:
        self.leave()
        self.open_samples()

    def _begin(self, make_queue: Callable[[], ImageQueue]) -> None:
        try:
            self._open_queue(make_queue())
        except SamTuneError as error:
            self._on_load_failed(error)

    def _open_queue(self, queue: ImageQueue) -> None:
        self._load(queue.home, lambda _: queue, self.panel.start.choices())

    # --------------------------------------------------------------- loading

    def _load(
        self, home: Path, find: FindImages, choices: Choices, *, download: bool = False
    ) -> None:
        self.panel.start.setEnabled(False)
        self._background.forget("folder")
        self.guiding.step_aside()
        text = tr("Downloading the model…") if download else tr("Loading the model…")
        self.panel.notice.show_notice(Notice(text, busy=True))
        self._inference.submit(
            Kind.LOAD,
            partial(open_all, home, find, choices, download),
            partial(self._on_loaded, choices),
            partial(self._on_choices_failed, home, find, choices),
        )

    def _on_loaded(self, choices: Choices, loaded: Opened) -> None:
        from napari_sam_tune.core.session.session import Session

        project, queue = loaded.project, loaded.queue
        self.panel.start.setEnabled(True)
        runner = runner_of(loaded.connection, self._runner)
        try:
            session = Session(project, loaded.predictor, runner, config=self._config)
        except SamTuneError as error:
            runner.close()
            self.panel.notice.show_notice(Notice(str(error), "error"))
            self.guiding.come_back()
            return
        self._say_of(project, queue, session.notice)
        if isinstance(image_id := project.place().get("image_id"), str):
            queue.go_to(image_id)
        place = Workplace(
            viewer=self.viewer,
            panel=self.panel,
            layers=LabellingLayers(self.viewer),
            inference=self._inference,
            session=session,
            queue=queue,
            preferences=self._preferences.read(),
            connection=loaded.connection,
        )
        self.work = Work(place, self._preferences, self)
        self.work.image_removed.connect(self.leave)
        self.panel.show_work()
        self.guiding.follow(self.work)
        self._going_on.follow(self.work, choices)

    def _say_of(self, project: Project, queue: ImageQueue, text: str | None) -> None:
        """Say what is to be known of a project that was opened."""
        if not queue.missing:
            self.panel.notice.show_notice(Notice(text, stays=True) if text else None)
            return
        count, first = len(queue.missing), queue.missing[0]
        lost = (
            tr("“{image}” is not where it was. Its masks are kept.", image=first)
            if count == 1
            else tr(
                "{count:,} images are not where they were, such as “{image}”. Their masks are "
                "kept.",
                count=count,
                image=first,
            )
        )
        self.panel.notice.show_notice(
            Notice(
                join_sentences(text, lost),
                "warning",
                stays=True,
                remedy=tr("Look in a folder…"),
                act=partial(self._look_for_images, project.path),
            )
        )

    def _look_for_images(self, project: Path) -> None:
        folder = QFileDialog.getExistingDirectory(self.panel, tr("Folder the images are in now"))
        if folder:
            self.leave()
            self.open_project(project, look_in=Path(folder))

    def _on_load_failed(self, error: Exception) -> None:
        self.panel.notice.show_notice(Notice(str(error), "error"))

    def _on_choices_failed(
        self, home: Path, find: FindImages, choices: Choices, error: Exception
    ) -> None:
        self.panel.start.setEnabled(True)
        self.panel.start.show_choices(choices)
        self.guiding.come_back()
        text, remedy = explain(error), tr("Try again")
        act = partial(self._load, home, find, choices)
        if isinstance(error, CheckpointMissing) and not Path(choices.model).suffix:
            remedy, act = tr("Download it now"), partial(act, download=True)
        elif address_of(choices.device):
            remedy = tr("Run on this computer")
            act = partial(self._load, home, find, replace(choices, device="auto"))
        elif isinstance(error, ProjectError | StorageError) and choices.project is None:
            elsewhere = _documents() / f"{home.parent.name}.project"
            instead = tr("It can be kept in {elsewhere} instead.", elsewhere=elsewhere)
            text = join_sentences(text, instead)
            remedy = tr("Keep the project in my documents")
            act = partial(self._load, home, find, replace(choices, project=elsewhere))
        self.panel.notice.show_notice(Notice(text, "error", remedy=remedy, act=act))

    def _on_viewer_layers_changed(self, _: Event | None = None) -> None:
        home = viewer_home(self.viewer, _viewer_home())
        self.panel.start.show_images_in_viewer(len(image_layers(self.viewer)), home)

    # ----------------------------------------------------------------- leaving

    def leave(self) -> None:
        """Close the project and show the start view again."""
        if self._is_closed:
            return
        if self.work is not None:
            self.panel.show_closing()
        self._stop_work()
        self.panel.start.show_chosen()
        self._going_on.show()
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
        self._own_context.close()
        self._going_on.close()
        self._background.close()
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
        self._going_on.leave()
        work, self.work = self.work, None
        if work is not None:
            work.close()

    # --------------------------------------------------------------- the panel

    def _connect_panel(self) -> None:
        panel = self.panel
        panel.start.folder_chosen.connect(self.open_folder)
        panel.start.viewer_chosen.connect(self.open_viewer)
        panel.start.samples_chosen.connect(self.open_samples)
        panel.start.show_home_of_samples(_samples_home())
        panel.start.project_chosen.connect(self.open_project)
        panel.start.recent_chosen.connect(self.resume)
        panel.image.leave.connect(self.leave)
        panel.dropped.connect(self.open_dropped)
        panel.export_asked.connect(self._on_export_asked)
        if (folded := load_folded()) is not None:
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
        self._going_on.show()
        panel.show_keys(DEFAULT_KEYS)

    def _on_panel_left(self) -> None:
        # The viewer goes on, and must not wait for an image that is being encoded.
        self.close(wait=False)

    def _on_napari_closing(self, _: object = None) -> None:
        if self.work is not None:
            self.work.place.layers.is_viewer_closing = True
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


def _viewer_home() -> Path:
    return _documents() / "viewer.project"


def _documents() -> Path:
    return Path(platformdirs.user_documents_dir()) / "napari-sam-tune"


def _samples_home() -> Path:
    return _documents() / "samples.project"
