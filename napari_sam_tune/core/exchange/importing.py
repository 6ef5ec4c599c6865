"""Making a project of a labelled data set: one accepted record for each object.

Everything that can be checked without decoding masks is checked before the first record is written.
An import that was interrupted is simply run again: an object the project knows is not added twice,
see `recognising`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import MaskError, ProjectError, SamTuneError
from napari_sam_tune.core.exchange.import_report import ImportedImage
from napari_sam_tune.core.exchange.incoming import OWN_ORIGIN, Folded
from napari_sam_tune.core.exchange.left_out import IMAGE, named
from napari_sam_tune.core.exchange.recognising import NEW, Recognition
from napari_sam_tune.core.exchange.which_way import check_drawn_on, decided, fitted
from napari_sam_tune.core.images.names import composed
from napari_sam_tune.core.images.opening import height_and_width
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.project.class_colours import free_colour
from napari_sam_tune.core.project.image_places import check_texts
from napari_sam_tune.core.project.naming import checked_label
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.core.project.split import place, split_groups, split_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
    from napari_sam_tune.core.exchange.recognising import Known
    from napari_sam_tune.core.exchange.which_way import Fitted
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.review import Review
    from napari_sam_tune.core.project.split import Split

CHANGED: Final = (
    "object that was changed in the source since it was imported (--update takes the new one)"
)


@dataclass(frozen=True)
class ImportOptions:
    """What is taken of a data set, and what for.

    Attributes:
        smallest, largest: objects of fewer or more pixels are left out; None for no limit.
        limit: so many images, drawn by the seed; None for all.
        val: share of the groups that is held out to judge rounds, from 0 to 1.
        test: share of the groups that neither trains nor judges, from 0 to 1.
        seed: of the split and of `limit`.
        update: objects that were changed in the source replace what was imported of them before.
        drawn_on: whether labels of photographs with an orientation lie on what is "shown", or on
            the pixels as they are "stored"; None to find out, see `which_way`.

    Raises:
        SamTuneError: the shares or the sizes contradict each other, or `drawn_on` is neither.

    """

    smallest: int = 1
    largest: int | None = None
    limit: int | None = None
    val: float = 0.15
    test: float = 0.15
    seed: int = 0
    update: bool = False
    drawn_on: str | None = None

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
        check_drawn_on(self.drawn_on)


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

    def checked(image: SourceImage) -> Fitted:
        if names[image.name] > 1:
            raise SamTuneError(f"The image {image.name} is listed twice. Leave one of the two.")
        check_texts(image.name, image.group)
        found = fitted(image, options.drawn_on)
        _check_labels(found.ways[0].image)
        return found

    every = dataset.left_out.take(IMAGE, chosen, checked, lambda image: image.path.name)
    taken = []
    for way in decided(dataset, every):
        dataset.left_out.join(way.left_out)
        is_whole = way.image.is_whole and not way.left_out
        taken.append(replace(way.image, is_whole=is_whole))
    return taken


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
    images = _as_known(project, images)
    _check_known(project, images)
    contents = _contents(images)
    splits = _decide_splits(images, contents, options)
    strata = _strata(contents)
    by_place = _is_split_by_place(project, images, splits)
    for stack in {image.stack.name: image.stack for image in images if image.stack}.values():
        project.set_stack(stack)
    for image in images:
        group = image.group or image.name
        yield _Import(project, name, image, options, by_place).run(splits[group], strata[group])


def _as_known(project: Project, images: Sequence[SourceImage]) -> list[SourceImage]:
    """Call images as the project does, which may write their names in another form of Unicode."""
    ids = {record.id for record in project.images()}
    known = {composed(name): name for name in ids}
    names = (i.name if i.name in ids else known.get(composed(i.name), i.name) for i in images)
    return [replace(i, name=n) if n != i.name else i for i, n in zip(images, names, strict=True)]


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
    if project.content_of(image.read(), record.id) != record.content_hash:
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
        self.there = self.restored = self.updated = self.gone = 0
        self._ids: set[str] = set()
        self.left_out: Counter[str] = Counter()

    def run(self, split: Split, stratum: str | None) -> ImportedImage:
        try:
            pixels = self.image.read()
            shape = height_and_width(pixels)
            # An image with a mask that cannot be read is left out before it is registered.
            objects = [Folded.of(source) for source in self.image.upright_objects(shape)]
        except SamTuneError as error:
            return ImportedImage(None, fault=named(error, self.image.path.name))
        has_file = self.image.has_file
        record = self.project.add_image(
            self.image.name,
            shape=shape,
            content_hash=self.project.content_of(pixels, self.image.name),
            path=self.image.path if has_file else None,
            plane=self.image.plane,
            array=None if has_file else pixels,
            group=self.image.group,
            stratum=stratum,
            split=split,
        )
        for folded, known in zip(objects, self._recognised(record, objects), strict=True):
            self._take(record, folded.unfolded(), known)
        self._mark(record, empty=not objects)
        self._review(record)
        return ImportedImage(
            record,
            self.added,
            self.there,
            self.left_out,
            empty=not objects,
            restored=self.restored,
            updated=self.updated,
            gone=self.gone,
        )

    def _recognised(self, record: ImageRecord, objects: list[Folded]) -> list[Known]:
        """Say of each object of the image what the project knows of it."""
        self._ids = set(self.project.records(record.id))
        if not self._ids:
            return [NEW] * len(objects)
        origins = self.project.imported(record.id)
        self._ids |= {o.removeprefix(OWN_ORIGIN) for o in origins if o.startswith(OWN_ORIGIN)}
        recognition = Recognition(self.project, record.id, self.dataset)
        known = recognition.of(objects)
        self.gone = recognition.gone
        return known

    def _take(self, record: ImageRecord, source: SourceObject, known: Known) -> None:
        """Take an object in, or count why not."""
        if known.how == "there":
            self.there += 1
        elif known.how == "changed" and not self.options.update:
            self.left_out[CHANGED] += 1
        elif reason := self._too_small_or_large(source):
            self.left_out[reason] += 1
        elif known.how == "deleted" and known.record is not None:
            self.project.restore(known.record.id)
            self.restored += 1
        elif known.how == "changed" and known.record is not None:
            self._add(record, source, known.record.id)
            self.updated += 1
        else:
            added = self._add(record, source)
            self.added[added.label, added.split] += 1

    def _origin(self, source: SourceObject) -> str:
        """Return the origin of a new record: an object of a project keeps its id.

        Of two with one id, as copying an object in another program leaves them, the second is a
        new one.
        """
        if source.record is None or source.record in self._ids:
            return f"{self.dataset}/{source.id}"
        self._ids.add(source.record)
        return f"{OWN_ORIGIN}{source.record}"

    def _add(
        self, record: ImageRecord, source: SourceObject, supersedes: str | None = None
    ) -> Annotation:
        if supersedes is not None and source.record is not None:
            self._ids.discard(source.record)  # it goes on under the id it had
        if source.review is not None:
            self._know_attributes(source.label, source.review)
        classes = self.project.classes()
        if source.label not in classes:
            self.project.set_class(source.label, free_colour(classes))
        return self.project.add(
            NewAnnotation(
                image_id=record.id,
                mask=source.placed,
                label=source.label,
                predicted_iou=source.score,
                source="import",
                supersedes=supersedes,
                origin=self._origin(source),
                split=self._split(record, source),
            ),
            review=source.review,
            thing=None if source.thing is None else f"{self.dataset}/{source.thing}",
        )

    def _know_attributes(self, label: str, review: Review) -> None:
        """Let a class have the attributes that are noted of an object of it."""
        known = self.project.attributes(label)
        names = {attribute.name for attribute in known}
        fresh = [
            Attribute(one, "text" if isinstance(value, str) else "number")
            for one, value in review.values.items()
            if one not in names
        ]
        if fresh:
            self.project.set_attributes(label, [*known, *fresh])

    def _too_small_or_large(self, source: SourceObject) -> str | None:
        area = source.placed.area
        if area == 0:
            return "object without a pixel in the image"
        if area < self.options.smallest:
            return f"object of fewer than {self.options.smallest} pixels"
        if self.options.largest is not None and area > self.options.largest:
            return f"object of more than {self.options.largest} pixels"
        return None

    def _split(self, record: ImageRecord, source: SourceObject) -> Split:
        if not self.by_place or source.placed.bbox is None:
            return "train"
        cell = place(record.shape, source.placed.bbox)
        split = split_place(cell, record.content_hash, test=self.options.test > 0)
        return "train" if split == "held_out" and self.options.val == 0 else split

    def _mark(self, record: ImageRecord, *, empty: bool) -> None:
        """Mark an image once; what a person said of it since stands."""
        if self.project.is_marked(record.id) or self.left_out or not self.image.is_whole:
            return
        if not (empty and self.project.annotations(record.id)):
            self.project.mark_done(record.id, empty=empty)

    def _review(self, record: ImageRecord) -> None:
        """Say of the image what was said where it is from, unless somebody said something here."""
        said = {} if self.image.review is None else self.image.review.fields()
        if self.left_out or not self.image.is_whole:
            said.pop("state", None)  # it was of all masks
        if said and not self.project.image_review(record.id).fields():
            self.project.set_image_review(record.id, **said)
