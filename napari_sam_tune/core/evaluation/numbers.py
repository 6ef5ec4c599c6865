"""The numbers of a project: how many masks of what, how large, where, by whom and at what cost.

All of it is counted from records alone, without reading a mask: ten thousand take a moment.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.project.noted import ranges_of
from napari_sam_tune.core.storage.durable import make_folder, replacing_file
from napari_sam_tune.core.texts.plain_text import in_spreadsheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.noted import Noted, ValueRange
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.review import Review

PERCENTILES: Final = (0, 5, 25, 50, 75, 95, 100)
GRID: Final = 24
"""Cells of the heat map along each side of an image, whatever its size."""
_UNKNOWN: Final = "unknown"
_BY_HAND: Final = frozenset({"person", "robot"})


@dataclass(frozen=True)
class ClassNumbers:
    """The masks of one class.

    Attributes:
        name: of the class.
        colour: "#rrggbb", or None of a class that is not in the list.
        masks: how many.
        images: on how many images.
        areas: px by `PERCENTILES`; empty without masks.
        sizes: how many masks in each bin of `Numbers.size_edges`.

    """

    name: str
    colour: str | None
    masks: int
    images: int
    areas: tuple[float, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class NotedNumbers:
    """The masks of which something is noted.

    Attributes:
        values: an attribute with a value, or with a range of them.
        masks: how many.

    """

    values: ValueRange
    masks: int


@dataclass(frozen=True)
class ImageNumbers:
    """One image.

    Attributes:
        name: its id.
        review: what was said of it.
        masks: accepted on it.
        no_defect: it was marked as having none.

    """

    name: str
    review: Review
    masks: int
    no_defect: bool


@dataclass(frozen=True)
class MaskCost:
    """What one mask cost that was made by clicks.

    Attributes:
        number: in the order in which they were accepted, from 1.
        created: UTC, seconds since 1970.
        by: who accepted it.
        actions: clicks, boxes and strokes.
        seconds: of work.

    """

    number: int
    created: float
    by: str
    actions: int
    seconds: float


@dataclass(frozen=True)
class Numbers:
    """The numbers of a project.

    Attributes:
        classes: in the order of the project's, then those that masks alone have.
        images: in the order they were registered.
        states: of masks, state to how many.
        noted: masks by attribute and value.
        by_person: who to how many masks they accepted.
        size_edges: of the bins of sizes, px, each twice the one before.
        places: (GRID, GRID), how many masks lie where in their images; each counts 1 in all, spread
            over its box.
        costs: of the masks that were made by clicks.

    """

    classes: tuple[ClassNumbers, ...]
    images: tuple[ImageNumbers, ...]
    states: Mapping[str, int]
    noted: tuple[NotedNumbers, ...]
    by_person: Mapping[str, int]
    size_edges: tuple[int, ...]
    places: NDArray[np.float64] = field(compare=False)
    costs: tuple[MaskCost, ...]

    @property
    def masks(self) -> int:
        """How many masks are accepted."""
        return sum(one.masks for one in self.classes)

    @property
    def without_masks(self) -> tuple[str, ...]:
        """Images without a mask of which nobody said that they have no defect."""
        return tuple(one.name for one in self.images if not one.masks and not one.no_defect)

    @property
    def image_states(self) -> Mapping[str, int]:
        """State to how many images have it."""
        return Counter(one.review.state for one in self.images)


def numbers_of(project: Project) -> Numbers:
    """Count."""
    reviewed = project.reviewed()
    annotations = [annotation for annotation, _ in reviewed]
    edges = _size_edges(annotation.area for annotation in annotations)
    colours = project.classes()
    by_class: dict[str, list[Annotation]] = {name: [] for name in colours}
    for annotation in annotations:
        by_class.setdefault(annotation.label, []).append(annotation)
    on_image = Counter(annotation.image_id for annotation in annotations)
    empty, reviews = project.empty_images(), project.image_reviews()
    return Numbers(
        classes=tuple(
            _class_numbers(name, colours.get(name), own, edges) for name, own in by_class.items()
        ),
        images=tuple(
            ImageNumbers(name, review, on_image[name], name in empty and not on_image[name])
            for name, review in reviews.items()
        ),
        states=Counter(review.state for _, review in reviewed),
        noted=_noted([tuple(review.values.items()) for _, review in reviewed]),
        by_person=Counter(annotation.by or _UNKNOWN for annotation in annotations),
        size_edges=edges,
        places=_places((annotation.bbox, annotation.shape) for annotation in annotations),
        costs=_costs(annotations),
    )


def _noted(of_masks: Sequence[Sequence[Noted]]) -> tuple[NotedNumbers, ...]:
    return tuple(
        NotedNumbers(values, sum(values.takes(noted) for noted in of_masks))
        for values in ranges_of(one for noted in of_masks for one in noted)
    )


def _size_edges(areas: Iterable[int]) -> tuple[int, ...]:
    largest = max(areas, default=0)
    return tuple(1 << n for n in range(largest.bit_length() + 1)) if largest else ()


def _class_numbers(
    name: str, colour: str | None, own: Sequence[Annotation], edges: Sequence[int]
) -> ClassNumbers:
    areas = np.array([annotation.area for annotation in own])
    sizes = np.histogram(areas, bins=edges)[0] if len(edges) else np.zeros(0, int)
    return ClassNumbers(
        name=name,
        colour=colour,
        masks=len(own),
        images=len({annotation.image_id for annotation in own}),
        areas=tuple(np.percentile(areas, PERCENTILES).tolist()) if len(own) else (),
        sizes=tuple(sizes.tolist()),
    )


def _places(boxes: Iterable[tuple[BoundingBox, tuple[int, int]]]) -> NDArray[np.float64]:
    places = np.zeros((GRID, GRID))
    for (y0, x0, y1, x1), (height, width) in boxes:
        rows, columns = _shares(y0, y1, height), _shares(x0, x1, width)
        places += rows[:, None] * columns[None]
    return places


def _shares(start: int, end: int, length: int) -> NDArray[np.float64]:
    """Return how much of a stretch lies in each of the cells of an image's side; 1 in all."""
    borders = np.linspace(0, length, GRID + 1)
    inside = np.clip(np.minimum(borders[1:], end) - np.maximum(borders[:-1], start), 0, None)
    shares: NDArray[np.float64] = inside / (end - start)
    return shares


