"""What a face of the product (dock, command line, service) may watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from napari_sam_tune.core.pixel_classifier.learnt import Learnt  # noqa: TC001 - psygnal reads it


@dataclass
class SessionState:
    """The session's small, evented state; `state.events.<field>` fires when a field changes.

    A round that runs in another process changes `training` and `weights_version` from a reader
    thread, the training of a head `training_head`, and whoever owns the predictor `is_surface_new`
    and `learnt` from its own: a graphical face connects with `thread="main"`. Arrays never live
    here.

    Attributes:
        image_id: the open image, or None.
        label: the class the next accepted mask gets.
        training: a round is under way.
        training_head: a promptless head is being trained.
        weights_version: the version in use: "base" or a content hash.
        is_surface_new: the base model answers on the open image instead of the version in use,
            which has not learnt its surface; see `images.surfaces`.
        learnt: what learning at every accept is worth so far; None while it is off.
        masks_since_round: masks accepted since the last round began.
        can_undo: there is something to take back, on the open image or of the project as a whole.
        can_redo: there is something to repeat, likewise.

    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    image_id: str | None = None
    label: str = "defect"
    training: bool = False
    training_head: bool = False
    weights_version: str = "base"
    is_surface_new: bool = False
    learnt: Learnt | None = None
    masks_since_round: int = 0
    can_undo: bool = False
    can_redo: bool = False
