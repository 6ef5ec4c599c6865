"""Joining what two projects recorded of one image, so that every object counts once.

Records have ids of their own, so a record both projects know is one record. What is left to decide
is which record of an object counts where both sides went on by themselves; the last word does, by
the clocks of the two machines. A record that loses comes in all the same, deleted, so that it can
be restored. The order of writing matters: a record that counts supersedes the one it replaces as it
appears, and one that does not is deleted before it appears. A kill in between leaves no object
without its mask, and none with two.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from napari_sam_tune.core.exchange.incoming import OWN_ORIGIN
from napari_sam_tune.core.exchange.merge_report import Rule
from napari_sam_tune.core.exchange.recognising import REDRAWN_IOU
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.project.split import Split, place

if TYPE_CHECKING:
    from napari_sam_tune.core.exchange.merge_report import MergeReport
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project

_SAME_OBJECT_IOU = 0.5
"""Over half, a mask has at most one partner among masks that do not overlap (panoptic quality)."""


class Side:
    """What one project knows of its masks."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.living = {record.id for record in project.annotations()}
        self.words: dict[str, tuple[float, bool]] = {}
        """Record id to when it was deleted (True) or restored (False) last."""
        self._of_image: defaultdict[str, dict[str, Annotation]] = defaultdict(dict)
        for record in project.every_record():
            self._of_image[record.image_id][record.id] = record
        for line in project.said():
            if line["kind"] in {"delete", "restore"}:
                self.words[line["annotation"]] = line["time"], line["kind"] == "delete"

    def records(self, image_id: str) -> dict[str, Annotation]:
        """Return an image's records by id, living or not, oldest first."""
        return self._of_image[image_id]

    def last_word(self, record: Annotation) -> float:
        """Return when somebody last said that a record counts; 0 for an import nobody looked at."""
        made = 0.0 if record.source == "import" else record.created
        said, deleted = self.words.get(record.id, (0.0, True))
        return made if deleted else max(made, said)


