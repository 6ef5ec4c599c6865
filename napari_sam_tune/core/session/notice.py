"""What opening a project changed or found, in words for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.texts.wording import join_names, join_sentences, tr

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
    said = [project.set_base(base), project.why_read_only(), _say_overruled(project)]
    return join_sentences(*said) or None


def _say_overruled(project: Project) -> str | None:
    images = sorted({annotation.image_id for annotation in project.overruled()})
    if not images:
        return None
    named = join_names(f"“{image_id}”" for image_id in images[:_NAMED])
    if len(images) > _NAMED:
        named = tr("{names} and {count} more", names=named, count=len(images) - _NAMED)
    return tr(
        "Objects on {images} were corrected twice at the same time. The later correction counts; "
        "have a look whether it is right. The other one is kept in the project.",
        images=named,
    )
