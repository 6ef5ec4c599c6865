"""Joining two projects, such as a laptop's and a workstation's, without loss and without doubles.

One project takes in what the other holds; the other is only read. What was taken in is known by its
id or its content the next time, so a merge that was interrupted, or is repeated, goes on where it
stopped. Where the two say different things, a `Rule` decides and the report says so.

Images are the same if their pixels are. Left out are what belongs to a place or can be made again:
embeddings, runs, where the person stopped, and which weights are in use here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.exchange.merge_report import MergeReport, Rule
from napari_sam_tune.core.exchange.merging_records import ImageJoin, Side
from napari_sam_tune.core.exchange.merging_reviews import (
    join_attributes,
    join_classes_of_masks,
    join_reviews,
)
from napari_sam_tune.core.exchange.merging_stacks import join_stacks
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.project.class_colours import free_colour
from napari_sam_tune.core.project.image_files import is_there

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project

_HASH_DIGITS = 8


@dataclass(frozen=True)
class Pair:
    """An image of the other project, and what it is here.

    Attributes:
        there: as the other project knows it.
        here: as this one does, or None where it is new.

    """

    there: ImageRecord
    here: ImageRecord | None


def paired_images(project: Project, other: Project) -> list[Pair]:
    """Find the other project's images here: the same pixels under the same name, else any name.

    One of the two may know an image as it was before it was turned upright; see `ImageRecord.turn`.
    """
    known = {record.id: record for record in project.images()}
    same = {i.id for i in other.images() if _is_same(i, known.get(i.id))}
    free: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in known.values():
        if record.id not in same:
            for content in _contents(record):
                free[content].append(record)
    pairs = []
    for image in other.images():
        if image.id in same:
            pairs.append(Pair(image, known[image.id]))
        else:
            renamed = [r for content in _contents(image) for r in free[content]]
            for record in renamed[:1]:
                for content in _contents(record):
                    free[content].remove(record)
            pairs.append(Pair(image, renamed[0] if renamed else None))
    return pairs


def _is_same(image: ImageRecord, known: ImageRecord | None) -> bool:
    return known is not None and not _contents(known).isdisjoint(_contents(image))


def _contents(image: ImageRecord) -> set[str]:
    """Return the content hashes that an image has had."""
    return {content for content in (image.content_hash, image.earlier) if content is not None}


class Merge:
    """One merge.

    Args:
        project: takes in.
        other: is read.

    Attributes:
        pairs: the other project's images.
        report: what was done so far.

    Raises:
        ProjectError: the two are one project.

    """

    def __init__(self, project: Project, other: Project) -> None:
        if project.path == other.path:
            raise ProjectError(f"{project.path} is one project: name another one to take in.")
        self._project, self._other = project, other
        self.pairs = paired_images(project, other)
        self.report = MergeReport()
        self._names = {record.id for record in project.images()}

    def run(self) -> Iterator[str]:
        """Join the two; yields the id of each image that is done.

        Raises:
            ProjectError: a record of the other project is damaged.
            ImageError: pixels that only the other project holds cannot be read.
            StorageError: the disk refused. What was yielded is kept, and running again goes on.

        """
        base = self._join_bases()
        self._join_classes()
        self.pairs = [
            p if p.here is None else replace(p, here=self._project.turn_like(p.here, p.there))
            for p in self.pairs
        ]
        here, there = Side(self._project), Side(self._other)
        marks_here, marks_there = _marks(self._project), _marks(self._other)
        groups = {p.there.group: p.here.group for p in reversed(self.pairs) if p.here is not None}
        names: dict[str, str] = {}
        for pair in self.pairs:
            image = self._join_image(pair, groups)
            names[pair.there.id] = image.id
            was_empty = self._project.is_empty(image.id) or self._other.is_empty(pair.there.id)
            ImageJoin(here, there, image, pair.there, base, self.report).run()
            if was_empty and self._project.annotations(image.id):
                self.report.clash(image.id, Rule.NO_DEFECT)
            self._join_marks(image, marks_here.get(image.id), marks_there.get(pair.there.id))
            yield image.id
        self.report.reviews = join_classes_of_masks(self._project, self._other)
        self.report.reviews += join_reviews(self._project, self._other, names)
        join_attributes(self._project, self._other)
        join_stacks(self._project, self._other, names)
        if base == BASE_VERSION:
            self._join_weights()
            self.report.heads = self._project.take_heads(self._other.path)

    def _join_bases(self) -> str:
        """Return what the other project's base model is called here."""
        own, other = self._project.base, self._other.base
        if other is None:
            return BASE_VERSION
        if own is None:
            self._project.set_base(other)
        elif own.sha256 != other.sha256:
            self.report.clash(other.name, Rule.BASE)
            return other.sha256[:12]  # "base" would be this project's own, and its effort
        return BASE_VERSION

    def _join_classes(self) -> None:
        for name, colour in self._other.classes().items():
            classes = self._project.classes()
            if name in classes:
                if classes[name] != colour:
                    self.report.clash(name, Rule.COLOUR)
                continue
            taken = colour in classes.values()
            self._project.set_class(name, free_colour(classes) if taken else colour)
            self.report.classes += 1

    def _join_image(self, pair: Pair, groups: Mapping[str, str]) -> ImageRecord:
        there = pair.there
        file = None if there.path is None else self._other.path / there.path
        if pair.here is None:
            joined = self._add_image(there, groups)
            self.report.images += 1
            if file is not None and not is_there(file):
                self.report.missing.append(joined.id)
        else:
            joined = pair.here
            self.report.known_images += 1
            if file is not None and is_there(file):  # this project may have lost its own
                joined = self._project.add_image(
                    joined.id, shape=joined.shape, content_hash=joined.content_hash, path=file
                )
        if joined.split != there.split:
            self.report.clash(joined.id, Rule.SPLIT)
        return joined

    def _add_image(self, there: ImageRecord, groups: Mapping[str, str]) -> ImageRecord:
        name = self._free_name(there)
        group = name if there.group == there.id else there.group
        return self._project.add_image(
            name,
            shape=there.shape,
            content_hash=there.content_hash,
            path=None if there.path is None else self._other.path / there.path,
            plane=there.plane,
            array=self._other.read_image(there.id) if there.path is None else None,
            group=groups.get(there.group, group),
            stratum=there.stratum,
            split=there.split,
        )

    def _free_name(self, there: ImageRecord) -> str:
        if there.id not in self._names:
            self._names.add(there.id)
            return there.id
        name = PurePosixPath(there.id)
        own = f"{name.stem} ({there.content_hash[:_HASH_DIGITS]}){name.suffix}"
        self.report.clash(str(name.with_name(own)), Rule.NAME)
        return str(name.with_name(own))

    def _join_marks(
        self, image: ImageRecord, here: Mapping[str, Any] | None, there: Mapping[str, Any] | None
    ) -> None:
        """Let the last word on an image stand, but never "no defect here" where masks are."""
        if there is None or (here is not None and there["time"] <= here["time"]):
            return
        if here is not None and _said(here) == _said(there):
            return
        if (self._project.image_review(image.id).when or 0.0) >= there["time"]:
            return
        if not (there["empty"] and self._project.annotations(image.id)):
            self._project.repeat({**there, "image": image.id})
            self.report.marks += 1

    def _join_weights(self) -> None:
        known = {info.version for info in self._project.versions()}
        for info in self._other.versions():
            if info.version in known:
                continue
            try:
                file = self._other.weights_path(info.version)
            except ProjectError:
                self.report.lost_weights.append(info.version)
                continue
            self._project.take_weights(info, file)
            self.report.weights += 1


def _marks(project: Project) -> dict[str, Mapping[str, Any]]:
    """Return the last line on each image that says done, empty, or neither."""
    return {line["image"]: line for line in project.said() if line["kind"] == "mark"}


def _said(mark: Mapping[str, Any]) -> tuple[bool, bool]:
    return bool(mark["done"]), bool(mark["empty"])
