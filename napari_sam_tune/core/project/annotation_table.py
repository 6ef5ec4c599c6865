"""The annotations of a project, indexed in memory and kept up with what others append."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.project.annotations import Annotation
from napari_sam_tune.core.project.split import Split, place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_sam_tune.core.storage.records import RecordStore

_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}")


class AnnotationTable:
    """Every annotation ever accepted, living or not.

    Args:
        records: where they lie.

    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._by_id: dict[str, Annotation] = {}
        self._by_image: dict[str, list[Annotation]] = {}
        self._superseded: set[str] = set()
        self._kept_places: dict[tuple[str, tuple[int, int]], Split] = {}
        self._unreadable: dict[str, str] = {}

    def refresh(self) -> None:
        """Take in what was added to the store since; cheap where nothing was.

        A record that cannot be read yet is tried again the next time: a synchronised folder may
        bring its files one by one.
        """
        names = self._records.names_if_changed()
        fresh = self._unreadable.keys() if names is None else names - self._by_id.keys()
        for name in sorted(filter(_ID.fullmatch, fresh)):
            try:
                stored = self._records.attributes(name)
                self.add(Annotation.from_record(name, stored, self._records))
                self._unreadable.pop(name, None)
            except ProjectError as error:
                self._unreadable[name] = str(error)

    def require_complete(self) -> None:
        """Refuse to go on with records that cannot be read.

        Raises:
            ProjectError: names them and says what to do.

        """
        if self._unreadable:
            raise ProjectError(
                f"{len(self._unreadable)} accepted mask(s) in {self._records.root} are damaged or "
                f"half-deleted, the first: {next(iter(self._unreadable.values()))} Restore the "
                "folder(s) from a backup, or move them away to go on without them: "
                + ", ".join(sorted(self._unreadable)[:20])
            )

    def add(self, annotation: Annotation) -> None:
        """Index an annotation; one already known is left as it is."""
        if annotation.id in self._by_id:
            return
        self._by_id[annotation.id] = annotation
        self._by_image.setdefault(annotation.image_id, []).append(annotation)
        if annotation.supersedes is not None:
            self._superseded.add(annotation.supersedes)
        if annotation.split != "train":
            cell = place(annotation.shape, annotation.bbox)
            self._kept_places.setdefault((annotation.image_id, cell), annotation.split)

    def get(self, annotation_id: str) -> Annotation | None:
        """Return an annotation, living or not."""
        return self._by_id.get(annotation_id)

    def every(self) -> list[Annotation]:
        """Return all annotations, living or not, in the order of time."""
        return sorted(self._by_id.values(), key=lambda annotation: annotation.id)

    def kept_for(self, image_id: str, cell: tuple[int, int]) -> Split | None:
        """Return "held_out" or "test" where an object at that place ever was: none may train."""
        return self._kept_places.get((image_id, cell))

    def origins(self, image_id: str) -> dict[str, Annotation]:
        """Return what was ever imported into an image, by its origin, living or not."""
        every = self._by_image.get(image_id, ())
        return {a.origin: a for a in every if a.origin is not None}

    def of_image(self, image_id: str) -> dict[str, Annotation]:
        """Return what was ever accepted in an image, by its id, living or not."""
        return {a.id: a for a in self._by_image.get(image_id, ())}

    def living(self, deleted: Mapping[str, bool], image_id: str | None) -> list[Annotation]:
        """Return what is neither deleted nor superseded, in the order of time.

        Args:
            deleted: id to deleted (True) or restored (False), where either was ever said.
            image_id: only those of this image; None for all.

        """
        every: Iterable[Annotation] = (
            self._by_id.values() if image_id is None else self._by_image.get(image_id, ())
        )
        alive = (a for a in every if not deleted.get(a.id, a.id in self._superseded))
        return sorted(alive, key=lambda annotation: annotation.id)
