"""From an empty dock to a person at work, and back: choosing, loading, resuming, closing."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from napari.utils.events import Event
from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from napari_sam_tune.core.errors import CheckpointMissing, SamTuneError
from napari_sam_tune.ui.annotating import Annotating
from napari_sam_tune.ui.fine_tuning import FineTuning
from napari_sam_tune.ui.gestures import Gestures
from napari_sam_tune.ui.inference import Inference, Kind
from napari_sam_tune.ui.keys import DEFAULT_KEYS, KeyMap
from napari_sam_tune.ui.layers import LabellingLayers
from napari_sam_tune.ui.notice import Notice
from napari_sam_tune.ui.opening import Opening
from napari_sam_tune.ui.preferences import PreferencesSource
from napari_sam_tune.ui.preview import Preview
from napari_sam_tune.ui.queue import (
    SAMPLE_IMAGES,
    ImageQueue,
    folder_queue,
    image_layers,
    viewer_queue,
)
from napari_sam_tune.ui.recent import load_recent, save_recent
from napari_sam_tune.ui.start import Choices
from napari_sam_tune.ui.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_sam_tune.core.predictor import Predictor
    from napari_sam_tune.core.project import Project
    from napari_sam_tune.core.runners import Runner
    from napari_sam_tune.core.training.config import TrainConfig
    from napari_sam_tune.ui.panel import Panel


class Controller(QObject):
    """Owns everything behind the panel.

    Args:
        viewer: the viewer the panel is docked in.
        panel: the views.
        runner: where rounds run.
        config: how they train.

    Attributes:
        place: the person at work, or None while nothing is open.
        opened: emitted when a project is open and its first image asked for.

    """

    opened = Signal()

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
        self.place: Workplace | None = None
        self._runner, self._config = runner, config
        self._preferences = PreferencesSource()
        self._inference = Inference(self)
        self._layers = LabellingLayers(viewer)
        self._opening: Opening | None = None
        self._annotating: Annotating | None = None
        self._fine_tuning: FineTuning | None = None
        self._preview: Preview | None = None
        self._keys: KeyMap | None = None
        self._double_click: list[Any] = []
        self._is_closed = False
        self._connect_panel()
        self._inference.submit(Kind.LOAD, _import_model_code, _done, self._on_load_failed)

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
        from napari_sam_tune.core.session import Session

        project, predictor = loaded
        self.panel.start.setEnabled(True)
        try:
            session = Session(project, predictor, self._runner, config=self._config)
        except SamTuneError as error:
            self.panel.notice.show_notice(Notice(str(error), "error"))
            return
        self.panel.notice.show_notice(None)
        if queue.folder is not None:
            save_recent(queue.folder, project.path, choices)
        image_id = project.place().get("image_id")
        if isinstance(image_id, str):
            queue.go_to(image_id)
        self._set_to_work(
            Workplace(
                self.viewer,
                self.panel,
                self._layers,
                self._inference,
                session,
                queue,
                self._preferences.read(),
            )
        )

    def _set_to_work(self, place: Workplace) -> None:
        self.place = place
        self._opening = Opening(place, self)
        self._annotating = Annotating(place, self._opening, self)
        self._fine_tuning = FineTuning(place, self._annotating, self)
        self._preview = Preview(place, self._opening, self._annotating, self)
        self._gestures = Gestures(self._annotating, self._annotating.is_prompting)
        self.viewer.mouse_drag_callbacks.append(self._gestures)
        # Two quick clicks are two prompts here, not napari's zoom.
        self._double_click = list(self.viewer.mouse_double_click_callbacks)
        self.viewer.mouse_double_click_callbacks.clear()
        actions = {**self._annotating.actions, "fine_tune": self._fine_tune}
        self._keys = KeyMap(self.viewer, actions, self._on_pan_key)
        self._opening.opened.connect(self._bind_keys)
        self._opening.ready.connect(self._warm_worker)
        self._preferences.watch(self._on_preferences_changed)
        self.viewer.layers.events.removed.connect(self._on_layer_removed)
        self._bind_keys()
        self._annotating.show_classes()
        self._gestures.drag_draws_box = place.preferences.drag_draws_box
        self.panel.show_work()
        self._opening.open_current()
        self.opened.emit()

    def _on_load_failed(self, error: Exception) -> None:
        self.panel.notice.show_notice(Notice(str(error), "error"))

    def _on_choices_failed(self, queue: ImageQueue, choices: Choices, error: Exception) -> None:
        from napari_sam_tune.ui.faults import explain

        self.panel.start.setEnabled(True)
        remedy, act = "Try again", partial(self._load, queue, choices, download=False)
        if isinstance(error, CheckpointMissing) and not Path(choices.model).suffix:
            remedy, act = "Download it now", partial(self._load, queue, choices, download=True)
        self.panel.notice.show_notice(Notice(explain(error), "error", remedy=remedy, act=act))

    # ----------------------------------------------------------------- at work

    def _bind_keys(self, *_: object) -> None:
        if self._keys is None or self.place is None:
            return
        problems = self._keys.bind(self.place.preferences.keys, self._layers.all_own)
        self.panel.show_keys(self._keys.keys)
        if problems:
            self.panel.notice.show_notice(Notice(" ".join(problems), "warning"))

    def _on_pan_key(self, held: bool) -> None:
        self._gestures.is_panning = held

    def _fine_tune(self) -> None:
        if self._fine_tuning is not None:
            self._fine_tuning.act("fine_tune")

    def _warm_worker(self) -> None:
        if self.place is not None:
            runner = self.place.session.learner.runner
            if hasattr(runner, "warm"):
                self._inference.submit(Kind.LOAD, runner.warm, _done, self.place.complain)

    def _on_preferences_changed(self, _: Event | None = None) -> None:
        place = self.place
        if place is None or self._annotating is None or self._fine_tuning is None:
            return
        place.preferences = self._preferences.read()
        self._gestures.drag_draws_box = place.preferences.drag_draws_box
        self.panel.object.show_gestures(drag_draws_box=place.preferences.drag_draws_box)
        self._bind_keys()
        self._annotating.show_preferences()
        self._fine_tuning.show_preferences()

    def _on_automatic_changed(self, automatic: bool, every: int) -> None:
        if self.place is None or self._fine_tuning is None:
            return
        self.place.preferences = replace(
            self.place.preferences, automatic_rounds=automatic, masks_per_round=every
        )
        self._preferences.save_rounds(automatic, every)
        self._fine_tuning.show_preferences()

    def _on_layer_removed(self, event: Event) -> None:
        """A person may throw our layers away: they come back; without the image work ends."""
        if self.place is None or not self._layers.is_expected(event.value):
            return
        if event.value is self._layers.image:
            QTimer.singleShot(0, self._leave)
        else:
            QTimer.singleShot(0, self._lay_again)

    def _lay_again(self) -> None:
        if self._opening is not None:
            self._opening.open_current()

    def _on_viewer_layers_changed(self, _: Event | None = None) -> None:
        self.panel.start.show_images_in_viewer(len(image_layers(self.viewer)))
        names = [] if self._annotating is None else [x.name for x in self._annotating.adoptable()]
        self.panel.object.show_adoptable(names)

    # ----------------------------------------------------------------- leaving

    def _leave(self) -> None:
        """Close the project and show the start view again."""
        if self._is_closed:
            return
        self._stop_work()
        self.panel.start.show_choices(Choices())
        self._show_resume()
        self.panel.show_start()
        self._on_viewer_layers_changed()

    def close(self) -> None:
        """Stop everything: round, worker, threads, keys. May be called more than once."""
        if self._is_closed:
            return
        self._is_closed = True
        self._disconnect_viewer()
        self._stop_work()
        self._inference.close()

    def _stop_work(self) -> None:
        place, self.place = self.place, None
        if place is None:
            return
        self._inference.forget(*Kind)
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._preferences.unwatch(self._on_preferences_changed)
        self.viewer.mouse_drag_callbacks.remove(self._gestures)
        self.viewer.mouse_double_click_callbacks.extend(self._double_click)
        parts = (self._preview, self._fine_tuning, self._annotating, self._opening)
        for part in (self._keys, *parts):
            part.close()
        for part in parts:
            part.deleteLater()
        self._keys = self._preview = self._fine_tuning = self._annotating = self._opening = None
        place.session.close()

    # --------------------------------------------------------------- the panel

    def _connect_panel(self) -> None:
        panel = self.panel
        panel.start.folder_chosen.connect(self.open_folder)
        panel.start.viewer_chosen.connect(self.open_viewer)
        panel.start.samples_chosen.connect(self.open_samples)
        panel.start.resume_chosen.connect(self.resume)
        panel.image.leave.connect(self._leave)
        panel.image.action.connect(self._on_panel_action)
        panel.object.action.connect(self._on_panel_action)
        panel.object.tool_chosen.connect(self._on_panel_tool_chosen)
        panel.object.adopt.connect(self._on_panel_adopt)
        panel.classes.chosen.connect(self._on_panel_class_chosen)
        panel.classes.edited.connect(self._on_panel_class_edited)
        panel.learning.action.connect(self._on_panel_learning_action)
        panel.learning.automatic_changed.connect(self._on_automatic_changed)
        panel.history.rollback.connect(self._on_panel_rollback)
        panel.helping_opened.connect(self._on_panel_helping_opened)
        panel.left.connect(self.close)
        panel.destroyed.connect(self.close)
        QCoreApplication.instance().aboutToQuit.connect(self.close)
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.connect(self._on_viewer_layers_changed)
        self._on_viewer_layers_changed()
        self._show_resume()
        panel.show_keys(DEFAULT_KEYS)

    def _show_resume(self) -> None:
        recent = load_recent()
        self.panel.start.show_resume(None if recent is None else recent.folder)

    def _disconnect_viewer(self) -> None:
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.disconnect(self._on_viewer_layers_changed)
        QCoreApplication.instance().aboutToQuit.disconnect(self.close)

    def _on_panel_action(self, action: str) -> None:
        if self._annotating is not None:
            self._annotating.actions[action]()

    def _on_panel_tool_chosen(self, tool: str) -> None:
        if self._annotating is not None:
            self._annotating.set_tool(tool)

    def _on_panel_adopt(self, name: str) -> None:
        if self._annotating is not None:
            self._annotating.adopt(name)

    def _on_panel_class_chosen(self, name: str) -> None:
        if self._annotating is not None:
            self._annotating.choose_class(name)

    def _on_panel_class_edited(self, name: str, colour: str) -> None:
        if self._annotating is not None:
            self._annotating.edit_class(name, colour)

    def _on_panel_learning_action(self, action: str) -> None:
        if self._fine_tuning is not None:
            self._fine_tuning.act(action)

    def _on_panel_rollback(self, version: str) -> None:
        if self._fine_tuning is not None:
            self._fine_tuning.rollback(version)

    def _on_panel_helping_opened(self) -> None:
        if self._fine_tuning is not None:
            self._fine_tuning.show_helping()


def _open_project_and_model(
    home: Path, choices: Choices, download: bool
) -> tuple[Project, Predictor]:
    from napari_sam_tune.core.project import Project

    project = Project.open(choices.project or home)
    _import_model_code()
    from napari_sam_tune.core.predictor import Predictor

    return project, Predictor.from_checkpoint(choices.model, choices.device, download=download)


def _import_model_code() -> None:
    """Let torch load while the person still chooses images.

    torchvision imports triton if it can, and triton's LLVM crashes a process that already runs
    Mesa's (seen: torch 2.15, Mesa's llvmpipe under X). Nothing is compiled in the viewer, so
    triton is hidden while torchvision loads.
    """
    hide = "triton" not in sys.modules
    if hide:
        sys.modules["triton"] = None  # type: ignore[assignment]
    try:
        import segment_anything  # noqa: F401 - this imports torchvision

        import napari_sam_tune.core.predictor  # noqa: F401
    finally:
        if hide:
            del sys.modules["triton"]


def _documents() -> Path:
    return Path(platformdirs.user_documents_dir()) / "napari-sam-tune"


def _done(_: object) -> None:
    """Nothing to be shown."""
