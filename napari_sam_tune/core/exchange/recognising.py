"""Which objects of a data set a project has already, whatever order they stand in today.

An object is known by what it is: first by its class and its very pixels, then by an id that goes
along with it, then by lying where an object was that the source does not have any more. Its number
in a file says nothing: other programs number anew when something before it was added or removed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_sam_tune.core.exchange.incoming import OWN_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_tune.core.exchange.incoming import Folded, SourceObject
    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project

    _Look = tuple[str, BoundingBox, int]

REDRAWN_IOU: Final = 1 / 3
"""That of two masks of one size which share half of each; above it, one is the other redrawn."""

_BY_ID: Final = 2.0  # comes before any IoU


@dataclass(frozen=True)
class Known:
    """What a project knows of an object of a data set.

    Attributes:
        how: "new"; "there" as it is in the source, or corrected here since; "deleted" here;
            or "changed" in the source since it was imported.
        record: the annotation to restore ("deleted") or to replace ("changed"); else None.

    """

    how: Literal["new", "there", "deleted", "changed"]
    record: Annotation | None = None


NEW: Final = Known("new")


@dataclass(eq=False)
class _Object:
    """An object of the project.

    Attributes:
        forms: its records, oldest first.
        living: the one that counts, or None where the object was deleted.

    """

    forms: list[Annotation]
    living: Annotation | None = None

    @property
    def current(self) -> list[Annotation]:
        """The forms the source may have: not what an import replaced by a later import."""
        imports = [form for form in self.forms if form.source == "import"]
        return [form for form in self.forms if form not in imports[:-1]]

    def is_from(self, dataset: str) -> bool:
        return any((form.origin or "").startswith(f"{dataset}/") for form in self.forms)

    def has_id(self, source: SourceObject, dataset: str) -> bool:
        """Whether an id says that it is the source's object."""
        origins = {form.origin for form in self.forms}
        if source.record is not None:
            ours = any(form.id == source.record for form in self.forms)
            return ours or f"{OWN_ORIGIN}{source.record}" in origins
        return source.lasting and f"{dataset}/{source.id}" in origins


class Recognition:
    """Tells what a project has of the objects of one image.

    Args:
        project: which knows the image.
        image_id: the image.
        dataset: the name of the data set, with which the origins of its objects begin.

    Attributes:
        gone: after `of`: how many living objects of the data set it does not have any more.

    """

    def __init__(self, project: Project, image_id: str, dataset: str) -> None:
        self._dataset = dataset
        self._objects = _objects(project, image_id)
        self._by_look: defaultdict[_Look, list[tuple[_Object, Annotation]]] = defaultdict(list)
        for known in self._objects:
            for form in known.current:
                for label in _names(form):
                    self._by_look[label, form.bbox, form.area].append((known, form))
        self._found: set[_Object] = set()
        self.gone = 0

    def of(self, objects: Sequence[Folded]) -> list[Known]:
        """Return what is known of each of the objects the source has in the image.

        Raises:
            SamTuneError: a mask on record cannot be read.

        """
        known = [self._same(source) for source in _unfolded(objects)]
        if NEW in known and (alive := self._alive()):
            for index, changed in self._changed(known, _unfolded(objects), alive).items():
                self._found.add(changed)
                known[index] = Known("changed", changed.living)
        self.gone = sum(found.is_from(self._dataset) for found in self._alive())
        return known

    def _alive(self) -> list[_Object]:
        """List the living objects that were not found in the source so far."""
        left = (found for found in self._objects if found not in self._found)
        return [found for found in left if found.living is not None]

    def _same(self, source: SourceObject) -> Known:
        """Find the object with the very same class and pixels; each is found once."""
        placed = source.placed
        if placed.bbox is None:
            return NEW
        alike = self._by_look.get((source.label, placed.bbox, placed.area), [])
        # of several, the one with its id comes first, and one that lives
        for found, form in sorted(
            alike, key=lambda pair: (not pair[0].has_id(source, self._dataset), not pair[0].living)
        ):
            if found not in self._found and np.array_equal(form.cropped_mask, placed.cropped):
                self._found.add(found)
                return Known("there") if found.living is not None else Known("deleted", form)
        return NEW

    def _changed(
        self, known: list[Known], sources: Iterable[SourceObject], alive: list[_Object]
    ) -> dict[int, _Object]:
        """Pair new objects with those the source does not have any more, the surest first."""
        pairs = []
        for index, source in enumerate(sources):
            if known[index] is NEW and source.placed.any():
                scores = ((self._alike(source, found), found) for found in alive)
                pairs += [(score, index, found) for score, found in scores if score > REDRAWN_IOU]
        paired: dict[int, _Object] = {}
        for _, index, found in sorted(pairs, key=lambda pair: -pair[0]):
            if index not in paired and found not in paired.values():
                paired[index] = found
        return paired

    def _alike(self, source: SourceObject, found: _Object) -> float:
        if found.has_id(source, self._dataset):
            return _BY_ID
        if not any(form.source == "import" for form in found.forms):
            return 0.0  # a person's own, which no source had
        labels = {label for form in found.forms for label in _names(form)}
        if source.label not in labels and not found.is_from(self._dataset):
            return 0.0
        return max(_iou(form, source) for form in found.current)


def _names(form: Annotation) -> set[str]:
    """Return the class it has and the one it came with: a source knows of no renaming here."""
    return {form.label, form.accepted_as}


def _unfolded(objects: Iterable[Folded]) -> Iterator[SourceObject]:
    return (folded.unfolded() for folded in objects)


def _objects(project: Project, image_id: str) -> list[_Object]:
    records = project.records(image_id)
    living = {annotation.id for annotation in project.annotations(image_id)}
    by_root: dict[str, _Object] = {}
    for record in sorted(records.values(), key=lambda record: record.id):
        root, seen = record, {record.id}
        while root.supersedes in records and root.supersedes not in seen:
            root = records[root.supersedes]
            seen.add(root.id)
        found = by_root.setdefault(root.id, _Object([]))
        found.forms.append(record)
        if record.id in living:
            found.living = record
    return list(by_root.values())


def _iou(known: Annotation, source: SourceObject) -> float:
    there = source.placed.crop(known.bbox)
    if not there.any():
        return 0.0
    both = np.count_nonzero(known.cropped_mask & there)
    return float(both / (known.area + source.placed.area - both))
