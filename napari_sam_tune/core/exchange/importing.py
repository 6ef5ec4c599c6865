"""Making a project of a labelled data set: one accepted record for each object.

Everything that can be checked without decoding masks is checked before the first record is written.
An import that was interrupted is simply run again: an object the project knows is not added twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.errors import MaskError, ProjectError, SamTuneError
from napari_sam_tune.core.exchange.import_report import ImportedImage
from napari_sam_tune.core.exchange.incoming import OWN_ORIGIN, Folded
from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.images.files import content_hash, spatial_shape
from napari_sam_tune.core.left_out import IMAGE, LeftOut, named
from napari_sam_tune.core.project.annotations import NewAnnotation, checked_label
from napari_sam_tune.core.project.class_colours import free_colour
from napari_sam_tune.core.project.images import check_texts
from napari_sam_tune.core.project.split import place, split_groups, split_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.split import Split


@dataclass(frozen=True)
class ImportOptions:
    """What is taken of a data set, and what for.

    Attributes:
        smallest, largest: objects of fewer or more pixels are left out; None for no limit.
        limit: so many images, drawn by the seed; None for all.
        val: share of the groups that is held out to judge rounds, from 0 to 1.
        test: share of the groups that neither trains nor judges, from 0 to 1.
        seed: of the split and of `limit`.

    Raises:
        SamTuneError: the shares or the sizes contradict each other.

    """

    smallest: int = 1
    largest: int | None = None
    limit: int | None = None
    val: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test <= 1 + 1e-9):
            raise SamTuneError(
                f"The shares for validation ({self.val:g}) and test ({self.test:g}) must be from 0 "
                "to 1, and 1 or less together."
            )
        if self.largest is not None and self.largest < self.smallest:
            raise SamTuneError(
                f"No object is smaller than {self.largest} and larger than {self.smallest} pixels: "
                "swap the two limits."
            )


def checked_images(dataset: Dataset, options: ImportOptions) -> list[SourceImage]:
    """Return the images to import, all or as many as asked for, with all that is cheap checked.

    Images and objects at fault are left out, and `dataset.left_out` is told of them.

    Raises:
        SamTuneError: no image can be taken, or the splits contradict each other.

    """
    order = np.random.default_rng(options.seed).permutation(len(dataset.images))
    chosen = [dataset.images[i] for i in sorted(order[: options.limit])]
    names = Counter(image.name for image in chosen)
    _given_splits(chosen)
    check_texts(dataset.name)

    def checked(image: SourceImage) -> SourceImage:
        if names[image.name] > 1:
            raise SamTuneError(f"The image {image.name} is listed twice. Leave one of the two.")
        check_texts(image.name, image.group)
        shape, own = image.shape(), LeftOut()
        image.check(shape)
        sound = image.with_sound_objects(shape, own)
        _check_labels(sound)
        dataset.left_out.join(own)
        return replace(sound, is_whole=sound.is_whole and not own)

    return dataset.left_out.take(IMAGE, chosen, checked, lambda image: image.path.name)


def _check_labels(image: SourceImage) -> None:
    for label in image.labels:
        try:
            checked_label(label)
        except MaskError as error:
            raise SamTuneError(f"{image.name}: {error}") from error


def import_images(
    project: Project, name: str, images: Sequence[SourceImage], options: ImportOptions
) -> Iterator[ImportedImage]:
    """Decide the split of checked images and add them to a project; yields after each.

    Args:
        project: made or opened before; what it knows already stays as it is, its split too.
        name: of the data set, see `Dataset`.
        images: see `checked_images`.
        options: what is left out, and the shares of the split.

    Raises:
        ProjectError: the project knows another image by the name of one; nothing was written.
        StorageError: the disk refused; what was yielded is kept.

    """
    _check_known(project, images)
    contents = _contents(images)
    splits = _decide_splits(images, contents, options)
    strata = _strata(contents)
    by_place = _is_split_by_place(project, images, splits)
    for image in images:
        group = image.group or image.name
        yield _Import(project, name, image, options, by_place).run(splits[group], strata[group])


def _check_known(project: Project, images: Sequence[SourceImage]) -> None:
    known = {record.id: record for record in project.images()}
    for image in images:
        project.check_path(image.path)
        if image.name in known:
            _check_same(project, known[image.name], image)


def _check_same(project: Project, record: ImageRecord, image: SourceImage) -> None:
    """Refuse an image that is another one than the project knows by its name."""
    if record.path and (project.path / record.path).resolve() == image.path.resolve():
        return  # compared when it is read
    if content_hash(image.read()) != record.content_hash:
        raise ProjectError(
            f"The project knows another image by the name “{image.name}” than {image.path}. Rename "
            "the file, or import into another project."
        )


def _decide_splits(
    images: Sequence[SourceImage], contents: dict[str, Counter[str]], options: ImportOptions
) -> dict[str, Split]:
    given = _given_splits(images)
    free = {group: classes for group, classes in contents.items() if group not in given}
    return given | split_groups(free, val=options.val, test=options.test, seed=options.seed)


def _given_splits(images: Sequence[SourceImage]) -> dict[str, Split]:
    """Return what the source says of groups, which must not contradict itself."""
    given: dict[str, Split] = {}
    for image in images:
        if image.split is not None:
            group = image.group or image.name
            if given.setdefault(group, image.split) != image.split:
                raise SamTuneError(
                    f"The group “{group}” is in two splits, for one at {image.name}. A group "
                    "trains, or judges, or tests: give all its images the same."
                )
    return given


def _contents(images: Sequence[SourceImage]) -> dict[str, Counter[str]]:
    """Count for each group the images that show each class, "" where they show none."""
    contents: dict[str, Counter[str]] = {}
    for image in images:
        contents.setdefault(image.group or image.name, Counter()).update(image.labels or {""})
    return contents


def _strata(contents: dict[str, Counter[str]]) -> dict[str, str | None]:
    """Name each group's rarest class: what later groups are balanced by while a person labels."""
    totals = sum(contents.values(), Counter[str]())
    return {
        group: min(own, key=lambda label: (totals[label], label)) or None
        for group, own in contents.items()
    }