def _costs(annotations: Sequence[Annotation]) -> tuple[MaskCost, ...]:
    clicked = (a for a in annotations if a.source in _BY_HAND)
    return tuple(
        MaskCost(n, a.created, a.by or _UNKNOWN, a.effort.actions, a.effort.seconds)
        for n, a in enumerate(clicked, start=1)
    )


def class_rows(numbers: Numbers) -> list[tuple[str, ...]]:
    """Return a row for each class: name, masks, images, and areas by `PERCENTILES` in px."""
    return [
        (
            one.name,
            str(one.masks),
            str(one.images),
            *(f"{area:.0f}" for area in one.areas or ()),
            *[""] * (0 if one.areas else len(PERCENTILES)),
        )
        for one in numbers.classes
    ]


def write_tables(numbers: Numbers, folder: Path) -> list[Path]:
    """Write `numbers-….csv` of classes, attributes, images and masks, for spreadsheets.

    Exports have an `images.csv` of their own, which may be in the folder and stays. Names that a
    spreadsheet would take for formulas have a ' before them.

    Raises:
        StorageError: the disk refused.

    """
    make_folder(folder, "The table of numbers")
    areas = (f"area_{percent}_percent" for percent in PERCENTILES)
    tables: dict[str, tuple[tuple[str, ...], Iterable[Iterable[object]]]] = {
        "numbers-classes.csv": (("class", "masks", "images", *areas), class_rows(numbers)),
        "numbers-attributes.csv": (
            ("attribute", "from", "to", "masks"),
            (
                (one.values.name, one.values.low, one.values.high, one.masks)
                for one in numbers.noted
            ),
        ),
        "numbers-images.csv": (
            ("image", "state", "masks", "no_defect", "by", "note", "tags"),
            (
                (
                    one.name,
                    one.review.state,
                    one.masks,
                    str(one.no_defect).lower(),
                    one.review.by or "",
                    one.review.note,
                    "; ".join(one.review.tags),
                )
                for one in numbers.images
            ),
        ),
        "numbers-masks.csv": (
            ("number", "created", "by", "actions", "seconds"),
            (
                (one.number, one.created, one.by, one.actions, round(one.seconds, 1))
                for one in numbers.costs
            ),
        ),
    }
    for name, (columns, rows) in tables.items():
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(columns)
        table.writerows(
            [in_spreadsheet(c) if isinstance(c, str) else c for c in row] for row in rows
        )
        with replacing_file(folder / name) as file:
            file.write(text.getvalue().encode())
    return [folder / name for name in tables]
