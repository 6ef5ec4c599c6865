"""What opening a project changed or found, in words for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project

_NAMED: Final = 3


def open_with(project: Project, base: BaseRef) -> str | None:
    """Record the model a project is opened with, and say what the person should know of it.

    Raises:
        ProjectError: the project builds on another model.
        StorageError: the disk refused.

    """
    said = [project.set_base(base), _say_overruled(project)]
    return " ".join(sentence for sentence in said if sentence is not None) or None


def _say_overruled(project: Project) -> str | None:
    images = sorted({annotation.image_id for annotation in project.overruled()})
    if not images:
        return None
    more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
    return (
        f"Objects on {', '.join(f'“{image_id}”' for image_id in images[:_NAMED])}{more} were "
        "corrected twice at the same time. The later correction counts; have a look whether it is "
        "right. The other one is kept in the project."
    )
