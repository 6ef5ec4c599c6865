"""What is wrong with an image of a project, in words for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.project.ledger import ImageRecord


def no_text(name: object) -> ProjectError:
    """Return the error for a name that is no text."""
    return ProjectError(
        tr(
            "“{name}” is no text in Unicode, so no project can hold that name. Rename the file or "
            "the folder.",
            name=visible(str(name)),
        )
    )


def unknown(image_id: str) -> ProjectError:
    """Return the error for an image that the project does not know."""
    return ProjectError(
        tr("The project has no image “{image_id}”. Open it first.", image_id=image_id)
    )


def name_taken(image_id: str) -> ProjectError:
    """Return the error for an image whose name the project knows with other pixels."""
    return ProjectError(
        tr(
            "The project knows another image by the name “{image_id}”: the pixels differ. Rename "
            "the image, or restore the one that was annotated.",
            image_id=image_id,
        )
    )


def gone(image_id: str, file: Path) -> ProjectError:
    """Return the error for an image whose file is not there any more."""
    return ProjectError(
        tr(
            "The image “{image_id}” is not at {file} any more: it was moved or renamed, or its "
            "folder may not be read. Show the project its new folder (relink).",
            image_id=image_id,
            file=file,
        )
    )


def changed(file: Path) -> ProjectError:
    """Return the error for a file that holds other pixels now."""
    return ProjectError(
        tr(
            "The file {file} was changed since its masks were made: the pixels differ. Put the "
            "original back, or show the project where it is (relink).",
            file=file,
        )
    )


def unreadable(image_id: str, error: Exception) -> ProjectError:
    """Return the error for pixels that the project keeps itself and cannot read."""
    return ProjectError(
        tr("The image “{image_id}” cannot be read. {error}", image_id=image_id, error=error)
    )


def damaged(record: ImageRecord, folder: Path) -> ProjectError:
    """Return the error for pixels in a folder of the project that are not those of a record."""
    return ProjectError(
        tr(
            "The pixels of the image “{image_id}” in {folder} are damaged: they are not those its "
            "masks were made on. Restore the record {record} from a backup.",
            image_id=record.id,
            folder=folder,
            record=record.content_hash,
        )
    )
