"""A project: the folder a user owns, with images, accepted masks, weights versions and marks.

Everything is appended, nothing is overwritten: several programs of one machine may work in one
project at once, and a crash loses at most the mask that was not accepted yet. Over a network this
much is up to the server and the client's caches; see docs/en/explanation/kept.md.

    project.json         what this folder is
    log.jsonl            images, split, classes, marks, deletions, promotions, place: one line each,
                         with a checksum; log-<machine>.jsonl what other machines wrote,
                         log-<machine>-<copy>.jsonl what was said in another copy of it
    annotations.zarr/    one array per accepted mask; precious
    images.zarr/         images that exist only as arrays
    weights/             <version>.safetensors
    embeddings.zarr/     a cache; deleting it costs only time
    signatures.zarr/     another: what images are recognised by
    learnt.jsonl         what learning at every accept was worth by then; only ever shown
    guessed_classes.jsonl  classes guessed before objects were accepted: how far to trust guesses
    share.json           where copies of it are exchanged; .share/ what is known to be there
    looked_again.jsonl   how far weights agree with accepted masks
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.project.annotation_table import AnnotationTable
from napari_sam_tune.core.project.annotations import Annotation, NewAnnotation
from napari_sam_tune.core.project.announcing import clear_leftovers
from napari_sam_tune.core.project.clock import Clock, new_id
from napari_sam_tune.core.project.folder import ProjectFolder
from napari_sam_tune.core.project.joining import JoiningOfProject
from napari_sam_tune.core.project.journal import Journal
from napari_sam_tune.core.project.ledger import (
    ImageRecord,
    Promotion,
    WeightsInfo,
    facts_of,
    turn_of,
)
from napari_sam_tune.core.project.looking import Looking
from napari_sam_tune.core.project.review import person
from napari_sam_tune.core.project.reviewing import ReviewingOfProject
from napari_sam_tune.core.project.split import Split, place, split_place
from napari_sam_tune.core.project.stacking import StacksOfProject
from napari_sam_tune.core.project.versions import WeightsOfProject
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from napari_sam_tune.core.project.review import Review

__all__ = [
    "BASE_VERSION",
    "Annotation",
    "ImageRecord",
    "NewAnnotation",
    "Project",
    "Promotion",
    "WeightsInfo",
]


class Project(ReviewingOfProject, WeightsOfProject, JoiningOfProject, StacksOfProject):
    """An open project; get one from `Project.open`. May be used from several threads.

    Whatever changes the project returns when the change would survive a kill and a power cut, and
    raises `StorageError` where the disk refuses; then nothing is half-written and a retry may work.
    Whatever reads it sees what other processes have written by then; a thread that looks once a
    turn (`look_once_a_turn`) what they had written when it first read in that turn.

    Attributes:
        path: the project's folder, absolute.
        embeddings_path: where what models see in images is kept; may be thrown away.

    """

    def __init__(self, folder: ProjectFolder) -> None:
        self.path = folder.path
        self.embeddings_path = folder.embeddings
        self._folder = folder
        link = folder.share_link()
        copy = "" if link is None else link.copy
        self._looking = Looking()
        self._journal = Journal(
            folder.path, about_to_write=folder.raise_format, copy=copy, looking=self._looking
        )
        self._table = AnnotationTable(folder.annotations)
        self._table_lock = threading.Lock()
        self._clock = Clock()

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True) -> Project:
        """Open a project, or make one where there is none.

        Args:
            path: its folder.
            create: make the folder a project if it is absent or empty.

        Raises:
            ProjectError: it is not a project, was made by a newer release, is half-deleted (says
                what is missing), or cannot be made.

        """
        folder = ProjectFolder(path)
        folder.prepare(create=create)
        project = cls(folder)
        project._journal.require_whole()
        project.refresh()
        project.turn_old_images()
        ledger = project._journal.read()
        project._table.require_complete(ledger.images)
        clear_leftovers(folder, ledger)
        return project

    def look_once_a_turn(self, at_end: Callable[[Callable[[], None]], object]) -> None:
        """Let this thread look once in a turn of its event loop for what other programs wrote.

        What this program writes is seen as ever, and whatever is written is written upon what is
        on the disk then. For a viewer's thread, which asks dozens of times in a turn.

        Args:
            at_end: calls what it is given when the turn is over.

        """
        self._looking.once_a_turn(at_end)

    def why_read_only(self) -> str | None:
        """Say in a sentence why nothing can be saved in it, or return None where that can be."""
        why = self._folder.why_read_only()
        if why is None:
            return None
        return tr(
            "Nothing can be saved in {path} ({why}). Its masks can be looked at and exported, but "
            "none can be accepted: mend that, or copy the project elsewhere.",
            path=self.path,
            why=why,
        )

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
                tr(
                    "“{image_id}” has accepted masks, so it is not without defects. Delete "
                    "them first.",
                    image_id=image_id,
                )
            )
        self._journal.append("mark", image=image_id, done=done, empty=empty, by=person())

    def is_done(self, image_id: str) -> bool:
        """Tell whether an image was marked done."""
        return self._journal.read().marks.get(image_id, (False, False))[0]

    def done_images(self) -> set[str]:
        """Return the ids of the images marked done, in one look at the log."""
        marks = self._journal.read().marks
        return {image_id for image_id, (done, _) in marks.items() if done}

    def empty_images(self) -> set[str]:
        """Return the ids of the images marked as having no defect; some may have masks since."""
        marks = self._journal.read().marks
        return {image_id for image_id, (_, empty) in marks.items() if empty}

    def is_marked(self, image_id: str) -> bool:
        """Tell whether it was ever said of an image that it is done, empty, or not."""
        return image_id in self._journal.read().marks

    def is_empty(self, image_id: str) -> bool:
        """Tell whether an image was marked as having no defect, and still has no mask."""
        marked = self._journal.read().marks.get(image_id, (False, False))[1]
        return marked and not self.annotations(image_id)

    def add(
        self, new: NewAnnotation, *, review: Review | None = None, thing: str | None = None
    ) -> Annotation:
        """Store an accepted mask; on return it survives a kill and a power cut.

        Args:
            new: the mask.
            review: what is said of it from the start, as where it was imported from; None for
                nothing. It is never without: a kill leaves both or neither.
            thing: what it is a mask of in this plane, see `thing_of`; None for a thing of its own.
                It is never without, either.

        Raises:
            MaskError: the mask is empty or not of the image's shape, or the class is no text.
            ProjectError: the project does not know the image or the annotation superseded.
            StorageError: the disk refused; nothing is half-written, and a retry may work.

        """
        self._journal.say_assumed()
        image = self.image(new.image_id)
        bits, attributes = new.checked(image.shape)
        attributes["split"] = self._split(image, new, attributes["bbox"])
        attributes |= turn_of(image)
        attributes["image"] = facts_of(image)  # so that a lost log can be made again
        moment = self._clock.tick(self._journal.latest)
        attributes["created"] = moment / 1e6
        attributes["by"] = person()
        annotation_id = new_id(moment)
        if review is not None and (said := review.fields()):
            self.say_again(objects={annotation_id: said})  # first: alone it says nothing
        if thing is not None:
            self.tie_again({annotation_id: thing})  # the same
        store = self._folder.annotations
        if not store.write(annotation_id, bits, attributes, what=mark("The mask")):
            raise ProjectError(
                tr(
                    "An annotation {annotation_id} exists already. Accept again.",
                    annotation_id=annotation_id,
                )
            )
        annotation = Annotation.from_record(annotation_id, attributes, store)
        with self._table_lock:
            self._table.add(annotation)
        return annotation

    def _split(self, image: ImageRecord, new: NewAnnotation, bbox: list[int]) -> Split:
        if new.supersedes is not None:
            return self.annotation(new.supersedes).split
        if image.split != "train":
            return image.split
        y0, x0, y1, x1 = bbox
        cell = place(image.shape, (y0, x0, y1, x1))
        if kept := self._table.kept_for(image.id, cell) or new.split:
            return kept
        if len(self._journal.read().groups) == 1:
            return split_place(cell, image.content_hash)
        return "train"

    def annotated_images(self) -> list[ImageRecord]:
        """Return the images that have at least one living annotation."""
        annotated = {annotation.image_id for annotation in self.annotations()}
        return [record for record in self.images() if record.id in annotated]

    def delete(self, annotation_ids: str | Iterable[str]) -> None:
        """Take annotations out, all or none; records stay, and `restore` brings them back.

        Args:
            annotation_ids: one or several.

        Raises:
            ProjectError: the project does not know one of them.
            StorageError: the disk refused.

        """
        self._say_of_records("delete", annotation_ids)

    def restore_all(self, annotation_ids: str | Iterable[str]) -> None:
        """Bring back annotations, all or none; see `restore`."""
        self._say_of_records("restore", annotation_ids)

    def _say_of_records(self, kind: str, annotation_ids: str | Iterable[str]) -> None:
        ids = (annotation_ids,) if isinstance(annotation_ids, str) else annotation_ids
        names = [self.annotation(name).id for name in dict.fromkeys(ids)]
        if len(names) == 1:  # a line that any release understands
            self._journal.append(kind, annotation=names[0])
        elif names:
            self._journal.append(f"{kind}_all", annotations=names)

    def restore(self, annotation_id: str) -> Annotation:
        """Bring back an annotation that was deleted or superseded, under its old id.

        Raises:
            ProjectError: the project does not know it.
            StorageError: the disk refused.

        """
        self.restore_all(annotation_id)
        return self.annotation(annotation_id)

    def exchange(self, *, delete: str, restore: str) -> Annotation:
        """Take one annotation out and bring another back, both or neither.

        Raises:
            ProjectError: the project does not know one of them.
            StorageError: the disk refused.

        """
        annotation = self.annotation(restore)
        taken_out = self.annotation(delete).id
        self._journal.append("exchange", delete=taken_out, restore=annotation.id)
        return annotation

    def remember(self, **where: Any) -> None:
        """Note where the person is (open image, class …); given keys replace, others stay.

        Raises:
            StorageError: the disk refused.

        """
        known = self.place()
        changed = {key: value for key, value in where.items() if known.get(key, ...) != value}
        if changed:
            self._journal.append("place", place=changed, **self._journal.here)

    def place(self) -> dict[str, Any]:
        """Return where the person stopped, as `remember` was told."""
        return dict(self._journal.read().place)