class ImageJoin:
    """Joins the records of one image into `here`.

    Args:
        here: the project that takes in.
        there: the other.
        image: as it is called here.
        image_there: the same image as it is called there.
        base_there: what the other project's base model is called here.
        report: what is done is counted in it.

    """

    def __init__(
        self,
        here: Side,
        there: Side,
        image: ImageRecord,
        image_there: ImageRecord,
        base_there: str,
        report: MergeReport,
    ) -> None:
        self._project = here.project
        self._here, self._there = here, there
        self._image, self._image_there = image, image_there
        self._base_there = base_there
        self._report = report
        self._ours = here.records(image.id)
        self._theirs = there.records(image_there.id)
        if image.turn is not None and image.earlier == image_there.content_hash:
            # the other project has not found out yet that the image is turned
            turned = {i: r.in_image_turned(image.turn) for i, r in self._theirs.items()}
            self._theirs = turned
        self._known_as = self._same_imports()
        self._only_ours = self._untouched_there()

    def run(self) -> None:
        """Take in the records that count, what was said of records, and the history."""
        fresh = [r for r in self._theirs.values() if self._as_here(r.id) not in self._ours]
        for record in fresh:
            if record.id in self._there.living:
                self._take_counting(record)
        self._repeat_words()
        for record in reversed(fresh):
            if record.id not in self._there.living:
                self._take_history(record)

    def _as_here(self, record_id: str) -> str:
        return self._known_as.get(record_id, record_id)

    def _same_imports(self) -> dict[str, str]:
        """Pair what they imported of the same source, or of this project: their id to ours.

        An origin ends with a place in a file, and what is there may be another object by now.
        """
        imported: defaultdict[str, list[Annotation]] = defaultdict(list)
        for record in self._ours.values():
            imported[record.origin or OWN_ORIGIN + record.id].append(record)
        pairs = {}
        for record in self._theirs.values():
            if record.origin is None or record.id in self._ours:
                continue
            likeness = [(_likeness(own, record), own) for own in imported[record.origin]]
            best, same = max(likeness, key=lambda pair: pair[0], default=(0.0, record))
            if best <= REDRAWN_IOU and not (likeness and record.origin.startswith(OWN_ORIGIN)):
                continue
            pairs[record.id] = same.id
            if best < 1:
                self._report.clash(self._image.id, Rule.REIMPORTED)
        return pairs

    def _untouched_there(self) -> list[Annotation]:
        """List the living masks here of objects the other project knows nothing of."""
        theirs = {self._as_here(record_id) for record_id in self._theirs}
        shared = {self._root(record_id) for record_id in theirs & self._ours.keys()}
        living = (r for r in self._ours.values() if r.id in self._here.living)
        return [record for record in living if self._root(record.id) not in shared]

    def _root(self, record_id: str) -> str:
        """Return the first form of an object known here."""
        record = self._ours[record_id]
        while record.supersedes in self._ours:
            record = self._ours[record.supersedes]
        return record.id

    def _living_forms(self, record_id: str) -> list[Annotation]:
        """Return the living masks here of the object that a record here belongs to."""
        root = self._root(record_id)
        forms = (r for r in self._ours.values() if self._root(r.id) == root)
        return [record for record in forms if record.id in self._here.living]

    # ---- masks that count there ----

    def _take_counting(self, record: Annotation) -> None:
        if (ancestor := self._known_ancestor(record)) is not None:
            self._take_correction(record, ancestor)
        elif (twin := self._twin(record)) is not None:
            self._only_ours.remove(twin)
            self._report.clash(self._image.id, Rule.SAME_OBJECT)
            self._take_later(record, twin)
        else:
            self._take(record, record.supersedes)

    def _known_ancestor(self, record: Annotation) -> str | None:
        ancestor = record.supersedes
        while ancestor is not None:
            if self._as_here(ancestor) in self._ours:
                return self._as_here(ancestor)
            before = self._theirs.get(ancestor)
            ancestor = None if before is None else before.supersedes
        return None

    def _take_correction(self, record: Annotation, ancestor: str) -> None:
        forms = self._living_forms(ancestor)
        if not forms:
            self._report.clash(self._image.id, Rule.DELETED)
            self._take(record, ancestor)
        elif forms[-1].id in {self._as_here(record_id) for record_id in self._theirs}:
            self._take(record, forms[-1].id)  # nobody here went on from what both know
        else:
            self._report.clash(self._image.id, Rule.CORRECTED_TWICE)
            self._take_later(record, forms[-1])

    def _take_later(self, record: Annotation, rival: Annotation) -> None:
        if self._there.last_word(record) > self._here.last_word(rival):
            self._take(record, rival.id)
        else:
            self._say("delete", record.id, time.time())
            self._take(record, record.supersedes)

    def _twin(self, record: Annotation) -> Annotation | None:
        """Find a mask made here of the same object: of the same class, and over half the same."""
        alike = [own for own in self._only_ours if own.label == record.label]
        best = max(alike, key=lambda own: _iou(own, record), default=None)
        return best if best is not None and _iou(best, record) > _SAME_OBJECT_IOU else None

    def _take(self, record: Annotation, supersedes: str | None) -> None:
        supersedes = None if supersedes is None else self._as_here(supersedes)
        base = record.weights_version == BASE_VERSION
        taken = self._project.take_record(
            record,
            image_id=self._image.id,
            split=self._split(record, supersedes),
            supersedes=supersedes,
            weights_version=self._base_there if base else record.weights_version,
        )
        self._ours[taken.id] = taken
        if record.id not in self._there.living or self._here.words.get(taken.id, (0, False))[1]:
            self._report.history += 1
        else:
            self._report.masks += 1
            self._here.living.add(taken.id)
            self._replace(supersedes)

    def _replace(self, superseded: str | None) -> None:
        if superseded not in self._here.living:
            return
        self._here.living.remove(superseded)
        if superseded in self._here.words:  # it was restored before, which must not keep it
            self._say("delete", superseded, time.time())

    def _split(self, record: Annotation, supersedes: str | None) -> Split:
        """Decide as the project does for masks made here; see `Project.add`."""
        if supersedes in self._ours:
            return self._ours[supersedes].split
        if self._image.split != "train":
            return self._image.split
        cell = place(record.shape, record.bbox)
        here = {r.split for r in self._ours.values() if place(r.shape, r.bbox) == cell}
        if here:  # what trained here must not judge, and the other way round
            return "train" if here == {"train"} else min(here - {"train"})
        # Held out with its whole image there, which trains here, or by its place alone?
        return record.split if self._image_there.split == "train" else "train"

    # ---- what was said, and the history ----

    def _repeat_words(self) -> None:
        """Take over deletions and restorations that are later than what was said here."""
        words = ((w, i) for i in self._theirs if (w := self._there.words.get(i)) is not None)
        for (moment, deleted), record_id in sorted(words):
            target = self._as_here(record_id)
            if target not in self._ours or moment <= self._here.words.get(target, (0.0, False))[0]:
                continue
            if deleted:
                self._repeat_deletion(target, moment)
            elif not self._other_living_forms(target):
                self._say("restore", target, moment)
                self._report.deletions += 1
                self._here.living.add(target)

    def _repeat_deletion(self, target: str, moment: float) -> None:
        theirs = {self._as_here(record_id) for record_id in self._theirs}
        if any(form.id not in theirs for form in self._other_living_forms(target)):
            self._report.clash(self._image.id, Rule.DELETED)
        elif target not in self._here.living:
            return
        self._say("delete", target, moment)
        self._report.deletions += 1
        self._here.living.discard(target)

    def _other_living_forms(self, target: str) -> list[Annotation]:
        return [form for form in self._living_forms(target) if form.id != target]

    def _take_history(self, record: Annotation) -> None:
        superseded = {known.supersedes for known in self._ours.values()}
        if record.id not in superseded and record.id not in self._here.words:
            moment, _ = self._there.words.get(record.id, (time.time(), True))
            self._say("delete", record.id, moment)
        self._take(record, record.supersedes)

    def _say(self, kind: str, record_id: str, moment: float) -> None:
        self._project.repeat({"kind": kind, "time": moment, "annotation": record_id})
        self._here.words[record_id] = moment, kind == "delete"


def _likeness(one: Annotation, other: Annotation) -> float:
    """IoU, known without reading masks where class, box and area are the same; below 1 else."""
    if (one.label, one.bbox, one.area) == (other.label, other.bbox, other.area):
        return 1.0
    return min(_iou(one, other), 0.99)


def _iou(one: Annotation, other: Annotation) -> float:
    """IoU of two masks of one image, read from disk only where their boxes meet."""
    y0, x0 = max(one.bbox[0], other.bbox[0]), max(one.bbox[1], other.bbox[1])
    y1, x1 = min(one.bbox[2], other.bbox[2]), min(one.bbox[3], other.bbox[3])
    if y0 >= y1 or x0 >= x1:
        return 0.0
    parts = []
    for record in (one, other):
        top, left = record.bbox[:2]
        parts.append(record.cropped_mask[y0 - top : y1 - top, x0 - left : x1 - left])
    both = int((parts[0] & parts[1]).sum())
    return both / (one.area + other.area - both)
