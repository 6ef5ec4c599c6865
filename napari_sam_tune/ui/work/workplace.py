"""What the dock's controllers share once images, project and model are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.views.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_sam_tune.core.session.session import Session
    from napari_sam_tune.service.connection import Connection
    from napari_sam_tune.ui.canvas.layers import LabellingLayers
    from napari_sam_tune.ui.inference import Inference
    from napari_sam_tune.ui.preferences import Preferences
    from napari_sam_tune.ui.queue import ImageQueue
    from napari_sam_tune.ui.views.panel import Panel


@dataclass(eq=False)
class Workplace:
    """One person at work on one project.

    Attributes:
        viewer, panel, layers: what is seen.
        inference: the thread that owns the session's predictor.
        session: the product.
        queue: the images.
        preferences: replaced as a whole when they change.
        connection: to the server that does the model's work; None where this computer does.
        last_action: time of the person's last action, on the monotonic clock.

    """

    viewer: ViewerModel
    panel: Panel
    layers: LabellingLayers
    inference: Inference
    session: Session
    queue: ImageQueue
    preferences: Preferences
    connection: Connection | None = None
    last_action: float = field(default_factory=monotonic)

    def touch(self) -> None:
        """Note that the person did something: information on what they did before has passed."""
        self.last_action = monotonic()
        shown = self.panel.notice.notice
        if shown is not None and shown.level == "info":
            self.settle()

    def idle_seconds(self) -> float:
        """How long the person has done nothing."""
        return monotonic() - self.last_action

    def tell(self, text: str) -> None:
        """Show a piece of information in the panel."""
        self.panel.notice.show_notice(Notice(text))

    def complain(
        self,
        error: Exception,
        remedy: str | None = None,
        act: Callable[[], object] | None = None,
    ) -> None:
        """Show an error in the panel, with a button that may help."""
        self.panel.notice.show_notice(Notice(explain(error), "error", remedy=remedy, act=act))

    def settle(self) -> None:
        """Take down a notice whose matter has passed; one that goes on stays."""
        shown = self.panel.notice.notice
        if shown is not None and not (shown.busy or shown.stays):
            self.panel.notice.show_notice(None)
