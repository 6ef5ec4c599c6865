"""Carrying an accepted mask on through a stack, plane by plane, as suggestions of the same thing.

It goes on until it is stopped, the object vanishes or leaves the image, it becomes unsure, the
stack ends, or a plane comes where a person made the thing's mask by hand: that one is never
replaced.
Planes between two such are filled from both sides. To be used by whoever owns the predictor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.geometry.distance import signed_distance
from napari_sam_tune.core.geometry.windows import (
    bounding_box,
    clipped,
    grown,
    hull,
    moved,
    shape_of,
    whole,
)
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.project.stacks import is_by_hand
from napari_sam_tune.core.recall.grey import grey_source
from napari_sam_tune.core.stacks.following import Follower
from napari_sam_tune.core.stacks.looks import drawn_in
from napari_sam_tune.core.stacks.sureness import GONE, has_become_unsure
from napari_sam_tune.core.suggestions.suggestion import Suggestion
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.answers.encoding import Encoder
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.images.rgb_source import RgbSource
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Proposal
    from napari_sam_tune.core.recall.recalled import Recalled
    from napari_sam_tune.core.stacks.following import Found

    Floats = NDArray[np.float32]
    Pixels = NDArray[np.generic] | LargeImage
    ReadPlane = Callable[[str], tuple[Pixels, ImageRecord]]

Direction = Literal[1, -1]
End = Literal["end", "vanished", "unsure", "by_hand"]
_MERGED: Final = 0.4
"""Share of the smaller of two things that lies in the other where they have become one."""


@dataclass(frozen=True, eq=False)
class Carried:
    """One more plane of a thing.

    Attributes:
        image_id: the plane.
        suggestion: its mask there.
        split: the thing has more parts than in the plane before.
        merged_with: other things that it runs into, by name.

    """

    image_id: str
    suggestion: Suggestion
    split: bool = False
    merged_with: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Said:
    """What the model says of a part of a plane.

    Attributes:
        logits: (h, w) float32; 0 where it saw nothing.
        iou: its own estimate of its mask's IoU.

    """

    logits: Floats
    iou: float


class Carrying:
    """Carries masks of a project's stacks on.

    Args:
        project: whose masks.
        answerer: the model.
        read: returns a plane's pixels, or what they are read by where they are many, and its
            record, registering it where it is new; None: planes must be registered.

    Attributes:
        read: the same.

    """

    def __init__(self, project: Project, answerer: Answerer, read: ReadPlane | None = None) -> None:
        self._project, self._answerer = project, answerer
        self.read = read or self._read_registered

    def _read_registered(self, image_id: str) -> tuple[Pixels, ImageRecord]:
        return self._project.open_image(image_id), self._project.image(image_id)

    # ---------------------------------------------------------------- carrying

    def carry(self, annotation_id: str, direction: Direction, *, stops: bool = True) -> Run:
        """Begin to carry a mask on; each step of what is returned is one plane.

        Args:
            annotation_id: an accepted mask on a plane of a stack.
            direction: to higher planes or to lower ones.
            stops: where it becomes unsure, or vanishes.

        Raises:
            ProjectError: the project does not know it, or its image is no plane of a stack.

        """
        annotation = self._project.annotation(annotation_id)
        row = self._row(annotation)
        at = row.index(annotation.image_id)
        ahead = row[at + 1 :] if direction > 0 else row[:at][::-1]
        return Run(self._project, self._answerer, self.read, annotation, ahead, stops=stops)

    def _row(self, annotation: Annotation) -> list[str]:
        stack = self._project.stack_of(annotation.image_id)
        row = [] if stack is None else stack.row_of(annotation.image_id)
        if len(row) < 2:
            raise ProjectError(
                tr(
                    "“{image}” is no plane of a stack whose slices or moments are known. Say in "
                    "“Stack” which axis they lie along.",
                    image=annotation.image_id,
                )
            )
        return row

    # ----------------------------------------------------------------- filling

    def gap(self, annotation_id: str) -> tuple[str, str] | None:
        """Return two masks of a thing, made by hand, between which planes are to be filled.

        The nearest gap to a mask's plane, itself at one end; None where there is none.
        """
        annotation = self._project.annotation(annotation_id)
        row = self._row(annotation)
        hand = self._by_hand(annotation)
        here = row.index(annotation.image_id)
        places = sorted((abs(row.index(i) - here), i) for i in hand if i != annotation.image_id)
        for distance, other in places:
            if distance > 1:
                return annotation.id, hand[other].id
        return None

    def _by_hand(self, annotation: Annotation) -> dict[str, Annotation]:
        """Return the masks of its thing that were made by hand, by plane."""
        thing = self._project.thing_of(annotation.id)
        masks = self._project.masks_of(thing)
        return {mask.image_id: mask for mask in masks if is_by_hand(mask)}

    def fill(self, one: str, other: str) -> Iterator[Carried]:
        """Fill the planes between two accepted masks of a thing from both sides.

        Each plane's mask lies between what comes from either side, nearer to the nearer one.
        Yields after each plane; nothing is yielded for a plane to which neither comes.

        Args:
            one: id of a mask.
            other: id of another in its row of planes.

        Raises:
            ProjectError: they are not.

        """
        ends = [self._project.annotation(name) for name in (one, other)]
        row = self._row(ends[0])
        if ends[1].image_id not in row:
            raise ProjectError(
                tr("The two masks do not lie in one row of planes: nothing is between them.")
            )
        ends.sort(key=lambda end: row.index(end.image_id))
        low, high = (row.index(end.image_id) for end in ends)
        between = row[low + 1 : high]
        comes: list[dict[str, Carried]] = []
        for end, planes in ((ends[0], between), (ends[1], between[::-1])):
            run = Run(self._project, self._answerer, self.read, end, planes, stops=False)
            comes.append({step.image_id: step for step in run})
        for number, image_id in enumerate(between, start=1):
            there = [come[image_id] for come in comes if image_id in come]
            if there:
                share = number / (len(between) + 1)
                weights = [1 - share, share] if len(there) == 2 else [1.0]
                yield _blended(there, weights)


class Run:
    """A mask on its way through planes; iterate over it, one plane a step.

    Args:
        project, answerer, read: see `Carrying`.
        start: the accepted mask.
        ahead: ids of the planes it goes through, in order.
        stops: where it becomes unsure.

    Attributes:
        thing: what it is a mask of.
        ended: why it went no further; None while it may.

    """

    def __init__(
        self,
        project: Project,
        answerer: Answerer,
        read: ReadPlane,
        start: Annotation,
        ahead: list[str],
        *,
        stops: bool = True,
    ) -> None:
        self._project, self._answerer, self._read = project, answerer, read
        self._start, self._ahead, self._stops = start, list(ahead), stops
        self.thing = project.thing_of(start.id)
        self.ended: End | None = None
        self._follower: Follower | None = None
        self._parts, self._sureness = 1, 1.0

    def __iter__(self) -> Iterator[Carried]:
        return self

    def __next__(self) -> Carried:
        step = self._next() if self.ended is None else None
        if step is None:
            raise StopIteration
        return step

    def _next(self) -> Carried | None:
        if not self._ahead:
            self.ended = "end"
            return None
        image_id = self._ahead[0]
        there = {a.id: a for a in self._project.annotations(image_id)}
        things = {name: self._project.thing_of(name) for name in there}
        own = [there[name] for name, thing in things.items() if thing == self.thing]
        if any(is_by_hand(mask) for mask in own):
            self.ended = "by_hand"
            return None
        if self._follower is None:
            self._follower = self._begin()
        pixels, record = self._read(image_id)
        plane = rgb_source(pixels)
        found = self._follower.step(grey_source(plane), partial(self._ask, plane, record))
        if found is None or (self._stops and found.sureness < GONE):
            self.ended = "vanished"
            return None
        self._ahead.pop(0)
        if self._stops and has_become_unsure(self._sureness, found.sureness):
            self.ended = "unsure"
        self._sureness = found.sureness
        was, self._parts = self._parts, found.parts
        others = {things[n]: there[n] for n in there if things[n] != self.thing}
        return Carried(
            image_id,
            self._suggestion(found, record.shape, own[0].id if own else None),
            split=found.parts > was,
            merged_with=tuple(n for n, mask in others.items() if _runs_into(found, mask)),
        )

    def _begin(self) -> Follower:
        start = self._start
        pixels, record = self._read(start.image_id)
        plane = rgb_source(pixels)
        return Follower(
            grey_source(plane),
            start.cropped_mask,
            start.bbox,
            start.id,
            start.label,
            partial(self._ask, plane, record),
        )

    def _ask(self, plane: RgbSource, record: ImageRecord, expected: Recalled) -> Said:
        proposal = self._answerer.carry(plane, record, expected)
        return _said(proposal, self._answerer.predictor.encoder, expected.window, record.shape)

    def _suggestion(self, found: Found, shape: tuple[int, int], replaces: str | None) -> Suggestion:
        return Suggestion(
            mask=found.mask,
            bbox=found.box,
            shape=shape,
            label=self._project.annotation(self._start.id).label,
            score=found.sureness,
            uncertainty=1 - found.sureness,
            source="carried",
            weights_version=self._answerer.predictor.weights.version,
            thing=self.thing,
            replaces=replaces,
        )


def _said(proposal: Proposal, encoder: Encoder, part: Window, shape: tuple[int, int]) -> Said:
    """Return what an answer says of a part of a plane (H, W)."""
    frame = encoder.frame(proposal.window or whole(shape))
    y0, x0, y1, x1 = box = _shared(part, frame.window)
    logits = np.zeros(shape_of(part), np.float32)
    if y0 < y1 and x0 < x1:
        seen = frame.logits_in(proposal.logits[proposal.chosen], box)
        logits[y0 - part[0] : y1 - part[0], x0 - part[1] : x1 - part[1]] = seen
    return Said(logits, proposal.iou)


def _shared(one: Window, other: Window) -> Window:
    y0, x0 = max(one[0], other[0]), max(one[1], other[1])
    return y0, x0, min(one[2], other[2]), min(one[3], other[3])


def _runs_into(found: Found, other: Annotation) -> bool:
    y0, x0, y1, x1 = _shared(found.box, other.bbox)
    if y0 >= y1 or x0 >= x1:
        return False
    cuts = [
        mask[y0 - top : y1 - top, x0 - left : x1 - left]
        for mask, (top, left, *_) in ((found.mask, found.box), (other.cropped_mask, other.bbox))
    ]
    shared = int(np.count_nonzero(cuts[0] & cuts[1]))
    return shared > _MERGED * min(int(np.count_nonzero(found.mask)), other.area)


def _blended(comes: list[Carried], weights: list[float]) -> Carried:
    """Return what lies between masks of one plane: their signed distances are averaged."""
    held = hull([one.suggestion.bbox for one in comes])
    window = clipped(grown(held, 2), comes[0].suggestion.shape)
    drawn = [drawn_in(one.suggestion.mask, one.suggestion.bbox, window) for one in comes]
    distance = sum(w * signed_distance(m) for w, m in zip(weights, drawn, strict=True))
    nearest = comes[int(np.argmax(weights))]
    mask = np.asarray(distance) > 0
    if not mask.any():
        return nearest
    box = bounding_box(mask)
    y0, x0, y1, x1 = box
    agreement = 1.0
    if len(drawn) == 2:
        union = int(np.count_nonzero(drawn[0] | drawn[1]))
        agreement = int(np.count_nonzero(drawn[0] & drawn[1])) / max(union, 1)
    said = nearest.suggestion
    sureness = min(1.0, max(c.suggestion.score for c in comes)) * agreement**0.5
    suggestion = Suggestion(
        mask=mask[y0:y1, x0:x1],
        bbox=moved(box, window[:2]),
        shape=said.shape,
        label=said.label,
        score=sureness,
        uncertainty=1 - sureness,
        source="carried",
        weights_version=said.weights_version,
        thing=said.thing,
        replaces=said.replaces,
    )
    split = any(one.split for one in comes)
    return Carried(nearest.image_id, suggestion, split, nearest.merged_with)
