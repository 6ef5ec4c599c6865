"""The files of images, which go between copies of a project after everything else."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.project.image_files import is_there, name_of
from napari_sam_tune.core.sharing.fetching import fetched, sha256_of
from napari_sam_tune.core.storage.durable import flush_folder, publish_file, saving

if TYPE_CHECKING:
    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.sharing.known import Known
    from napari_sam_tune.core.sharing.place import SharedPlace

FOLDER: Final = "images"
"""Of a copy: files of images that others registered."""
_SUFFIX: Final = re.compile(r"(\.[A-Za-z0-9]{1,8}){0,2}")
_PLAIN: Final = re.compile(r"[^\w.() -]+")
_NAMED: Final = 80


class ImageFiles:
    """Sends files that are not there yet, and fetches those that are not here.

    Args:
        project: the copy.
        folder: its folder.
        known: what is there.

    Attributes:
        is_all: nothing was left to send or fetch after the last look.

    """

    def __init__(self, project: Project, folder: ProjectFolder, known: Known) -> None:
        self._project, self._folder, self._known = project, folder, known
        self._checksums: dict[tuple[str, int, int], str] = {}  # of the file that was sent last
        self._settled: set[str] = set()  # ids of images to which nothing is left to do
        self.is_all = True

    def send(self, place: SharedPlace, until: float) -> dict[str, tuple[str, str]]:
        """Put files there until a moment of `time.monotonic`, one at least; never a `.zarr` folder.

        Returns:
            Content hash of each image to its file's name there and its SHA-256.

        Raises:
            ShareError: the place refuses.

        """
        sent: dict[str, tuple[str, str]] = {}
        self.is_all = True
        for image in self._project.images():
            if image.id in self._settled or image.path is None:
                continue
            if image.content_hash in self._known.images | sent:
                continue
            file = self._folder.path / image.path
            if not is_there(file):
                continue  # somebody else's, who will send it
            if file.is_dir():
                self._settled.add(image.id)  # a `.zarr` is no file that could be sent whole
                continue
            if sent and time.monotonic() > until:
                self.is_all = False
                break
            if not self._project.has_own_file(image):
                self._settled.add(image.id)  # changed since: it would not be the image
                continue
            checksum = self._checksum(file)
            # a stack's file goes once, whichever of its planes is asked for
            own = image.content_hash if image.plane is None else checksum[:32]
            name = f"images/{own}{_suffix(file)}"
            if (name, checksum) not in (self._known.images | sent).values():
                place.put(name, file)
            sent[image.content_hash] = name, checksum
            self._settled.add(image.id)
        return sent

    def _checksum(self, file: Path) -> str:
        said = file.stat()
        stamp = str(file), said.st_size, said.st_mtime_ns
        if stamp not in self._checksums:
            self._checksums = {stamp: sha256_of(file)}
        return self._checksums[stamp]

    def fetch(self, place: SharedPlace, until: float) -> int:
        """Copy files here until a moment of `time.monotonic`, one at least; returns how many.

        Raises:
            ShareError: the place refuses, or a file there is not the one that was put there.
            StorageError: the disk refused.

        """
        fetched_now = 0
        for image in self._project.images():
            if image.id in self._settled or image.path is None:
                continue
            found = self._known.images.get(image.content_hash)
            if is_there(self._folder.path / image.path):
                if found is not None:
                    self._settled.add(image.id)
                continue
            if found is None:
                continue  # not there yet
            if fetched_now and time.monotonic() > until:
                self.is_all = False
                break
            self._fetch(place, image, *found)
            self._settled.add(image.id)
            fetched_now += 1
        return fetched_now

    def _fetch(self, place: SharedPlace, image: ImageRecord, name: str, checksum: str) -> None:
        folder = self._folder.path / FOLDER
        file = folder / _local_name(image, Path(name).name)
        if not file.exists():
            with (
                saving("The image", folder),
                fetched(place, name, checksum, self._folder) as content,
            ):
                folder.mkdir(exist_ok=True)
                flush_folder(self._folder.path)
                publish_file(content, file)
        self._project.found_at(image.id, file)


def _suffix(file: Path) -> str:
    suffix = "".join(file.suffixes[-2:]) if file.name.endswith(".gz") else file.suffix
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _local_name(image: ImageRecord, there: str) -> str:
    """Name a file as it was named, and so that no two are named alike."""
    content, dot, suffix = there.partition(".")
    stem = name_of(image).removesuffix(dot + suffix)
    plain = _PLAIN.sub("_", stem).lstrip(".")[:_NAMED].strip() or "image"
    return f"{plain}-{content[:8]}{dot}{suffix}"
