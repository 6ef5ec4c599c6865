"""What people said of a project's images and masks: asked for, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.project.classes import ClassesOfProject
from napari_sam_tune.core.project.images import ImagesOfProject
from napari_sam_tune.core.project.review import (
    IMAGE_STATES,
    OBJECT_STATES,
    Review,
    Said,
    person,
)
from napari_sam_tune.core.texts.plain_text import is_text, visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.ledger import Ledger
    from napari_sam_tune.core.project.review import ImageState, ObjectState, Value

_UNSAID: Final = Said()
_SIGNED: Final = ("by", "when")
_MARKS: Final = ("done", "empty")
_ACCEPTED: Final = _UNSAID.review("accepted")


class EverythingSaid(NamedTuple):
    """What was said, as fields for lines of the log.

    Attributes:
        objects: by annotation id.
        images: by image id; without whether they are marked done.

    """

    objects: dict[str, dict[str, Any]]
    images: dict[str, dict[str, Any]]


class ReviewingOfProject(ImagesOfProject, ClassesOfProject):
    """The part of `Project` that knows what was said of images and masks."""

    # ------------------------------------------------------------------ asking

    def review(self, annotation_id: str) -> Review:
        """Return what was said of an accepted mask.

        A corrected form of it keeps note, tags and values; its state begins anew.

        Raises:
            ProjectError: the project does not know it.

        """
        return self._said_of(self.annotation(annotation_id), self._journal.read())

    def reviews(self, image_id: str | None = None) -> dict[str, Review]:
        """Return what was said of all masks that count, by id; see `annotations`."""
        return {annotation.id: review for annotation, review in self.reviewed(image_id)}

    def reviewed(self, image_id: str | None = None) -> list[tuple[Annotation, Review]]:
        """Return all masks that count and what was said of each, oldest first, in one look."""
        annotations, ledger = self.annotations(image_id), self._journal.read()
        return [(annotation, self._said_of(annotation, ledger)) for annotation in annotations]

    def _said_of(self, annotation: Annotation, ledger: Ledger) -> Review:
        said = ledger.reviews.objects
        if annotation.supersedes is None and annotation.id not in said:
            return _ACCEPTED  # as most are
        found, seen = said.get(annotation.id, _UNSAID), {annotation.id}
        before = annotation.supersedes if said else None
        while before is not None and before not in seen:
            seen.add(before)
            found = found.over(said.get(before, _UNSAID))
            before = self.annotation(before).supersedes
        return found.review("accepted")

    def image_review(self, image_id: str) -> Review:
        """Return what was said of an image.

        Raises:
            ProjectError: the project does not know it.

        """
        return _image_review(self.image(image_id).id, self._journal.read())

    def image_reviews(self) -> dict[str, Review]:
        """Return what was said of all images, by id."""
        ledger = self._journal.read()
        return {image_id: _image_review(image_id, ledger) for image_id in ledger.images}

    def counting(self, image_id: str | None = None) -> list[Annotation]:
        """Return the accepted masks that train and judge, oldest first.

        Those are all but what is excluded or waits for a second look, itself or its image.

        Args:
            image_id: only those of this image; None for all.

        """
        return self.told_apart(image_id)[0]

    def told_apart(self, image_id: str | None = None) -> tuple[list[Annotation], list[Annotation]]:
        """Return the accepted masks that count, as `counting` does, and those that do not."""
        with self._table_up_to_date():
            return _told_apart(self._table.living(image_id), *self._table.set_aside)

    def told_apart_on(
        self, image_ids: Iterable[str]
    ) -> dict[str, tuple[list[Annotation], list[Annotation]]]:
        """Return the same of some images, in one look."""
        with self._table_up_to_date():
            aside = self._table.set_aside
            return {i: _told_apart(self._table.living(i), *aside) for i in image_ids}

    def images_set_aside(self) -> set[str]:
        """Return the ids of images that are excluded or wait for a second look."""
        with self._table_up_to_date():
            return set(self._table.set_aside[0])

    # ------------------------------------------------------------------ saying

    def set_review(
        self,
        annotation_ids: str | Iterable[str],
        *,
        state: ObjectState | None = None,
        note: str | None = None,
        tags: Sequence[str] | None = None,
        values: Mapping[str, Value | None] | None = None,
        by: str | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Say something of accepted masks, all or none; what is None stays as it is.

        Args:
            annotation_ids: one or several.
            state: "accepted", "second_look", "approved" or "excluded".
            note: free text.
            tags: in place of those there are.
            values: of attributes of their class, by name; they join those there are, and one that
                is None goes.
            by: who says so; None is the user of this machine.

        Returns:
            What was said of each before where that changes, for `say_again`.

        Raises:
            ProjectError: the project does not know one of them, or its class has no such attribute,
                or that has no such value, or there is no such state.
            StorageError: the disk refused.

        """
        ids = (annotation_ids,) if isinstance(annotation_ids, str) else annotation_ids
        records = [self.annotation(i) for i in dict.fromkeys(ids)]
        shared = _checked(OBJECT_STATES, state, note, tags)
        objects: dict[str, dict[str, Any]] = {}
        for record in records:
            objects[record.id] = dict(shared)
            if values is not None:
                known = dict(self.review(record.id).values)
                objects[record.id]["values"] = self._with_values(record.label, known, values)
        said = self._journal.read().reviews.objects
        before = {
            name: _parts(_as_fields(said.get(name, _UNSAID)), fields)
            for name, fields in objects.items()
        }
        if any(objects.values()):
            self.say_again(objects=objects, by=by)
        return before

    def set_image_review(
        self,
        image_ids: str | Iterable[str],
        *,
        state: ImageState | None = None,
        note: str | None = None,
        tags: Sequence[str] | None = None,
        by: str | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Say something of images, all or none; what is None stays as it is.

        An image that is approved is done, too; one that is marked done, or not, has that state.

        Args:
            image_ids: one or several.
            state: "to_do", "done", "second_look", "approved" or "excluded".
            note: free text.
            tags: in place of those there are.
            by: who says so; None is the user of this machine.

        Returns:
            What was said of each before where that changes, for `restore_images`.

        Raises:
            ProjectError: the project does not know one of them, or there is no such state.
            StorageError: the disk refused.

        """
        ids = (image_ids,) if isinstance(image_ids, str) else image_ids
        names = [self.image(i).id for i in dict.fromkeys(ids)]
        fields = _checked(IMAGE_STATES, state, note, tags)
        ledger = self._journal.read()
        before = {name: _parts(image_fields(name, ledger), fields) for name in names}
        if fields and names:
            self.say_again(images=dict.fromkeys(names, fields), by=by)
        return before

    def say_again(
        self,
        *,
        objects: Mapping[str, Mapping[str, Any]] | None = None,
        images: Mapping[str, Mapping[str, Any]] | None = None,
        by: str | None = None,
    ) -> None:
        """Say of masks and images what `set_review` and `set_image_review` returned, in one line.

        Raises:
            StorageError: the disk refused.

        """
        who = by or person()
        self._journal.append("review", by=who, objects=objects or {}, images=images or {})

    def said_of_image(self, image_id: str) -> dict[str, Any]:
        """Return what was said of an image, for `restore_images`."""
        return image_fields(image_id, self._journal.read())

    def said_of_mask(self, annotation_id: str) -> dict[str, Any]:
        """Return what was said of an accepted mask, for `say_again`."""
        return _as_fields(self._journal.read().reviews.objects.get(annotation_id, _UNSAID))

    def everything_said(self) -> EverythingSaid:
        """Return what was said of all masks and images, for `say_again`."""
        reviews = self._journal.read().reviews
        return EverythingSaid(
            objects={name: _as_fields(said) for name, said in reviews.objects.items()},
            images={name: _as_fields(said) for name, said in reviews.images.items()},
        )

    def restore_images(self, images: Mapping[str, Mapping[str, Any]]) -> None:
        """Let images be as `said_of_image` said, in one line.

        Raises:
            StorageError: the disk refused.

        """
        if len(images) == 1:
            ((name, said),) = images.items()
            now, more = self.said_of_image(name), said.keys() - {*_SIGNED, *_MARKS}
            if said.keys() >= {*_MARKS} and all(said[key] is now[key] is None for key in more):
                marks = {key: said[key] for key in _MARKS}  # which any release knows
                self._journal.append("mark", image=name, by=said["by"], **marks)
                return
        self.say_again(images=images)

    def _with_values(
        self, label: str, known: dict[str, Value], values: Mapping[str, Value | None]
    ) -> dict[str, Value]:
        attributes = {attribute.name: attribute for attribute in self.attributes(label)}
        for name, value in values.items():
            if value is None:
                known.pop(name, None)
            elif name in attributes:
                known[name] = attributes[name].checked(value)
            else:
                raise ProjectError(
                    tr(
                        "The class “{label}” has no attribute “{name}”. Add it to the class first.",
                        label=visible(label),
                        name=visible(name),
                    )
                )
        return known


def _told_apart(
    annotations: list[Annotation], images: set[str], objects: set[str]
) -> tuple[list[Annotation], list[Annotation]]:
    """Part masks that count from those that, or whose images, are set aside."""
    if not images and not objects:
        return annotations, []  # of many masks most often; it is asked at every accept
    aside = [one for one in annotations if one.image_id in images or one.id in objects]
    left_out = set(aside)
    return [one for one in annotations if one not in left_out], aside


def _checked(
    states: Sequence[str], state: str | None, note: str | None, tags: Sequence[str] | None
) -> dict[str, Any]:
    if state not in (None, *states):
        raise ProjectError(f"“{visible(state)}” is no state here: {', '.join(states)}.")
    said: dict[str, Any] = {} if state is None else {"state": state}
    if note is not None:
        said["note"] = note
    if tags is not None:
        said["tags"] = list(dict.fromkeys(tags))
    for text in (note or "", *(tags or ())):
        if not is_text(text):
            raise ProjectError(tr("“{said}” is no text in Unicode.", said=visible(text)))
    return said


def _as_fields(said: Said) -> dict[str, Any]:
    fields = dict(vars(said))
    fields["tags"] = None if said.tags is None else list(said.tags)
    fields["values"] = None if said.values is None else dict(said.values)
    return fields


def _parts(said: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Return what is said where fields change it, and by whom: undo leaves the rest to others."""
    names = {*fields, *_SIGNED, *(_MARKS if "state" in fields else ())}
    return {name: value for name, value in said.items() if name in names}


def image_fields(image_id: str, ledger: Ledger) -> dict[str, Any]:
    """Return all that is said of an image as a line of the log would say it."""
    done, empty = ledger.marks.get(image_id, (False, False))
    said = _as_fields(ledger.reviews.images.get(image_id, _UNSAID))
    return {**said, "done": done, "empty": empty}


def _image_review(image_id: str, ledger: Ledger) -> Review:
    done, _ = ledger.marks.get(image_id, (False, False))
    said = ledger.reviews.images.get(image_id, _UNSAID)
    return said.review("done" if done else "to_do")
