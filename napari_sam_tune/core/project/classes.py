"""The classes of a project: made, renamed, merged, removed, and given to accepted masks anew."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.project.naming import checked_label
from napari_sam_tune.core.project.recorded import RecordsOfProject
from napari_sam_tune.core.project.review import person
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.review import Attribute


@dataclass(frozen=True)
class Relabelled:
    """What giving masks another class changed; `Project.relabel_back` takes it back.

    Attributes:
        key: names the line of the log.
        before: annotation id to the class it had.
        approvals: annotation id to what was said of one that was approved, which ends so.

    """

    key: str
    before: Mapping[str, str]
    approvals: Mapping[str, Mapping[str, Any]]


class ClassesOfProject(RecordsOfProject):
    """The part of `Project` that knows its classes."""

    def classes(self) -> dict[str, str]:
        """Return the classes and their colours, name to "#rrggbb", in the order they were made."""
        return dict(self._journal.read().naming.classes)

    def set_class(self, name: str, color: str, *, place: int | None = None) -> None:
        """Make a class, or change its colour.

        Args:
            name: what people call it.
            color: "#rrggbb".
            place: of a new one in the order of classes; None at the end.

        Raises:
            MaskError: the name is no text.
            StorageError: the disk refused.

        """
        if self.classes().get(checked_label(name)) != color:
            at: dict[str, Any] = {} if place is None else {"at": place}
            self._journal.append("class", name=name, color=color, **at)

    def class_now(self, name: str, since: float) -> str:
        """Return what a class is called now that was called `name` at a time (UTC, s)."""
        return self._journal.read().naming.name_now(name, since)

    def class_given_at(self, annotation: Annotation) -> float:
        """Return when an annotation got the class it has (UTC, s): accepted, or given later."""
        naming = self._journal.read().naming
        return naming.named_at(annotation.id, annotation.accepted_as, annotation.created)

    def class_moves(self) -> dict[str, tuple[str, str]]:
        """Return all changes of classes' names so far, in their order: (old, new) by their keys.

        Whoever keeps names of classes in memory follows those that are new.
        """
        return dict(self._journal.read().naming.moves)

    def relabel(self, annotation_ids: str | Iterable[str], label: str) -> Relabelled | None:
        """Give accepted masks another class, all or none; masks and their ids stay.

        What was approved is "accepted" again.

        Args:
            annotation_ids: one or several.
            label: the class.

        Returns:
            What it changed; None where all had that class.

        Raises:
            MaskError: the class is no text.
            ProjectError: the project does not know one of them.
            StorageError: the disk refused.

        """
        checked_label(label)
        ids = (annotation_ids,) if isinstance(annotation_ids, str) else annotation_ids
        records = [self.annotation(i) for i in dict.fromkeys(ids)]
        before = {record.id: record.label for record in records if record.label != label}
        if not before:
            return None
        said = self._journal.read().reviews.objects
        approvals = {
            i: {"state": "approved", "by": said[i].by, "when": said[i].when}
            for i in before
            if i in said and said[i].state == "approved"
        }
        key, labels = secrets.token_hex(6), dict.fromkeys(before, label)
        latest = max(record.created for record in records)
        self._journal.append("relabel", after=latest, key=key, labels=labels, by=person())
        return Relabelled(key, before, approvals)

    def relabel_back(self, done: Relabelled, *, is_void: bool = True) -> None:
        """Give masks the classes back that they had before `relabel`, and approvals.

        A mask that somebody gave another class since keeps that.

        Args:
            done: what `relabel` returned.
            is_void: false lets it count again.

        Raises:
            StorageError: the disk refused.

        """
        said = done.approvals if is_void else {}
        self._journal.append("relabel_again", key=done.key, void=is_void, objects=said, by=person())

    def rename_class(self, old: str, new: str) -> str:
        """Call a class otherwise, everywhere; where there is one of that name, they become one.

        The colour stays, or is that of the class that is there.

        Returns:
            The key by which `rename_back` takes it back.

        Raises:
            MaskError: the new name is no text.
            ProjectError: there is no such class, or nothing would change.
            StorageError: the disk refused.

        """
        checked_label(new)
        annotations = self.annotations()
        if old == new:
            raise ProjectError(tr("The class is called “{name}” already.", name=visible(old)))
        if not new.strip():
            raise ProjectError(tr("A class needs a name."))
        if old not in self.classes() and not any(a.label == old for a in annotations):
            raise ProjectError(tr("The project has no class “{name}”.", name=visible(old)))
        key, latest = secrets.token_hex(6), _latest(annotations)
        self._journal.append("rename_class", after=latest, key=key, old=old, new=new, by=person())
        return key

    def rename_back(self, key: str, *, is_void: bool = True) -> None:
        """Take a renaming back, or (`is_void` false) let it count again.

        The class has its old name again, with all its masks: whoever accepted one under the new
        name meanwhile meant this class. One that was merged into another parts with those masks
        alone that came from it; what was accepted since stays with the other.

        Raises:
            ProjectError: there is none of that key.
            StorageError: the disk refused.

        """
        latest = _latest(self.annotations())
        self._journal.append("rename_again", after=latest, key=key, void=is_void)

    def remove_class(self, name: str) -> None:
        """Take a class without masks out of the list.

        Raises:
            ProjectError: there is no such class, or it has masks.
            StorageError: the disk refused.

        """
        if name not in self.classes():
            raise ProjectError(tr("The project has no class “{name}”.", name=visible(name)))
        masks = sum(annotation.label == name for annotation in self.annotations())
        if masks:
            raise ProjectError(
                tr(
                    "“{name}” is the class of {n:,} accepted masks. Merge it with another class "
                    "instead, or give these masks another class first.",
                    "“{name}” is the class of an accepted mask. Merge it with another class "
                    "instead, or give this mask another class first.",
                    n=masks,
                    name=visible(name),
                )
            )
        self._journal.append("remove_class", name=name, by=person())

    # -------------------------------------------------------------- attributes

    def attributes(self, label: str) -> tuple[Attribute, ...]:
        """Return what is noted of every object of a class, in its order."""
        return self._journal.read().reviews.attributes.get(label, ())

    def set_attributes(self, label: str, attributes: Sequence[Attribute]) -> None:
        """Say what is noted of every object of a class; values given before are kept.

        Raises:
            MaskError: the class is no text.
            ProjectError: one has no name, or that of another, or a choice has nothing to choose.
            StorageError: the disk refused.

        """
        checked_label(label)
        for attribute in attributes:
            attribute.check()
        names = [attribute.name for attribute in attributes]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ProjectError(tr("Two attributes are called “{name}”.", name=visible(min(twice))))
        if tuple(attributes) != self.attributes(label):
            said = [attribute.to_json() for attribute in attributes]
            self._journal.append("attributes", label=label, attributes=said)


def _latest(annotations: Iterable[Annotation]) -> float:
    """Return when the last of them was accepted."""
    return max((annotation.created for annotation in annotations), default=0.0)
