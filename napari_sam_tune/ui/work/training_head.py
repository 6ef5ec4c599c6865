"""Binds the training of the finder: when it can be trained, how far it is, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.texts.wording import heard, join_sentences, mark, tr
from napari_sam_tune.ui.views.head_view import HeadSnapshot
from napari_sam_tune.ui.views.learning import with_time_left
from napari_sam_tune.ui.views.learnt_chart import score_text
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from napari_sam_tune.core.rounds.head_training import HeadEnd
    from napari_sam_tune.core.training.job import Progress
    from napari_sam_tune.ui.work.workplace import Workplace

_WATCHED = ("training", "training_head")
_DOING = {
    "loading": mark("The finder's training begins…"),
    "encoding": mark("Finder: looking at images"),
    "training": mark("Finder: learning from your masks"),
}
_NONE_YET = mark("No finder yet. Trained on your masks, it finds objects on every image by itself.")
_OF_ANOTHER_MODEL = mark("The finder belongs to another model and has to be trained anew.")


class TrainingHead(QObject):
    """Trains the finder while the person goes on labelling, where it is asked to propose.

    Attributes:
        trained: emitted when a new finder proposes.

    """

    trained = Signal()
    # The training speaks on the runner's thread; these carry it to the viewer's.
    _progressed = Signal(object)
    _ended = Signal(object)
    _turned = Signal()

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._session = place, place.session
        self._training = place.session.learner.head_training
        self._view = place.panel.suggestions.head
        self._doing = _DOING["loading"]
        self._fraction: float | None = None
        self._is_closed = False
        queued = Qt.ConnectionType.QueuedConnection
        self._progressed.connect(self._on_progressed, queued)
        self._ended.connect(self._on_ended, queued)
        self._turned.connect(self.refresh, queued)
        self._training.progress.connect(self._tell_progress)
        self._training.finished.connect(self._tell_end)
        for name in _WATCHED:
            getattr(self._session.state.events, name).connect(self._tell_turn)
        self._session.annotations_changed.connect(self.refresh)
        self._view.start.connect(self.start)
        self._view.cancel.connect(self.cancel)

    def close(self) -> None:
        """Stop listening; what was told before and arrives afterwards is dropped."""
        self._is_closed = True
        self._training.progress.disconnect(self._tell_progress)
        self._training.finished.disconnect(self._tell_end)
        for name in _WATCHED:
            getattr(self._session.state.events, name).disconnect(self._tell_turn)
        self._session.annotations_changed.disconnect(self.refresh)

    def _tell_progress(self, progress: Progress) -> None:
        self._progressed.emit(progress)

    def _tell_end(self, end: HeadEnd) -> None:
        self._ended.emit(end)

    def _tell_turn(self, _: object) -> None:
        self._turned.emit()

    def start(self) -> None:
        """Train the finder now."""
        self._place.touch()
        self._doing, self._fraction = tr(_DOING["loading"]), None
        try:
            self._training.start(wait=False)
        except SamTuneError as error:
            self._place.panel.notice.show_notice(Notice(str(error), "warning"))

    def cancel(self) -> None:
        """Stop the training under way."""
        self._place.touch()
        self._doing, self._fraction = tr("Stopping…"), None
        self._training.cancel()
        self.refresh()

    def _on_progressed(self, progress: Progress) -> None:
        self._doing = with_time_left(tr(_DOING[progress.phase]), progress.seconds_left)
        is_known = progress.steps and progress.phase != "loading"
        self._fraction = progress.step / progress.steps if is_known else None
        self.refresh()

    def _on_ended(self, end: HeadEnd) -> None:
        if self._is_closed:
            return
        if isinstance(end, RoundFailed):
            text = join_sentences(tr("The finder was not trained."), heard(end.message))
            notice = Notice(text, "warning", remedy=tr("Train again"), act=self.start)
            self._place.panel.notice.show_notice(notice)
        elif isinstance(end, RoundCancelled):
            self._place.tell(tr("Stopped. No new finder was made."))
        else:
            self._place.tell(tr("The finder is trained: “Propose” with “Trained finder” asks it."))
            self.trained.emit()
        self.refresh()

    # ---------------------------------------------------------------- showing

    def refresh(self, *_: object) -> None:
        """Show where the finder is, while it is trained or asked for."""
        if self._is_closed:
            return
        if self._session.state.training_head:
            shown = HeadSnapshot(self._doing, training=True, fraction=self._fraction)
        elif self._place.panel.suggestions.kind == "head":
            shown = self._resting()
        else:
            shown = HeadSnapshot()
        self._view.show_head(shown)

    def _resting(self) -> HeadSnapshot:
        # Not above: it works on tensors, and the dock is there before torch is.
        from napari_sam_tune.core.models.weights_file import read_info
        from napari_sam_tune.core.promptless.store import kept_at, newest_head

        project = self._session.project
        file = newest_head(project)
        if file is None:
            return HeadSnapshot(tr(_NONE_YET), tr("Train it"), self._training.why_not())
        info = read_info(file)
        if info.get("base", {}).get("sha256") != self._session.predictor.ref.sha256:
            return HeadSnapshot(tr(_OF_ANOTHER_MODEL), tr("Train it"), self._training.why_not())
        known = kept_at(file)
        newer = sum(annotation.created > known for annotation in project.counting())
        score = info.get("held_out")
        scores = (
            ""
            if score is None
            else tr("It scores {score} on images kept aside.", score=score_text(score))
        )
        if not newer:
            all_of_them = tr("The finder is trained on all your masks.")
            return HeadSnapshot(join_sentences(all_of_them, scores))
        sentence = join_sentences(
            tr("The finder is trained."),
            scores,
            tr("{n:,} masks are newer than it.", "1 mask is newer than it.", n=newer),
        )
        return HeadSnapshot(sentence, tr("Train it again"), self._training.why_not())
