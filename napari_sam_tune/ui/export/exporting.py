"""Exporting from the dock and from File ▸ IO Utilities: the dialog, and the thread that writes."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from napari import current_viewer
from qtpy.QtCore import QCoreApplication, QObject, Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sam_tune.core.errors import ExportCancelled, SamTuneError
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.exporting import ExportReport, export
from napari_sam_tune.formats.registry import format_named
from napari_sam_tune.ui.export.export_request import MASKS, WEIGHTS, ExportContent, ExportRequest
from napari_sam_tune.ui.export.export_view import ExportDialog
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.model_code import import_model_code
from napari_sam_tune.ui.translation import use_language
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.views.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable


def export_masks() -> Exporting | None:
    """Open the export dialog at its masks: File ▸ IO Utilities."""
    return _open(MASKS)


def export_weights() -> Exporting | None:
    """Open the export dialog at its weights: File ▸ IO Utilities."""
    return _open(WEIGHTS)


def _open(tab: int) -> Exporting | None:
    use_language()
    viewer = current_viewer()
    window = None if viewer is None else viewer.window._qt_window
    project = None if window is None else _project_in_dock(window)
    if project is None:
        folder = QFileDialog.getExistingDirectory(window, tr("Project to export from"))
        if not folder:
            return None
        project = Project.open(folder, create=False)
    return Exporting(project, tab, window)


def _project_in_dock(window: QWidget) -> Project | None:
    for panel in window.findChildren(Panel):
        if panel.controller.work is not None:
            return panel.controller.work.place.session.project
    return None


class Exporting(QObject):
    """One export dialog and what it does.

    Args:
        project: exported from.
        tab: `MASKS` or `WEIGHTS`, shown first.
        window: the dialog's parent.

    Attributes:
        dialog: the view.
        is_closed: it is over.
        ended: emitted when an export has come to its end, well or badly.

    """

    ended = Signal()
    # The export speaks on its own thread; these carry it to the viewer's.
    _stepped = Signal(int)
    _finished = Signal(object)
    _failed = Signal(object)

    def __init__(self, project: Project, tab: int = MASKS, window: QWidget | None = None) -> None:
        super().__init__(window)
        self._project = project
        self._content = _content(project)
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_closed = False
        self.dialog = ExportDialog(self._content, tab, window)
        queued = Qt.ConnectionType.QueuedConnection
        self._stepped.connect(self.dialog.show_step, queued)
        self._finished.connect(self._on_finished, queued)
        self._failed.connect(self._on_failed, queued)
        self.dialog.asked.connect(self._on_asked)
        self.dialog.cancelled.connect(self._cancel.set)
        self.dialog.finished.connect(self.close)
        QCoreApplication.instance().aboutToQuit.connect(self.close)
        self.dialog.show()

    def close(self, _: int = 0) -> None:
        """Stop what is under way and go. May be called more than once."""
        if self.is_closed:
            return
        self.is_closed = True
        self._cancel.set()
        if self._thread is not None:
            self._thread.join()
        QCoreApplication.instance().aboutToQuit.disconnect(self.close)
        for signal in (self._stepped, self._finished, self._failed):
            signal.disconnect()
        self.dialog.hide()
        self.dialog.deleteLater()
        self.deleteLater()

    def _on_asked(self, request: ExportRequest) -> None:
        if _is_there(request) and not request.overwrite:
            again = partial(self._on_asked, self.dialog.request(overwrite=True))
            text = tr("“{name}” is there already.", name=request.out.name)
            self.dialog.notice.show_notice(
                Notice(text, "warning", remedy=tr("Replace it"), act=again)
            )
            return
        is_masks = request.tab == MASKS
        work = partial(self._write_masks if is_masks else self._write_weights, request)
        self._cancel.clear()
        images = self._content.approved if request.only_approved else self._content.images
        self.dialog.show_running(images if is_masks else 0)
        self._thread = threading.Thread(target=self._run, args=(work,), name="sam-tune export")
        self._thread.start()

    def _run(self, work: Callable[[], ExportReport]) -> None:
        try:
            self._finished.emit(work())
        except Exception as error:
            # Nothing is hidden: it is shown, as one of ours or as something unexpected.
            self._failed.emit(error)

    def _write_masks(self, request: ExportRequest) -> ExportReport:
        done = iter(range(1, 1 << 62))
        return export(
            format_named(request.form),
            images_out(self._project, only_approved=request.only_approved),
            selection(self._project, only_approved=request.only_approved).classes,
            request.out,
            overwrite=request.overwrite,
            options=request.options,
            progress=lambda _: self._stepped.emit(next(done)),
            cancelled=self._cancel.is_set,
        )

    def _write_weights(self, request: ExportRequest) -> ExportReport:
        import_model_code()
        from napari_sam_tune.formats.weights.export import export_weights, weights_of

        tuned = weights_of(self._project, request.form, request.version)
        export_weights(self._project, tuned, request.out, request.form, overwrite=request.overwrite)
        return ExportReport(request.out, 0, 0)

    def _on_finished(self, report: ExportReport) -> None:
        self.dialog.show_idle()
        lines = [_written(report)]
        lines += [
            tr("Not kept: {count} × {what}.", count=count, what=tr(what))
            for what, count in sorted(report.losses.items())
        ]
        folder = report.path if report.path.is_dir() else report.path.parent
        self.dialog.notice.show_notice(
            Notice(
                "\n".join(lines),
                "warning" if report.losses else "info",
                remedy=tr("Show the folder"),
                act=lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))),
            )
        )
        self.ended.emit()

    def _on_failed(self, error: Exception) -> None:
        self.dialog.show_idle()
        calm = isinstance(error, ExportCancelled)
        text = str(error) if isinstance(error, SamTuneError) else explain(error)
        self.dialog.notice.show_notice(Notice(text, "info" if calm else "error"))
        self.ended.emit()


def _written(report: ExportReport) -> str:
    """Say what came of it."""
    if not report.images:
        return tr("Written: {name}.", name=report.path.name)
    return tr(
        "Written: {name}, {images} with {objects}.",
        name=report.path.name,
        images=tr("{n:,} images", "1 image", n=report.images),
        objects=tr("{n:,} objects", "1 object", n=report.objects),
    )


def _is_there(request: ExportRequest) -> bool:
    """Whether something would be replaced; weights come with a model card beside them."""
    card = request.out.with_name(f"{request.out.name}.md")
    return request.out.exists() or (request.tab == WEIGHTS and card.exists())


def _names_of_versions(project: Project) -> dict[str, str]:
    """Call versions as the dock does, newest first; those that were not better by their digits."""
    used = list(dict.fromkeys(p.version for p in project.promotions() if p.version != BASE_VERSION))
    names = {
        info.version: tr("version {number}", number=used.index(info.version) + 1)
        if info.version in used
        else tr("not taken over, {version}", version=info.version)
        for info in reversed(project.versions())
    }
    return names | {BASE_VERSION: tr("base model")}


def _content(project: Project) -> ExportContent:
    chosen = selection(project)
    in_use = project.current_version
    names = _names_of_versions(project)
    versions = {in_use: tr("{version}, in use", version=names.get(in_use, in_use))} | {
        version: name for version, name in names.items() if version != in_use
    }
    return ExportContent(
        project.path.name,
        project.path.parent,
        chosen.images,
        dict(chosen.left_out),
        versions,
        approved=selection(project, only_approved=True).images,
    )
