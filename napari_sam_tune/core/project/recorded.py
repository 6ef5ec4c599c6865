"""The accepted masks of a project, as they are asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_sam_tune.core.project.annotation_table import AnnotationTable
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.journal import Journal
    from napari_sam_tune.core.project.ledger import Ledger
    from napari_sam_tune.core.project.looking import Looking


class RecordsOfProject:
    """The part of `Project` that finds accepted masks."""

    _journal: Journal
    _table: AnnotationTable
    _table_lock: threading.Lock
    _looking: Looking

    def refresh(self) -> None:
        """Take in what other processes appended; every reading method does so by itself.

        Raises:
            ProjectError: the project's files were removed or replaced meanwhile.

        """
        with self._table_up_to_date():
            pass

    def masks_as_of_now(self) -> tuple[int, int, int]:
        """Return what is another one whenever masks came, went or got other classes; cheap.

        Raises:
            ProjectError: the project's files were removed or replaced meanwhile.

        """
        with self._table_up_to_date() as ledger:
            said = hash(frozenset(ledger.words.items()))
            return len(self._table), said, ledger.naming.said

    def changed_since(self, moment: int) -> tuple[int, set[str]]:
        """Return this moment, and the images of whose masks something else is known since another.

        Masks came, went, got other classes or were set aside; or the image was marked or set aside.
        So whoever keeps what is known of all images looks again at what is new alone.

        Args:
            moment: as this returned it before; 0 for all that is known.

        Raises:
            ProjectError: the project's files were removed or replaced meanwhile.

        """
        with self._table_up_to_date():
            return self._table.changed_since(moment)

    @contextmanager
    def _table_up_to_date(self) -> Iterator[Ledger]:
        """Hold the table as it is once all that is said by now was taken in.

        The log is read while the table is held, so that no thread brings back what another one
        has followed already.
        """
        with self._table_lock:
            ledger = self._journal.read()
            self._table.refresh(ledger, look=not self._looking.has_looked("masks"))
            yield ledger

    def annotation(self, annotation_id: str) -> Annotation:
        """Return an annotation, living, superseded or deleted.

        Raises:
            ProjectError: the project does not know it.

        """
        known = self._table.get(annotation_id)
        if known is None or self._journal.read().naming.said != self._table.named:
            self.refresh()
            known = self._table.get(annotation_id)
        if known is None:
            raise ProjectError(
                tr("The project has no annotation “{annotation}”.", annotation=annotation_id)
            )
        return known

    def annotations(self, image_id: str | None = None) -> list[Annotation]:
        """Return the annotations that are neither deleted nor superseded, oldest first.

        Args:
            image_id: only those of this image; None for all.

        """
        with self._table_up_to_date():
            return self._table.living(image_id)

    def overruled(self, image_id: str | None = None) -> list[Annotation]:
        """Return forms of objects that two people corrected at once and that do not count.

        Of several forms that follow the same one, that with the last word counts. `restore` makes
        another count in its place.

        Args:
            image_id: only those of this image; None for all.

        """
        with self._table_up_to_date():
            return self._table.overruled(image_id)

    def imported(self, image_id: str) -> dict[str, Annotation]:
        """Return what was ever imported into an image, by its origin.

        Deleted and corrected annotations are among them: importing again must not bring them back.
        """
        with self._table_up_to_date():
            return self._table.origins(image_id)

    def records(self, image_id: str) -> dict[str, Annotation]:
        """Return whatever was ever accepted in an image, by its id; living, superseded, deleted."""
        with self._table_up_to_date():
            return self._table.of_image(image_id)

    def every_record(self) -> list[Annotation]:
        """Return every annotation ever accepted, deleted and superseded ones too, oldest first."""
        with self._table_up_to_date():
            return self._table.every()
