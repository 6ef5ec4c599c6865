"""What a person changes of a project beside the object in progress, so that undo takes it back."""

from __future__ import annotations

from functools import partial
from time import time
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam_tune.core.session.deeds import Deed, Undone
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.review import Attribute, ImageState, ObjectState, Value
    from napari_sam_tune.core.session.accepting import Accepting
    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.session.suggested import Suggested

_OF_A_MARK = ("state", "by", "when", "done", "empty")
_AS_BEFORE = mark("Undone: {what} as before.")
_NOTED = mark("Done again: {what} noted as before.")
_UNDONE = {
    "to_do": mark("Undone: {what} to do again."),
    "done": mark("Undone: {what} done again."),
    "accepted": mark("Undone: {what} accepted again."),
    "second_look": mark("Undone: {what} to be looked at again."),
    "approved": mark("Undone: {what} approved again."),
    "excluded": mark("Undone: {what} excluded again."),
}
_REDONE = {
    "to_do": mark("Done again: {what} to do."),
    "done": mark("Done again: {what} done."),
    "accepted": mark("Done again: {what} accepted."),
    "second_look": mark("Done again: {what} to be looked at again."),
    "approved": mark("Done again: {what} approved."),
    "excluded": mark("Done again: {what} excluded."),
}


class Changing:
    """The part of `Session` that deletes masks, changes classes, marks and what was said of both.

    Attributes:
        classes_changed: fires when classes, or the class of any mask, are others than before.
        reviews_changed: fires when something else was said of images or masks.

    """

    classes_changed = Signal()
    reviews_changed = Signal()

    project: Project
    objects: Objects
    _accepting: Accepting
    answerer: Answerer
    suggested: Suggested
    _moves_seen: set[str]

    def follow(self) -> None:
        """Take in how classes were renamed since, here or by another program.

        Every call that needs a class does so by itself; a face does now and then.
        """
        moves = self.project.class_moves()
        fresh = [names for key, names in moves.items() if key not in self._moves_seen]
        self._moves_seen = set(moves)
        for old, new in fresh:
            self.objects.classes.rename(old, new)
        if fresh:
            self._tell_classes()

    def _tell_classes(self) -> None:
        self.answerer.classes.judge_anew()
        self.classes_changed.emit()

    # ----------------------------------------------------------------- masks

    def delete(self, annotation_ids: str | Iterable[str]) -> None:
        """Take accepted masks out, all or none; `undo` brings them back.

        Args:
            annotation_ids: one or several, on any image.

        Raises:
            ProjectError: the project does not know one of them.
            StorageError: the disk refused; the masks stay.

        """
        given = [annotation_ids] if isinstance(annotation_ids, str) else annotation_ids
        ids = list(dict.fromkeys(given))
        images = list(dict.fromkeys(self.project.annotation(name).image_id for name in ids))
        if not ids:
            return
        self.project.delete(ids)
        image_id = images[0] if len(images) == 1 else None
        back = tr("Undone: {n:,} masks are back.", "Undone: the mask is back.", n=len(ids))
        gone = tr("Done again: {n:,} masks are gone.", "Done again: the mask is gone.", n=len(ids))
        self._done(
            partial(self.project.restore_all, ids),
            partial(self.project.delete, ids),
            Undone(image_id, back),
            Undone(image_id, gone),
            partial(self._accepting.tell_changed, *images),
        )

    # ----------------------------------------------------------------- classes

    def relabel(self, annotation_ids: str | Iterable[str], label: str) -> bool:
        """Give accepted masks another class; `undo` gives them theirs back.

        Args:
            annotation_ids: one or several, on any image.
            label: the class.

        Returns:
            Whether any had another.

        Raises:
            MaskError: the class is no text.
            ProjectError: the project does not know one of them.
            StorageError: the disk refused.

        """
        done = self.project.relabel(annotation_ids, label)
        if done is None:
            return False
        images = {self.project.annotation(name).image_id for name in done.before}
        image_id = images.pop() if len(images) == 1 else None
        before = sorted(set(done.before.values()))
        undone = tr("Undone: the masks are of the classes they were of again.")
        if len(before) == 1:
            undone = tr(
                "Undone: {n:,} masks are “{label}” again.",
                "Undone: the mask is “{label}” again.",
                n=len(done.before),
                label=before[0],
            )
        redone = tr(
            "Done again: {n:,} masks are “{label}”.",
            "Done again: the mask is “{label}”.",
            n=len(done.before),
            label=label,
        )
        self._done(
            partial(self.project.relabel_back, done),
            partial(self.project.relabel_back, done, is_void=False),
            Undone(image_id, undone),
            Undone(image_id, redone),
            self._tell_classes,
        )
        return True

    def rename_class(self, old: str, new: str) -> None:
        """Call a class otherwise everywhere, or merge it with one there is; `undo` takes it back.

        Raises:
            MaskError: the new name is no text.
            ProjectError: there is no such class, or nothing would change.
            StorageError: the disk refused.

        """
        self.follow()
        own, is_merge = self.objects.classes.own, new in self.project.classes()
        key = self.project.rename_class(old, new)

        def back() -> None:
            self.project.rename_back(key)
            if is_merge and own == old:
                self.objects.classes.replace(new, old)

        undone = mark("Undone: the class is called “{old}” again.")
        redone = mark("Done again: the class is called “{new}”.")
        if is_merge:
            undone = mark("Undone: “{old}” is a class of its own again.")
            redone = mark("Done again: “{old}” is merged into “{new}”.")
        self._done(
            back,
            partial(self.project.rename_back, key, is_void=False),
            Undone(text=tr(undone, old=old)),
            Undone(text=tr(redone, old=old, new=new)),
            self.follow,
        )

    def remove_class(self, name: str) -> None:
        """Take a class without masks out of the list; `undo` brings it back.

        Raises:
            ProjectError: there is no such class, or it has masks.
            StorageError: the disk refused.

        """
        self.follow()
        classes = self.project.classes()
        self.project.remove_class(name)
        place, colour = list(classes).index(name), classes[name]
        if self.objects.classes.own == name and len(classes) > 1:
            self.objects.classes.replace(name, next(other for other in classes if other != name))
        self._done(
            partial(self.project.set_class, name, colour, place=place),
            partial(self.project.remove_class, name),
            Undone(text=tr("Undone: the class “{name}” is back.", name=name)),
            Undone(text=tr("Done again: the class “{name}” is gone.", name=name)),
            self._tell_classes,
        )

    def set_attributes(self, label: str, attributes: Sequence[Attribute]) -> None:
        """Say what is noted of every mask of a class; `undo` takes it back.

        See `Project.set_attributes`. What somebody else changed since stays.
        """
        self.follow()
        before = self.project.attributes(label)
        self.project.set_attributes(label, attributes)
        after, since = self.project.attributes(label), time()
        if after == before:
            return

        def put(out: Sequence[Attribute], back: Sequence[Attribute]) -> None:
            name = self.project.class_now(label, since)
            now = self.project.attributes(name)
            self.project.set_attributes(name, _exchanged(now, out, back))

        self._done(
            partial(put, after, before),
            partial(put, before, after),
            Undone(text=tr("Undone: the attributes of “{name}” are as before.", name=label)),
            Undone(text=tr("Done again: the attributes of “{name}” are changed.", name=label)),
            self.reviews_changed.emit,
        )

    # ------------------------------------------------------------ what is said

    def mark_done(
        self, image_id: str | None = None, done: bool = True, *, empty: bool = False
    ) -> None:
        """Mark an image as done, or (`empty`) as done with no defect in it; `undo` takes it back.

        Raises:
            ProjectError: the project does not know it, or it is called empty but has masks.
            StorageError: the disk refused.

        """
        image_id = image_id or self.objects.image_id
        before = self._images_said({image_id: _OF_A_MARK})
        was = self.project.image_review(image_id).state
        self.project.mark_done(image_id, done, empty=empty)
        if empty:
            self.suggested.drop(image_id)
        after = self._images_said(before)
        if after != before:
            self._said_of_images(before, after, was, "done" if done else "to_do")

    def set_image_review(
        self,
        image_ids: str | Iterable[str],
        *,
        state: ImageState | None = None,
        note: str | None = None,
        tags: Sequence[str] | None = None,
        by: str | None = None,
    ) -> None:
        """Say something of images; `undo` takes it back. See `Project.set_image_review`."""
        ids = [image_ids] if isinstance(image_ids, str) else list(image_ids)
        states = {self.project.image_review(i).state for i in ids}
        before = self.project.set_image_review(ids, state=state, note=note, tags=tags, by=by)
        was = states.pop() if len(states) == 1 else None
        self._said_of_images(before, self._images_said(before), was, state)

    def _images_said(self, fields: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Any]]:
        """Return what is said of images in some fields."""
        return {i: _some(self.project.said_of_image(i), names) for i, names in fields.items()}

    def _said_of_images(
        self,
        before: Mapping[str, Mapping[str, Any]],
        after: Mapping[str, Mapping[str, Any]],
        was: str | None,
        state: str | None,
    ) -> None:
        image_id = next(iter(before)) if len(before) == 1 else None
        what = (
            tr("{count:,} images are", count=len(before))
            if image_id is None
            else tr("“{image}” is", image=image_id)
        )
        self._done(
            partial(self.project.restore_images, before),
            partial(self.project.restore_images, after),
            Undone(image_id, _undone(what, was if state else None)),
            Undone(image_id, _redone(what, state)),
            self.reviews_changed.emit,
        )

    def set_review(
        self,
        annotation_ids: str | Iterable[str],
        *,
        state: ObjectState | None = None,
        note: str | None = None,
        tags: Sequence[str] | None = None,
        values: Mapping[str, Value | None] | None = None,
        by: str | None = None,
    ) -> None:
        """Say something of accepted masks; `undo` takes it back. See `Project.set_review`."""
        ids = [annotation_ids] if isinstance(annotation_ids, str) else list(annotation_ids)
        states = {self.project.review(i).state for i in ids}
        before = self.project.set_review(
            ids, state=state, note=note, tags=tags, values=values, by=by
        )
        after = {i: _some(self.project.said_of_mask(i), names) for i, names in before.items()}
        images = {self.project.annotation(name).image_id for name in before}
        image_id = images.pop() if len(images) == 1 else None
        what = tr("{n:,} masks are", "the mask is", n=len(before))
        was = states.pop() if state is not None and len(states) == 1 else None
        self._done(
            partial(self.project.say_again, objects=before),
            partial(self.project.say_again, objects=after),
            Undone(image_id, _undone(what, was)),
            Undone(image_id, _redone(what, state)),
            self.reviews_changed.emit,
        )

    def _done(
        self,
        back: Callable[[], None],
        again: Callable[[], None],
        undone: Undone,
        redone: Undone,
        tell: Callable[[], None],
    ) -> None:
        """Keep what was done, and tell those who show it, now and when it is taken back."""

        def told(do: Callable[[], None]) -> None:
            do()
            tell()

        self.objects.done(Deed(partial(told, back), partial(told, again), undone, redone))
        tell()


def _exchanged(
    now: Sequence[Attribute], out: Sequence[Attribute], back: Sequence[Attribute]
) -> list[Attribute]:
    """Return the attributes of now with some put back for others, but for those changed since."""
    if tuple(now) == tuple(out):
        return list(back)
    former, returned = {one.name: one for one in out}, {one.name: one for one in back}
    kept = [
        returned.get(one.name) if former.get(one.name) == one else one
        for one in now  # None: it came with what is put back
    ]
    names = {one.name for one in now} | former.keys()
    return [one for one in (*kept, *(o for o in back if o.name not in names)) if one is not None]


def _some(said: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: said[name] for name in names}


def _undone(what: str, state: str | None) -> str:
    return tr(_AS_BEFORE if state is None else _UNDONE[state], what=what)


def _redone(what: str, state: str | None) -> str:
    return tr(_NOTED if state is None else _REDONE[state], what=what)
