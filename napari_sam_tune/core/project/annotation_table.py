"""The annotations of a project, indexed in memory and kept up with what others append."""

from __future__ import annotations

import re
from bisect import insort
from itertools import chain, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from napari_sam_tune.core.errors import DamagedLogError, ProjectError
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.project.annotations import Annotation
from napari_sam_tune.core.project.ledger import Ledger
from napari_sam_tune.core.project.split import Split, place
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from napari_sam_tune.core.project.naming import Naming
    from napari_sam_tune.core.storage.records import RecordStore

_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}")
_id = attrgetter("id")


class _ToldApart(NamedTuple):
    """The masks of an image that live, and those that would but for a later form."""

    living: list[Annotation]
    overruled: list[Annotation]


class AnnotationTable:
    """Every annotation ever accepted, living or not.

    Args:
        records: where they lie.

    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._by_id: dict[str, Annotation] = {}
        self._by_image: dict[str, list[Annotation]] = {}
        self._superseded_at: dict[str, float] = {}
        self._kept_places: dict[tuple[str, tuple[int, int]], Split] = {}
        self._unreadable: dict[str, str] = {}
        self._added = 0  # by this program, since the store was listed
        self._ledger = Ledger()  # as far as it was followed; a ledger never changes
        self._named = 0
        self._aside: tuple[set[str], set[str]] = set(), set()
        # what lives, kept up to date as long as it can be: it is asked for often
        self._living: list[Annotation] | None = None
        self._on_image: dict[str, _ToldApart] = {}
        self._changed_at: dict[str, int] = {}  # by image, what changed last at the end
        self._changes = 0

    def __len__(self) -> int:
        """Return how many there are, living or not."""
        return len(self._by_id)

    def refresh(self, ledger: Ledger, *, look: bool = True) -> None:
        """Take in what was added to the store since; cheap where nothing was.

        A record that cannot be read yet is tried again the next time: a synchronised folder may
        bring its files one by one.

        Args:
            ledger: says which images were turned since they are known, which masks got another
                class since they were accepted, or were deleted, and what was said of them.
            look: for what was added; else only what `ledger` says is followed.

        """
        if ledger is not self._ledger:
            self._follow(ledger)
        if not look:
            return
        names, self._added = self._records.names_if_changed(known=self._added), 0
        fresh = self._unreadable.keys() if names is None else names - self._by_id.keys()
        for name in sorted(filter(_ID.fullmatch, fresh)):
            try:
                stored = self._records.attributes(name)
                self._take(Annotation.from_record(name, stored, self._records))
                self._unreadable.pop(name, None)
            except ProjectError as error:
                self._unreadable[name] = str(error)

    def require_complete(self, images: Container[str]) -> None:
        """Refuse to go on with records that cannot be read, or of images nobody registered.

        Args:
            images: the ids of the project's images.

        Raises:
            ProjectError: names them and says what to do.

        """
        if self._unreadable:
            raise ProjectError(
                tr(
                    "{count} accepted mask(s) in {folder} are damaged or half-deleted, the first: "
                    "{first} Restore the folder(s) from a backup, or move them away to go on "
                    "without them: {names}",
                    count=len(self._unreadable),
                    folder=self._records.root,
                    first=next(iter(self._unreadable.values())),
                    names=", ".join(sorted(self._unreadable)[:20]),
                )
            )
        unknown = sorted(image_id for image_id in self._by_image if image_id not in images)
        if unknown:
            masks = sum(len(self._by_image[image_id]) for image_id in unknown)
            raise DamagedLogError(
                tr(
                    "The project’s log has lost lines: {masks} accepted mask(s) in {folder} are of "
                    "{images} image(s) it does not know, such as “{first}”. Restore log.jsonl from "
                    "a backup, or see what can be saved: napari-sam-tune check {project}",
                    masks=masks,
                    folder=self._records.root,
                    images=len(unknown),
                    first=unknown[0],
                    project=self._records.root.parent,
                )
            )

    def add(self, annotation: Annotation) -> None:
        """Index an annotation that was just stored; one already known is left as it is."""
        if annotation.id not in self._by_id:
            self._take(annotation)
            self._added += 1

    def _take(self, annotation: Annotation) -> None:
        turn = self._ledger.turns.get(annotation.image_id, UPRIGHT)
        annotation = annotation.in_image_turned(turn).called(self._ledger.naming)
        self._add_to_living(annotation)
        self._by_id[annotation.id] = annotation
        self._by_image.setdefault(annotation.image_id, []).append(annotation)
        self._note_change(annotation.image_id)
        if (before := annotation.supersedes) is not None:
            latest = self._superseded_at.get(before, 0.0)
            self._superseded_at[before] = max(latest, annotation.created)
            if before in self._by_id:
                self._note_change(self._by_id[before].image_id)
        if annotation.split != "train":
            cell = place(annotation.shape, annotation.bbox)
            self._kept_places.setdefault((annotation.image_id, cell), annotation.split)

    def _add_to_living(self, annotation: Annotation) -> None:
        is_new = annotation.supersedes is None and annotation.id not in self._superseded_at
        if not is_new or annotation.id in self._ledger.words:
            self._living = None
        elif self._living is not None:
            insort(self._living, annotation, key=_id)

    def _follow(self, ledger: Ledger) -> None:
        """Take in what was said since; what is looked at anew is what it was said of."""
        before, self._ledger = self._ledger, ledger
        if ledger.turns != before.turns:
            self._turn([image_id for image_id in ledger.turns if image_id not in before.turns])
        if ledger.naming.said != before.naming.said:
            self._rename(before.naming)
        words = _differing(ledger.words, before.words)
        if words:
            self._living = None
        aside, self._aside = self._aside, ledger.reviews.set_aside()
        objects = words | (aside[1] ^ self._aside[1])
        images = {self._by_id[name].image_id for name in objects if name in self._by_id}
        images |= _differing(ledger.marks, before.marks) | (aside[0] ^ self._aside[0])
        for image_id in images:
            self._note_change(image_id)
        self._named = ledger.naming.said  # at last, for it is asked without a lock

    def _note_change(self, image_id: str) -> None:
        self._on_image.pop(image_id, None)
        self._changes += 1
        self._changed_at.pop(image_id, None)
        self._changed_at[image_id] = self._changes

    def changed_since(self, moment: int) -> tuple[int, set[str]]:
        """Return this moment, and the images of whose masks something else is known since another.

        Masks came, went, got other classes or were set aside; or the image was marked or set aside.

        Args:
            moment: as it was returned before; 0 for all.

        """
        changed = takewhile(lambda i: self._changed_at[i] > moment, reversed(self._changed_at))
        return self._changes, set(changed)

    def _turn(self, images: Iterable[str]) -> None:
        self._living = None
        for image_id in images:
            before = self._by_image.pop(image_id, [])
            kept = self._kept_places.items()
            self._kept_places = {at: split for at, split in kept if at[0] != image_id}
            for annotation in before:
                del self._by_id[annotation.id]
                self._take(annotation)

    @property
    def named(self) -> int:
        """What `Naming.said` was when names of classes were followed last."""
        return self._named

    def _rename(self, before: Naming) -> None:
        self._living = None
        naming, images = self._ledger.naming, set(self._by_image)
        if naming.renamings == before.renamings:  # single masks alone got other classes
            given = naming.given.items() ^ before.given.items()
            images = {self._by_id[name].image_id for name, _ in given if name in self._by_id}
        for image_id in images:
            found = self._by_image[image_id]
            found[:] = [annotation.called(naming) for annotation in found]
            self._by_id.update((annotation.id, annotation) for annotation in found)
            self._note_change(image_id)

    def get(self, annotation_id: str) -> Annotation | None:
        """Return an annotation, living or not."""
        return self._by_id.get(annotation_id)

    def every(self) -> list[Annotation]:
        """Return all annotations, living or not, in the order of time."""
        return sorted(self._by_id.values(), key=_id)

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

    @property
    def set_aside(self) -> tuple[set[str], set[str]]:
        """Ids of the images, and of the masks, that are excluded or wait to be looked at."""
        return self._aside

    def living(self, image_id: str | None) -> list[Annotation]:
        """Return what is neither deleted nor superseded, in the order of time.

        Args:
            image_id: only those of this image; None for all.

        """
        if image_id is not None:
            return list(self._told_apart(image_id).living)
        if self._living is None:
            every = (self._told_apart(image_id).living for image_id in self._by_image)
            self._living = sorted(chain.from_iterable(every), key=_id)
        return list(self._living)

    def overruled(self, image_id: str | None) -> list[Annotation]:
        """Return what would be living but for a later form of the same object; see `living`.

        Two people who correct the same object at once leave two forms that both supersede the
        same one. The one with the last word lives, and whoever opens the project sees it so.
        """
        images = self._by_image if image_id is None else (image_id,)
        every = chain.from_iterable(self._told_apart(one).overruled for one in images)
        return sorted(every, key=_id)

    def _told_apart(self, image_id: str) -> _ToldApart:
        """Return what lives on an image; looked at anew where something was said since."""
        if image_id not in self._on_image:
            self._on_image[image_id] = self._tell_apart(self._by_image.get(image_id, ()))
        return self._on_image[image_id]

    def _tell_apart(self, every: Iterable[Annotation]) -> _ToldApart:
        alive = sorted(filter(self._counts, every), key=_id)
        last: dict[str, Annotation] = {}
        for annotation in alive:
            if annotation.supersedes is None and annotation.id not in self._superseded_at:
                continue  # most objects have one form only
            rival = last.setdefault(self._root(annotation), annotation)
            if self._last_word(annotation) >= self._last_word(rival):
                last[self._root(annotation)] = annotation
        overruled = {
            a.id: a
            for a in alive
            if (a.supersedes is not None or a.id in self._superseded_at)
            and last[self._root(a)] is not a
        }
        return _ToldApart([a for a in alive if a.id not in overruled], list(overruled.values()))

    def _counts(self, annotation: Annotation) -> bool:
        """Whether it lives as far as itself and what supersedes it are concerned."""
        said, deleted = self._ledger.words.get(annotation.id, (None, False))
        if said is None:
            return annotation.id not in self._superseded_at
        return not deleted and self._superseded_at.get(annotation.id, 0.0) <= said

    def _last_word(self, annotation: Annotation) -> float:
        said, _ = self._ledger.words.get(annotation.id, (0.0, False))
        return max(annotation.created, said)

    def _root(self, annotation: Annotation) -> str:
        """Return the id of an object's first form, as far as it is known; the way there ends."""
        seen = {annotation.id}
        while (before := annotation.supersedes) is not None and before not in seen:
            seen.add(before)
            if before not in self._by_id:
                return before
            annotation = self._by_id[before]
        return min(seen) if annotation.supersedes in seen else annotation.id


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    """Return the keys that are in one alone, or mean something else in each."""
    changed = {key for key, value in one.items() if other.get(key) != value}
    return changed | (other.keys() - one.keys())
