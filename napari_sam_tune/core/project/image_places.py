"""Where the images of a project are: said, found again after a move, and what belongs together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.opening import list_all_images
from napari_sam_tune.core.project import image_faults
from napari_sam_tune.core.project.image_files import (
    files_by_content,
    files_with_planes,
    hash_of_file,
    hashes_of_file,
    is_there,
    look_at,
    name_of,
)
from napari_sam_tune.core.texts.plain_text import is_text

if TYPE_CHECKING:
    from napari_sam_tune.core.project.journal import Journal
    from napari_sam_tune.core.project.ledger import ImageRecord


def check_texts(*names: object) -> None:
    """Refuse names of images, groups and files that a project cannot hold; None is no name.

    Raises:
        ProjectError: one is no text in Unicode, as a file's name need not be.

    """
    for name in names:
        if name is not None and not is_text(name):
            raise image_faults.no_text(name)


class PlacesOfImages:
    """The part of `Project` that knows where its images are."""

    path: Path
    _journal: Journal

    def images(self) -> list[ImageRecord]:
        """Return the images in the order they were registered."""
        return list(self._journal.read().images.values())

    def image(self, image_id: str) -> ImageRecord:
        """Return one image's record.

        Raises:
            ProjectError: the project does not know it.

        """
        known = self._journal.read().images.get(image_id)
        if known is None:
            raise image_faults.unknown(image_id)
        return known

    def check_path(self, path: Path) -> None:
        """Refuse an image file whose place no log can hold.

        Raises:
            ProjectError: it is no text in Unicode.

        """
        check_texts(self._relative(path))

    def _relative(self, path: str | Path) -> str:
        file = self._in_place(absolute(path))
        try:
            return Path(os.path.relpath(file, self.path)).as_posix()
        except ValueError:  # Windows: on another drive
            return file.as_posix()

    def _in_place(self, file: Path) -> Path:
        """Return a file by its own name and place, from where the project is too.

        A link is not followed: what it points at may have no suffix, and may move while the link is
        kept right. Folders that hold the project too are followed, so that they may be moved.
        """
        for above in file.parents:
            real = above.resolve()
            if self.path.is_relative_to(real):
                return real / file.relative_to(above)
        return file  # Windows: on another drive

    def _turned_by(self, record: ImageRecord, file: Path) -> ImageRecord:
        """Return the record of an image, turned if this file of it is."""
        turn = look_at(record, file).turn if record.turn is None else None
        return record if turn is None else self._journal.append(**turn).images[record.id]

    def _found_again(self, known: ImageRecord, path: str | Path | None) -> ImageRecord:
        """Note where an image is now, if the place on record is empty."""
        if path is None or known.path is None or is_there(self.path / known.path):
            return known
        new_path = self._relative(path)
        if new_path == known.path:
            return known
        if known.plane is not None:  # the planes of a file move with it
            for record in self.images():
                if record.plane is not None and record.path == known.path:
                    self._say_where(record.id, new_path)
            return self.image(known.id)
        return self._say_where(known.id, new_path)

    def _say_where(self, image_id: str, path: str) -> ImageRecord:
        ledger = self._journal.append("relink", image=image_id, path=path, **self._journal.here)
        return ledger.images[image_id]

    def relink(self, folder: str | Path) -> list[str]:
        """Find images that were moved, by their content, whatever they are called now.

        Args:
            folder: where to look, subfolders included.

        Returns:
            The ids found again.

        Raises:
            ImageError: the folder cannot be read.
            StorageError: the disk refused.

        """
        lost = [record for record in self.images() if record.path and not self.has_own_file(record)]
        there = list_all_images(folder, recursive=True)
        planes = files_with_planes(there, [record for record in lost if record.plane is not None])
        for name, file in planes.items():
            self._say_where(name, self._relative(file))
        lost = [record for record in lost if record.plane is None]
        files = files_by_content(there, lost) if lost else {}
        found = list(planes)
        for record in lost:
            if same := files.get(record.content_hash):
                # Of several copies, the one that kept its name.
                same.sort(key=lambda file: file.name != name_of(record))
                self._say_where(record.id, self._relative(same[0]))
                self._turned_by(record, same[0])
                found.append(record.id)
        return found

    def has_own_file(self, record: ImageRecord) -> bool:
        """Tell whether an image's file is where it was, and as it was."""
        file = self.path / (record.path or "")
        own = record.content_hash
        if record.plane is not None:
            return is_there(file) and hash_of_file(file, {own}, record.plane) == own
        return is_there(file) and own in hashes_of_file(file, {own})

    def found_at(self, image_id: str, path: Path) -> ImageRecord:
        """Note where an image's file is, if it is not where it was.

        Raises:
            ProjectError: the project does not know the image.
            StorageError: the disk refused.

        """
        return self._found_again(self.image(image_id), path)