def _is_split_by_place(
    project: Project, images: Sequence[SourceImage], splits: dict[str, Split]
) -> bool:
    """Whether a single group is all there is, so that places have to be set apart in it."""
    groups = {record.group for record in project.images()} | splits.keys()
    undecided = all(image.split is None for image in images)
    return len(groups) == 1 and undecided and set(splits.values()) == {"train"}


class _Known:
    """What a project has in an image, living or not, before an import adds to it."""

    def __init__(self, project: Project, record: ImageRecord) -> None:
        self._imported = project.imported(record.id)
        self._records = project.records(record.id)
        self._living = project.annotations(record.id)
        self._seen: set[str] = set()

    def find(self, source: SourceObject, origin: str) -> tuple[Annotation | None, str]:
        """Return the annotation an object is already, if any, and the origin of a new one.

        An object that was exported from a project keeps the id of its record. One whose format has
        no place for ids is known by its class and its pixels. Of two with one id, as copying an
        object in another program leaves them, the second is a new one.
        """
        before = self._imported.get(origin)
        if source.record is not None and source.record not in self._seen:
            self._seen.add(source.record)
            origin = f"{OWN_ORIGIN}{source.record}"
            before = before or self._records.get(source.record) or self._imported.get(origin)
        return before or self._twin(source), origin

    def _twin(self, source: SourceObject) -> Annotation | None:
        if not self._living or not source.mask.any():
            return None
        y0, x0, y1, x1 = bounding_box(source.mask)
        for known in self._living:
            if _is_same(known, source) and np.array_equal(
                known.cropped_mask, source.mask[y0:y1, x0:x1]
            ):
                return known
        return None


def _is_same(known: Annotation, source: SourceObject) -> bool:
    """Tell, without reading the mask on record, whether an object is as it was imported."""
    return (
        known.label == source.label
        and known.area == np.count_nonzero(source.mask)
        and known.bbox == bounding_box(source.mask)
    )


class _Import:
    """The import of one image."""

    def __init__(
        self,
        project: Project,
        dataset: str,
        image: SourceImage,
        options: ImportOptions,
        by_place: bool,
    ) -> None:
        self.project, self.dataset, self.image = project, dataset, image
        self.options, self.by_place = options, by_place
        self.added: Counter[tuple[str, Split]] = Counter()
        self.there = 0
        self.left_out: Counter[str] = Counter()

    def run(self, split: Split, stratum: str | None) -> ImportedImage:
        try:
            pixels = self.image.read()
            shape = spatial_shape(pixels)
            # An image with a mask that cannot be read is left out before it is registered.
            objects = [Folded.of(source) for source in self.image.objects(shape)]
        except SamTuneError as error:
            return ImportedImage(None, fault=named(error, self.image.path.name))
        is_file = self.image.content is None
        record = self.project.add_image(
            self.image.name,
            shape=shape,
            content_hash=content_hash(pixels),
            path=self.image.path if is_file else None,
            array=None if is_file else pixels,
            group=self.image.group,
            stratum=stratum,
            split=split,
        )
        known = _Known(self.project, record)
        for folded in objects:
            source = folded.unfolded()
            before, origin = known.find(source, f"{self.dataset}/{source.id}")
            if before is None:
                self._add(record, source, origin)
            elif _is_same(before, source):
                self.there += 1
            else:
                self.left_out["object that was changed in the source since it was imported"] += 1
        self._mark(record, empty=not objects)
        return ImportedImage(record, self.added, self.there, self.left_out, empty=not objects)

    def _add(self, record: ImageRecord, source: SourceObject, origin: str) -> None:
        if reason := self._too_small_or_large(source):
            self.left_out[reason] += 1
            return
        classes = self.project.classes()
        if source.label not in classes:
            self.project.set_class(source.label, free_colour(classes))
        annotation = self.project.add(
            NewAnnotation(
                image_id=record.id,
                mask=source.mask,
                label=source.label,
                predicted_iou=source.score,
                source="import",
                origin=origin,
                split=self._split(record, source),
            )
        )
        self.added[annotation.label, annotation.split] += 1

    def _too_small_or_large(self, source: SourceObject) -> str | None:
        area = np.count_nonzero(source.mask)
        if area == 0:
            return "object without a pixel in the image"
        if area < self.options.smallest:
            return f"object of fewer than {self.options.smallest} pixels"
        if self.options.largest is not None and area > self.options.largest:
            return f"object of more than {self.options.largest} pixels"
        return None

    def _split(self, record: ImageRecord, source: SourceObject) -> Split:
        if not self.by_place:
            return "train"
        cell = place(record.shape, bounding_box(source.mask))
        split = split_place(cell, record.content_hash, test=self.options.test > 0)
        return "train" if split == "held_out" and self.options.val == 0 else split

    def _mark(self, record: ImageRecord, *, empty: bool) -> None:
        """Mark an image once; what a person said of it since stands."""
        if self.project.is_marked(record.id) or self.left_out or not self.image.is_whole:
            return
        if not (empty and self.project.annotations(record.id)):
            self.project.mark_done(record.id, empty=empty)
