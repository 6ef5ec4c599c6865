"""The object in progress in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Proposal
    from napari_sam_tune.core.session.open_object import OpenObject


def headline(current: OpenObject, project: Project, image_id: str | None, done_key: str) -> str:
    """Say where an object is, and what to do next.

    Args:
        current: the object.
        project: that it belongs to.
        image_id: of the open image.
        done_key: the key that marks the image as done.

    """
    if current.is_empty:
        if image_id is None or project.is_done(image_id) or not project.annotations(image_id):
            return "Click on a defect, or draw a box around it."
        return f"Click on the next defect. Was that all? {done_key}: done, next image."
    if current.is_suggestion:
        return "A suggestion: accept, reject or correct it."
    if current.correction is not None:
        return "Painted pixels stay as you set them, whatever you click."
    if current.proposal is None:
        if not current.awaiting:
            return "Correct it by clicks or paint, then accept."
        return "Asking the model…"
    if current.proposal.is_recalled:
        return _recalled(current.proposal, project)
    guess = ""
    if len(current.proposal.candidates) > 1:
        guess = f" · guess {current.proposal.chosen + 1} of {len(current.proposal.candidates)}"
    return f"Proposed, {min(max(current.proposal.iou, 0.0), 1.0):.0%} sure{guess}"


def _recalled(proposal: Proposal, project: Project) -> str:
    images = {project.annotation(name).image_id for name in proposal.recalled}
    where = next(iter(images)) if len(images) == 1 else f"{len(images)} images"
    other = " · Next guess shows others" if len(proposal.candidates) > 1 else ""
    return f"Mask of the same place on {where}{other}"
