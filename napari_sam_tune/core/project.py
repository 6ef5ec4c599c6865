"""A project: the folder a user owns, with images, accepted masks, weights versions and marks.

Everything is appended, nothing is overwritten: two processes, or two people on a shared disk, may
work in one project at once, and a crash loses at most the mask that was not accepted yet.

    project.json         what this folder is
    log.jsonl            images, split, classes, marks, deletions, promotions, place: one line each
    annotations.zarr/    one array per accepted mask; precious
    images.zarr/         images that exist only as arrays
    weights/             <version>.safetensors
    embeddings.zarr/     a cache; deleting it costs only time
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.annotation_table import AnnotationTable
from napari_sam_tune.core.annotations import Annotation, Clock, NewAnnotation, new_id
from napari_sam_tune.core.durable import flush_folder, pending_folder, publish_file, saving
from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.images import content_hash as hash_of
from napari_sam_tune.core.images import list_images, read_image
from napari_sam_tune.core.ledger import (
    BASE_VERSION,
    BaseRef,
    ImageRecord,
    Ledger,
    Promotion,
    WeightsInfo,
)
from napari_sam_tune.core.log import AppendLog
from napari_sam_tune.core.project_folder import ProjectFolder
from napari_sam_tune.core.split import Split, place, split_group, split_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

__all__ = [
    "BASE_VERSION",
    "Annotation",
    "BaseRef",
    "ImageRecord",
    "NewAnnotation",
    "Project",
    "Promotion",
    "WeightsInfo",
]


class Project:
    """An open project; get one from `Project.open`. May be used from several threads.

    Whatever changes the project returns when the change would survive a kill and a power cut, and
    raises `StorageError` where the disk refuses; then nothing is half-written and a retry may work.
    Whatever reads it sees what other processes have written by then.

    Attributes:
        path: the project's folder, absolute.
    """

    def __init__(self, folder: ProjectFolder) -> None:
        self.path = folder.path
        self._folder = folder
        self._log = AppendLog(folder.log)
        self._ledger = Ledger()
        self._table = AnnotationTable(folder.annotations)
        self._clock = Clock()
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True) -> Project:
        """Open a project, or make one where there is none.

        Args:
            path: its folder.
            create: make the folder a project if it is absent or empty.

        Raises:
            ProjectError: it is not a project, was made by a newer release, is half-deleted (says
                what is missing), or cannot be written to.
        """
        folder = ProjectFolder(path)
        folder.prepare(create=create)
        project = cls(folder)
        project.refresh()
        project._table.require_complete()
        return project

    def refresh(self) -> None:
        """Take in what other processes appended; every reading method does so by itself.

        Raises:
            ProjectError: the project's files were removed or replaced meanwhile.
        """
        with self._lock:
            self._read_log()
            self._table.refresh()

    def _read_log(self) -> Ledger:
        with self._lock:
            self._ledger.apply(self._log.read_new())
            return self._ledger

    def _append(self, kind: str, **entry: Any) -> Ledger:
        self._log.append({"kind": kind, "time": time.time(), **entry})
        return self._read_log()

    # ---- base model ----

    @property
    def base(self) -> BaseRef | None:
        """The base model the project's weights build on, or None before the first round."""
        return self._read_log().base

    def set_base(self, ref: BaseRef) -> None:
        """Record the base model; once and for all.

        Raises:
            ProjectError: the project builds on another one.
            StorageError: the disk refused.
        """
        recorded = self.base or self._append("base", name=ref.name, sha256=ref.sha256).base
        if recorded is None or recorded.sha256 != ref.sha256:
            raise ProjectError(
                f"This project builds on the model {_describe(recorded)}, not on {_describe(ref)}: "
                "its weights versions would not fit. Choose that model, or start a new project."
            )

    # ---- images ----

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

        Raises:
            ProjectError: the id is taken by an image of other content, or neither file nor pixels
                were given, or the pixels are not those of `content_hash`.
            StorageError: the disk refused.
        """
        known = self._read_log().images.get(image_id)
        if known is None:
            stored_path = self._relative(path) if path is not None else None
            if path is None:
                self._copy_image(image_id, content_hash, array)
            group = image_id if group is None else group
            known = self._append(
                "image",
                id=image_id,
                shape=[int(side) for side in shape],
                content_hash=content_hash,
                group=group,
                split=split_group(self._ledger.groups, stratum),
                path=stored_path,
                stratum=stratum,
            ).images[image_id]
        if known.content_hash != content_hash:
            raise ProjectError(
                f"The project knows another image by the name “{image_id}”: the pixels differ. "
                "Rename the image, or restore the one that was annotated."
            )
        return self._found_again(known, path)

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
        return self._append("relink", image=known.id, path=new_path).images[known.id]

    def _relative(self, path: str | Path) -> str:
        absolute = Path(path).resolve()
        try:
            return Path(os.path.relpath(absolute, self.path)).as_posix()
        except ValueError:  # Windows: on another drive
            return absolute.as_posix()

    def images(self) -> list[ImageRecord]:
        """Return the images in the order they were registered."""
        return list(self._read_log().images.values())

    def image(self, image_id: str) -> ImageRecord:
        """Return one image's record.

        Raises:
            ProjectError: the project does not know it.
        """
        known = self._read_log().images.get(image_id)
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
        lost = {r.content_hash: r for r in self.images() if r.path and not self._is_there(r)}
        names = {Path(r.path).name for r in lost.values() if r.path}
        found = []
        # Files that kept their name come first: usually no other has to be read.
        for file in sorted(list_images(folder, recursive=True), key=lambda f: f.name not in names):
            if not lost:
                break
            record = lost.pop(_hash_of_file(file) or "", None)
            if record is not None:
                self._append("relink", image=record.id, path=self._relative(file))
                found.append(record.id)
        return found

    def _is_there(self, record: ImageRecord) -> bool:
        file = self.path / (record.path or "")
        return file.is_file() and _hash_of_file(file) == record.content_hash

    def mark_done(self, image_id: str, done: bool = True, *, empty: bool = False) -> None:
        """Mark an image as finished, or not.

        Args:
            image_id: which image.
            done: nothing is left to annotate in it.
            empty: it was looked at and has no defect.

        Raises:
            ProjectError: the project does not know it, or it is called empty but has masks.
            StorageError: the disk refused.
        """
        self.image(image_id)
        if empty and self.annotations(image_id):
            raise ProjectError(
                f"“{image_id}” has accepted masks, so it is not without defects. Delete them first."
            )
        self._append("mark", image=image_id, done=done, empty=empty)

    def is_done(self, image_id: str) -> bool:
        """Tell whether an image was marked done."""
        return self._read_log().marks.get(image_id, (False, False))[0]

    def is_empty(self, image_id: str) -> bool:
        """Tell whether an image was marked as having no defect, and still has no mask."""
        marked = self._read_log().marks.get(image_id, (False, False))[1]
        return marked and not self.annotations(image_id)

    # ---- annotations ----

    def add(self, new: NewAnnotation) -> Annotation:
        """Store an accepted mask; on return it survives a kill and a power cut.

        Raises:
            MaskError: the mask is empty or not of the image's shape.
            ProjectError: the project does not know the image or the annotation superseded.
            StorageError: the disk refused; nothing is half-written, and a retry may work.
        """
        image = self.image(new.image_id)
        bits, attributes = new.checked(image.shape)
        attributes["split"] = self._split(image, new.supersedes, attributes["bbox"])
        moment = self._clock.tick()
        attributes["created"] = moment / 1e6
        annotation_id = new_id(moment)
        store = self._folder.annotations
        if not store.write(annotation_id, bits, attributes, what="The mask"):
            raise ProjectError(f"An annotation {annotation_id} exists already. Accept again.")
        annotation = Annotation.from_record(annotation_id, attributes, store)
        with self._lock:
            self._table.add(annotation)
        return annotation

    def _split(self, image: ImageRecord, supersedes: str | None, bbox: list[int]) -> Split:
        if supersedes is not None:
            return self.annotation(supersedes).split
        y0, x0, y1, x1 = bbox
        cell = place(image.shape, (y0, x0, y1, x1))
        if image.split == "held_out" or self._table.was_held_out(image.id, cell):
            return "held_out"
        if len(self._ledger.groups) == 1:
            return split_place(cell, image.content_hash)
        return "train"

    def annotation(self, annotation_id: str) -> Annotation:
        """Return an annotation, living, superseded or deleted.

        Raises:
            ProjectError: the project does not know it.
        """
        known = self._table.get(annotation_id)
        if known is None:
            self.refresh()
            known = self._table.get(annotation_id)
        if known is None:
            raise ProjectError(f"The project has no annotation “{annotation_id}”.")
        return known

    def annotations(self, image_id: str | None = None) -> list[Annotation]:
        """Return the annotations that are neither deleted nor superseded, oldest first.

        Args:
            image_id: only those of this image; None for all.
        """
        with self._lock:
            self.refresh()
            return self._table.living(self._ledger.deleted, image_id)

    def delete(self, annotation_id: str) -> None:
        """Take an annotation out; its record stays, and `restore` brings it back.

        Raises:
            ProjectError: the project does not know it.
            StorageError: the disk refused.
        """
        self._append("delete", annotation=self.annotation(annotation_id).id)

    def restore(self, annotation_id: str) -> None:
        """Bring back an annotation that was deleted or superseded.

        Raises:
            ProjectError: the project does not know it.
            StorageError: the disk refused.
        """
        self._append("restore", annotation=self.annotation(annotation_id).id)

    # ---- weights ----

    def save_weights(self, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> str:
        """Save tuned weights under their content hash; not yet in use, see `promote`.

        Args:
            tensors: name to tensor, only what was trained.
            info: plain values that describe them.

        Returns:
            The version: 12 hex digits.

        Raises:
            StorageError: the disk refused.
        """
        from napari_sam_tune.core.weights import write_weights

        with saving("The weights", self._folder.weights):
            self._folder.weights.mkdir(exist_ok=True)
            flush_folder(self.path)
            with pending_folder(self._folder.pending) as build:
                version = write_weights(build / "new.safetensors", tensors, info)
                publish_file(build / "new.safetensors", self._weights_file(version))
        self._append("weights", version=version, info=dict(info))
        return version

    def _weights_file(self, version: str) -> Path:
        return self._folder.weights / f"{version}.safetensors"

    def weights_path(self, version: str) -> Path:
        """Return the file of a weights version.

        Raises:
            ProjectError: it is the base model, which is not in the project, or its file is gone.
        """
        if version == BASE_VERSION:
            raise ProjectError("“base” is the model itself; the project keeps no copy of it.")
        file = self._weights_file(version)
        if not file.is_file():
            raise ProjectError(
                f"The weights version {version} is not in {file.parent}. Restore the file from a "
                "backup, or roll back to another version."
            )
        return file

    def versions(self) -> list[WeightsInfo]:
        """Return the weights versions saved, oldest first."""
        return list(self._read_log().weights.values())

    def promote(self, version: str, *, report: Mapping[str, Any]) -> None:
        """Put a weights version to use; "base" rolls back to the base model.

        Raises:
            ProjectError: there is no such version.
            StorageError: the disk refused.
        """
        if version != BASE_VERSION:
            self.weights_path(version)
        self._append("promote", version=version, report=dict(report))

    @property
    def current_version(self) -> str:
        """The weights in use: "base" or 12 hex digits."""
        return self._read_log().current_version

    def promotions(self) -> list[Promotion]:
        """Return every change of the weights in use, oldest first."""
        return list(self._read_log().promotions)

    # ---- classes and place ----

    def classes(self) -> dict[str, str]:
        """Return the classes and their colours, name to "#rrggbb", in the order they were made."""
        return dict(self._read_log().classes)

    def set_class(self, name: str, color: str) -> None:
        """Make a class, or change its colour.

        Args:
            name: what people call it.
            color: "#rrggbb".

        Raises:
            StorageError: the disk refused.
        """
        if self.classes().get(name) != color:
            self._append("class", name=name, color=color)

    def remember(self, **where: Any) -> None:
        """Note where the person is (open image, class …); given keys replace, others stay.

        Raises:
            StorageError: the disk refused.
        """
        known = self.place()
        changed = {key: value for key, value in where.items() if known.get(key, ...) != value}
        if changed:
            self._append("place", place=changed)

    def place(self) -> dict[str, Any]:
        """Return where the person stopped, as `remember` was told."""
        return dict(self._read_log().place)


def _describe(ref: BaseRef | None) -> str:
    return "none" if ref is None else f"“{ref.name}” (SHA-256 {ref.sha256[:12]}…)"


def _hash_of_file(file: Path) -> str | None:
    try:
        return hash_of(read_image(file))
    except ImageError:
        return None  # not an image after all: it cannot be the one looked for
