"""From the object in progress to the record that is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.project.annotations import NewAnnotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.annotations import Annotation, Source
    from napari_sam_tune.core.prompts import Correction, Effort
    from napari_sam_tune.core.session.open_object import OpenObject


def record_of(
    current: OpenObject,
    mask: NDArray[Any],
    *,
    image_id: str,
    label: str,
    version: str,
    correction: Correction | None,
    effort: Effort,
    source: Source,
    superseded: Annotation | None,
) -> NewAnnotation:
    """Return what is to be kept of an object.

    Args:
        current: the object.
        mask: (H, W) bool, what the person settled on.
        image_id: where it is.
        label: its class.
        version: of the weights in use, for a mask that none proposed.
        correction: what the person changed in the proposal.
        effort: what it cost since the record it supersedes.
        source: who accepted it.
        superseded: the record taken up again, whose effort counts on.

    """
    proposal, suggestion = current.proposal, current.suggestion
    if superseded is not None:
        effort, version = superseded.effort + effort, superseded.weights_version
    return NewAnnotation(
        image_id=image_id,
        mask=mask,
        label=label,
        prompts=current.answered,
        weights_version=version if proposal is None else proposal.weights_version,
        proposal_mask=current.proposed,
        predicted_iou=proposal.iou if proposal else None,
        locked=correction.locked if correction else None,
        effort=effort,
        supersedes=current.reopened,
        source=source,
        suggested_by=None if suggestion is None else suggestion.origin,
        recalled=proposal.recalled if proposal is not None and proposal.is_recalled else (),
    )
