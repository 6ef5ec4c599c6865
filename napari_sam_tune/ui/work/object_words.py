"""The object in progress in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.texts.wording import join_sentences, mark, tr
from napari_sam_tune.ui.work.stages import READING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Proposal
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.ui.canvas.layers import LabellingLayers
    from napari_sam_tune.ui.views.labelling import Tool


_MANY_CLICKS: Final = 3
"""On one object: it may be a crack, for which there is a better tool."""
_UNSURE: Final = 0.5
"""Of a mask after so many clicks, below which it is named as well."""
_BEGIN = {
    "click": mark("Click on a defect, or draw a box around it."),
    "stroke": mark("Draw along a crack, or around a defect."),
    "brush": mark("Paint over a defect."),
    "eraser": mark("There is nothing to erase yet."),
}
_GO_ON = _BEGIN | {
    "click": mark("Click on the next defect, or press {key}: done."),
    "stroke": mark("Draw along the next crack or around the next defect, or press {key}: done."),
}
"""What to do where no object is in progress, by tool; and the same once there are masks."""


def headline(
    current: OpenObject, project: Project, image_id: str | None, tool: Tool, keys: Mapping[str, str]
) -> str:
    """Say where an object is, and what to do next.

    Args:
        current: the object.
        project: that it belongs to.
        image_id: of the open image.
        tool: what the mouse does.
        keys: what stands on the buttons, by action.

    """
    if current.is_empty:
        if image_id is None or project.is_done(image_id) or not project.annotations(image_id):
            return tr(_BEGIN[tool])
        return tr(_GO_ON[tool], key=keys["done"])
    if current.is_suggestion:
        label = None if current.suggestion is None else current.suggestion.label
        if label is None:
            return tr("A suggestion: accept, reject or correct it.")
        return tr("A suggestion, “{name}”: accept, reject or correct it.", name=label)
    if current.correction is not None:
        return tr("Painted pixels stay as you set them, whatever you click.")
    if current.proposal is None:
        if not current.awaiting:
            return tr("Correct it by clicks or paint, then accept.")
        return tr("Asking the model…")
    if current.proposal.moved_from is not None:
        said = tr("Corrected by your clicks: go on, or accept it.")
        return join_sentences(said, _other_tool(current, keys))
    if current.proposal.is_recalled:
        return _recalled(current.proposal, project)
    said = tr("Proposed, {sure:.0%} sure", sure=min(max(current.proposal.iou, 0.0), 1.0))
    guess, count = current.proposal.chosen + 1, len(current.proposal.candidates)
    if count < 2:
        other = _other_tool(current, keys) if current.proposal.iou < _UNSURE else ""
        return f"{said} · {other}" if other else said
    which = tr("guess {guess} of {count}", guess=guess, count=count)
    return f"{said} · {which}"


def not_ready(*, is_shown: bool) -> str:
    """Say of an image that the model has not got yet whether it can be clicked on already."""
    if not is_shown:
        return tr(READING)
    return tr("Preparing the image; you can click already.")


def _other_tool(current: OpenObject, keys: Mapping[str, str]) -> str:
    """Name the tool for cracks where clicks have not done it so far; else ""."""
    if current.strokes or current.prompt is None or len(current.prompt.points) < _MANY_CLICKS:
        return ""
    return tr("Long and thin? Press {key} and draw along it.", key=keys["stroke"])


def _recalled(proposal: Proposal, project: Project) -> str:
    images = {project.annotation(name).image_id for name in proposal.recalled}
    said = (
        tr("Mask of the same place on {image}", image=next(iter(images)))
        if len(images) == 1
        else tr("Mask of the same place on {count} images", count=len(images))
    )
    if len(proposal.candidates) < 2:
        return said
    other = tr("Next guess shows others")
    return f"{said} · {other}"


def too_far_to_paint(layers: LabellingLayers) -> str:
    """Say that one has to zoom in to paint; "" where one can."""
    if not layers.is_open or layers.pane.step == 1:
        return ""
    return tr(
        "Zoom in to paint: a pixel of the screen is {n} pixels of the image here.",
        n=round(layers.screen_pixel()),
    )
