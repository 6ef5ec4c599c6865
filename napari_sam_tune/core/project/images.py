"""The images of a project: registering, splitting, reading, and finding them after a move."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.images.files import content_hash as hash_of
from napari_sam_tune.core.images.files import list_images, read_image, spatial_shape
from napari_sam_tune.core.plain_text import is_text, visible
from napari_sam_tune.core.project.announcing import announced
from napari_sam_tune.core.project.split import split_group

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.journal import Journal
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.split import Split


def check_texts(*names: object) -> None:
    """Refuse names of images, groups and files that a project cannot hold; None is no name.

    Raises:
        ProjectError: one is no text in Unicode, as a file's name need not be.

    """
    for name in names:
        if name is not None and not is_text(name):
            raise ProjectError(
                f"“{visible(name)}” is no text in Unicode, so no project can hold that name. "
                "Rename the file or the folder."
            )


class ImagesOfProject:
    """The part of `Project` that knows its images."""

    path: Path
    _folder: ProjectFolder
    _journal: Journal

    def register(
        self,
        image: ArrayLike,
        image_id: str,
        *,
        path: Path | str | None = None,
        group: str | None = None,
        stratum: str | None = None,
    ) -> ImageRecord:
        """Make an image that was read known to the project. See `add_image`.

        Args:
            image: (H, W), (H, W, C) or (C, H, W) array of any dtype.
            image_id: its name in the project.
            path: the file it came from; without one the array is copied into the project.
            group: images of one part, one lot or one film; groups are never split between
                training and judging.
            stratum: the class to balance the split by.

        """
        pixels = np.asarray(image)
        height, width = spatial_shape(pixels)
        return self.add_image(
            image_id,
            shape=(height, width),
            content_hash=hash_of(pixels),
            path=path,
            array=None if path is not None else pixels,
            group=group,
            stratum=stratum,
        )

    def add_image(
        self,
        image_id: str,
        *,
        shape: tuple[int, int],
        content_hash: str,
        path: str | Path | None = None,
        array: ArrayLike | None = None,
        group: str | None = None,
        stratum: str | None = None,
        split: Split | None = None,
    ) -> ImageRecord:
        """Register an image and decide its split; the same image again changes nothing.

        Args:
            image_id: any text.
            shape: (H, W) in pixels.
            content_hash: `images.content_hash` of the pixels as `read_image` returns them.
            path: its file; kept relative to the project.
            array: its pixels, copied into the project; needed where there is no file.
            group: images that must not be split between training and judging; default its own.
            stratum: a class or the like, of which about a fifth is held out.
            split: what the group is for, where that was decided outside; None decides here. What
                was decided for its group before stands.

        Raises:
            ProjectError: the id is taken by an image of other content, or neither file nor pixels
                were given, or the pixels are not those of `content_hash`, or a name is no text.
            StorageError: the disk refused.

        """
        check_texts(image_id, group, stratum)
        known = self._journal.read().images.get(image_id)
        if known is None:
            stored_path = self._relative(path) if path is not None else None
            check_texts(stored_path)
            group = image_id if group is None else group
            entry: dict[str, Any] = {
                "id": image_id,
                "shape": [int(side) for side in shape],
                "content_hash": content_hash,
                "group": group,
                "split": split or split_group(self._journal.read().groups, stratum),
                "path": stored_path,
                "stratum": stratum,
            }
            if path is None:
                pixels = self._folder.images.root / content_hash
                with announced(self._folder, self._journal, pixels, "The image"):
                    self._copy_image(image_id, content_hash, array)
                    known = self._append_image(entry)
            else:
                known = self._append_image(entry)
        if known.content_hash != content_hash:
            raise ProjectError(
                f"The project knows another image by the name “{image_id}”: the pixels differ. "
                "Rename the image, or restore the one that was annotated."
            )
        return self._found_again(known, path)

    def _append_image(self, entry: dict[str, Any]) -> ImageRecord:
        """Register an image, unless somebody just did; of two the first counts."""
        ledger = self._journal.append(
            "image", unless=lambda ledger: entry["id"] in ledger.images, **entry
        )
        return ledger.images[entry["id"]]

    def _copy_image(self, image_id: str, content_hash: str, array: ArrayLike | None) -> None:
        if array is None:
            raise ProjectError(
                f"The image “{image_id}” has neither a file nor pixels; give `path` or `array`."
            )
        pixels = np.asarray(array)
        if hash_of(pixels) != content_hash:
            raise ProjectError(f"The pixels of “{image_id}” do not have the content hash given.")
        self._folder.images.create()
        attributes = {"content_hash": content_hash}
        self._folder.images.write(content_hash, pixels, attributes, what="The image")

    def _found_again(self, known: ImageRecord, path: str | Path | None) -> ImageRecord:
        """Note where an image is now, if the place on record is empty."""
        if path is None or known.path is None or (self.path / known.path).is_file():
            return known
        new_path = self._relative(path)
        if new_path == known.path:
            return known
        return self._journal.append("relink", image=known.id, path=new_path).images[known.id]

    def check_path(self, path: Path) -> None:
        """Refuse an image file whose place no log can hold.

        Raises:
            ProjectError: it is no text in Unicode.

        """
        check_texts(self._relative(path))

    def _relative(self, path: str | Path) -> str:
        absolute = Path(path).resolve()
        try:
            return Path(os.path.relpath(absolute, self.path)).as_posix()
        except ValueError:  # Windows: on another drive
            return absolute.as_posix()

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
            raise ProjectError(f"The project has no image “{image_id}”. Open it first.")
        return known

    def read_image(self, image_id: str) -> NDArray[Any]:
        """Read an image's pixels as they were when it was registered.

        Returns:
            (H, W) or (H, W, C), as `images.read_image` returns it.

        Raises:
            ProjectError: the project does not know it, or its file was moved or changed.
            ImageError: the file is there but cannot be read.

        """
        record = self.image(image_id)
        if record.path is None:
            return self._folder.images.read(record.content_hash)
        file = self.path / record.path
        if not file.is_file():
            raise ProjectError(
                f"The image “{image_id}” is not at {file} any more: it was moved or renamed. Show "
                "the project its new folder (relink)."
            )
        pixels = read_image(file)
        if hash_of(pixels) != record.content_hash:
            raise ProjectError(
                f"The file {file} was changed since its masks were made: the pixels differ. Put "
                "the original back, or show the project where it is (relink)."
            )
        return pixels

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
        lost = [record for record in self.images() if record.path and not self._is_there(record)]
        files = _by_content(list_images(folder, recursive=True), lost)
        found = []
        for record in lost:
            if same := files.get(record.content_hash):
                # Of several copies, the one that kept its name.
                same.sort(key=lambda file: file.name != _name(record))
                self._journal.append("relink", image=record.id, path=self._relative(same[0]))
                found.append(record.id)
        return found

    def _is_there(self, record: ImageRecord) -> bool:
        file = self.path / (record.path or "")
        return file.is_file() and _hash_of_file(file) == record.content_hash


def _by_content(files: list[Path], lost: list[ImageRecord]) -> dict[str, list[Path]]:
    """Find the files with the content looked for, reading no more than necessary."""
    found: dict[str, list[Path]] = {record.content_hash: [] for record in lost}
    names = {_name(record) for record in lost}
    # Those that kept their name come first: usually no other has to be read.
    for file in sorted(files, key=lambda file: file.name not in names):
        if file.name not in names and all(found.values()):
            break
        found.get(_hash_of_file(file) or "", []).append(file)
    return found


def _name(record: ImageRecord) -> str:
    return Path(record.path or "").name


def _hash_of_file(file: Path) -> str | None:
    try:
        return hash_of(read_image(file))
    except ImageError:
        return None  # not an image after all: it cannot be the one looked for
